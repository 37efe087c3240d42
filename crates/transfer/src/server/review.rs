//! Issues, questions for reviewers, and queues of traces of a server. Servers before MLflow 3.17 have not all of them.

use reqwest::Method;
use serde_json::{Map, Value, json};
use stele_app::LoadedExperiment;
use stele_domain::id::{ExperimentId, RunId, Timestamp};
use stele_domain::lifecycle::Presence;
use stele_domain::review::{
    Issue, IssueStatus, LabelKind, LabelSchema, QueueKind, ReviewItem, ReviewQueue, ReviewStatus, Severity,
};
use stele_domain::trace::TraceId;
use stele_domain::{Error, Result};

use super::client::Client;
use super::{int, list, optional, text};
use crate::import::{Item, Sink};
use crate::review::{UNKNOWN, input_of_parts};

const PAGE: i64 = 500;

/// Reads what people are to review in an experiment, and what they found. Of one in the trash a server shows issues only.
pub(super) async fn read(client: &Client, sink: &Sink, experiment: &LoadedExperiment) -> Result<()> {
    let id = experiment.id;
    let query = json!({ "experiment_id": id.to_string(), "max_results": PAGE });
    let found = all(client, Method::POST, "issues/search", query.clone(), "issues").await?;
    // A server shows the worst first.
    let mut issues = those_read(sink, "issues", "issue_id", &found, |value| issue(id, value)).await?;
    issues.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    if !issues.is_empty() {
        sink.send(Item::Issues { experiment: id, issues }).await?;
    }
    if experiment.presence == Presence::Deleted {
        return Ok(());
    }
    let found = all(client, Method::GET, "label-schemas/list", query.clone(), "label_schemas").await?;
    let mut schemas = those_read(sink, "label schemas", "schema_id", &found, |value| label_schema(id, value)).await?;
    schemas.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    if !schemas.is_empty() {
        sink.send(Item::LabelSchemas { experiment: id, schemas }).await?;
    }
    let found = all(client, Method::GET, "review-queues/list", query, "review_queues").await?;
    let mut queues = those_read(sink, "review queues", "queue_id", &found, |value| queue(id, value)).await?;
    queues.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    for queue in queues {
        let query = json!({ "queue_id": queue.id, "max_results": PAGE });
        let found = all(client, Method::GET, "review-queues/items/list", query, "items").await?;
        let items = those_read(sink, "traces in review queues", "item_id", &found, |it| item(&queue.id, it)).await?;
        sink.send(Item::ReviewQueue(Box::new(queue))).await?;
        if !items.is_empty() {
            sink.send(Item::ReviewItems(items)).await?;
        }
    }
    Ok(())
}

/// All pages of a list; an empty one from a server that does not have it.
async fn all(client: &Client, method: Method, path: &str, fields: Value, items: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    let path = format!("/api/3.0/mlflow/{path}");
    let listed = client.pages(method, &path, fields, items, |page| {
        found.extend_from_slice(page);
        Ok(())
    });
    match listed.await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(found),
        Err(error) => Err(error),
    }
}

/// Those that are of a kind that the record knows; the others are told.
async fn those_read<T>(
    sink: &Sink,
    what: &str,
    id: &str,
    values: &[Value],
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>> {
    let mut things = Vec::with_capacity(values.len());
    for value in values {
        match read(value) {
            Some(thing) => things.push(thing),
            None => {
                sink.not_taken(what, UNKNOWN, 1, Some(text(value, id))).await?;
            }
        }
    }
    Ok(things)
}

fn time(value: &Value, field: &str) -> Timestamp {
    Timestamp(int(value, field).unwrap_or_default())
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    list(value, field).iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
}

fn issue(experiment: ExperimentId, value: &Value) -> Option<Issue> {
    let severity = optional(value, "severity").filter(|name| !name.is_empty());
    Some(Issue {
        id: text(value, "issue_id"),
        experiment,
        name: text(value, "name"),
        description: text(value, "description"),
        status: IssueStatus::parse(&text(value, "status"))?,
        severity: match severity {
            Some(name) => Some(Severity::parse(&name)?),
            None => None,
        },
        root_causes: texts(value, "root_causes"),
        categories: texts(value, "categories"),
        source_run: optional(value, "source_run_id").filter(|run| !run.is_empty()).map(RunId),
        created_by: optional(value, "created_by"),
        created_at: time(value, "created_timestamp"),
        updated_at: time(value, "last_updated_timestamp"),
    })
}

fn label_schema(experiment: ExperimentId, value: &Value) -> Option<LabelSchema> {
    let (kind, fields) = value["input"].as_object()?.iter().next()?;
    let none = Map::new();
    Some(LabelSchema {
        id: text(value, "schema_id"),
        experiment,
        name: text(value, "name"),
        kind: LabelKind::parse(&text(value, "type").to_ascii_lowercase())?,
        input: input_of_parts(kind, fields.as_object().unwrap_or(&none))?,
        instruction: optional(value, "instruction"),
        has_comment: value["enable_comment"].as_bool().unwrap_or(false),
        is_default: value["is_default"].as_bool().unwrap_or(false),
        created_at: time(value, "created_at"),
        updated_at: time(value, "last_updated_at"),
    })
}

fn queue(experiment: ExperimentId, value: &Value) -> Option<ReviewQueue> {
    Some(ReviewQueue {
        id: text(value, "queue_id"),
        experiment,
        name: text(value, "name"),
        kind: QueueKind::parse(&text(value, "queue_type").to_ascii_lowercase())?,
        created_by: optional(value, "created_by"),
        created_at: time(value, "creation_time_ms"),
        updated_at: time(value, "last_update_time_ms"),
        users: texts(value, "users"),
        schemas: texts(value, "schema_ids"),
    })
}

fn item(queue: &str, value: &Value) -> Option<ReviewItem> {
    if text(value, "item_type") != "TRACE" {
        return None;
    }
    Some(ReviewItem {
        queue: queue.to_owned(),
        trace: TraceId::parse(&text(value, "item_id")).ok()?,
        status: ReviewStatus::parse(&text(value, "status").to_ascii_lowercase())?,
        completed_by: optional(value, "completed_by"),
        completed_at: int(value, "completed_time_ms").map(Timestamp),
        created_at: time(value, "creation_time_ms"),
        updated_at: time(value, "last_update_time_ms"),
    })
}
