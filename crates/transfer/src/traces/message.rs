//! Traces and assessments as MLflow's servers and folders tell them.

use serde_json::Value;
use stele_app::LoadedTrace;
use stele_domain::id::Timestamp;
use stele_domain::record::Tag;
use stele_domain::trace::{Assessment, AssessmentSource, AssessmentValue, Judgement, TraceFacts, TraceId};

use super::state;

/// Metadata that says which run assessed.
const SOURCE_RUN: &str = "mlflow.assessment.sourceRunId";

/// The run that an assessment came from.
pub(crate) fn source_run(assessment: &Assessment) -> Option<&str> {
    assessment.metadata.iter().find(|tag| tag.key == SOURCE_RUN).map(|tag| tag.value.as_str())
}

/// The metadata of an assessment with the run that it came from, which MLflow's clients read there, and databases may have
/// in a column alone.
pub(crate) fn with_source_run(mut metadata: Vec<Tag>, run: Option<String>) -> Vec<Tag> {
    if let Some(value) = run.filter(|_| metadata.iter().all(|tag| tag.key != SOURCE_RUN)) {
        metadata.push(Tag { key: SOURCE_RUN.to_owned(), value });
    }
    metadata
}

/// Reads an assessment; none if it has no value of a kind that is known.
pub(crate) fn assessment_of_message(message: &Value) -> Option<Assessment> {
    let text = |field: &str| message[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let value = if let Value::Object(feedback) = &message["feedback"] {
        let value = feedback.get("value").cloned().unwrap_or(Value::Null);
        AssessmentValue::Feedback(Judgement { value, error: feedback.get("error").cloned() })
    } else if let Value::Object(expectation) = &message["expectation"] {
        let serialized = &message["expectation"]["serialized_value"]["value"];
        match serialized.as_str().and_then(|text| serde_json::from_str(text).ok()) {
            Some(value) => AssessmentValue::Expectation(value),
            None => AssessmentValue::Expectation(expectation.get("value").cloned().unwrap_or(Value::Null)),
        }
    } else {
        AssessmentValue::Issue(message["issue"]["issue_name"].as_str()?.to_owned())
    };
    let created_at = time(&message["create_time"]).unwrap_or(Timestamp(0));
    let metadata = message["metadata"].as_object().into_iter().flatten();
    Some(Assessment {
        id: text("assessment_id")?,
        name: text("assessment_name").unwrap_or_default(),
        value,
        source: AssessmentSource {
            kind: message["source"]["source_type"].as_str().unwrap_or_default().to_owned(),
            id: message["source"]["source_id"].as_str().unwrap_or_default().to_owned(),
        },
        rationale: text("rationale"),
        metadata: metadata
            .map(|(key, value)| Tag {
                key: key.clone(),
                value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            })
            .collect(),
        span_id: text("span_id"),
        updated_at: time(&message["last_update_time"]).unwrap_or(created_at),
        created_at,
        overrides: text("overrides"),
        valid: message["valid"].as_bool().unwrap_or(true),
        of_session: false,
    })
}

/// Reads a trace without its spans.
pub(crate) fn trace_of_message(id: TraceId, info: &Value) -> LoadedTrace {
    let given = |field: &str| info[field].as_str().map(str::to_owned);
    let entries = |field: &str| {
        let entries = info[field].as_object().into_iter().flatten();
        entries.map(|(key, value)| Tag { key: key.clone(), value: value.as_str().unwrap_or_default().to_owned() })
    };
    let requested_at = time(&info["request_time"]).unwrap_or(Timestamp(0));
    LoadedTrace {
        facts: TraceFacts {
            // Servers tell it as a text with its unit, files as a number.
            duration: given("execution_duration")
                .and_then(|text| milliseconds(&text))
                .or_else(|| info["execution_duration_ms"].as_i64()),
            client_request_id: given("client_request_id"),
            request_preview: given("request_preview"),
            response_preview: given("response_preview"),
            ..TraceFacts::new(requested_at, state(info["state"].as_str().unwrap_or_default()))
        },
        id,
        finalized: false,
        tags: entries("tags").collect(),
        metadata: entries("trace_metadata").collect(),
        links: Vec::new(),
        assessments: info["assessments"].as_array().into_iter().flatten().filter_map(assessment_of_message).collect(),
        spans: Vec::new(),
    }
}

/// Reads a duration such as `0.405s`.
fn milliseconds(text: &str) -> Option<i64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    let milliseconds = (seconds * 1_000.0).round();
    milliseconds.is_finite().then_some(milliseconds as i64)
}

/// Reads a time such as `2026-11-28T20:04:07.782Z`.
fn time(value: &Value) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(Timestamp(time.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, expected) in [("0.405s", Some(405)), ("12s", Some(12_000)), ("-1.5s", Some(-1_500)), ("12", None)] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn the_run_of_an_assessment_is_in_its_metadata_once() {
        let of = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
        let added = with_source_run(vec![of("own", "1")], Some("r".to_owned()));
        assert_eq!(added, [of("own", "1"), of(SOURCE_RUN, "r")]);
        assert_eq!(with_source_run(vec![of(SOURCE_RUN, "q")], Some("r".to_owned())), [of(SOURCE_RUN, "q")]);
        assert_eq!(with_source_run(Vec::new(), None), []);
    }
}
