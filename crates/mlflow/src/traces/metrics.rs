//! What the overview pages chart: counts, times, tokens, costs and scores over many traces.

use axum::response::Response;
use chrono::DateTime;
use serde_json::{Map, Value, json};
use stele_domain::id::Timestamp;
use stele_domain::search::Filter;
use stele_domain::trace::{Aggregation, Dimension, Measure, MeasuredThing, Statistics, StatisticsGroup, TraceState};

use super::dto::state_name;
use super::experiment_ids;
use crate::call::{Call, reply};
use crate::error::{Failure, Result};
use crate::filter::trace_metrics::{MetricFilter, parse_metric_filter};
use crate::input::{Input, missing};
use crate::search::max_results;

const MOST: i64 = 1_000;
const MOST_FILTERS: usize = 100;

const VIEWS: &[(&str, i64, MeasuredThing)] = &[
    ("TRACES", 1, MeasuredThing::Trace),
    ("SPANS", 2, MeasuredThing::Span),
    ("ASSESSMENTS", 3, MeasuredThing::Assessment),
];

/// The measures of each view with the dimensions that each may be grouped by.
const MEASURES: &[(&str, Measure, &[Dimension])] = &[
    ("trace_count", Measure::Traces, &[Dimension::TraceName, Dimension::TraceState]),
    ("session_count", Measure::Sessions, &[]),
    ("latency", Measure::TraceDuration, &[Dimension::TraceName]),
    ("input_tokens", Measure::InputTokens, &[Dimension::TraceName]),
    ("output_tokens", Measure::OutputTokens, &[Dimension::TraceName]),
    ("total_tokens", Measure::TotalTokens, &[Dimension::TraceName]),
    ("cache_read_input_tokens", Measure::CacheReadTokens, &[Dimension::TraceName]),
    ("cache_creation_input_tokens", Measure::CacheCreationTokens, &[Dimension::TraceName]),
    (
        "span_count",
        Measure::Spans,
        &[Dimension::SpanName, Dimension::SpanType, Dimension::SpanStatus, Dimension::Model, Dimension::Provider],
    ),
    ("latency", Measure::SpanDuration, &[Dimension::SpanName, Dimension::SpanStatus]),
    ("input_cost", Measure::InputCost, &[Dimension::Model, Dimension::Provider]),
    ("output_cost", Measure::OutputCost, &[Dimension::Model, Dimension::Provider]),
    ("total_cost", Measure::TotalCost, &[Dimension::Model, Dimension::Provider]),
    ("assessment_count", Measure::Assessments, &[Dimension::AssessmentName, Dimension::AssessmentValue]),
    ("assessment_value", Measure::Score, &[Dimension::AssessmentName]),
];

const DIMENSIONS: &[(&str, Dimension)] = &[
    ("trace_name", Dimension::TraceName),
    ("trace_status", Dimension::TraceState),
    ("span_name", Dimension::SpanName),
    ("span_type", Dimension::SpanType),
    ("span_status", Dimension::SpanStatus),
    ("span_model_name", Dimension::Model),
    ("span_model_provider", Dimension::Provider),
    ("assessment_name", Dimension::AssessmentName),
    ("assessment_value", Dimension::AssessmentValue),
];

pub(crate) async fn query(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiments = input.texts("experiment_ids")?;
    if experiments.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let view = input.named("view_type", VIEWS)?.ok_or_else(|| missing("view_type"))?;
    let name = input.required_text("metric_name")?;
    let known: Vec<_> = MEASURES.iter().filter(|(_, measure, _)| measure.thing() == view).collect();
    let Some((_, measure, allowed)) = known.iter().find(|(known, ..)| *known == name) else {
        let names: Vec<String> = known.iter().map(|(name, ..)| format!("'{name}'")).collect();
        return Err(Failure::invalid(format!("metric_name must be one of [{}], got '{name}'", names.join(", "))));
    };
    let aggregations = input.messages("aggregations")?;
    if aggregations.is_empty() {
        return Err(missing("aggregations"));
    }
    let aggregations = aggregations.iter().map(|it| aggregation(it, *measure)).collect::<Result<Vec<_>>>()?;
    let names = input.texts("dimensions")?;
    let dimensions = names.iter().map(|name| dimension(name, allowed)).collect::<Result<Vec<_>>>()?;
    let (filter, only) = filters(&input, view)?;
    let from = input.int("start_time_ms")?.map(Timestamp);
    let to = input.int("end_time_ms")?.map(Timestamp);
    let step = match input.int("time_interval_seconds")?.filter(|seconds| *seconds != 0) {
        None => None,
        Some(seconds) if !(1..=4_000_000_000).contains(&seconds) => {
            return Err(Failure::invalid("time_interval_seconds must be a positive number of seconds"));
        }
        Some(_) if from.is_none() || to.is_none() => {
            return Err(Failure::invalid("start_time_ms and end_time_ms are required if time_interval_seconds is set"));
        }
        Some(seconds) => Some(seconds * 1_000),
    };
    let asked = Statistics {
        experiments: experiment_ids(&experiments)?,
        measure: *measure,
        aggregations: aggregations.iter().map(|(_, aggregation)| *aggregation).collect(),
        dimensions,
        filter,
        only,
        step,
        from,
        to,
        most: max_results(&input, MOST, MOST)?,
    };
    let (labels, names): (Vec<String>, _) = (aggregations.into_iter().map(|(label, _)| label).collect(), names);
    let states: Vec<bool> = asked.dimensions.iter().map(|it| *it == Dimension::TraceState).collect();
    let groups = call.app.trace_statistics(&call.ctx, asked).await?;
    let points: Vec<Value> =
        groups.into_iter().filter_map(|group| point(&name, &names, &states, &labels, group)).collect();
    reply(&if points.is_empty() { json!({}) } else { json!({ "data_points": points }) })
}

