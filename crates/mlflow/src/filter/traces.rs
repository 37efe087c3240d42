//! Filters and orders of searches of traces.

use stele_domain::search::{Attribute, Comparison, DocumentPath, Field, Filter, Order, Predicate, TraceField};
use stele_domain::trace::{AssessmentKind, TraceState};
use stele_domain::{Error, Result};

use super::key::{split, strip_backticks, unquote};
use super::lexer::{TokenKind, excerpt};
use super::messages::{self, not_quoted, quoted_list};
use super::order_by::{self, OrderByError};
use super::parser::{self, Clause, Comparator, Grammar, Value, Wording};

const FILTER_KEYS: &[&str] = &[
    "client_request_id",
    "end_time",
    "end_time_ms",
    "execution_time",
    "execution_time_ms",
    "name",
    "prompt",
    "request_id",
    "run_id",
    "status",
    "text",
    "timestamp",
    "timestamp_ms",
];
const ORDER_KEYS: &[&str] = &[
    "end_time",
    "end_time_ms",
    "execution_time",
    "execution_time_ms",
    "experiment_id",
    "name",
    "request_id",
    "run_id",
    "status",
    "timestamp",
    "timestamp_ms",
];
const NUMERIC_KEYS: &[&str] =
    &["end_time", "end_time_ms", "execution_time", "execution_time_ms", "timestamp", "timestamp_ms"];
/// The longest regular expression, in bytes, and the most memory that it may need.
const LONGEST_EXPRESSION: usize = 1_000;
const LARGEST_EXPRESSION: usize = 1 << 20;

/// Which comparators a field takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Also lists.
    Text,
    /// Also tests for absence.
    Nullable,
    Patterns,
    Equality,
}

impl Takes {
    fn comparators(self) -> &'static [&'static str] {
        match self {
            Takes::Text => &["!=", "=", "ILIKE", "IN", "LIKE", "NOT IN", "RLIKE"],
            Takes::Nullable => &["!=", "=", "ILIKE", "IN", "IS NOT NULL", "IS NULL", "LIKE", "NOT IN", "RLIKE"],
            Takes::Patterns => &["ILIKE", "LIKE"],
            Takes::Equality => &["="],
        }
    }
}

/// Parses a filter over attributes, tags, metadata, spans, assessments and links of traces.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

/// Parses `order_by`. The store breaks ties by the time of the request, newest first, then by id.
///
/// # Errors
/// See [`OrderByError`].
pub(crate) fn parse_order_by(clauses: &[String]) -> Result<Vec<Order>, OrderByError> {
    order_by::parse(clauses, |clause| {
        let (entity, key) = split(clause.identifier);
        let key = unquote(key);
        match entity.map(strip_backticks) {
            None | Some("attribute" | "attributes" | "trace") => {}
            Some("tag" | "tags") => return tag(key),
            Some("metadata" | "request_metadata") => return Ok(Field::Trace(metadata(key)?)),
            Some(other) => return Err(clause.error(&format!("Invalid identifier type '{}'", excerpt(other)))),
        }
        if !ORDER_KEYS.contains(&key) {
            return Err(clause.error(&messages::invalid_attribute(key, ORDER_KEYS)));
        }
        Ok(attribute(key))
    })
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (entity, key) = split(clause.key.text);
    match entity.map(strip_backticks) {
        None | Some("attribute" | "attributes" | "trace") => attribute_test(clause, unquote(key)),
        Some("tag" | "tags") => tag_test(clause, unquote(key)),
        Some("metadata" | "request_metadata") => metadata_test(clause, unquote(key)),
        Some("span") => span_test(clause, key),
        Some("feedback") => assessment_test(clause, AssessmentKind::Feedback, unquote(key)),
        Some("expectation") => assessment_test(clause, AssessmentKind::Expectation, unquote(key)),
        Some("issue") => match unquote(key) {
            "id" => text(clause, "issue", Field::Trace(TraceField::Issue), Takes::Equality),
            key => {
                Err(clause.key_error(&format!("Invalid issue attribute '{}'. Supported attributes: id", excerpt(key))))
            }
        },
        Some(other) => Err(clause.key_error(&format!(
            "Invalid entity type '{}'. Valid values are {{{}}}",
            excerpt(other),
            quoted_list(&[
                "attribute",
                "attributes",
                "expectation",
                "feedback",
                "issue",
                "metadata",
                "request_metadata",
                "span",
                "tag",
                "tags",
                "trace"
            ])
        ))),
    }
}

