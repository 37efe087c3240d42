use std::path::Path;

use stele_app::ExportedTrace;
use stele_domain::Result;
use stele_domain::otlp::{AnyValue, Span, Status};
use stele_domain::trace::{
    Assessment, AssessmentValue, Costs, Judgement, Tokens, TraceFacts, TraceId, TraceInfo, spans,
};

use super::table::{Cell, Kind, Table};
use super::{Exported, Record, TAGS, finish, optional, text, time};
use crate::traces::{spaced, state_name, write_attributes, write_events};

const TRACES: &[(&str, Kind)] = &[
    ("trace_id", Kind::Text),
    ("experiment_id", Kind::Int),
    ("name", Kind::Text),
    ("state", Kind::Text),
    ("request_time", Kind::Time),
    ("duration_ms", Kind::Int),
    ("client_request_id", Kind::Text),
    ("session", Kind::Text),
    ("source_run_id", Kind::Text),
    ("request_preview", Kind::Text),
    ("response_preview", Kind::Text),
    ("spans", Kind::Int),
    ("input_tokens", Kind::Int),
    ("output_tokens", Kind::Int),
    ("total_tokens", Kind::Int),
    ("cache_read_tokens", Kind::Int),
    ("cache_creation_tokens", Kind::Int),
    ("input_cost", Kind::Real),
    ("output_cost", Kind::Real),
    ("total_cost", Kind::Real),
    ("artifact_uri", Kind::Text),
];

const SPANS: &[(&str, Kind)] = &[
    ("trace_id", Kind::Text),
    ("span_id", Kind::Text),
    ("parent_span_id", Kind::Text),
    ("name", Kind::Text),
    ("type", Kind::Text),
    ("status", Kind::Text),
    ("status_message", Kind::Text),
    ("start_time", Kind::Time),
    ("start_time_ns", Kind::Int),
    ("end_time_ns", Kind::Int),
    ("duration_ns", Kind::Int),
    ("model", Kind::Text),
    ("provider", Kind::Text),
    ("input_tokens", Kind::Int),
    ("output_tokens", Kind::Int),
    ("total_tokens", Kind::Int),
    ("total_cost", Kind::Real),
    ("inputs", Kind::Text),
    ("outputs", Kind::Text),
    ("attributes", Kind::Text),
    ("events", Kind::Text),
];

const ASSESSMENTS: &[(&str, Kind)] = &[
    ("assessment_id", Kind::Text),
    ("trace_id", Kind::Text),
    ("experiment_id", Kind::Int),
    ("span_id", Kind::Text),
    ("kind", Kind::Text),
    ("name", Kind::Text),
    ("value", Kind::Text),
    ("score", Kind::Real),
    ("error", Kind::Text),
    ("source_type", Kind::Text),
    ("source_id", Kind::Text),
    ("rationale", Kind::Text),
    ("metadata", Kind::Text),
    ("creation_time", Kind::Time),
    ("last_update_time", Kind::Time),
    ("overrides", Kind::Text),
    ("valid", Kind::Bool),
];

/// Traces with their spans, and what was thought of them.
pub(super) async fn traces(record: &Record<'_>, folder: &Path) -> Result<Vec<Exported>> {
    let keyed = [("trace_id", Kind::Text), TAGS[1], TAGS[2]];
    let mut traces = Table::create(folder, "traces", TRACES)?;
    let mut tags = Table::create(folder, "trace_tags", &keyed)?;
    let mut metadata = Table::create(folder, "trace_metadata", &keyed)?;
    let mut spans = Table::create(folder, "spans", SPANS)?;
    let mut assessments = Table::create(folder, "assessments", ASSESSMENTS)?;
    let mut page = record.traces(None).await?;
    while !page.is_empty() {
        for ExportedTrace { info, spans: own, links: _ } in &page {
            let id = info.id.as_str();
            traces.push(trace_row(info))?;
            info.tags.iter().try_for_each(|tag| tags.push([text(id), text(&tag.key), text(&tag.value)]))?;
            info.metadata.iter().try_for_each(|tag| metadata.push([text(id), text(&tag.key), text(&tag.value)]))?;
            own.iter().try_for_each(|span| spans.push(span_row(&info.id, span)))?;
            info.assessments.iter().try_for_each(|it| assessments.push(assessment_row(info, it)))?;
        }
        page = record.traces(page.last()).await?;
    }
    finish([traces, tags, metadata, spans, assessments])
}

