use axum::response::Response;
use serde_json::{Value, json};
use stele_domain::id::Timestamp;
use stele_domain::trace::{Assessment, AssessmentChange, AssessmentSource, AssessmentValue, Judgement};
use stele_domain::{Error, Kind};

use super::dto::assessment_dto;
use super::time::parse_time;
use super::{known_id, text_map};
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::input::{Input, missing};

const SOURCES: &[(&str, i64, &str)] = &[
    ("SOURCE_TYPE_UNSPECIFIED", 0, "SOURCE_TYPE_UNSPECIFIED"),
    ("HUMAN", 1, "HUMAN"),
    ("LLM_JUDGE", 2, "LLM_JUDGE"),
    ("CODE", 3, "CODE"),
    // What old clients call a language model as a judge.
    ("AI_JUDGE", -1, "LLM_JUDGE"),
];

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let trace = input.path("trace_id").to_owned();
    let id = known_id(&trace)?;
    let given = input.message("assessment")?.ok_or_else(|| missing("assessment"))?.at("assessment");
    // One that is made is valid until another one overrides it, whatever it says of itself.
    let new = Assessment { valid: true, ..read_assessment(&given, call.ctx.now())? };
    let made = call.app.assessment_create(&call.ctx, id, new).await.map_err(|error| absent(error, &trace))?;
    reply(&json!({ "assessment": assessment_dto(&trace, made) }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (trace, assessment) = named(&input);
    let found = call.app.assessment_get(&call.ctx, of_trace(&trace)?, assessment).await;
    let found = found.map_err(|error| absent(error, &trace))?;
    reply(&json!({ "assessment": assessment_dto(&trace, found) }))
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (trace, assessment) = named(&input);
    let given = input.message("assessment")?.ok_or_else(|| missing("assessment"))?.at("assessment");
    let mask = mask(&input)?;
    let mut change = AssessmentChange::default();
    for path in &mask {
        match path.as_str() {
            "assessment_name" | "assessmentName" => change.name = Some(given.required_text("assessment_name")?),
            "feedback" | "expectation" => {
                if change.value.is_some() {
                    return Err(Failure::invalid("Cannot specify both `expectation` and `feedback` parameters."));
                }
                let value = read_value(&given)?;
                if value.kind().as_str() != path {
                    return Err(missing(&format!("assessment.{path}")));
                }
                change.value = Some(value);
            }
            "rationale" => change.rationale = Some(given.text("rationale")?.unwrap_or_default()),
            "metadata" => change.metadata = text_map(&given, "metadata")?,
            "valid" => {
                return Err(Failure::invalid(
                    "'valid' cannot be updated: an assessment is valid until another one overrides it.",
                ));
            }
            other => {
                return Err(Failure::invalid(format!(
                    "Invalid value for parameter 'update_mask' supplied: '{other}' is not one of assessment_name, \
                     feedback, expectation, rationale, metadata"
                )));
            }
        }
    }
    let updated = call.app.assessment_update(&call.ctx, of_trace(&trace)?, assessment, change).await;
    let updated = updated.map_err(|error| absent(error, &trace))?;
    reply(&json!({ "assessment": assessment_dto(&trace, updated) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (trace, assessment) = named(&input);
    call.app.assessment_delete(&call.ctx, known_id(&trace)?, assessment).await?;
    empty()
}

fn named(input: &Input) -> (String, String) {
    (input.path("trace_id").to_owned(), input.path("assessment_id").to_owned())
}

fn of_trace(id: &str) -> Result<stele_domain::trace::TraceId> {
    known_id(id).map_err(|_| no_trace(id))
}

fn no_trace(id: &str) -> Failure {
    Failure::not_found(format!("Trace with ID '{id}' not found."))
}

fn absent(error: Error, trace: &str) -> Failure {
    match error {
        Error::NotFound { kind: Kind::Trace, .. } => no_trace(trace),
        Error::NotFound { kind: Kind::Assessment, id } => {
            Failure::not_found(format!("Assessment with ID '{id}' not found for trace '{trace}'"))
        }
        error => error.into(),
    }
}

/// A field mask is a text of names with commas between them, in JSON.
fn mask(input: &Input) -> Result<Vec<String>> {
    let paths: Vec<String> = match input.value("update_mask")? {
        None => Vec::new(),
        Some(Value::String(text)) => text.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect(),
        Some(Value::Object(_)) => {
            input.message("update_mask")?.map(|mask| mask.texts("paths")).transpose()?.unwrap_or_default()
        }
        Some(other) => return Err(crate::input::wrong_type("update_mask", &other)),
    };
    if paths.is_empty() { Err(missing("update_mask")) } else { Ok(paths) }
}

/// Reads an assessment; times that are not told are `now`.
pub(super) fn read_assessment(input: &Input, now: Timestamp) -> Result<Assessment> {
    let time = |name: &str| match input.text(name)? {
        Some(text) => parse_time(name, &text),
        None => Ok(now),
    };
    let source = input.message("source")?.ok_or_else(|| missing("assessment.source"))?;
    let text = |name: &str| Ok::<_, Failure>(input.text(name)?.filter(|text| !text.is_empty()));
    Ok(Assessment {
        id: input.text("assessment_id")?.unwrap_or_default(),
        name: input.required_text("assessment_name")?,
        value: read_value(input)?,
        source: AssessmentSource {
            kind: source.named("source_type", SOURCES)?.unwrap_or("SOURCE_TYPE_UNSPECIFIED").to_owned(),
            id: source.text("source_id")?.unwrap_or_default(),
        },
        rationale: text("rationale")?,
        metadata: text_map(input, "metadata")?,
        span_id: text("span_id")?,
        created_at: time("create_time")?,
        updated_at: time("last_update_time")?,
        overrides: text("overrides")?,
        valid: input.bool("valid")?.unwrap_or(true),
        of_session: false,
    })
}

fn read_value(input: &Input) -> Result<AssessmentValue> {
    let (feedback, expectation, issue) =
        (input.message("feedback")?, input.message("expectation")?, input.message("issue")?);
    match (feedback, expectation, issue) {
        (Some(feedback), None, None) => {
            let value = feedback.value("value")?.unwrap_or_default();
            let error = feedback.message("error")?.map(|error| read_error(&error)).transpose()?;
            Ok(AssessmentValue::Feedback(Judgement { value, error }))
        }
        (None, Some(expectation), None) => Ok(AssessmentValue::Expectation(read_expectation(&expectation)?)),
        (None, None, Some(issue)) => Ok(AssessmentValue::Issue(issue.text("issue_name")?.unwrap_or_default())),
        _ => Err(Failure::invalid("Exactly one of `expectation`, `feedback`, or `issue` should be specified.")),
    }
}

fn read_expectation(input: &Input) -> Result<Value> {
    let value = match input.message("serialized_value")? {
        None => input.value("value")?,
        Some(serialized) => {
            let format = serialized.text("serialization_format")?.unwrap_or_default();
            if format != "JSON_FORMAT" {
                return Err(Failure::invalid(format!(
                    "Unknown serialization format: {format}. Only JSON_FORMAT is supported."
                )));
            }
            let text = serialized.text("value")?.unwrap_or_default();
            let value: Value = serde_json::from_str(&text).map_err(|error| {
                Failure::invalid(format!("The value of an expectation must be valid JSON: {error}"))
            })?;
            Some(value)
        }
    };
    value.filter(|value| !value.is_null()).ok_or_else(|| Failure::invalid("The `value` field must be specified."))
}

fn read_error(input: &Input) -> Result<Value> {
    let mut error = json!({});
    for field in ["error_code", "error_message", "stack_trace"] {
        if let Some(text) = input.text(field)? {
            bounded(field, &text)?;
            error[field] = text.into();
        }
    }
    Ok(error)
}

fn bounded(field: &str, text: &str) -> Result<()> {
    match text.len() {
        length if length > 500_000 => Err(Failure::invalid(format!("'{field}' is longer than 500000 bytes"))),
        _ => Ok(()),
    }
}
