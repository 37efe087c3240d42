//! Tags of anything that has an ARN.

use serde_json::{Value, json};
use stele_app::RunValues;
use stele_domain::record::Tag;
use stele_domain::{Error, Kind as RecordKind};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::{self, Kind};
use crate::packages::{self, Named};
use crate::paging::nothing;
use crate::registry::{self, GROUP};
use crate::{arn, experiments, render};

/// What an ARN names.
enum Tagged {
    Model(String),
    Version(String, i64),
    Experiment(String),
    Component(String),
    Resource(&'static Kind, String),
}

pub(crate) async fn add(call: Call) -> Result<Value> {
    let tags = call.tags()?;
    let tagged = find(&call).await?;
    let all = || json!({ "Tags": render::tags(&tags) });
    let reply = all();
    match tagged {
        Tagged::Model(name) => {
            for tag in tags {
                call.app.model_tag_set(&call.ctx, name.clone(), tag).await?;
            }
        }
        Tagged::Version(model, number) => {
            for tag in tags {
                call.app.model_version_tag_set(&call.ctx, model.clone(), number, tag).await?;
            }
        }
        Tagged::Experiment(name) => {
            let experiment = experiments::open(&call, &name).await?;
            for tag in tags {
                call.app.experiment_tag_set(&call.ctx, experiment.id, tag).await?;
            }
        }
        Tagged::Component(name) => {
            let component = call.app.component_get(&call.ctx, name).await?;
            let values = RunValues { tags, ..RunValues::default() };
            call.app.run_log(&call.ctx, component.run.info.id, values).await?;
        }
        Tagged::Resource(kind, name) => {
            call.app.resource_tags_change(&call.ctx, kind.path, name, tags, Vec::new()).await?;
        }
    }
    Ok(reply)
}

pub(crate) async fn delete(call: Call) -> Result<Value> {
    let keys = call.texts("TagKeys");
    match find(&call).await? {
        Tagged::Model(name) => {
            for key in keys {
                call.app.model_tag_delete(&call.ctx, name.clone(), key).await?;
            }
        }
        Tagged::Version(model, number) => {
            for key in keys {
                call.app.model_version_tag_delete(&call.ctx, model.clone(), number, key).await?;
            }
        }
        Tagged::Experiment(name) => {
            let experiment = experiments::open(&call, &name).await?;
            for key in keys {
                or_absent(call.app.experiment_tag_delete(&call.ctx, experiment.id, key).await)?;
            }
        }
        Tagged::Component(name) => {
            let component = call.app.component_get(&call.ctx, name).await?;
            for key in keys {
                or_absent(call.app.run_tag_delete(&call.ctx, component.run.info.id.clone(), key).await)?;
            }
        }
        Tagged::Resource(kind, name) => {
            call.app.resource_tags_change(&call.ctx, kind.path, name, Vec::new(), keys).await?;
        }
    }
    Ok(nothing())
}

/// A key that is not there is as good as deleted.
fn or_absent(deleted: stele_domain::Result<()>) -> Result<()> {
    match deleted {
        Err(Error::NotFound { kind: RecordKind::Tag, .. }) => Ok(()),
        other => Ok(other?),
    }
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let tags: Vec<Tag> = match find(&call).await? {
        Tagged::Model(name) => call.app.model_get(&call.ctx, name).await?.tags,
        Tagged::Version(model, number) => call.app.model_version_get(&call.ctx, model, number).await?.tags,
        Tagged::Experiment(name) => experiments::open(&call, &name).await?.tags,
        Tagged::Component(name) => call.app.component_get(&call.ctx, name).await?.run.tags,
        Tagged::Resource(kind, name) => call.app.resource_get(&call.ctx, kind.path, name).await?.tags,
    };
    let Value::Array(items) = render::tags(&tags) else { return Ok(nothing()) };
    let window = call.window_of(50)?;
    let rest = items.into_iter().skip(usize::try_from(window.offset).unwrap_or(usize::MAX));
    let page = stele_domain::search::Page::of(rest.collect(), window);
    Ok(call.page_reply("Tags", page.items, page.more, window))
}

async fn find(call: &Call) -> Result<Tagged> {
    let given = call.required("ResourceArn");
    let missing = || Failure::validation(format!("The resource '{given}' does not exist."));
    let path = arn::parse(given, &call.account).ok_or_else(missing)?;
    let rest = path.rest.to_owned();
    let tagged = match path.kind {
        GROUP => Tagged::Model(registry::open_named(call, &rest).await?.0.name),
        "experiment" => Tagged::Experiment(experiments::open(call, &rest).await.map(|_| rest)?),
        "experiment-trial-component" => {
            call.app.component_get(&call.ctx, rest.clone()).await.map_err(|_| missing())?;
            Tagged::Component(rest)
        }
        "model-package" => match packages::parse(call, given).await? {
            Named::Version { model, number } => {
                call.app.model_version_get(&call.ctx, model.clone(), number).await.map_err(|_| missing())?;
                Tagged::Version(model, number)
            }
            Named::Unversioned(name) => Tagged::Resource(&kinds::PACKAGE, name),
        },
        other => Tagged::Resource(kinds::by_path(other).ok_or_else(missing)?, rest),
    };
    if let Tagged::Resource(kind, name) = &tagged {
        call.app.resource_get(&call.ctx, kind.path, name.clone()).await.map_err(call.about(kind, name))?;
    }
    Ok(tagged)
}
