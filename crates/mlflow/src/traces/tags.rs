//! Tags, links and the deletion of traces.

use axum::response::Response;
use serde_json::json;
use stele_app::TracesToDelete;
use stele_domain::id::{RunId, Timestamp};
use stele_domain::{Error, Kind};

use super::dto::{ARCHIVE_LOCATION_TAG, ARTIFACT_LOCATION_TAG, NAME_TAG, SPANS_LOCATION_TAG};
use super::{entry, known_id, known_ids};
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::input::missing;
use crate::validate;

/// The most traces that one request links.
const MOST_LINKS: usize = 100;

pub(crate) async fn set(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = known_id(input.path("trace_id"))?;
    let key = input.required_text("key")?;
    let value = input.text("value")?.unwrap_or_default();
    check_key(&key, "set")?;
    validate::name("key", &key)?;
    let tag = entry("tags", key, value)?;
    if tag.key == NAME_TAG {
        call.app.trace_rename(&call.ctx, id, Some(tag.value)).await?;
    } else {
        call.app.trace_tag_set(&call.ctx, id, tag).await?;
    }
    empty()
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let trace = input.path("trace_id").to_owned();
    let id = known_id(&trace)?;
    let key = input.required_text("key")?;
    check_key(&key, "deleted")?;
    let deleted = match key.as_str() {
        NAME_TAG => call.app.trace_rename(&call.ctx, id, None).await,
        _ => call.app.trace_tag_delete(&call.ctx, id, key.clone()).await,
    };
    deleted.map_err(|error| match error {
        Error::NotFound { kind: Kind::Tag, .. } => {
            Failure::not_found(format!("No trace tag with key '{key}' for trace with ID '{trace}'"))
        }
        error => error.into(),
    })?;
    empty()
}

/// The server alone says where spans and files are.
fn check_key(key: &str, operation: &str) -> Result<()> {
    match key {
        ARTIFACT_LOCATION_TAG | SPANS_LOCATION_TAG | ARCHIVE_LOCATION_TAG => {
            Err(Failure::invalid(format!("Trace tag '{key}' is immutable and cannot be {operation}.")))
        }
        _ => Ok(()),
    }
}

pub(crate) async fn link_to_run(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let count = input.list("trace_ids")?.len();
    if count == 0 {
        return Err(missing("trace_ids"));
    }
    let run = input.required_text("run_id")?;
    if count > MOST_LINKS {
        return Err(Failure::invalid(format!(
            "Cannot link more than {MOST_LINKS} traces to a run in a single request. Provided {count} traces."
        )));
    }
    call.app.traces_link_to_run(&call.ctx, known_ids(&input, "trace_ids")?, RunId(run)).await?;
    empty()
}

pub(crate) async fn link_prompts(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = known_id(&input.required_text("trace_id")?)?;
    let versions = input.messages("prompt_versions")?;
    if versions.is_empty() {
        return Err(missing("prompt_versions"));
    }
    if versions.len() > MOST_LINKS {
        return Err(Failure::invalid(format!("'prompt_versions' has more than {MOST_LINKS} entries")));
    }
    let version = |input: &crate::input::Input| {
        let name = input.required_text("name")?;
        validate::length("name", &name, 250)?;
        let number = input.value("version")?.ok_or_else(|| missing("prompt_versions.version"))?;
        let number =
            crate::input::int(&number).ok_or_else(|| crate::input::wrong_type("prompt_versions.version", &number))?;
        Ok(format!("{name}/{number}"))
    };
    let versions = versions.iter().map(version).collect::<Result<Vec<_>>>()?;
    call.app.trace_link_to_prompts(&call.ctx, id, versions).await?;
    empty()
}

pub(crate) async fn delete_traces(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = validate::experiment_id(&input.required_text("experiment_id")?)?;
    let newest = input.int("max_timestamp_millis")?;
    let most = input.int("max_traces")?;
    let named = !input.list("request_ids")?.is_empty();
    let which = match (newest, named) {
        (Some(_), true) => {
            return Err(Failure::invalid("Only one of `max_timestamp_millis` and `trace_ids` can be specified."));
        }
        (None, false) => {
            return Err(Failure::invalid("Either `max_timestamp_millis` or `trace_ids` must be specified."));
        }
        (None, true) if most.is_some() => {
            return Err(Failure::invalid("`max_traces` can't be specified if `trace_ids` is specified."));
        }
        (None, true) => TracesToDelete::Named(known_ids(&input, "request_ids")?),
        (Some(newest), false) => {
            if let Some(most) = most.filter(|most| *most <= 0) {
                return Err(Failure::invalid(format!("`max_traces` must be a positive integer, received {most}.")));
            }
            TracesToDelete::Oldest { newest: Timestamp(newest), most: most.unwrap_or(i64::MAX) }
        }
    };
    let deleted = call.app.traces_delete(&call.ctx, experiment, which).await?;
    reply(&json!({ "traces_deleted": deleted }))
}