fn trace_row(info: &TraceInfo) -> [Cell; TRACES.len()] {
    let TraceFacts {
        requested_at,
        duration,
        state,
        name,
        client_request_id,
        request_preview,
        response_preview,
        session,
        source_run,
        tokens: Tokens { input, output, total, cache_read, cache_creation },
        costs: Costs { input: input_cost, output: output_cost, total: total_cost },
    } = &info.facts;
    [
        text(info.id.as_str()),
        Cell::Int(info.experiment.0),
        optional(name.as_ref()),
        text(state_name(*state)),
        time(Some(*requested_at)),
        int(*duration),
        optional(client_request_id.as_ref()),
        optional(session.as_ref()),
        optional(source_run.as_ref().map(|run| &run.0)),
        optional(request_preview.as_ref()),
        optional(response_preview.as_ref()),
        Cell::Int(info.spans),
        int(*input),
        int(*output),
        int(*total),
        int(*cache_read),
        int(*cache_creation),
        real(*input_cost),
        real(*output_cost),
        real(*total_cost),
        text(&info.artifact_uri),
    ]
}

fn span_row(trace: &TraceId, span: &Span) -> [Cell; SPANS.len()] {
    let Status { message, code } = span.status.clone().unwrap_or_default();
    let status = match code {
        Status::OK => "OK",
        Status::ERROR => "ERROR",
        _ => "UNSET",
    };
    let nanoseconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let (start, end) = (nanoseconds(span.start_time_unix_nano), span.ended_at().map(nanoseconds));
    let tokens = spans::tokens(span).unwrap_or_default();
    let written = |key: &str| span.attribute(key).map_or(Cell::Null, |value| Cell::Text(value.json_text()));
    let plain = |key: &str| span.attribute(key).map(AnyValue::plain_text);
    [
        text(trace.as_str()),
        Cell::Text(hex::encode(&span.span_id)),
        if span.is_root() { Cell::Null } else { Cell::Text(hex::encode(&span.parent_span_id)) },
        text(&span.name),
        Cell::Text(plain(spans::SPAN_TYPE).unwrap_or_else(|| "UNKNOWN".to_owned())),
        text(status),
        if message.is_empty() { Cell::Null } else { Cell::Text(message) },
        Cell::Int(start / 1_000_000),
        Cell::Int(start),
        int(end),
        int(end.map(|end| end.saturating_sub(start))),
        optional(plain(spans::MODEL).as_ref()),
        optional(plain(spans::PROVIDER).as_ref()),
        int(tokens.input),
        int(tokens.output),
        int(tokens.total),
        real(spans::costs(span).and_then(|costs| costs.total)),
        written(spans::INPUTS),
        written(spans::OUTPUTS),
        Cell::Text(write_attributes(&span.attributes)),
        if span.events.is_empty() { Cell::Null } else { Cell::Text(write_events(&span.events)) },
    ]
}

fn assessment_row(info: &TraceInfo, assessment: &Assessment) -> [Cell; ASSESSMENTS.len()] {
    let error = match &assessment.value {
        AssessmentValue::Feedback(Judgement { error, .. }) => error.as_ref(),
        AssessmentValue::Expectation(_) | AssessmentValue::Issue(_) => None,
    };
    let metadata: serde_json::Map<_, _> =
        assessment.metadata.iter().map(|tag| (tag.key.clone(), tag.value.clone().into())).collect();
    [
        text(&assessment.id),
        text(info.id.as_str()),
        Cell::Int(info.experiment.0),
        optional(assessment.span_id.as_ref()),
        text(assessment.value.kind().as_str()),
        text(&assessment.name),
        Cell::Text(spaced(&assessment.value.json())),
        real(assessment.value.score()),
        error.map_or(Cell::Null, |error| Cell::Text(spaced(error))),
        text(&assessment.source.kind),
        text(&assessment.source.id),
        optional(assessment.rationale.as_ref()),
        Cell::Text(spaced(&metadata.into())),
        time(Some(assessment.created_at)),
        time(Some(assessment.updated_at)),
        optional(assessment.overrides.as_ref()),
        Cell::Bool(assessment.valid),
    ]
}

fn int(value: Option<i64>) -> Cell {
    value.map_or(Cell::Null, Cell::Int)
}

fn real(value: Option<f64>) -> Cell {
    value.map_or(Cell::Null, Cell::Real)
}
