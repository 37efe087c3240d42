use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};
use stele_app::NewEvaluationDataset;
use stele_domain::evaluation::EvaluationDataset;
use stele_domain::record::Tag;
use stele_domain::search::{EvaluationDatasetSearch, Query};
use stele_domain::{Error, Kind};

use super::{USER_TAG, json_object, object, required_json};
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::filter::evaluation_datasets::{parse_filter, parse_order_by};
use crate::python::{self, json_dumps};
use crate::search::{answer, max_results_at_most, next_token, window};
use crate::validate;

const MOST_NAME: usize = 255;
const MOST_TAG_KEY: usize = 255;
const MOST_TAG_VALUE: usize = 5_000;
const DEFAULT: i64 = 1_000;
const MOST: i64 = 50_000;

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let mut experiments: Vec<String> = Vec::new();
    for id in input.texts("experiment_ids")? {
        if !experiments.contains(&id) {
            experiments.push(id);
        }
    }
    let given = json_object(&input, "tags")?.unwrap_or_default();
    validate::length("name", &name, MOST_NAME)?;
    let user = user(&given);
    let new = NewEvaluationDataset { name, tags: tags(given)?, experiments: experiments.clone(), user };
    let dataset = call.app.evaluation_dataset_create(&call.ctx, new).await?;
    reply(&json!({ "dataset": EvaluationDatasetDto { experiment_ids: experiments, ..dataset.into() } }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = call.input().await?.path("dataset_id").to_owned();
    let dataset = call.app.evaluation_dataset_get(&call.ctx, id).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::EvaluationDataset, id } => {
            Failure::not_found(format!("Evaluation dataset with id '{id}' not found"))
        }
        other => other.into(),
    })?;
    reply(&json!({ "dataset": EvaluationDatasetDto::from(dataset) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = call.input().await?.path("dataset_id").to_owned();
    call.app.evaluation_dataset_delete(&call.ctx, id).await?;
    empty()
}

pub(crate) async fn search(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiments = input.texts("experiment_ids")?;
    let filter = parse_filter(&input.text("filter_string")?.unwrap_or_default())?;
    let limit = match input.int("max_results")?.unwrap_or(DEFAULT) {
        0 => {
            let message = "Invalid value None for parameter 'max_results' supplied. It must be a positive integer";
            return Err(Failure::invalid(message));
        }
        limit => max_results_at_most(limit, MOST)?,
    };
    let order_by = parse_order_by(&input.texts("order_by")?)?;
    let window = window(&input, limit)?;
    let search = EvaluationDatasetSearch { experiments, query: Query { filter, order_by, window } };
    let page = call.app.evaluation_dataset_search(&call.ctx, search).await?;
    let next = next_token(window, page.more);
    reply(&answer("datasets", page.items.into_iter().map(EvaluationDatasetDto::from), next))
}

pub(crate) async fn set_tags(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.path("dataset_id").to_owned();
    let tags = tags(object("tags", required_json(&input, "tags")?)?)?;
    call.app.evaluation_dataset_tags_set(&call.ctx, id, tags).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::EvaluationDataset, id } => {
            Failure::not_found(format!("Could not find evaluation dataset with ID {id}"))
        }
        other => other.into(),
    })?;
    empty()
}

pub(crate) async fn delete_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (id, key) = (input.path("dataset_id").to_owned(), input.path("key").to_owned());
    call.app.evaluation_dataset_tag_delete(&call.ctx, id, key).await?;
    empty()
}

pub(crate) async fn experiment_ids(mut call: Call) -> Result<Response> {
    let id = call.input().await?.path("dataset_id").to_owned();
    let ids = call.app.evaluation_dataset_experiments(&call.ctx, id).await?;
    if ids.is_empty() { empty() } else { reply(&json!({ "experiment_ids": ids })) }
}

pub(crate) async fn add_experiments(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (id, experiments) = (input.path("dataset_id").to_owned(), input.texts("experiment_ids")?);
    let changed = call.app.evaluation_dataset_experiments_add(&call.ctx, id, experiments).await;
    reply_linked(changed)
}

pub(crate) async fn remove_experiments(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (id, experiments) = (input.path("dataset_id").to_owned(), input.texts("experiment_ids")?);
    let changed = call.app.evaluation_dataset_experiments_remove(&call.ctx, id, experiments).await;
    reply_linked(changed)
}

fn reply_linked(changed: stele_domain::Result<EvaluationDataset>) -> Result<Response> {
    let dataset = changed.map_err(|error| match error {
        Error::NotFound { kind: Kind::EvaluationDataset, id } => {
            Failure::not_found(format!("Dataset '{id}' not found"))
        }
        Error::NotFound { kind: Kind::Experiment, id } => Failure::not_found(format!("No Experiment with id={id}")),
        other => other.into(),
    })?;
    reply(&json!({ "dataset": EvaluationDatasetDto::from(dataset) }))
}

/// A value of null sets nothing; others are kept as texts, in Python's spelling.
fn tags(given: Map<String, Value>) -> Result<Vec<Tag>> {
    let mut tags = Vec::with_capacity(given.len());
    for (key, value) in given {
        if value.is_null() {
            continue;
        }
        let value = python::to_text(&value);
        validate::length("key", &key, MOST_TAG_KEY)?;
        validate::length("value", &value, MOST_TAG_VALUE)?;
        tags.push(Tag { key, value });
    }
    // As they are read later.
    tags.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(tags)
}

pub(super) fn user(tags: &Map<String, Value>) -> Option<String> {
    tags.get(USER_TAG).filter(|user| !user.is_null()).map(python::to_text)
}

#[derive(Serialize)]
struct EvaluationDatasetDto {
    dataset_id: String,
    name: String,
    tags: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    digest: String,
    created_time: i64,
    last_update_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_by: Option<String>,
    /// Only the call that makes a dataset says them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiment_ids: Vec<String>,
}

impl From<EvaluationDataset> for EvaluationDatasetDto {
    fn from(dataset: EvaluationDataset) -> EvaluationDatasetDto {
        let EvaluationDataset {
            row: _,
            id,
            name,
            digest,
            schema,
            records,
            created_at,
            updated_at,
            created_by,
            updated_by,
            tags,
        } = dataset;
        let tags: Map<String, Value> = tags.into_iter().map(|Tag { key, value }| (key, value.into())).collect();
        EvaluationDatasetDto {
            dataset_id: id,
            name,
            tags: json_dumps(&Value::Object(tags)),
            schema: schema.map(|schema| json_dumps(&schema.to_json())),
            profile: records.map(|records| match records {
                0 => "null".to_owned(),
                records => json_dumps(&json!({ "num_records": records })),
            }),
            digest,
            created_time: created_at.0,
            last_update_time: updated_at.0,
            created_by,
            last_updated_by: updated_by,
            experiment_ids: Vec::new(),
        }
    }
}