fn aggregation(input: &Input, measure: Measure) -> Result<(String, Aggregation)> {
    let kind = input.value("aggregation_type")?.ok_or_else(|| missing("aggregations.aggregation_type"))?;
    let kind = match &kind {
        Value::String(text) => text.to_ascii_uppercase(),
        other => match other.as_i64() {
            Some(1) => "COUNT".to_owned(),
            Some(2) => "SUM".to_owned(),
            Some(3) => "AVG".to_owned(),
            Some(4) => "PERCENTILE".to_owned(),
            Some(5) => "MIN".to_owned(),
            Some(6) => "MAX".to_owned(),
            _ => return Err(crate::input::wrong_type("aggregations.aggregation_type", other)),
        },
    };
    let counts = matches!(measure, Measure::Traces | Measure::Sessions | Measure::Spans | Measure::Assessments);
    let adds_up = !matches!(measure, Measure::TraceDuration | Measure::SpanDuration | Measure::Score);
    let percentile = input.float("percentile_value")?;
    if kind != "PERCENTILE" && percentile.is_some() {
        return Err(Failure::invalid(format!(
            "Percentile value is only allowed for PERCENTILE aggregation type, got {kind}"
        )));
    }
    let aggregation = match (kind.as_str(), percentile) {
        ("COUNT", _) if counts => Aggregation::Count,
        ("SUM", _) if !counts && adds_up => Aggregation::Sum,
        ("AVG", _) if !counts => Aggregation::Average,
        ("MIN", _) if !counts => Aggregation::Least,
        ("MAX", _) if !counts => Aggregation::Greatest,
        ("PERCENTILE", Some(percent)) if !counts && (0.0..=100.0).contains(&percent) => {
            Aggregation::Percentile(percent)
        }
        ("PERCENTILE", None) if !counts => {
            return Err(Failure::invalid("Percentile value is required for PERCENTILE aggregation"));
        }
        ("PERCENTILE", Some(percent)) if !counts => {
            return Err(Failure::invalid(format!("Percentile value must be between 0 and 100, got {percent}")));
        }
        _ => {
            let supported = match (counts, adds_up) {
                (true, _) => "['COUNT']",
                (false, true) => "['AVG', 'MAX', 'MIN', 'PERCENTILE', 'SUM']",
                (false, false) => "['AVG', 'MAX', 'MIN', 'PERCENTILE']",
            };
            let kind: String = kind.chars().take(50).collect();
            return Err(Failure::invalid(format!(
                "Found invalid aggregation_type(s): ['{kind}']. Supported aggregation types: {supported}"
            )));
        }
    };
    // As Python writes a double.
    let label = match aggregation {
        Aggregation::Percentile(percent) => format!("P{percent:?}"),
        _ => kind,
    };
    Ok((label, aggregation))
}

fn dimension(name: &str, allowed: &[Dimension]) -> Result<Dimension> {
    let found = DIMENSIONS.iter().find(|(known, dimension)| *known == name && allowed.contains(dimension));
    found.map(|(_, dimension)| *dimension).ok_or_else(|| {
        let supported: Vec<String> = DIMENSIONS
            .iter()
            .filter(|(_, dimension)| allowed.contains(dimension))
            .map(|(name, _)| format!("'{name}'"))
            .collect();
        let name: String = name.chars().take(100).collect();
        Failure::invalid(format!(
            "Found invalid dimension(s): ['{name}']. Supported dimensions: [{}]",
            supported.join(", ")
        ))
    })
}

fn filters(input: &Input, view: MeasuredThing) -> Result<(Filter, Vec<(Dimension, String)>)> {
    let filters = input.texts("filters")?;
    if filters.len() > MOST_FILTERS {
        return Err(Failure::invalid(format!("'filters' has more than {MOST_FILTERS} entries")));
    }
    let (mut of_trace, mut of_part) = (Vec::new(), Vec::new());
    for filter in &filters {
        match parse_metric_filter(filter)? {
            MetricFilter::Trace(filter) => of_trace.push(filter),
            MetricFilter::Part(dimension, text) if dimension.thing() == view => of_part.push((dimension, text)),
            MetricFilter::Part(dimension, _) => {
                let (what, view) = match dimension.thing() {
                    MeasuredThing::Assessment => ("assessment", "ASSESSMENTS"),
                    MeasuredThing::Span | MeasuredThing::Trace => ("span", "SPANS"),
                };
                return Err(Failure::invalid(format!("Filtering by {what} is only supported for {view} view type")));
            }
        }
    }
    Ok((Filter::And(of_trace), of_part))
}

/// A group with nothing to tell is left out.
fn point(metric: &str, names: &[String], states: &[bool], labels: &[String], group: StatisticsGroup) -> Option<Value> {
    let StatisticsGroup { at, dimensions, values } = group;
    let values: Map<String, Value> =
        labels.iter().zip(values).filter_map(|(label, value)| Some((label.clone(), value?.into()))).collect();
    if values.is_empty() {
        return None;
    }
    let mut by_name: Map<String, Value> = names
        .iter()
        .zip(dimensions)
        .zip(states)
        .map(|((name, text), is_state)| match TraceState::parse(&text).filter(|_| *is_state) {
            Some(state) => (name.clone(), state_name(state).into()),
            None => (name.clone(), text.into()),
        })
        .collect();
    if let Some(Timestamp(at)) = at {
        let time = DateTime::from_timestamp_millis(at).unwrap_or_default();
        by_name.insert("time_bucket".to_owned(), time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string().into());
    }
    let mut point = json!({ "metric_name": metric, "values": values });
    if !by_name.is_empty() {
        point["dimensions"] = by_name.into();
    }
    Some(point)
}
