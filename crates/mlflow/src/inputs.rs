//! What runs read and made: dataset and model inputs, model outputs, and the older note of a logged model.

use std::collections::HashSet;

use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value};
use stele_app::RunInputs;
use stele_domain::Error;
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::record::{Dataset, DatasetInput, DatasetSummary, ModelOutput, Tag};

use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};
use crate::input::{Input, missing};
use crate::python::{json_dumps, repr};
use crate::validate;

/// The input tag that says what a run read a dataset for.
const CONTEXT_TAG: &str = "mlflow.data.context";
/// The run tag with the list of models that a run logged in the older way.
const HISTORY_TAG: &str = "mlflow.log-model.history";
const HISTORY_FIELDS: [&str; 4] = ["artifact_path", "flavors", "utc_time_created", "run_id"];
const MOST_SEARCHED_EXPERIMENTS: usize = 20;

const MOST_DATASET_NAME: usize = 500;
const MOST_DIGEST: usize = 36;
const MOST_SOURCE: usize = 65_535;
const MOST_SCHEMA: usize = 1_048_575;
const MOST_PROFILE: usize = 16_777_215;
const MOST_LINKS: usize = 10_000;
const MOST_INPUT_TAG_KEY: usize = 255;
const MOST_INPUT_TAG_VALUE: usize = 500;

pub(crate) async fn log_inputs(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = input.run_id()?;
    let datasets = input.messages("datasets")?;
    let models = input.messages("models")?;
    let run = validate::strict_run_id(run)?;
    check_count("datasets", datasets.len())?;
    check_count("models", models.len())?;
    let inputs = RunInputs {
        datasets: datasets.iter().map(dataset_input).collect::<Result<_>>()?,
        models: models.iter().map(model_id).collect::<Result<_>>()?,
    };
    call.app.run_inputs_log(&call.ctx, run, inputs).await?;
    empty()
}

pub(crate) async fn log_outputs(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = RunId(input.run_id()?);
    if !input.has("models")? {
        return Err(missing("models"));
    }
    let models = input.messages("models")?;
    check_count("models", models.len())?;
    let outputs = models
        .iter()
        .map(|model| Ok(ModelOutput { model: model_id(model)?, step: model.int("step")?.unwrap_or(0) }))
        .collect::<Result<_>>()?;
    call.app.run_outputs_log(&call.ctx, run, outputs).await?;
    empty()
}

/// Each link is a statement of its own in the one writing transaction.
fn check_count(what: &str, count: usize) -> Result<()> {
    if count <= MOST_LINKS {
        return Ok(());
    }
    Err(Failure::invalid(format!("A request can log at most {MOST_LINKS} {what}, got {count}.")))
}

fn model_id(model: &Input) -> Result<LoggedModelId> {
    Ok(LoggedModelId(model.text("model_id")?.unwrap_or_default()))
}

fn dataset_input(input: &Input) -> Result<DatasetInput> {
    let dataset = match input.message("dataset")? {
        Some(fields) => dataset(&fields)?,
        None => dataset(&Input::empty())?,
    };
    let mut tags: Vec<Tag> = Vec::new();
    let mut seen = HashSet::new();
    for tag in input.messages("tags")? {
        let tag = Tag { key: tag.text("key")?.unwrap_or_default(), value: tag.text("value")?.unwrap_or_default() };
        validate::length("key", &tag.key, MOST_INPUT_TAG_KEY)?;
        validate::length("value", &tag.value, MOST_INPUT_TAG_VALUE)?;
        if !seen.insert(tag.key.clone()) {
            return Err(Failure::new(Code::BadRequest, format!("Duplicate input tag key {}.", repr(&tag.key))));
        }
        tags.push(tag);
    }
    Ok(DatasetInput { dataset, tags })
}

/// A field that is not there reads as an empty one; an empty schema or profile is none.
fn dataset(fields: &Input) -> Result<Dataset> {
    let text = |name: &str, most: usize| -> Result<String> {
        let text = fields.text(name)?.unwrap_or_default();
        validate::length(name, &text, most)?;
        Ok(text)
    };
    let optional = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Dataset {
        name: text("name", MOST_DATASET_NAME)?,
        digest: text("digest", MOST_DIGEST)?,
        source_type: fields.text("source_type")?.unwrap_or_default(),
        source: text("source", MOST_SOURCE)?,
        schema: optional(text("schema", MOST_SCHEMA)?),
        profile: optional(text("profile", MOST_PROFILE)?),
    })
}

#[derive(Serialize)]
struct FoundDatasets {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_summaries: Vec<DatasetSummaryDto>,
}