fn attribute_test(clause: &Clause<'_>, key: &str) -> Result<Filter> {
    if !FILTER_KEYS.contains(&key) {
        return Err(clause.key_error(&messages::invalid_attribute(key, FILTER_KEYS)));
    }
    if NUMERIC_KEYS.contains(&key) {
        return number(clause, key);
    }
    match key {
        "status" => {
            let filter = text(clause, "attribute", Field::Attribute(Attribute::Status), Takes::Text)?;
            let Filter::Test(_, predicate) = &filter else { return Ok(filter) };
            Ok(with_record_states(predicate))
        }
        "prompt" => prompt(clause),
        "text" => text(clause, "span.content", Field::Trace(TraceField::SpanContent), Takes::Patterns),
        // To MLflow these two are a tag and an entry of the metadata, which a trace may lack.
        "name" | "run_id" => text(clause, "attribute", attribute(key), Takes::Nullable),
        key => text(clause, "attribute", attribute(key), Takes::Text),
    }
}

fn attribute(key: &str) -> Field {
    match key {
        "request_id" => Field::Attribute(Attribute::Id),
        "timestamp" | "timestamp_ms" => Field::Attribute(Attribute::StartTime),
        "end_time" | "end_time_ms" => Field::Attribute(Attribute::EndTime),
        "execution_time" | "execution_time_ms" => Field::Trace(TraceField::Duration),
        "status" => Field::Attribute(Attribute::Status),
        "experiment_id" => Field::Attribute(Attribute::ExperimentId),
        "run_id" => Field::Trace(TraceField::Run),
        "client_request_id" => Field::Trace(TraceField::ClientRequestId),
        _ => Field::Attribute(Attribute::Name),
    }
}

fn prompt(clause: &Clause<'_>) -> Result<Filter> {
    let filter = text(clause, "prompts", Field::Trace(TraceField::Prompt), Takes::Equality)?;
    if let Filter::Test(_, Predicate::Text(_, value)) = &filter
        && value.matches('/').count() != 1
    {
        return Err(clause.value_error(&format!(
            "Invalid prompts filter value '{}'. Expected format: prompt = \"name/version\"",
            excerpt(value)
        )));
    }
    Ok(filter)
}

fn tag_test(clause: &Clause<'_>, key: &str) -> Result<Filter> {
    if key == "mlflow.linkedPrompts" {
        return prompt(clause);
    }
    text(clause, "tag", tag(key)?, Takes::Nullable)
}

/// What a tag is in the record.
fn tag(key: &str) -> Result<Field> {
    match key {
        "mlflow.traceName" => Ok(Field::Attribute(Attribute::Name)),
        "mlflow.linkedPrompts" | "mlflow.artifactLocation" => Err(not_kept("tag", key)),
        key => Ok(Field::Tag(key.to_owned())),
    }
}

fn not_kept(what: &str, key: &str) -> Error {
    Error::unsupported(format!("searching by {what} '{key}' is not supported by this server"))
}

fn metadata_test(clause: &Clause<'_>, key: &str) -> Result<Filter> {
    text(clause, "request_metadata", Field::Trace(metadata(key)?), Takes::Nullable)
}

