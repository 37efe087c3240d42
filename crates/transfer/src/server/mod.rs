//! Reading a running MLflow server, of any release since 2.9, through its REST API.

mod client;
mod evaluation;
mod registry;
mod review;
mod runs;
mod traces;

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};
use stele_app::{LoadedExperiment, LoadedLoggedModel};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::lifecycle::Presence;
use stele_domain::record::{DatasetKey, MetricSubject, MetricValue, Param, Tag};
use stele_domain::{Error, Result};
use url::Url;

pub(crate) use self::client::Client;
use crate::import::{Item, Sink};
use crate::mlflow::{logged_model_status_by_name, presence};

/// Reads all of a server.
pub(crate) async fn read(url: Url, sink: &Sink) -> Result<()> {
    let client = Client::new(&url)?;
    let mut experiments = Vec::new();
    client
        .pages(
            Method::POST,
            "experiments/search",
            json!({ "view_type": "ALL", "max_results": 1000 }),
            "experiments",
            |found| {
                experiments.extend(found.iter().map(experiment).collect::<Result<Vec<_>>>()?);
                Ok(())
            },
        )
        .await?;
    experiments.sort_by_key(|experiment| experiment.id);
    for experiment in &experiments {
        sink.send(Item::Experiment(experiment.clone())).await?;
    }
    for experiment in &experiments {
        let of_models = logged_models(&client, sink, experiment.id).await?;
        runs::read(&client, sink, experiment.id, of_models).await?;
        traces::read(&client, sink, experiment.id).await?;
        if experiment.presence == Presence::Active {
            evaluation::scorers(&client, sink, experiment.id).await?;
        }
        review::read(&client, sink, experiment).await?;
    }
    evaluation::datasets(&client, sink).await?;
    registry::read(&client, sink).await?;
    evaluation::webhooks(&client, sink).await
}

/// Reads the logged models of an experiment; gives what runs measured of them.
async fn logged_models(
    client: &Client,
    sink: &Sink,
    experiment: ExperimentId,
) -> Result<HashMap<RunId, Vec<MetricValue>>> {
    let query = json!({ "experiment_ids": [experiment.to_string()], "max_results": 50 });
    let mut models = Vec::new();
    let mut measured: HashMap<RunId, Vec<MetricValue>> = HashMap::new();
    let found = client
        .pages(Method::POST, "logged-models/search", query, "models", |found| {
            models.extend(found.iter().map(logged_model).collect::<Result<Vec<_>>>()?);
            for (model, metric) in found.iter().flat_map(|model| {
                list(&model["data"], "metrics").iter().map(|metric| (text(&model["info"], "model_id"), metric))
            }) {
                let dataset = optional(metric, "dataset_name").zip(optional(metric, "dataset_digest"));
                let dataset = dataset.map(|(name, digest)| DatasetKey { name, digest });
                let subject = Some(MetricSubject { model: LoggedModelId(model), dataset });
                let value = MetricValue { key: text(metric, "key"), point: runs::point(metric)?, subject };
                measured.entry(RunId(text(metric, "run_id"))).or_default().push(value);
            }
            Ok(())
        })
        .await;
    match found {
        // Servers of MLflow 2 have none.
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
        Ok(()) if models.is_empty() => {}
        Ok(()) => sink.send(Item::LoggedModels { experiment, models }).await?,
    }
    Ok(measured)
}

fn experiment(value: &Value) -> Result<LoadedExperiment> {
    let id = text(value, "experiment_id");
    let created_at = int(value, "creation_time");
    Ok(LoadedExperiment {
        id: ExperimentId(id.parse().map_err(|_| Error::invalid(format!("'{id}' is no experiment id")))?),
        name: text(value, "name"),
        artifact_location: text(value, "artifact_location"),
        presence: presence(&text(value, "lifecycle_stage")),
        created_at: Timestamp(created_at.unwrap_or_default()),
        updated_at: Timestamp(int(value, "last_update_time").or(created_at).unwrap_or_default()),
        tags: tags(value, "tags"),
    })
}

fn logged_model(value: &Value) -> Result<LoadedLoggedModel> {
    let (info, data) = (&value["info"], &value["data"]);
    let created_at = int(info, "creation_timestamp_ms").unwrap_or_default();
    Ok(LoadedLoggedModel {
        id: LoggedModelId(text(info, "model_id")),
        name: text(info, "name"),
        artifact_uri: text(info, "artifact_uri"),
        status: logged_model_status_by_name(&text(info, "status")),
        status_message: optional(info, "status_message"),
        model_type: optional(info, "model_type"),
        source_run: optional(info, "source_run_id").map(RunId),
        presence: stele_domain::lifecycle::Presence::Active,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(int(info, "last_updated_timestamp_ms").unwrap_or(created_at)),
        tags: tags(info, "tags"),
        params: params(data, "params"),
    })
}

/// The list in a field; an absent one is empty.
fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn optional(value: &Value, field: &str) -> Option<String> {
    match &value[field] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(value: &Value, field: &str) -> String {
    optional(value, field).unwrap_or_default()
}

/// Integers of 64 bits may come as texts.
fn int(value: &Value, field: &str) -> Option<i64> {
    match &value[field] {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

fn tags(value: &Value, field: &str) -> Vec<Tag> {
    list(value, field).iter().map(|tag| Tag { key: text(tag, "key"), value: text(tag, "value") }).collect()
}

fn params(value: &Value, field: &str) -> Vec<Param> {
    tags(value, field).into_iter().map(|Tag { key, value }| Param { key, value }).collect()
}
