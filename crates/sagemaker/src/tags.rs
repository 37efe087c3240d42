//! Tags of anything that has an ARN.

use serde_json::{Value, json};
use stele_app::RunValues;
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::record::Tag;
use stele_domain::{Error, Kind as RecordKind};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::{self, Kind};
use crate::packages::{self, Named};
use crate::paging::nothing;
use crate::registry::{self, GROUP};
use crate::{arn, experiments, render};

/// What an ARN names, with the tags that it has.
struct Tagged {
    thing: Thing,
    tags: Vec<Tag>,
}

enum Thing {
    Model(String),
    Version(String, i64),
    Experiment(ExperimentId),
    Component(RunId),
    Resource(&'static Kind, String),
}

pub(crate) async fn add(call: Call) -> Result<Value> {
    let tags = call.tags()?;
    let reply = json!({ "Tags": render::tags(&tags) });
    match find(&call).await?.thing {
        Thing::Model(name) => {
            for tag in tags {
                call.app.model_tag_set(&call.ctx, name.clone(), tag).await?;
            }
        }
        Thing::Version(model, number) => {
            for tag in tags {
                call.app.model_version_tag_set(&call.ctx, model.clone(), number, tag).await?;
            }
        }
        Thing::Experiment(id) => {
            for tag in tags {
                call.app.experiment_tag_set(&call.ctx, id, tag).await?;
            }
        }
        Thing::Component(run) => {
            let values = RunValues { tags, ..RunValues::default() };
            call.app.run_log(&call.ctx, run, values).await?;
        }
        Thing::Resource(kind, name) => {
            call.app.resource_tags_change(&call.ctx, kind.path, name, tags, Vec::new()).await?;
        }
    }
    Ok(reply)
}

pub(crate) async fn delete(call: Call) -> Result<Value> {
    let keys = call.texts("TagKeys");
    match find(&call).await?.thing {
        Thing::Model(name) => {
            for key in keys {
                call.app.model_tag_delete(&call.ctx, name.clone(), key).await?;
            }
        }
        Thing::Version(model, number) => {
            for key in keys {
                call.app.model_version_tag_delete(&call.ctx, model.clone(), number, key).await?;
            }
        }
        Thing::Experiment(id) => {
            for key in keys {
                or_absent(call.app.experiment_tag_delete(&call.ctx, id, key).await)?;
            }
        }
        Thing::Component(run) => {
            for key in keys {
                or_absent(call.app.run_tag_delete(&call.ctx, run.clone(), key).await)?;
            }
        }
        Thing::Resource(kind, name) => {
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
    let Value::Array(items) = render::tags(&find(&call).await?.tags) else { return Ok(nothing()) };
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
    let resource = async |kind: &'static Kind, name: String| {
        let found = call.app.resource_get(&call.ctx, kind.path, name.clone()).await;
        let found = found.map_err(call.about(kind, &name))?;
        Ok(Tagged { thing: Thing::Resource(kind, name), tags: found.tags })
    };
    Ok(match path.kind {
        GROUP => {
            let (model, _) = registry::open_named(call, &rest).await?;
            Tagged { thing: Thing::Model(model.name), tags: model.tags }
        }
        "experiment" => {
            let experiment = experiments::open(call, &rest).await?;
            Tagged { thing: Thing::Experiment(experiment.id), tags: experiment.tags }
        }
        "experiment-trial-component" => {
            let run = call.app.component_get(&call.ctx, rest).await.map_err(|_| missing())?.run;
            Tagged { thing: Thing::Component(run.info.id), tags: run.tags }
        }
        "model-package" => match packages::parse(call, given).await? {
            Named::Version { model, number } => {
                let version = call.app.model_version_get(&call.ctx, model.clone(), number).await;
                let tags = version.map_err(|_| missing())?.tags;
                Tagged { thing: Thing::Version(model, number), tags }
            }
            Named::Unversioned(name) => return resource(&kinds::PACKAGE, name).await,
        },
        other => return resource(kinds::by_path(other).ok_or_else(missing)?, rest).await,
    })
}
