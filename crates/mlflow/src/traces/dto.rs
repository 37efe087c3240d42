//! Traces and assessments in MLflow's JSON, without their spans.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use stele_domain::id::RunId;
use stele_domain::otlp::AnyValue;
use stele_domain::record::Tag;
use stele_domain::trace::{
    Assessment, AssessmentSource, AssessmentValue, Costs, Judgement, Tokens, TraceFacts, TraceInfo, TraceState,
};

use super::time::{duration_text, time_text};

pub(super) const NAME_TAG: &str = "mlflow.traceName";
pub(super) const ARTIFACT_LOCATION_TAG: &str = "mlflow.artifactLocation";
pub(super) const SPANS_LOCATION_TAG: &str = "mlflow.trace.spansLocation";
pub(super) const ARCHIVE_LOCATION_TAG: &str = "mlflow.trace.archiveLocation";
pub(super) const RUN_METADATA: &str = "mlflow.sourceRun";
pub(super) const SESSION_METADATA: &str = "mlflow.trace.session";
pub(super) const TOKENS_METADATA: &str = "mlflow.trace.tokenUsage";
pub(super) const COSTS_METADATA: &str = "mlflow.trace.cost";
/// Says that the maker of the trace told all of it.
pub(super) const FINALIZED_METADATA: &str = "mlflow.trace.infoFinalized";

#[derive(Serialize)]
pub(super) struct TraceInfoDto {
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_id: Option<String>,
    trace_location: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_preview: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_preview: Option<String>,
    request_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_duration: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    trace_metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assessments: Vec<Value>,
}

pub(super) fn trace_dto(trace: TraceInfo) -> TraceInfoDto {
    let TraceInfo { row: _, id, experiment, artifact_uri, facts, finalized, spans, tags, metadata, assessments } =
        trace;
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
        tokens,
        costs,
    } = facts;
    TraceInfoDto {
        client_request_id,
        trace_location: json!({
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": { "experiment_id": experiment.to_string() },
        }),
        request_preview,
        response_preview,
        request_time: time_text(requested_at),
        execution_duration: duration.map(duration_text),
        state: state_name(state),
        trace_metadata: metadata_map(metadata, finalized, session, source_run, tokens, costs),
        tags: tag_map(tags, name, artifact_uri, spans),
        assessments: assessments.into_iter().map(|assessment| assessment_dto(id.as_str(), assessment)).collect(),
        trace_id: id.as_str().to_owned(),
    }
}

/// The second version of the same.
#[derive(Serialize)]
pub(super) struct TraceInfoV2Dto {
    request_id: String,
    experiment_id: String,
    timestamp_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time_ms: Option<i64>,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_metadata: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Value>,
}

pub(super) fn trace_v2_dto(trace: TraceInfo) -> TraceInfoV2Dto {
    let TraceInfo { row: _, id, experiment, artifact_uri, facts, finalized, spans, tags, metadata, assessments: _ } =
        trace;
    let TraceFacts { requested_at, duration, state, name, session, source_run, tokens, costs, .. } = facts;
    let pairs = |map: BTreeMap<String, String>| {
        map.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
    };
    TraceInfoV2Dto {
        request_id: id.as_str().to_owned(),
        experiment_id: experiment.to_string(),
        timestamp_ms: requested_at.0,
        execution_time_ms: duration,
        status: match state {
            TraceState::Unspecified => "TRACE_STATUS_UNSPECIFIED",
            state => state_name(state),
        },
        request_metadata: pairs(metadata_map(metadata, finalized, session, source_run, tokens, costs)),
        tags: pairs(tag_map(tags, name, artifact_uri, spans)),
    }
}

pub(super) fn state_name(state: TraceState) -> &'static str {
    match state {
        TraceState::Unspecified => "STATE_UNSPECIFIED",
        TraceState::InProgress => "IN_PROGRESS",
        TraceState::Ok => "OK",
        TraceState::Error => "ERROR",
    }
}

fn map(entries: Vec<Tag>) -> BTreeMap<String, String> {
    entries.into_iter().map(|Tag { key, value }| (key, value)).collect()
}

fn tag_map(tags: Vec<Tag>, name: Option<String>, artifact_uri: String, spans: i64) -> BTreeMap<String, String> {
    let mut tags = map(tags);
    tags.extend(name.map(|name| (NAME_TAG.to_owned(), name)));
    tags.insert(ARTIFACT_LOCATION_TAG.to_owned(), artifact_uri);
    if spans > 0 {
        tags.insert(SPANS_LOCATION_TAG.to_owned(), "TRACKING_STORE".to_owned());
    }
    tags
}

fn metadata_map(
    metadata: Vec<Tag>,
    finalized: bool,
    session: Option<String>,
    source_run: Option<RunId>,
    tokens: Tokens,
    costs: Costs,
) -> BTreeMap<String, String> {
    let text = |document: Value| AnyValue::of_json(&document).json_text();
    let mut metadata = map(metadata);
    for (key, value) in [
        (FINALIZED_METADATA, finalized.then(|| "true".to_owned())),
        (SESSION_METADATA, session),
        (RUN_METADATA, source_run.map(|run| run.0)),
        (TOKENS_METADATA, tokens.to_json().map(text)),
        (COSTS_METADATA, costs.to_json().map(text)),
    ] {
        metadata.extend(value.map(|value| (key.to_owned(), value)));
    }
    metadata
}

pub(super) fn assessment_dto(trace: &str, assessment: Assessment) -> Value {
    let Assessment {
        id,
        name,
        value,
        source: AssessmentSource { kind, id: source_id },
        rationale,
        metadata,
        span_id,
        created_at,
        updated_at,
        overrides,
        valid,
        of_session: _,
    } = assessment;
    let mut dto = json!({
        "assessment_id": id,
        "assessment_name": name,
        "trace_id": trace,
        "source": { "source_type": kind, "source_id": source_id },
        "create_time": time_text(created_at),
        "last_update_time": time_text(updated_at),
        "valid": valid,
    });
    match value {
        AssessmentValue::Feedback(Judgement { value, error }) => {
            dto["feedback"] = json!({ "value": value });
            if let Some(error) = error {
                dto["feedback"]["error"] = error;
            }
        }
        // What is no plain value travels as the text of a document.
        AssessmentValue::Expectation(value @ (Value::Array(_) | Value::Object(_))) => {
            let text = AnyValue::of_json(&value).json_text();
            dto["expectation"] =
                json!({ "serialized_value": { "serialization_format": "JSON_FORMAT", "value": text } });
        }
        AssessmentValue::Expectation(value) => dto["expectation"] = json!({ "value": value }),
        AssessmentValue::Issue(name) => dto["issue"] = json!({ "issue_name": name }),
    }
    for (field, text) in [("rationale", rationale), ("span_id", span_id), ("overrides", overrides)] {
        if let Some(text) = text {
            dto[field] = text.into();
        }
    }
    if !metadata.is_empty() {
        let metadata: Map<String, Value> = metadata.into_iter().map(|Tag { key, value }| (key, value.into())).collect();
        dto["metadata"] = metadata.into();
    }
    dto
}
