//! What charts of traces ask: counts and sums over many traces, spans or assessments, in groups.

use crate::id::{ExperimentId, Timestamp};
use crate::search::Filter;

/// What is counted or added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Traces,
    Sessions,
    /// Milliseconds.
    TraceDuration,
    InputTokens,
    OutputTokens,
    TotalTokens,
    CacheReadTokens,
    CacheCreationTokens,
    Spans,
    /// Milliseconds.
    SpanDuration,
    /// US dollars, of spans.
    InputCost,
    OutputCost,
    TotalCost,
    Assessments,
    /// Yes and true count 1, no and false 0.
    Score,
}

/// The rows that a measure is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasuredThing {
    Trace,
    Span,
    Assessment,
}

/// What the rows are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    TraceName,
    TraceState,
    SpanName,
    SpanType,
    SpanStatus,
    Model,
    Provider,
    AssessmentName,
    AssessmentKind,
    /// As JSON.
    AssessmentValue,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    Count,
    Sum,
    Average,
    Least,
    Greatest,
    /// From 0 to 100, interpolated between neighbours.
    Percentile(f64),
}

/// A question about the traces of some experiments; about none without experiments.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    pub experiments: Vec<ExperimentId>,
    pub measure: Measure,
    pub aggregations: Vec<Aggregation>,
    pub dimensions: Vec<Dimension>,
    /// Which traces.
    pub filter: Filter,
    /// Which of their spans or assessments: those whose dimension has this text.
    pub only: Vec<(Dimension, String)>,
    /// Groups by time too, in steps of so many milliseconds.
    pub step: Option<i64>,
    /// Both inclusive.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub most: i64,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct StatisticsGroup {
    /// When its step begins.
    pub at: Option<Timestamp>,
    /// A text for each dimension.
    pub dimensions: Vec<String>,
    /// A value for each aggregation.
    pub values: Vec<Option<f64>>,
}

impl Measure {
    pub fn thing(self) -> MeasuredThing {
        match self {
            Measure::Traces
            | Measure::Sessions
            | Measure::TraceDuration
            | Measure::InputTokens
            | Measure::OutputTokens
            | Measure::TotalTokens
            | Measure::CacheReadTokens
            | Measure::CacheCreationTokens => MeasuredThing::Trace,
            Measure::Spans | Measure::SpanDuration | Measure::InputCost | Measure::OutputCost | Measure::TotalCost => {
                MeasuredThing::Span
            }
            Measure::Assessments | Measure::Score => MeasuredThing::Assessment,
        }
    }
}

impl Dimension {
    pub fn thing(self) -> MeasuredThing {
        match self {
            Dimension::TraceName | Dimension::TraceState => MeasuredThing::Trace,
            Dimension::SpanName
            | Dimension::SpanType
            | Dimension::SpanStatus
            | Dimension::Model
            | Dimension::Provider => MeasuredThing::Span,
            Dimension::AssessmentName | Dimension::AssessmentKind | Dimension::AssessmentValue => {
                MeasuredThing::Assessment
            }
        }
    }
}
