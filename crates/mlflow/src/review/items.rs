use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stele_domain::review::{ReviewItem, ReviewStatus};
use stele_domain::{Error, Kind};

use super::{page, token};
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::input::Input;
use crate::validate::length;

const DEFAULT: i64 = 1_000;
/// The most items that one call adds or removes.
const MOST_ITEMS: usize = 10_000;
const LONGEST_ID: usize = 250;
const TRACE: &str = "TRACE";
const KINDS: &[(&str, i64, ())] = &[("REVIEW_ITEM_TYPE_UNSPECIFIED", 0, ()), (TRACE, 1, ())];
const STATUSES: &[(&str, i64, Option<ReviewStatus>)] = &[
    ("REVIEW_STATUS_UNSPECIFIED", 0, None),
    ("PENDING", 1, Some(ReviewStatus::Pending)),
    ("COMPLETE", 2, Some(ReviewStatus::Complete)),
    ("DECLINED", 3, Some(ReviewStatus::Declined)),
];

pub(crate) async fn add(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let queue = input.required_text("queue_id")?;
    let ids = item_ids(&input)?;
    input.named("item_type", KINDS)?;
    let added = call.app.review_items_add(&call.ctx, queue.clone(), ids).await;
    reply_items(added.map_err(|error| match error {
        Error::NotFound { kind: Kind::Trace, id } => Failure::not_found(format!(
            "Cannot attach trace(s) ['{id}'] to review queue '{queue}': they do not exist in its experiment."
        )),
        other => other.into(),
    })?)
}

pub(crate) async fn remove(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let queue = input.required_text("queue_id")?;
    call.app.review_items_remove(&call.ctx, queue, item_ids(&input)?).await?;
    empty()
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let queue = input.required_text("queue_id")?;
    let window = page(&input, DEFAULT)?;
    let status = input.named("status", STATUSES)?.flatten();
    let found = call.app.review_items_list(&call.ctx, queue, status, window).await?;
    let items: Vec<ReviewItemDto> = found.items.into_iter().map(ReviewItemDto::from).collect();
    let mut answer = json!({ "next_page_token": token(window, found.more) });
    if !items.is_empty() {
        answer["items"] = json!(items);
    }
    reply(&answer)
}

pub(crate) async fn set_status(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let queue = input.required_text("queue_id")?;
    let item = input.required_text("item_id")?.trim().to_owned();
    let status = input.named("status", STATUSES)?.flatten().ok_or_else(|| {
        Failure::invalid("`status` must be one of PENDING, COMPLETE, or DECLINED; got proto enum value 0.")
    })?;
    let by = input.text("completed_by")?;
    let set = call.app.review_item_set(&call.ctx, queue.clone(), item, status, by).await;
    let item = set.map_err(|error| match error {
        Error::NotFound { kind: Kind::Trace, id } => {
            Failure::not_found(format!("Item '{id}' is not attached to review queue '{queue}'."))
        }
        other => other.into(),
    })?;
    reply(&json!({ "item": ReviewItemDto::from(item) }))
}

fn item_ids(input: &Input) -> Result<Vec<String>> {
    let ids = input.texts("item_ids")?;
    if ids.is_empty() {
        return Err(Failure::invalid("`item_ids` must be a non-empty list; got []."));
    }
    if ids.len() > MOST_ITEMS {
        return Err(Failure::invalid(format!("`item_ids` has more than {MOST_ITEMS} entries")));
    }
    if ids.iter().any(|id| id.trim().is_empty()) {
        return Err(Failure::invalid("`item_id` must be a non-empty string; got ''."));
    }
    ids.iter().try_for_each(|id| length("item_id", id, LONGEST_ID))?;
    Ok(ids)
}

fn reply_items(items: Vec<ReviewItem>) -> Result<Response> {
    let items: Vec<ReviewItemDto> = items.into_iter().map(ReviewItemDto::from).collect();
    reply(&json!({ "items": items }))
}

#[derive(Serialize)]
struct ReviewItemDto {
    queue_id: String,
    item_type: &'static str,
    item_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_time_ms: Option<i64>,
    creation_time_ms: i64,
    last_update_time_ms: i64,
}

impl From<ReviewItem> for ReviewItemDto {
    fn from(item: ReviewItem) -> ReviewItemDto {
        let ReviewItem { queue, trace, status, completed_by, completed_at, created_at, updated_at } = item;
        ReviewItemDto {
            queue_id: queue,
            item_type: TRACE,
            item_id: trace.as_str().to_owned(),
            status: match status {
                ReviewStatus::Pending => "PENDING",
                ReviewStatus::Complete => "COMPLETE",
                ReviewStatus::Declined => "DECLINED",
            },
            completed_by,
            completed_time_ms: completed_at.map(|time| time.0),
            creation_time_ms: created_at.0,
            last_update_time_ms: updated_at.0,
        }
    }
}