/// What an entry of the metadata is in the record.
fn metadata(key: &str) -> Result<TraceField> {
    match key {
        "mlflow.sourceRun" => Ok(TraceField::Run),
        "mlflow.trace.session" => Ok(TraceField::Session),
        "mlflow.trace.tokenUsage" | "mlflow.trace.cost" | "mlflow.trace.infoFinalized" => {
            Err(not_kept("metadata", key))
        }
        key => Ok(TraceField::Metadata(key.to_owned())),
    }
}

fn span_test(clause: &Clause<'_>, key: &str) -> Result<Filter> {
    if let Some(attribute) = unquote(key).strip_prefix("attributes.") {
        let attribute = unquote(attribute);
        if attribute.is_empty() {
            return Err(clause.key_error("Span attribute name cannot be empty after 'attributes.'"));
        }
        let path = DocumentPath(vec!["attributes".to_owned(), attribute.to_owned()]);
        return text(clause, "span.attributes", Field::Trace(TraceField::SpanAttribute(path)), Takes::Text);
    }
    let (what, field, takes) = match unquote(key) {
        "name" => ("span.name", TraceField::SpanName, Takes::Text),
        "type" => ("span.type", TraceField::SpanType, Takes::Text),
        "status" => ("span.status", TraceField::SpanStatus, Takes::Text),
        "content" => ("span.content", TraceField::SpanContent, Takes::Patterns),
        other => {
            return Err(clause.key_error(&format!(
                "Invalid span attribute '{}'. Supported attributes: name, status, type, attributes.<attribute_name>.",
                excerpt(other)
            )));
        }
    };
    text(clause, what, Field::Trace(field), takes)
}

fn assessment_test(clause: &Clause<'_>, kind: AssessmentKind, name: &str) -> Result<Filter> {
    if name.is_empty() {
        return Err(clause.key_error("Assessment field name cannot be empty"));
    }
    let field = Field::Trace(TraceField::Assessment(kind, name.to_owned()));
    let Comparator::Order(comparison) = clause.comparator else {
        return text(clause, kind.as_str(), field, Takes::Nullable);
    };
    if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
        return text(clause, kind.as_str(), field, Takes::Nullable);
    }
    let number = match &clause.value {
        Value::Literal(token) if token.kind == TokenKind::Number => token.text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) => Ok(Filter::Test(field, Predicate::Number(comparison, number))),
        None => Err(clause.value_error(&format!(
            "Expected a numeric value for {} when using comparator '{}'. Got value {}",
            kind.as_str(),
            messages::written(clause.comparator),
            excerpt(clause.value.text())
        ))),
    }
}

fn number(clause: &Clause<'_>, key: &str) -> Result<Filter> {
    let Comparator::Order(comparison) = clause.comparator else {
        return Err(clause.key_error(&format!(
            "Invalid comparator '{}' not one of '{{'!=', '<', '<=', '=', '>', '>='}}'",
            messages::written(clause.comparator)
        )));
    };
    let number = match &clause.value {
        Value::Literal(token) if token.kind == TokenKind::Number => token.text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) => Ok(Filter::Test(attribute(key), Predicate::Number(comparison, number))),
        None => Err(clause.value_error(&format!(
            "Expected numeric value type for numeric attribute: {key}. Found {}",
            excerpt(clause.value.text())
        ))),
    }
}

