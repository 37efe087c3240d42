//! Evaluation datasets with their records, scorers, and webhooks of a server.

use reqwest::Method;
use serde_json::{Map, Value, json};
use stele_app::{LoadedOnlineScoring, LoadedScorer};
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord, RecordSchema};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::{Error, Result};

use super::client::Client;
use super::{int, list, optional, text};
use crate::import::{Item, Sink, SourceWebhook};
use crate::mlflow::{record_source, webhook_status};

const DATASETS: &str = "/api/3.0/mlflow/datasets";
const SCORERS: &str = "/api/3.0/mlflow/scorers";
const RECORDS: usize = 500;

/// Reads all evaluation datasets. Servers before MLflow 3.4 have none.
pub(super) async fn datasets(client: &Client, sink: &Sink) -> Result<()> {
    let mut found = Vec::new();
    let searched = client
        .pages(Method::POST, &format!("{DATASETS}/search"), json!({ "max_results": 100 }), "datasets", |datasets| {
            found.extend(datasets.iter().map(dataset));
            Ok(())
        })
        .await;
    match searched {
        Err(Error::NotFound { .. }) => return Ok(()),
        searched => searched?,
    }
    for dataset in found {
        let id = dataset.id.clone();
        let answer = client.call(Method::GET, &format!("{DATASETS}/{id}/experiment-ids"), &json!({})).await?;
        let experiments = list(&answer, "experiment_ids").iter().filter_map(Value::as_str);
        // Since when is not told.
        let experiments = experiments.map(|experiment| (experiment.to_owned(), dataset.created_at)).collect();
        let is_known = sink.has_dataset(&id).await?;
        sink.send(Item::EvaluationDataset { dataset: Box::new(dataset), experiments }).await?;
        if !is_known {
            records(client, sink, &id).await?;
        }
        sink.send(Item::EvaluationDatasetEnds).await?;
    }
    Ok(())
}

