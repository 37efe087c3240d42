//! MLflow's conventions for traces: what it keeps among their tags and metadata, and how it writes spans.

mod message;
mod span;

use stele_app::LoadedTrace;
use stele_domain::id::RunId;
use stele_domain::otlp::AnyValue;
use stele_domain::record::Tag;
use stele_domain::trace::{Costs, Tokens, TraceFacts, TraceInfo, TraceState};

pub(crate) use self::message::{assessment_of_message, source_run, trace_of_message, with_source_run};
pub(crate) use self::span::{read_span, read_spans, write_attributes, write_events, write_span};

const NAME_TAG: &str = "mlflow.traceName";
const ARTIFACT_LOCATION_TAG: &str = "mlflow.artifactLocation";
const SPANS_LOCATION_TAG: &str = "mlflow.trace.spansLocation";
const IN_DATABASE: &str = "TRACKING_STORE";
const ARCHIVED: &str = "ARCHIVE_REPO";
const RUN_METADATA: &str = "mlflow.sourceRun";
const SESSION_METADATA: &str = "mlflow.trace.session";
const TOKENS_METADATA: &str = "mlflow.trace.tokenUsage";
const COSTS_METADATA: &str = "mlflow.trace.cost";
/// Says that the maker of the trace told all of it.
const FINALIZED_METADATA: &str = "mlflow.trace.infoFinalized";

/// A trace as MLflow has it, with where its files are.
#[derive(Debug)]
pub(crate) struct SourceTrace {
    pub(crate) trace: LoadedTrace,
    pub(crate) artifact_uri: Option<String>,
    /// Whether its spans were moved to an archive, where they stay.
    pub(crate) archived: bool,
}

const STATES: &[(&str, TraceState)] = &[
    ("OK", TraceState::Ok),
    ("ERROR", TraceState::Error),
    ("IN_PROGRESS", TraceState::InProgress),
    ("STATE_UNSPECIFIED", TraceState::Unspecified),
    ("TRACE_STATUS_UNSPECIFIED", TraceState::Unspecified),
];

pub(crate) fn state(name: &str) -> TraceState {
    STATES.iter().find(|(known, _)| *known == name).map_or(TraceState::Unspecified, |(_, state)| *state)
}

pub(crate) fn state_name(state: TraceState) -> &'static str {
    STATES.iter().find(|(_, known)| *known == state).map_or("STATE_UNSPECIFIED", |(name, _)| *name)
}

/// Whether the spans of a trace are with it, and not in a file.
pub(crate) fn are_in_database(trace: &LoadedTrace) -> bool {
    trace.tags.iter().any(|tag| tag.key == SPANS_LOCATION_TAG && tag.value == IN_DATABASE)
}

/// Takes out of the tags and metadata of a trace what the record has fields for; what is in a field already stays.
pub(crate) fn with_meaning(mut trace: LoadedTrace) -> SourceTrace {
    let name = take(&mut trace.tags, NAME_TAG);
    let artifact_uri = take(&mut trace.tags, ARTIFACT_LOCATION_TAG);
    let mut archived = false;
    trace.tags.retain(|tag| {
        archived |= tag.key == SPANS_LOCATION_TAG && tag.value == ARCHIVED;
        // Where they are here is told by where they are.
        tag.key != SPANS_LOCATION_TAG || (tag.value != IN_DATABASE && tag.value != ARCHIVED)
    });
    let document = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let session = take(&mut trace.metadata, SESSION_METADATA);
    let run = take(&mut trace.metadata, RUN_METADATA);
    let tokens = document(take(&mut trace.metadata, TOKENS_METADATA)).map(|document| Tokens::of_json(&document));
    let costs = document(take(&mut trace.metadata, COSTS_METADATA)).map(|document| Costs::of_json(&document));
    trace.finalized |= take(&mut trace.metadata, FINALIZED_METADATA).is_some_and(|value| value == "true");
    let facts = &mut trace.facts;
    facts.name = facts.name.take().or(name);
    facts.session = facts.session.take().or(session);
    facts.source_run = facts.source_run.take().or(run.map(RunId));
    if facts.tokens == Tokens::default() {
        facts.tokens = tokens.unwrap_or_default();
    }
    if facts.costs == Costs::default() {
        facts.costs = costs.unwrap_or_default();
    }
    SourceTrace { trace, artifact_uri: artifact_uri.filter(|uri| !uri.is_empty()), archived }
}