#[derive(Serialize)]
struct DatasetSummaryDto {
    experiment_id: String,
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

pub(crate) async fn search_datasets(mut call: Call) -> Result<Response> {
    let ids = call.input().await?.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(Failure::invalid("SearchDatasets request must specify at least one experiment_id."));
    }
    if ids.len() > MOST_SEARCHED_EXPERIMENTS {
        return Err(Failure::invalid(format!(
            "SearchDatasets request cannot specify more than {MOST_SEARCHED_EXPERIMENTS} experiment_ids. \
             Received {} experiment_ids.",
            ids.len()
        )));
    }
    let experiments = ids.iter().map(|id| validate::experiment_id(id)).collect::<Result<_>>()?;
    let summaries = call.app.datasets_used(&call.ctx, experiments, CONTEXT_TAG).await?;
    reply(&FoundDatasets { dataset_summaries: summaries.into_iter().map(summary_dto).collect() })
}

fn summary_dto(summary: DatasetSummary) -> DatasetSummaryDto {
    let DatasetSummary { experiment, name, digest, context } = summary;
    DatasetSummaryDto { experiment_id: experiment.to_string(), name, digest, context }
}

/// Notes a model on a run as clients did before logged models: in a tag that holds a JSON list.
pub(crate) async fn log_model(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = RunId(input.required_text("run_id")?);
    let text = input.required_text("model_json")?;
    let model: Value = serde_json::from_str(&text)
        .map_err(|_| Failure::invalid(format!("Malformed model info. \n {text} \n is not a valid JSON.")))?;
    let entry = history_entry(&model)?;
    call.app.run_tag_rewrite(&call.ctx, run, HISTORY_TAG.to_owned(), move |history| extended(history, &entry)).await?;
    empty()
}

/// What the history keeps of a model's own description.
fn history_entry(model: &Value) -> Result<String> {
    let Value::Object(model) = model else {
        return Err(Failure::invalid("Model json must be a JSON object"));
    };
    let absent: HashSet<&str> = HISTORY_FIELDS.into_iter().filter(|field| !model.contains_key(*field)).collect();
    if !absent.is_empty() {
        let absent: Vec<String> = HISTORY_FIELDS.into_iter().filter(|field| absent.contains(field)).map(repr).collect();
        return Err(Failure::invalid(format!("Model json is missing mandatory fields: {{{}}}", absent.join(", "))));
    }
    let flavors = match &model["flavors"] {
        Value::Null => Map::new(),
        Value::Object(flavors) => flavors.iter().map(|(name, flavor)| (name.clone(), brief(flavor))).collect(),
        _ => return Err(Failure::invalid("The flavors in the model json must be a JSON object")),
    };
    let kept = ["run_id", "artifact_path", "utc_time_created"];
    let mut fields: Vec<String> = kept
        .into_iter()
        .filter(|field| !model[*field].is_null())
        .map(|field| format!("\"{field}\": {}", json_dumps(&model[field])))
        .collect();
    fields.push(format!("\"model_uuid\": {}", json_dumps(model.get("model_uuid").unwrap_or(&Value::Null))));
    fields.push(format!("\"flavors\": {}", json_dumps(&Value::Object(flavors))));
    Ok(format!("{{{}}}", fields.join(", ")))
}

/// A flavor without its configuration, which may be large.
fn brief(flavor: &Value) -> Value {
    match flavor {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "config")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        other => other.clone(),
    }
}

/// The list in `history` with one entry more.
fn extended(history: Option<&str>, entry: &str) -> Result<String, Error> {
    let Some(history) = history else { return Ok(format!("[{entry}]")) };
    let known = serde_json::from_str::<Vec<Value>>(history)
        .map_err(|_| Error::invalid(format!("tag {HISTORY_TAG} of the run does not hold a JSON list")))?;
    match history.trim_end().strip_suffix(']') {
        Some(open) if !known.is_empty() => Ok(format!("{open}, {entry}]")),
        _ => Ok(format!("[{entry}]")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_history_entry_keeps_the_known_fields_in_mlflow_order() {
        let model = json!({
            "artifact_path": "p", "run_id": "r", "utc_time_created": "now", "extra": 1, "model_uuid": "u",
            "flavors": { "sk": { "v": "é", "config": 1, "code": null }, "x": "text" },
        });
        assert_eq!(
            history_entry(&model).unwrap(),
            r#"{"run_id": "r", "artifact_path": "p", "utc_time_created": "now", "model_uuid": "u", "flavors": {"sk": {"v": "\u00e9", "code": null}, "x": "text"}}"#
        );
    }

    #[test]
    fn a_history_grows_at_its_end() {
        let one = extended(None, "{\"a\": 1}").unwrap();
        let two = extended(Some(&one), "{\"b\": 2}").unwrap();
        assert_eq!(two, r#"[{"a": 1}, {"b": 2}]"#);
        assert_eq!(extended(Some("[] "), "{}").unwrap(), "[{}]");
        assert!(extended(Some("junk"), "{}").is_err());
    }

    #[test]
    fn missing_fields_are_named_as_a_python_set() {
        let partial = json!({ "artifact_path": "a", "flavors": {}, "run_id": "r" });
        let expected = Failure::invalid("Model json is missing mandatory fields: {'utc_time_created'}");
        assert_eq!(history_entry(&partial).unwrap_err(), expected);
    }
}