async fn records(client: &Client, sink: &Sink, dataset: &str) -> Result<()> {
    let mut token: Option<String> = None;
    loop {
        let mut fields = json!({ "max_results": RECORDS });
        if let Some(token) = &token {
            fields["page_token"] = token.clone().into();
        }
        let answer = client.call(Method::GET, &format!("{DATASETS}/{dataset}/records"), &fields).await?;
        // The list comes as the text of a document.
        let listed: Vec<Value> = serde_json::from_str(answer["records"].as_str().unwrap_or("[]"))
            .map_err(|error| Error::invalid(format!("the records of dataset '{dataset}' are no JSON: {error}")))?;
        let records: Vec<_> = listed.iter().filter_map(record).collect();
        let unread = (listed.len() - records.len()) as u64;
        sink.not_taken("records of evaluation datasets", "their inputs are no JSON object", unread, None).await?;
        sink.send(Item::EvaluationRecords(records)).await?;
        token = optional(&answer, "next_page_token").filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
}

/// Reads the scorers of an experiment with all versions.
pub(super) async fn scorers(client: &Client, sink: &Sink, experiment: ExperimentId) -> Result<()> {
    let of_experiment = json!({ "experiment_id": experiment.to_string() });
    let answer = match client.call(Method::GET, &format!("{SCORERS}/list"), &of_experiment).await {
        Err(Error::NotFound { .. }) => return Ok(()),
        answer => answer?,
    };
    let mut scorers = Vec::new();
    for newest in list(&answer, "scorers") {
        let (id, name) = (text(newest, "scorer_id"), text(newest, "scorer_name"));
        let fields = json!({ "experiment_id": experiment.to_string(), "name": name });
        let answer = client.call(Method::GET, &format!("{SCORERS}/versions"), &fields).await?;
        let versions = list(&answer, "scorers").iter().map(|version| {
            let created_at = Timestamp(int(version, "creation_time").unwrap_or_default());
            (int(version, "scorer_version").unwrap_or_default(), text(version, "serialized_scorer"), created_at)
        });
        let online =
            match client.call(Method::GET, &format!("{SCORERS}/online-configs"), &json!({ "scorer_ids": id })).await {
                Err(Error::NotFound { .. }) => None,
                answer => list(&answer?, "configs").first().map(|online| LoadedOnlineScoring {
                    id: text(online, "online_scoring_config_id"),
                    sample_rate: online["sample_rate"].as_f64().unwrap_or_default(),
                    filter: optional(online, "filter_string"),
                }),
            };
        scorers.push(LoadedScorer { id, name, versions: versions.collect(), online });
    }
    if scorers.is_empty() { Ok(()) } else { sink.send(Item::Scorers { experiment, scorers }).await }
}

/// Reads all webhooks. A server does not say which of them have secrets.
pub(super) async fn webhooks(client: &Client, sink: &Sink) -> Result<()> {
    let mut found = Vec::new();
    let listed = client.pages(Method::GET, "webhooks", json!({ "max_results": 100 }), "webhooks", |webhooks| {
        found.extend(webhooks.iter().map(webhook));
        Ok(())
    });
    match listed.await {
        Err(Error::NotFound { .. }) => return Ok(()),
        listed => listed?,
    }
    found.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    for webhook in found {
        sink.send(Item::Webhook(webhook)).await?;
    }
    Ok(())
}

fn webhook(value: &Value) -> SourceWebhook {
    let created_at = int(value, "creation_timestamp").unwrap_or_default();
    let word = |event: &Value, field: &str| text(event, field).to_ascii_lowercase();
    let events = list(value, "events").iter();
    SourceWebhook {
        id: text(value, "webhook_id"),
        name: text(value, "name"),
        description: optional(value, "description"),
        url: text(value, "url"),
        status: webhook_status(&text(value, "status")),
        is_signed: true,
        events: events.map(|event| format!("{}.{}", word(event, "entity"), word(event, "action"))).collect(),
        created_at: Timestamp(created_at),
        updated_at: Timestamp(int(value, "last_updated_timestamp").unwrap_or(created_at)),
    }
}

fn dataset(value: &Value) -> EvaluationDataset {
    let document = |field: &str| value[field].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let created_at = Timestamp(int(value, "created_time").unwrap_or_default());
    let tags = document("tags");
    let tags = tags.as_ref().and_then(Value::as_object).into_iter().flatten();
    EvaluationDataset {
        row: EvaluationDatasetRow(0),
        id: text(value, "dataset_id"),
        name: text(value, "name"),
        digest: text(value, "digest"),
        schema: value["schema"].as_str().and_then(|text| RecordSchema::from_json(text).ok()),
        records: document("profile").and_then(|profile| profile["num_records"].as_i64()),
        created_at,
        updated_at: int(value, "last_update_time").map_or(created_at, Timestamp),
        created_by: optional(value, "created_by"),
        updated_by: optional(value, "last_updated_by"),
        tags: tags
            .filter_map(|(key, value)| Some(Tag { key: key.clone(), value: value.as_str()?.to_owned() }))
            .collect(),
    }
}

fn record(value: &Value) -> Option<EvaluationRecord> {
    let object = |field: &str| value[field].as_object().cloned();
    let created_at = Timestamp(int(value, "created_time").unwrap_or_default());
    Some(EvaluationRecord {
        id: text(value, "dataset_record_id"),
        inputs: object("inputs")?,
        outputs: Some(value["outputs"].clone()).filter(|outputs| !outputs.is_null()),
        expectations: object("expectations"),
        tags: object("tags").unwrap_or_else(Map::new),
        source: object("source").map(|source| record_source(source, optional(value, "source_type"))),
        created_at,
        updated_at: int(value, "last_update_time").map_or(created_at, Timestamp),
        created_by: optional(value, "created_by"),
        updated_by: optional(value, "last_updated_by"),
    })
}
