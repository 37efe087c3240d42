use std::collections::HashSet;

use axum::response::Response;
use serde_json::json;
use stele_app::{NewRun, RunUpdate, RunValues};
use stele_domain::error::ParamChange;
use stele_domain::id::{RunId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::{Error, Kind};

use crate::call::{Call, empty, reply};
use crate::dto::{PARENT_RUN_TAG, RUN_NAME_TAG, RunView, STATUSES, run_dto, run_info_dto};
use crate::error::{Failure, Result};
use crate::input::check_content_type;
use crate::scan::{Scanner, once};
use crate::validate;

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let started_at = input.int("start_time")?.unwrap_or(0);
    let name = input.text("run_name")?.unwrap_or_default();
    let user = input.text("user_id")?.unwrap_or_default();
    let mut values = RunValues::default();
    let mut seen = HashSet::new();
    for tag in input.messages("tags")? {
        let tag = Tag { key: tag.text("key")?.unwrap_or_default(), value: tag.text("value")?.unwrap_or_default() };
        if !seen.insert(tag.key.clone()) {
            return Err(Failure::invalid(format!("Duplicate tag key '{}'.", tag.key)));
        }
        take_tag(&mut values, tag);
    }
    let tagged = values.name.unwrap_or_default();
    if !name.is_empty() && !tagged.is_empty() && name != tagged {
        return Err(Failure::invalid(format!(
            "Both 'run_name' argument and '{RUN_NAME_TAG}' tag are specified, but with different values \
             (run_name='{name}', {RUN_NAME_TAG}='{tagged}')."
        )));
    }
    let run = NewRun {
        experiment: validate::experiment_id(&experiment)?,
        parent: values.parent,
        name: if name.is_empty() { tagged } else { name },
        user,
        started_at: Some(Timestamp(started_at)),
        tags: values.tags,
    };
    let run = call.app.run_create(&call.ctx, run).await?;
    reply(&json!({ "run": run_dto(run, RunView::Created) }))
}

/// Puts a tag where the record keeps its meaning.
pub(crate) fn take_tag(values: &mut RunValues, tag: Tag) {
    match tag.key.as_str() {
        // An empty name leaves the old one.
        RUN_NAME_TAG if tag.value.is_empty() => {}
        RUN_NAME_TAG => values.name = Some(tag.value),
        PARENT_RUN_TAG => {
            values.parent = Some(RunId(tag.value.clone()));
            values.tags.push(tag);
        }
        _ => values.tags.push(tag),
    }
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = RunId(call.input().await?.run_id()?);
    let run = call.app.run_get(&call.ctx, id).await?;
    reply(&json!({ "run": run_dto(run, RunView::Whole) }))
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = RunId(input.run_id()?);
    let ended_at = input.int("end_time")?.map(Timestamp);
    let status = input.named("status", STATUSES)?;
    let name = input.text("run_name")?.filter(|name| !name.is_empty());
    let info = call.app.run_update(&call.ctx, id, RunUpdate { name, status, ended_at }).await?;
    reply(&json!({ "run_info": run_info_dto(info) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = RunId(call.input().await?.run_id()?);
    call.app.run_delete(&call.ctx, id).await?;
    empty()
}

pub(crate) async fn restore(mut call: Call) -> Result<Response> {
    let id = RunId(call.input().await?.run_id()?);
    call.app.run_restore(&call.ctx, id).await?;
    empty()
}

pub(crate) async fn set_tag(mut call: Call) -> Result<Response> {
    let (id, key, value) = run_key_value(&mut call).await?;
    let tag = validate::tag("", key, value)?;
    let mut values = RunValues::default();
    take_tag(&mut values, tag);
    call.app.run_log(&call.ctx, id, values).await?;
    empty()
}

/// The message of a tag or a param of a run.
async fn run_key_value(call: &mut Call) -> Result<(RunId, String, Option<String>)> {
    let body = call.bytes().await?;
    check_content_type(&call.method, &call.headers)?;
    if let Some(read) = quick_run_key_value(&body) {
        return Ok(read);
    }
    let input = call.read(&body)?;
    Ok((RunId(input.run_id()?), input.required_text("key")?, input.text("value")?))
}

/// Reads a plain message; `None` for any other.
fn quick_run_key_value(body: &[u8]) -> Option<(RunId, String, Option<String>)> {
    let mut scan = Scanner::new(body)?;
    let (mut run_id, mut run_uuid, mut key, mut value) = (None, None, None, None);
    scan.object(|scan, field| match field {
        "run_id" => once(&mut run_id, Some(scan.text()?)),
        "run_uuid" => once(&mut run_uuid, Some(scan.text()?)),
        "key" => once(&mut key, Some(scan.text()?)),
        "value" => once(&mut value, Some(scan.text()?)),
        _ => None,
    })?;
    scan.end()?;
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Some((RunId(given(run_id)?), given(key)?, value.map(str::to_owned)))
}

pub(crate) async fn delete_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.run_id()?;
    let key = input.required_text("key")?;
    let outcome = if key == RUN_NAME_TAG {
        // The tag and the name are one thing.
        let update = RunUpdate { name: Some(String::new()), ..RunUpdate::default() };
        call.app.run_update(&call.ctx, RunId(id.clone()), update).await.map(|_| ())
    } else if key == PARENT_RUN_TAG {
        call.app.run_parent_tag_delete(&call.ctx, RunId(id.clone()), key).await
    } else {
        call.app.run_tag_delete(&call.ctx, RunId(id.clone()), key).await
    };
    outcome.map_err(|error| match error {
        Error::NotFound { kind: Kind::Tag, id: key } => {
            Failure::not_found(format!("No tag with name: {key} in run with id {id}"))
        }
        other => other.into(),
    })?;
    empty()
}

pub(crate) async fn log_param(mut call: Call) -> Result<Response> {
    let (id, key, value) = run_key_value(&mut call).await?;
    let param = validate::param("", key, value)?;
    let values = RunValues { params: vec![param], ..RunValues::default() };
    call.app.run_log(&call.ctx, id, values).await.map_err(param_changed)?;
    empty()
}

/// The text for a single param differs from that for a batch.
fn param_changed(error: Error) -> Failure {
    match error {
        Error::ParamsChanged { run, changes } => match changes.into_iter().next() {
            Some(ParamChange { key, old, new }) => Failure::invalid(format!(
                "Changing param values is not allowed. Param with key='{key}' was already logged with value='{old}' \
                 for run ID='{run}'. Attempted logging new value '{new}'."
            )),
            None => Failure::invalid("Changing param values is not allowed."),
        },
        other => other.into(),
    }
}
