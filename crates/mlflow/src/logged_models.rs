//! Logged models: create, read, finalize, delete, params and tags.

mod page_token;

use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stele_app::NewLoggedModel;
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::lifecycle::LoggedModelStatus;
use stele_domain::record::{LoggedModel, ModelMetric, Param, Tag};
use stele_domain::{Error, Kind};

pub(crate) use page_token::{PageToken, TokenOrder};

use crate::call::{Call, empty, reply};
use crate::dto::{ParamDto, TagDto, double, param_dtos, tag_dtos};
use crate::error::{Code, Failure, Result};
use crate::input::{Input, missing};
use crate::python::repr;
use crate::validate;

/// MLflow's states of a logged model with their numbers on the wire.
pub(crate) const STATUSES: &[(&str, i64, LoggedModelStatus)] = &[
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", 0, LoggedModelStatus::Unspecified),
    ("LOGGED_MODEL_PENDING", 1, LoggedModelStatus::Pending),
    ("LOGGED_MODEL_READY", 2, LoggedModelStatus::Ready),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3, LoggedModelStatus::Failed),
];

const BAD_NAME_CHARACTERS: &[char] = &['/', ':', '.', '%', '"', '\''];

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let name = given(input.text("name")?);
    let model_type = given(input.text("model_type")?);
    let source_run = given(input.text("source_run_id")?).map(RunId);
    let params = params(&input)?;
    let tags = tags(&input)?;
    if let Some(name) = &name {
        check_name(name)?;
    }
    refuse_repeats("param", params.iter().map(|param| param.key.as_str()))?;
    refuse_repeats("tag", tags.iter().map(|tag| tag.key.as_str()))?;
    let experiment = validate::experiment_id(&experiment)?;
    let new = NewLoggedModel { experiment, name, model_type, source_run, params, tags };
    let model = call.app.logged_model_create(&call.ctx, new).await?;
    reply(&json!({ "model": LoggedModelDto::from(model) }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = path_id(&input);
    let deleted_too = input.text("allow_deleted")?.is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let model = if deleted_too {
        call.app.logged_model_get_any(&call.ctx, id).await?
    } else {
        call.app.logged_model_get(&call.ctx, id).await?
    };
    reply(&json!({ "model": LoggedModelDto::from(model) }))
}

/// The body names the model, and has to: MLflow's server does not look at the path.
pub(crate) async fn finalize(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = LoggedModelId(input.required_text("model_id")?);
    let status = input.named("status", STATUSES)?.ok_or_else(|| missing("status"))?;
    let model = call.app.logged_model_finalize(&call.ctx, id, status).await?;
    reply(&json!({ "model": LoggedModelDto::from(model) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = path_id(&call.input().await?);
    call.app.logged_model_delete(&call.ctx, id).await?;
    empty()
}

pub(crate) async fn log_params(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    input.required_text("model_id")?;
    let params = params(&input)?;
    call.app.logged_model_params_add(&call.ctx, path_id(&input), params).await?;
    empty()
}

pub(crate) async fn set_tags(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let tags = tags(&input)?;
    call.app.logged_model_tags_set(&call.ctx, path_id(&input), tags).await?;
    empty()
}

pub(crate) async fn delete_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = path_id(&input);
    let key = input.path("tag_key").to_owned();
    call.app.logged_model_tag_delete(&call.ctx, id.clone(), key).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::Tag, id: key } => {
            Failure::not_found(format!("No tag with key {} found for model with ID {}.", repr(&key), repr(id.as_str())))
        }
        other => other.into(),
    })?;
    empty()
}

fn path_id(input: &Input) -> LoggedModelId {
    LoggedModelId(input.path("model_id").to_owned())
}

fn params(input: &Input) -> Result<Vec<Param>> {
    let pairs = input.messages("params")?;
    pairs.iter().map(|pair| key_and_value(pair).map(|(key, value)| Param { key, value })).collect()
}

fn tags(input: &Input) -> Result<Vec<Tag>> {
    let pairs = input.messages("tags")?;
    pairs.iter().map(|pair| key_and_value(pair).map(|(key, value)| Tag { key, value })).collect()
}

fn key_and_value(pair: &Input) -> Result<(String, String)> {
    Ok((pair.text("key")?.unwrap_or_default(), pair.text("value")?.unwrap_or_default()))
}

fn refuse_repeats<'k>(what: &str, keys: impl Iterator<Item = &'k str>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(Failure::new(
                Code::BadRequest,
                format!("Duplicate {what} key {} of a logged model.", repr(key)),
            ));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if !name.contains(BAD_NAME_CHARACTERS) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "Invalid model name ({}) provided. Model name must be a non-empty string and cannot contain the following \
         characters: ('/', ':', '.', '%', '\"', \"'\")",
        repr(name)
    )))
}

#[derive(Serialize)]
pub(crate) struct LoggedModelDto {
    info: InfoDto,
    data: DataDto,
}

#[derive(Serialize)]
struct InfoDto {
    model_id: String,
    experiment_id: String,
    name: String,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    model_type: String,
    source_run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDto>,
}

#[derive(Serialize)]
struct DataDto {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<ParamDto>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<ModelMetricDto>,
}

#[derive(Serialize)]
struct ModelMetricDto {
    key: String,
    #[serde(serialize_with = "double")]
    value: f64,
    timestamp: i64,
    step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_digest: Option<String>,
    model_id: String,
    run_id: String,
}

impl From<LoggedModel> for LoggedModelDto {
    fn from(model: LoggedModel) -> LoggedModelDto {
        let LoggedModel {
            row: _,
            id: LoggedModelId(model_id),
            experiment,
            name,
            artifact_uri,
            created_at,
            updated_at,
            status,
            status_message,
            model_type,
            source_run,
            // A deleted model reads as any other.
            presence: _,
            tags,
            params,
            metrics,
        } = model;
        let metrics = metrics.into_iter().map(|metric| metric_dto(&model_id, metric)).collect();
        LoggedModelDto {
            info: InfoDto {
                model_id,
                experiment_id: experiment.to_string(),
                name,
                creation_timestamp_ms: created_at.0,
                last_updated_timestamp_ms: updated_at.0,
                artifact_uri,
                status: status_name(status),
                model_type: model_type.unwrap_or_default(),
                source_run_id: source_run.map(|RunId(id)| id).unwrap_or_default(),
                status_message,
                tags: tag_dtos(tags),
            },
            data: DataDto { params: param_dtos(params), metrics },
        }
    }
}

fn metric_dto(model: &str, metric: ModelMetric) -> ModelMetricDto {
    let ModelMetric { key, point, run: RunId(run_id), dataset } = metric;
    let (dataset_name, dataset_digest) = dataset.map(|dataset| (dataset.name, dataset.digest)).unzip();
    ModelMetricDto {
        key,
        value: point.value,
        timestamp: point.timestamp,
        step: point.step,
        dataset_name,
        dataset_digest,
        model_id: model.to_owned(),
        run_id,
    }
}

fn status_name(status: LoggedModelStatus) -> &'static str {
    match status {
        LoggedModelStatus::Unspecified => "LOGGED_MODEL_STATUS_UNSPECIFIED",
        LoggedModelStatus::Pending => "LOGGED_MODEL_PENDING",
        LoggedModelStatus::Ready => "LOGGED_MODEL_READY",
        LoggedModelStatus::Failed => "LOGGED_MODEL_UPLOAD_FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_name_and_number() {
        for status in LoggedModelStatus::ALL {
            assert!(STATUSES.iter().any(|(name, _, known)| known == status && *name == status_name(*status)));
        }
    }
}
