//! Traces: what an application did to answer one request, as spans, with what people and programs think of it.

mod assessment;
pub mod spans;
mod statistics;
mod usage;

pub use assessment::{Assessment, AssessmentChange, AssessmentKind, AssessmentSource, AssessmentValue, Judgement};
pub use statistics::{Aggregation, Dimension, Measure, MeasuredThing, Statistics, StatisticsGroup};
pub use usage::{Costs, Measured, Tokens, total_costs, total_tokens};

use crate::id::{ExperimentId, RunId, Timestamp, TraceRow};
use crate::record::Tag;
use crate::{Error, Result};

/// The most spans of one trace.
pub const MOST_SPANS: i64 = 50_000;
/// The most bytes that the spans of one trace may have, before they are compressed.
pub const MOST_SPAN_BYTES: i64 = 128 * 1024 * 1024;
/// The most bytes of one span.
pub const LONGEST_SPAN: usize = 16 * 1024 * 1024;
/// The deepest nesting of the value of an attribute, which protocol buffers can still read.
pub const DEEPEST_VALUE: usize = 24;
/// The most assessments of one trace.
pub const MOST_ASSESSMENTS: i64 = 1_000;
/// The most tags of one trace, and as many entries of its metadata.
pub const MOST_TAGS: i64 = 1_000;

/// The public id of a trace: `tr-` and the 32 hex digits of OpenTelemetry's id, or another name that a client chose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(String);

impl TraceId {
    /// Reads an id of letters, digits, `-` and `_`, which is a folder among the artifacts as well.
    pub fn parse(text: &str) -> Result<TraceId> {
        const LONGEST: usize = 64;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins && text.len() <= LONGEST && text.bytes().all(plain) {
            return Ok(TraceId(text.to_owned()));
        }
        let shown: String = text.chars().take(LONGEST).collect();
        Err(Error::invalid(format!(
            "invalid trace id '{shown}': it must be 1 to {LONGEST} letters, digits, '-' and '_', and begin with a letter or digit"
        )))
    }

    /// The id of the trace that OpenTelemetry knows by these bytes.
    pub fn of_otel(bytes: &[u8]) -> TraceId {
        TraceId(format!("tr-{}", hex::encode(bytes)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the request that a trace tells of went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TraceState {
    Unspecified,
    InProgress,
    Ok,
    Error,
}

impl TraceState {
    pub const ALL: [TraceState; 4] =
        [TraceState::Unspecified, TraceState::InProgress, TraceState::Ok, TraceState::Error];

    pub fn as_str(self) -> &'static str {
        match self {
            TraceState::Unspecified => "unspecified",
            TraceState::InProgress => "in-progress",
            TraceState::Ok => "ok",
            TraceState::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<TraceState> {
        TraceState::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What is known of a trace besides its spans.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceInfo {
    pub row: TraceRow,
    pub id: TraceId,
    pub experiment: ExperimentId,
    /// Where its files are: computed from the experiment and the id, never taken from a client.
    pub artifact_uri: String,
    pub facts: TraceFacts,
    /// Whether its maker told all of it, so that spans that come late change nothing but the spans.
    pub finalized: bool,
    /// How many spans are stored.
    pub spans: i64,
    /// Ordered by key.
    pub tags: Vec<Tag>,
    /// Ordered by key.
    pub metadata: Vec<Tag>,
    /// In the order in which they came.
    pub assessments: Vec<Assessment>,
}

/// The columns of a trace that its maker tells, or that follow from its spans.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceFacts {
    pub requested_at: Timestamp,
    /// Milliseconds.
    pub duration: Option<i64>,
    pub state: TraceState,
    pub name: Option<String>,
    pub client_request_id: Option<String>,
    /// The beginnings of what was asked and answered.
    pub request_preview: Option<String>,
    pub response_preview: Option<String>,
    /// The conversation that the request was part of.
    pub session: Option<String>,
    /// The run under which the application ran.
    pub source_run: Option<RunId>,
    pub tokens: Tokens,
    pub costs: Costs,
}

impl TraceFacts {
    pub fn new(requested_at: Timestamp, state: TraceState) -> TraceFacts {
        TraceFacts {
            requested_at,
            duration: None,
            state,
            name: None,
            client_request_id: None,
            request_preview: None,
            response_preview: None,
            session: None,
            source_run: None,
            tokens: Tokens::default(),
            costs: Costs::default(),
        }
    }
}

/// What a trace may be linked to besides the run it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceLink {
    Run,
    /// A version of a prompt, as `name/version`.
    Prompt,
}

impl TraceLink {
    pub fn as_str(self) -> &'static str {
        match self {
            TraceLink::Run => "run",
            TraceLink::Prompt => "prompt",
        }
    }

    pub fn parse(text: &str) -> Option<TraceLink> {
        [TraceLink::Run, TraceLink::Prompt].into_iter().find(|link| link.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_traces_are_names_that_leave_no_folder() {
        for good in ["tr-0123456789abcdef0123456789abcdef", "a", "trace_1", "A-b"] {
            assert_eq!(TraceId::parse(good).map(|id| id.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in ["", "..", ".", "a/b", "a b", "-a", "a.b", "a%2e", "trace:/x/y", "é", &"a".repeat(65)] {
            assert!(TraceId::parse(bad).is_err(), "{bad}");
        }
    }
}