fn take(tags: &mut Vec<Tag>, key: &str) -> Option<String> {
    let position = tags.iter().position(|tag| tag.key == key)?;
    Some(tags.swap_remove(position).value)
}

/// All tags of a trace as MLflow's databases have them, which keep its name in a column.
pub(crate) fn tags_with_meaning(info: &TraceInfo) -> Vec<Tag> {
    let mut tags = info.tags.clone();
    tags.push(Tag { key: ARTIFACT_LOCATION_TAG.to_owned(), value: info.artifact_uri.clone() });
    if info.spans > 0 {
        tags.push(Tag { key: SPANS_LOCATION_TAG.to_owned(), value: IN_DATABASE.to_owned() });
    }
    tags
}

/// All metadata of a trace as MLflow's databases have them, which keep session, tokens and costs in columns.
pub(crate) fn metadata_with_meaning(info: &TraceInfo) -> Vec<Tag> {
    let TraceFacts { source_run, .. } = &info.facts;
    let mut metadata = info.metadata.clone();
    metadata.extend(source_run.iter().map(|run| Tag { key: RUN_METADATA.to_owned(), value: run.0.clone() }));
    if info.finalized {
        metadata.push(Tag { key: FINALIZED_METADATA.to_owned(), value: "true".to_owned() });
    }
    metadata
}

/// JSON with a space after each comma and colon, as MLflow writes it.
pub(crate) fn spaced(value: &serde_json::Value) -> String {
    AnyValue::of_json(value).json_text()
}

#[cfg(test)]
mod tests {
    use stele_domain::id::Timestamp;
    use stele_domain::trace::TraceId;

    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Vec<Tag> {
        pairs.iter().map(|(key, value)| Tag { key: (*key).to_owned(), value: (*value).to_owned() }).collect()
    }

    #[test]
    fn what_the_record_has_fields_for_is_taken_out_of_tags_and_metadata() {
        let trace = LoadedTrace {
            id: TraceId::parse("tr-1").unwrap(),
            facts: TraceFacts::new(Timestamp(1), TraceState::Ok),
            finalized: false,
            tags: tags(&[
                ("mlflow.traceName", "answer"),
                ("mlflow.artifactLocation", "/files/1"),
                ("mlflow.trace.spansLocation", "TRACKING_STORE"),
                ("own", "1"),
            ]),
            metadata: tags(&[
                ("mlflow.trace.session", "s"),
                ("mlflow.sourceRun", "r"),
                ("mlflow.trace.tokenUsage", "{\"input_tokens\": 3}"),
                ("mlflow.trace.cost", "no JSON"),
                ("mlflow.trace.infoFinalized", "true"),
                ("mlflow.user", "ada"),
            ]),
            links: Vec::new(),
            assessments: Vec::new(),
            spans: Vec::new(),
        };
        let SourceTrace { trace, artifact_uri, archived } = with_meaning(trace);
        assert_eq!(trace.facts.name.as_deref(), Some("answer"));
        assert_eq!((trace.facts.session.as_deref(), trace.facts.tokens.input), (Some("s"), Some(3)));
        assert_eq!(trace.facts.source_run, Some(RunId("r".to_owned())));
        assert!(trace.finalized && !archived);
        assert_eq!((trace.tags, trace.metadata), (tags(&[("own", "1")]), tags(&[("mlflow.user", "ada")])));
        assert_eq!(artifact_uri.as_deref(), Some("/files/1"));
    }

    #[test]
    fn every_state_has_a_name_that_reads_back() {
        for known in TraceState::ALL {
            assert_eq!(state(state_name(known)), known);
        }
    }
}
