use std::collections::HashSet;

use axum::response::Response;
use serde_json::json;
use stele_app::NewExperiment;
use stele_domain::artifact_uri::LocationPolicy;
use stele_domain::record::Tag;
use stele_domain::{Error, Kind};

use crate::call::{Call, empty, reply};
use crate::dto::ExperimentDto;
use crate::error::{Code, Failure, Result};
use crate::validate::{self, MOST_EXPERIMENT_NAME};

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let location = input.text("artifact_location")?.filter(|location| !location.is_empty());
    let given = input.messages("tags")?;
    if let Some(location) = &location {
        LocationPolicy::default().validate_location(location, "artifact_location")?;
    }
    validate::length("name", &name, MOST_EXPERIMENT_NAME)?;
    let mut tags: Vec<Tag> = Vec::with_capacity(given.len());
    let mut seen = HashSet::new();
    for tag in given {
        let tag = validate::experiment_tag(tag.required_text("key")?, tag.text("value")?)?;
        if !seen.insert(tag.key.clone()) {
            return Err(Failure::invalid(format!("Duplicate experiment tag key '{}'.", tag.key)));
        }
        tags.push(tag);
    }
    let new = NewExperiment { name, artifact_location: location, tags };
    let id = call.app.experiment_create(&call.ctx, new).await?;
    reply(&json!({ "experiment_id": id.to_string() }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = validate::experiment_id(&call.input().await?.required_text("experiment_id")?)?;
    let experiment = call.app.experiment_get(&call.ctx, id).await?;
    reply(&json!({ "experiment": ExperimentDto::new(experiment, &call.ctx.workspace_name) }))
}

pub(crate) async fn get_by_name(mut call: Call) -> Result<Response> {
    let name = call.input().await?.required_text("experiment_name")?;
    let experiment = call.app.experiment_get_by_name(&call.ctx, name).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::Experiment, id } => {
            Failure::not_found(format!("Could not find experiment with name '{id}'"))
        }
        other => other.into(),
    })?;
    reply(&json!({ "experiment": ExperimentDto::new(experiment, &call.ctx.workspace_name) }))
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = validate::experiment_id(&input.required_text("experiment_id")?)?;
    let name = input.required_text("new_name")?;
    validate::length("name", &name, MOST_EXPERIMENT_NAME)?;
    call.app.experiment_rename(&call.ctx, id, name).await.map_err(|error| match error {
        Error::WrongState { .. } => Failure::new(Code::InvalidState, "Cannot rename a non-active experiment."),
        other => other.into(),
    })?;
    empty()
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = validate::experiment_id(&call.input().await?.required_text("experiment_id")?)?;
    call.app.experiment_delete(&call.ctx, id).await?;
    empty()
}

pub(crate) async fn restore(mut call: Call) -> Result<Response> {
    let id = validate::experiment_id(&call.input().await?.required_text("experiment_id")?)?;
    call.app.experiment_restore(&call.ctx, id).await?;
    empty()
}

pub(crate) async fn set_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.required_text("experiment_id")?;
    let tag = validate::experiment_tag(input.required_text("key")?, input.text("value")?)?;
    call.app.experiment_tag_set(&call.ctx, validate::experiment_id(&id)?, tag).await?;
    empty()
}

pub(crate) async fn delete_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = validate::experiment_id(&input.required_text("experiment_id")?)?;
    let key = input.required_text("key")?;
    call.app.experiment_tag_delete(&call.ctx, id, key).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::Tag, id: key } => {
            Failure::not_found(format!("No tag with name: {key} in experiment with id {id}"))
        }
        other => other.into(),
    })?;
    empty()
}