fn text(clause: &Clause<'_>, what: &str, field: Field, takes: Takes) -> Result<Filter> {
    let refused = || {
        let comparator = messages::written(clause.comparator);
        let comparator = excerpt(&comparator);
        let others = quoted_list(takes.comparators());
        clause.key_error(&match what {
            "prompts" => format!(
                "Invalid comparator '{comparator}' for prompts filter. Only '=' is supported with format: prompt = \"name/version\""
            ),
            what if what.starts_with("span.") => format!("{what} comparator '{comparator}' not one of '{{{others}}}'"),
            _ => format!("Invalid comparator '{comparator}' not one of '{{{others}}}'"),
        })
    };
    let value = match &clause.value {
        Value::Absent if takes == Takes::Nullable => {
            let predicate =
                if clause.comparator == Comparator::IsNull { Predicate::IsNull } else { Predicate::IsNotNull };
            return Ok(Filter::Test(field, predicate));
        }
        Value::Absent => return Err(refused()),
        Value::List { values, .. } if matches!(takes, Takes::Text | Takes::Nullable) => {
            let values = values.clone();
            return Ok(Filter::Test(
                field,
                match clause.comparator {
                    Comparator::NotIn => Predicate::NotIn(values),
                    _ => Predicate::In(values),
                },
            ));
        }
        Value::List { .. } => return Err(refused()),
        Value::Literal(token) => match token.string() {
            Some(text) => text,
            None if token.kind == TokenKind::Number && what == "attribute" => {
                return Err(clause.value_error(&format!(
                    "Only the '{{{}}}' attributes support comparison with numeric values.",
                    quoted_list(NUMERIC_KEYS)
                )));
            }
            None if token.kind == TokenKind::Number => {
                return Err(clause.value_error(&format!(
                    "Expected a quoted string value for {what} (e.g. 'my-value'). Got value {}",
                    excerpt(token.text)
                )));
            }
            None => return Err(clause.value_error(&not_quoted(token.text))),
        },
    };
    let predicate = match clause.comparator {
        Comparator::Order(comparison @ Comparison::Equal) if takes != Takes::Patterns => {
            Predicate::Text(comparison, value.to_owned())
        }
        Comparator::Order(comparison @ Comparison::NotEqual) if matches!(takes, Takes::Text | Takes::Nullable) => {
            Predicate::Text(comparison, value.to_owned())
        }
        Comparator::Like if takes != Takes::Equality => {
            Predicate::Like { pattern: value.to_owned(), ignore_case: false }
        }
        Comparator::ILike if takes != Takes::Equality => {
            Predicate::Like { pattern: value.to_owned(), ignore_case: true }
        }
        Comparator::Unknown(word)
            if word.eq_ignore_ascii_case("RLIKE") && matches!(takes, Takes::Text | Takes::Nullable) =>
        {
            Predicate::Matches(expression(clause, value)?)
        }
        _ => return Err(refused()),
    };
    Ok(Filter::Test(field, predicate))
}

/// A regular expression that both databases read alike: no groups with options but `(?i)` in front and `(?:`, and no
/// classes by the names of Unicode.
fn expression(clause: &Clause<'_>, value: &str) -> Result<String> {
    let wrong = |why: &str| Err(clause.value_error(&format!("Invalid regular expression '{}': {why}", excerpt(value))));
    if value.len() > LONGEST_EXPRESSION {
        return wrong(&format!("it is longer than {LONGEST_EXPRESSION} bytes"));
    }
    let rest = value.strip_prefix("(?i)").unwrap_or(value);
    if rest.replace("(?:", "").contains("(?") {
        return wrong("only groups of the kinds (..) and (?:..), and (?i) in front of all, are supported");
    }
    if ["\\p", "\\P", "\\x{", "\\u{", "\\U", "\\z", "&&", "--", "~~"].iter().any(|part| rest.contains(part)) {
        return wrong("classes of Unicode and set operations are not supported");
    }
    match regex::RegexBuilder::new(value).size_limit(LARGEST_EXPRESSION).build() {
        Ok(_) => Ok(value.to_owned()),
        Err(_) => wrong("it cannot be read, or is too large"),
    }
}

fn with_record_states(predicate: &Predicate) -> Filter {
    const NAMES: [(&str, TraceState); 4] = [
        ("STATE_UNSPECIFIED", TraceState::Unspecified),
        ("IN_PROGRESS", TraceState::InProgress),
        ("OK", TraceState::Ok),
        ("ERROR", TraceState::Error),
    ];
    let names = NAMES.iter().map(|(name, state)| ((*name).to_owned(), state.as_str()));
    crate::search::status::translated(predicate, names)
}
