//! The second version of the API, which clients before 3.0 speak: a trace is started, gets its id from the server, and is
//! ended; its spans are a file among its artifacts.

use axum::response::Response;
use serde_json::json;
use stele_app::{StartedTrace, TraceEnd};
use stele_domain::record::Tag;
use stele_domain::trace::{TraceFacts, TraceState};

use super::dto::trace_v2_dto;
use super::start::{read_metadata, read_tags};
use super::time::in_range;
use super::{entry, known_id};
use crate::call::{Call, reply};
use crate::error::Result;
use crate::input::Input;
use crate::validate;

const STATUSES: &[(&str, i64, TraceState)] = &[
    ("TRACE_STATUS_UNSPECIFIED", 0, TraceState::Unspecified),
    ("OK", 1, TraceState::Ok),
    ("ERROR", 2, TraceState::Error),
    ("IN_PROGRESS", 3, TraceState::InProgress),
];

pub(crate) async fn start(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = validate::experiment_id(&input.required_text("experiment_id")?)?;
    let started_at = in_range("timestamp_ms", input.required_int("timestamp_ms")?)?;
    let mut facts = TraceFacts::new(started_at, TraceState::InProgress);
    let metadata = read_metadata(pairs(&input, "request_metadata")?, &mut facts);
    let tags = read_tags(pairs(&input, "tags")?, &mut facts);
    let started = StartedTrace { id: None, experiment, facts, tags, metadata, assessments: Vec::new() };
    let trace = call.app.trace_start(&call.ctx, started).await?;
    reply(&json!({ "trace_info": trace_v2_dto(trace) }))
}

pub(crate) async fn end(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = known_id(input.path("trace_id"))?;
    let ended_at = in_range("timestamp_ms", input.required_int("timestamp_ms")?)?;
    let state = input.named("status", STATUSES)?.unwrap_or(TraceState::Unspecified);
    let mut facts = TraceFacts::new(ended_at, state);
    let metadata = read_metadata(pairs(&input, "request_metadata")?, &mut facts);
    let tags = read_tags(pairs(&input, "tags")?, &mut facts);
    let end = TraceEnd { ended_at, state, facts, tags, metadata };
    let trace = call.app.trace_end(&call.ctx, id, end).await?;
    reply(&json!({ "trace_info": trace_v2_dto(trace) }))
}

pub(crate) async fn info(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let trace = call.app.trace_get(&call.ctx, known_id(input.path("trace_id"))?).await?;
    reply(&json!({ "trace_info": trace_v2_dto(trace) }))
}

/// A list of keys with values.
fn pairs(input: &Input, name: &str) -> Result<Vec<Tag>> {
    let pair = |input: &Input| entry(name, input.required_text("key")?, input.text("value")?.unwrap_or_default());
    input.messages(name)?.iter().map(pair).collect()
}
