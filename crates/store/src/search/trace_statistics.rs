use stele_domain::Error;
use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::Timestamp;
use stele_domain::search::{Query, TraceSearch};
use stele_domain::trace::{Aggregation, Dimension, Measure, MeasuredThing, Statistics, StatisticsGroup};

use super::builder::Sql;
use super::traces::{filter, in_experiments};
use crate::Tx;
use crate::engine::EngineKind;

/// The most groups of one answer, and the most aggregations and dimensions of one question.
const MOST_GROUPS: i64 = 10_000;
const MOST_COLUMNS: usize = 20;

impl Tx<'_> {
    /// The groups that a question asks for, by time, then by dimensions.
    pub fn trace_statistics(&mut self, visible: &Visibility, asked: &Statistics) -> Result<Vec<StatisticsGroup>> {
        let query = Query { filter: asked.filter.clone(), ..Query::default() };
        super::check_bounds(&query)?;
        if asked.aggregations.is_empty() || asked.aggregations.len() + asked.dimensions.len() > MOST_COLUMNS {
            return Err(Error::invalid(format!("a question has from 1 to {MOST_COLUMNS} aggregations and dimensions")));
        }
        let search = TraceSearch { experiments: visible.among(&asked.experiments), query, after: None };
        if search.experiments.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, values) = statement(self.engine(), visible, asked, &search)?.finish();
        let stepped = usize::from(asked.step.is_some());
        let dimensions = asked.dimensions.len();
        self.query(&sql, &values, |row| {
            let text = |index: usize| row.text(stepped + index);
            let value = |index: usize| row.opt_real(stepped + dimensions + index);
            Ok(StatisticsGroup {
                at: if stepped == 1 { row.opt_int(0)?.map(Timestamp) } else { None },
                dimensions: (0..dimensions).map(text).collect::<Result<_>>()?,
                values: (0..asked.aggregations.len()).map(value).collect::<Result<_>>()?,
            })
        })
    }
}

fn statement<'v>(
    engine: EngineKind,
    visible: &Visibility,
    asked: &'v Statistics,
    search: &'v TraceSearch,
) -> Result<Sql<'v>> {
    let thing = asked.measure.thing();
    let value = value(asked.measure);
    let mut sql = Sql::new(engine);
    sql.push("SELECT ");
    if let Some(step) = asked.step {
        sql.push("(").push(time(thing, true)).push(") / ").bind(step).push(" * ").bind(step).push(", ");
    }
    for dimension in &asked.dimensions {
        sql.push(column(*dimension)).push(", ");
    }
    for (index, aggregation) in asked.aggregations.iter().enumerate() {
        sql.push(if index > 0 { ", CAST(" } else { "CAST(" });
        aggregate(&mut sql, engine, *aggregation, asked.measure, value);
        sql.push(" AS DOUBLE PRECISION)");
    }
    sql.push(match thing {
        MeasuredThing::Trace => " FROM trace WHERE ",
        MeasuredThing::Span => " FROM trace JOIN span AS part ON part.trace_id = trace.id WHERE ",
        MeasuredThing::Assessment => {
            " FROM trace JOIN assessment AS part ON part.trace_id = trace.id AND part.valid = 1 WHERE "
        }
    });
    sql.push("trace.workspace_id = ").bind(visible.workspace()).push(" AND ");
    in_experiments(&mut sql, "trace.experiment_id", search);
    sql.push(" AND ").push(value).push(" IS NOT NULL AND ");
    let by_span = matches!(asked.measure, Measure::InputCost | Measure::OutputCost | Measure::TotalCost);
    for (bound, comparison) in [(asked.from, " >= "), (asked.to, " <= ")] {
        if let Some(bound) = bound {
            sql.push("(").push(time(thing, by_span)).push(")").push(comparison).bind(bound).push(" AND ");
        }
    }
    for (dimension, text) in &asked.only {
        sql.push(column(*dimension)).push(" = ").bind(text).push(" AND ");
    }
    for dimension in &asked.dimensions {
        sql.push(column(*dimension)).push(" IS NOT NULL AND ");
    }
    filter(&mut sql, &search.query.filter)?;
    let groups = usize::from(asked.step.is_some()) + asked.dimensions.len();
    if groups > 0 {
        let columns = ORDINALS.get(groups - 1).ok_or_else(|| Error::invalid("a question has at most 5 dimensions"))?;
        sql.push(" GROUP BY ").push(columns).push(" ORDER BY ").push(columns);
    }
    sql.push(" LIMIT ").bind(asked.most.clamp(1, MOST_GROUPS));
    Ok(sql)
}

/// The first columns of an answer, by their place.
const ORDINALS: [&str; 6] = ["1", "1, 2", "1, 2, 3", "1, 2, 3, 4", "1, 2, 3, 4, 5", "1, 2, 3, 4, 5, 6"];

/// Milliseconds. A span has a time of its own, which steps and costs go by.
fn time(thing: MeasuredThing, by_span: bool) -> &'static str {
    match thing {
        MeasuredThing::Span if by_span => "part.started_at / 1000000",
        _ => "trace.requested_at",
    }
}

fn value(measure: Measure) -> &'static str {
    match measure {
        Measure::Traces => "trace.id",
        Measure::Sessions => "trace.session",
        Measure::TraceDuration => "trace.duration",
        Measure::InputTokens => "trace.input_tokens",
        Measure::OutputTokens => "trace.output_tokens",
        Measure::TotalTokens => "trace.total_tokens",
        Measure::CacheReadTokens => "trace.cache_read_tokens",
        Measure::CacheCreationTokens => "trace.cache_creation_tokens",
        Measure::Spans | Measure::Assessments => "part.id",
        Measure::SpanDuration => "((part.ended_at - part.started_at) / 1000000.0)",
        Measure::InputCost => "part.input_cost",
        Measure::OutputCost => "part.output_cost",
        Measure::TotalCost => "part.total_cost",
        Measure::Score => "part.score",
    }
}

fn aggregate(sql: &mut Sql, engine: EngineKind, aggregation: Aggregation, measure: Measure, value: &'static str) {
    let function = match aggregation {
        Aggregation::Count if measure == Measure::Sessions => "COUNT(DISTINCT ",
        Aggregation::Count => "COUNT(",
        Aggregation::Sum => "SUM(",
        Aggregation::Average => "AVG(",
        Aggregation::Least => "MIN(",
        Aggregation::Greatest => "MAX(",
        Aggregation::Percentile(percent) => {
            match engine {
                EngineKind::Sqlite => sql.push("percentile_of(").push(value).push(", ").bind(percent / 100.0).push(")"),
                EngineKind::Postgres => {
                    sql.push("percentile_cont(CAST(").bind(percent / 100.0).push(" AS DOUBLE PRECISION))");
                    sql.push(" WITHIN GROUP (ORDER BY ").push(value).push(")")
                }
            };
            return;
        }
    };
    sql.push(function).push(value).push(")");
}

fn column(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::TraceName => "trace.name",
        Dimension::TraceState => "trace.state",
        Dimension::SpanName | Dimension::AssessmentName => "part.name",
        Dimension::SpanType => "part.type",
        Dimension::SpanStatus => "part.status",
        Dimension::Model => "part.model",
        Dimension::Provider => "part.provider",
        Dimension::AssessmentKind => "part.kind",
        Dimension::AssessmentValue => "part.value",
    }
}
