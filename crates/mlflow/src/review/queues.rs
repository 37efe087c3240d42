use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stele_app::NewReviewQueue;
use stele_domain::review::{QueueChange, QueueKind, ReviewQueue};
use stele_domain::{Error, Kind};

use super::{page, token};
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};
use crate::validate::{experiment_id, length};

const DEFAULT: i64 = 1_000;
/// The most questions of a queue.
const MOST_SCHEMAS: usize = 1_000;
const LONGEST_SCHEMA_ID: usize = 36;
const KINDS: &[(&str, i64, Option<QueueKind>)] = &[
    ("REVIEW_QUEUE_TYPE_UNSPECIFIED", 0, None),
    ("USER", 1, Some(QueueKind::User)),
    ("CUSTOM", 2, Some(QueueKind::Custom)),
];

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let name = input.required_text("name")?;
    let kind = input
        .named("queue_type", KINDS)?
        .flatten()
        .ok_or_else(|| Failure::invalid("`queue_type` must be one of USER or CUSTOM; got proto enum value 0."))?;
    let new = NewReviewQueue {
        experiment: experiment_id(&experiment)?,
        name,
        kind,
        users: input.texts("users")?,
        schemas: schemas(input.texts("schema_ids")?)?,
    };
    reply_queue(call.app.review_queue_create(&call.ctx, new).await?)
}

pub(crate) async fn of_user(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let user = input.required_text("user")?;
    let queue = call.app.review_queue_of_user(&call.ctx, experiment_id(&experiment)?, user).await;
    reply_queue(queue.map_err(|error| match error {
        Error::AlreadyExists { kind: Kind::ReviewQueue, id } => Failure::new(
            Code::ResourceAlreadyExists,
            format!("A non-user queue named '{id}' already exists; cannot get-or-create a user queue with that name."),
        ),
        other => other.into(),
    })?)
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = call.input().await?.required_text("queue_id")?;
    reply_queue(call.app.review_queue_get(&call.ctx, id).await?)
}

pub(crate) async fn get_by_name(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = experiment_id(&input.required_text("experiment_id")?)?;
    let name = input.required_text("name")?;
    let found = call.app.review_queue_by_name(&call.ctx, experiment, name).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::ReviewQueue, id } => {
            Failure::not_found(format!("Review queue with name '{id}' not found for experiment '{experiment}'."))
        }
        other => other.into(),
    })?;
    reply_queue(found)
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = experiment_id(&input.required_text("experiment_id")?)?;
    let window = page(&input, DEFAULT)?;
    let (user, trace) = (input.text("user")?, input.text("item_id")?);
    let found = call.app.review_queues_list(&call.ctx, experiment, user, trace, window).await?;
    let queues: Vec<ReviewQueueDto> = found.items.into_iter().map(ReviewQueueDto::from).collect();
    let mut answer = json!({ "next_page_token": token(window, found.more) });
    if !queues.is_empty() {
        answer["review_queues"] = json!(queues);
    }
    reply(&answer)
}

/// A list replaces the one that is there only when the flag beside it says so, since an empty one cannot be told from
/// none.
pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.required_text("queue_id")?;
    let (users, ids) = (input.texts("users")?, schemas(input.texts("schema_ids")?)?);
    let change = QueueChange {
        name: input.text("name")?,
        owner: input.text("new_owner")?,
        users: input.bool("update_users")?.unwrap_or(false).then_some(users),
        schemas: input.bool("update_schema_ids")?.unwrap_or(false).then_some(ids),
    };
    reply_queue(call.app.review_queue_update(&call.ctx, id, change).await?)
}

/// What is not there need not be deleted, as those are told who see the workspace.
pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = call.input().await?.required_text("queue_id")?;
    call.app.review_queue_delete(&call.ctx, id).await?;
    empty()
}

fn schemas(ids: Vec<String>) -> Result<Vec<String>> {
    if ids.len() > MOST_SCHEMAS {
        return Err(Failure::invalid(format!("`schema_ids` has more than {MOST_SCHEMAS} entries")));
    }
    for id in &ids {
        if id.trim().is_empty() {
            return Err(Failure::invalid("`schema_id` must be a non-empty string; got ''."));
        }
        length("schema_id", id.trim(), LONGEST_SCHEMA_ID)?;
    }
    Ok(ids)
}

fn reply_queue(queue: ReviewQueue) -> Result<Response> {
    reply(&json!({ "review_queue": ReviewQueueDto::from(queue) }))
}

#[derive(Serialize)]
struct ReviewQueueDto {
    queue_id: String,
    experiment_id: String,
    name: String,
    queue_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    creation_time_ms: i64,
    last_update_time_ms: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schema_ids: Vec<String>,
}

impl From<ReviewQueue> for ReviewQueueDto {
    fn from(queue: ReviewQueue) -> ReviewQueueDto {
        let ReviewQueue { id, experiment, name, kind, created_by, created_at, updated_at, users, schemas } = queue;
        ReviewQueueDto {
            queue_id: id,
            experiment_id: experiment.to_string(),
            name,
            queue_type: match kind {
                QueueKind::User => "USER",
                QueueKind::Custom => "CUSTOM",
            },
            created_by,
            creation_time_ms: created_at.0,
            last_update_time_ms: updated_at.0,
            users,
            schema_ids: schemas,
        }
    }
}
