//! Tags of anything that has an ARN.

use std::collections::HashMap;

use serde_json::{Value, json};
use stele_app::TaggedThing;
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

impl From<Thing> for TaggedThing {
    fn from(thing: Thing) -> TaggedThing {
        match thing {
            Thing::Model(name) => TaggedThing::Model(name),
            Thing::Version(model, number) => TaggedThing::ModelVersion(model, number),
            Thing::Experiment(id) => TaggedThing::Experiment(id),
            Thing::Component(run) => TaggedThing::Run(run),
            Thing::Resource(kind, name) => TaggedThing::Resource(kind.path, name),
        }
    }
}

pub(crate) async fn add(call: Call) -> Result<Value> {
    let tags = call.tags()?;
    let reply = json!({ "Tags": render::tags(&tags) });
    match find(&call).await?.thing {
        Thing::Model(name) => call.app.model_tags_set(&call.ctx, name, tags).await?,
        Thing::Version(model, number) => call.app.model_version_tags_set(&call.ctx, model, number, tags).await?,
        Thing::Experiment(id) => call.app.experiment_tags_set(&call.ctx, id, tags).await?,
        Thing::Component(run) => call.app.component_tags_set(&call.ctx, run, tags).await?,
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
    let Tagged { thing, mut tags } = find(&call).await?;
    let keys = call.app.tag_keys(&call.ctx, thing.into()).await?;
    let places: HashMap<&str, usize> = keys.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
    tags.sort_by_key(|tag| places.get(tag.key.as_str()).copied());
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
