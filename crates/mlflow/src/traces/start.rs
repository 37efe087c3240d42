//! Starting a trace in the third version: its maker tells all of it at once.

use axum::response::Response;
use serde_json::{Value, json};
use stele_app::StartedTrace;
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::record::Tag;
use stele_domain::trace::{Costs, Tokens, TraceFacts, TraceId, TraceState};

use super::assessments::read_assessment;
use super::dto::{
    ARCHIVE_LOCATION_TAG, ARTIFACT_LOCATION_TAG, COSTS_METADATA, FINALIZED_METADATA, NAME_TAG, RUN_METADATA,
    SESSION_METADATA, SPANS_LOCATION_TAG, TOKENS_METADATA, trace_dto,
};
use super::text_map;
use super::time::{parse_duration, parse_time};
use crate::call::{Call, reply};
use crate::error::{Failure, Result};
use crate::input::{Input, missing};
use crate::validate;

pub(super) const STATES: &[(&str, i64, TraceState)] = &[
    ("STATE_UNSPECIFIED", 0, TraceState::Unspecified),
    ("OK", 1, TraceState::Ok),
    ("ERROR", 2, TraceState::Error),
    ("IN_PROGRESS", 3, TraceState::InProgress),
];

pub(crate) async fn start(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let trace = input.message("trace")?.ok_or_else(|| missing("trace"))?.at("trace");
    let info = trace.message("trace_info")?.ok_or_else(|| missing("trace.trace_info"))?.at("trace.trace_info");
    let id = TraceId::parse(&info.required_text("trace_id")?)?;
    let experiment = location(&info)?;
    let requested_at = parse_time("request_time", &info.required_text("request_time")?)?;
    let state = info.named("state", STATES)?.unwrap_or(TraceState::Unspecified);
    let mut facts = TraceFacts::new(requested_at, state);
    facts.duration =
        info.text("execution_duration")?.map(|text| parse_duration("execution_duration", &text)).transpose()?;
    facts.client_request_id = info.text("client_request_id")?;
    facts.request_preview = info.text("request_preview")?;
    facts.response_preview = info.text("response_preview")?;
    let tags = read_tags(text_map(&info, "tags")?, &mut facts);
    let metadata = read_metadata(text_map(&info, "trace_metadata")?, &mut facts);
    let now = call.ctx.now();
    let assessments =
        info.messages("assessments")?.iter().map(|input| read_assessment(input, now)).collect::<Result<Vec<_>>>()?;
    let started = StartedTrace { id: Some(id), experiment, facts, tags, metadata, assessments };
    let trace = call.app.trace_start(&call.ctx, started).await?;
    reply(&json!({ "trace": { "trace_info": trace_dto(trace) } }))
}

/// The experiment that a trace or a search is about.
pub(super) fn location(input: &Input) -> Result<ExperimentId> {
    let location = input.message("trace_location")?.ok_or_else(|| missing("trace_location"))?;
    experiment_of(&location)
}

pub(super) fn experiment_of(location: &Input) -> Result<ExperimentId> {
    let Some(experiment) = location.message("mlflow_experiment")? else {
        return Err(Failure::not_implemented(
            "This server keeps traces in experiments only: a location must have 'mlflow_experiment'.",
        ));
    };
    validate::experiment_id(&experiment.at("mlflow_experiment").required_text("experiment_id")?)
}

/// Takes the name out of the tags, and what the server alone decides.
pub(super) fn read_tags(tags: Vec<Tag>, facts: &mut TraceFacts) -> Vec<Tag> {
    let mut kept = Vec::with_capacity(tags.len());
    for tag in tags {
        match tag.key.as_str() {
            NAME_TAG => facts.name = Some(tag.value),
            ARTIFACT_LOCATION_TAG | SPANS_LOCATION_TAG | ARCHIVE_LOCATION_TAG => {}
            _ => kept.push(tag),
        }
    }
    kept
}

/// Takes out of the metadata what the record has a place for.
pub(super) fn read_metadata(metadata: Vec<Tag>, facts: &mut TraceFacts) -> Vec<Tag> {
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut kept = Vec::with_capacity(metadata.len());
    for entry in metadata {
        match entry.key.as_str() {
            SESSION_METADATA => facts.session = Some(entry.value),
            RUN_METADATA => facts.source_run = Some(RunId(entry.value)),
            TOKENS_METADATA => facts.tokens = Tokens::of_json(&document(&entry.value)),
            COSTS_METADATA => facts.costs = Costs::of_json(&document(&entry.value)),
            FINALIZED_METADATA => {}
            _ => kept.push(entry),
        }
    }
    kept
}
