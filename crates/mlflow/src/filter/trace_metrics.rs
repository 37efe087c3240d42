//! The filters of statistics of traces: each is one comparison with `=`.

use stele_domain::search::{Attribute, Comparison, Field, Filter, Predicate, TraceField};
use stele_domain::trace::{Dimension, TraceState};
use stele_domain::{Error, Result};

use super::key::unquote;
use super::lexer::{self, TokenKind, excerpt};

/// What one filter says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MetricFilter {
    /// Of the trace.
    Trace(Filter),
    /// Of its span or assessment.
    Part(Dimension, String),
}

pub(crate) fn parse_metric_filter(source: &str) -> Result<MetricFilter> {
    let wrong = || Error::invalid(format!("Invalid filter: '{}'. Expected one filter clause.", excerpt(source)));
    if source.len() > super::MAX_LENGTH {
        return Err(wrong());
    }
    let tokens = lexer::tokens(source).map_err(|_| wrong())?;
    let [key, operator, value] = tokens.as_slice() else { return Err(wrong()) };
    if key.kind != TokenKind::Identifier || operator.kind != TokenKind::Operator {
        return Err(wrong());
    }
    if operator.text != "=" {
        let text = excerpt(operator.text);
        return Err(Error::invalid(format!("Invalid comparator: '{text}', only '=' operator is supported")));
    }
    let Some(value) = value.string() else {
        let text = excerpt(value.text);
        return Err(Error::invalid(format!("Expected a quoted string value (e.g. 'my-value'). Got value {text}")));
    };
    let mut parts = key.text.splitn(3, '.');
    let (view, entity) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let key = parts.next().map(unquote);
    let equal =
        |field: Field| MetricFilter::Trace(Filter::Test(field, Predicate::Text(Comparison::Equal, value.to_owned())));
    let part = |dimension: Dimension| Ok(MetricFilter::Part(dimension, value.to_owned()));
    match (view, entity, key) {
        ("trace", "status", None) => {
            let state = match value {
                "OK" => TraceState::Ok,
                "ERROR" => TraceState::Error,
                "IN_PROGRESS" => TraceState::InProgress,
                "STATE_UNSPECIFIED" => TraceState::Unspecified,
                _ => return Ok(MetricFilter::Trace(Filter::Or(Vec::new()))),
            };
            let state = Predicate::Text(Comparison::Equal, state.as_str().to_owned());
            Ok(MetricFilter::Trace(Filter::Test(Field::Attribute(Attribute::Status), state)))
        }
        ("trace", "tag", Some("mlflow.traceName")) => Ok(equal(Field::Attribute(Attribute::Name))),
        ("trace", "tag", Some(key)) => Ok(equal(Field::Tag(key.to_owned()))),
        ("trace", "metadata", Some("mlflow.sourceRun")) => Ok(equal(Field::Trace(TraceField::Run))),
        ("trace", "metadata", Some("mlflow.trace.session")) => Ok(equal(Field::Trace(TraceField::Session))),
        ("trace", "metadata", Some(key)) => Ok(equal(Field::Trace(TraceField::Metadata(key.to_owned())))),
        ("trace", "tag" | "metadata", None) => {
            Err(Error::invalid(format!("Filtering by {entity} requires a key, e.g. 'trace.{entity}.<key> = <value>'")))
        }
        ("span", "name", None) => part(Dimension::SpanName),
        ("span", "status", None) => part(Dimension::SpanStatus),
        ("span", "type", None) => part(Dimension::SpanType),
        ("assessment", "name", None) => part(Dimension::AssessmentName),
        ("assessment", "type", None) => part(Dimension::AssessmentKind),
        ("trace" | "span" | "assessment", entity, _) => {
            Err(Error::invalid(format!("Invalid entity '{}' specified for view type '{view}'.", excerpt(entity))))
        }
        _ => Err(Error::invalid(format!(
            "Invalid identifier '{}'. Columns should be specified as 'trace.<key>', 'span.<key>', 'assessment.<key>'.",
            excerpt(source)
        ))),
    }
}
