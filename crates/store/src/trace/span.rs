use std::collections::HashMap;

use stele_domain::authz::{LogTrace, Permit, Visibility};
use stele_domain::id::{ExperimentId, TraceRow};
use stele_domain::otlp::{Any, Span, Status};
use stele_domain::trace::spans;
use stele_domain::trace::{Costs, MOST_SPAN_BYTES, MOST_SPANS, Measured, Tokens};
use stele_domain::{Error, Result};

use super::block::{pack, unpack};
use crate::Tx;
use crate::engine::{Value, list, params};

/// Spans of one trace, made ready to be stored outside of any transaction.
#[derive(Debug, Clone)]
pub struct SpanBatch {
    block: Vec<u8>,
    bytes: i64,
    rows: Vec<SpanRow>,
}

/// What the index has of a span.
#[derive(Debug, Clone)]
struct SpanRow {
    measured: Measured,
    name: String,
    kind: String,
    status: &'static str,
    started_at: i64,
    ended_at: Option<i64>,
    model: Option<String>,
    provider: Option<String>,
    searched: String,
}

/// How many blocks of one level become one of the next.
const BLOCKS_A_LEVEL: usize = 16;
const HIGHEST_LEVEL: i64 = 8;
/// The longest names in the index, in characters.
const LONGEST_NAME: usize = 1_000;

impl SpanBatch {
    /// Compresses spans of one trace. Of two with one id the last counts.
    pub fn of(spans: Vec<Span>) -> Result<SpanBatch> {
        let spans = newest(spans);
        let rows = spans.iter().map(row_of).collect::<Result<Vec<_>>>()?;
        let bytes = spans.iter().map(|span| prost::Message::encoded_len(span) as i64).sum();
        Ok(SpanBatch { block: pack(spans)?, bytes, rows })
    }

    /// What the spans say was used.
    pub fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.rows.iter().map(|row| &row.measured)
    }
}

impl Tx<'_> {
    /// Adds spans to a trace, which the caller holds; spans that are there already are replaced. Says how many there
    /// are now.
    pub fn spans_add(
        &mut self,
        _permit: &Permit<LogTrace>,
        trace: TraceRow,
        experiment: ExperimentId,
        batch: &SpanBatch,
    ) -> Result<i64> {
        const BLOCK: &str = "INSERT INTO trace_block (trace_id, level, data) VALUES ($1, 0, $2)";
        const COUNT: &str = "SELECT COUNT(*) FROM span WHERE trace_id = $1";
        const GROW: &str =
            "UPDATE trace SET spans = $2, span_bytes = span_bytes + $3 WHERE id = $1 RETURNING span_bytes";
        let values: Vec<Value> = batch.rows.iter().flat_map(|row| row_values(trace, experiment, row)).collect();
        self.insert_rows(
            "INSERT INTO span (trace_id, span_id, parent_id, experiment_id, name, type, status, started_at, ended_at,
                 model, provider, tokens, costs, input_cost, output_cost, total_cost, searched)",
            17,
            "ON CONFLICT (trace_id, span_id) DO UPDATE SET parent_id = excluded.parent_id, name = excluded.name,
                 type = excluded.type, status = excluded.status, started_at = excluded.started_at,
                 ended_at = excluded.ended_at, model = excluded.model, provider = excluded.provider,
                 tokens = excluded.tokens, costs = excluded.costs,
                 input_cost = excluded.input_cost, output_cost = excluded.output_cost, total_cost = excluded.total_cost,
                 searched = excluded.searched",
            &values,
        )?;
        self.execute(BLOCK, params![trace, batch.block.as_slice()])?;
        let spans = self.query_one(COUNT, params![trace], |row| row.int(0))?;
        let bytes = self.query_one(GROW, params![trace, spans, batch.bytes], |row| row.int(0))?;
        if spans > MOST_SPANS || bytes > MOST_SPAN_BYTES {
            return Err(Error::LimitExceeded {
                message: format!(
                    "a trace has at most {MOST_SPANS} spans and {MOST_SPAN_BYTES} bytes of them; this one would have {spans} and {bytes}"
                ),
            });
        }
        self.blocks_merge(trace)?;
        Ok(spans)
    }

    /// Makes one block of many small ones, so that a trace whose spans come one by one is read from few blocks and each
    /// span is written again only a few times.
    fn blocks_merge(&mut self, trace: TraceRow) -> Result<()> {
        const COUNT: &str = "SELECT COUNT(*) FROM trace_block WHERE trace_id = $1 AND level = $2";
        for level in 0..HIGHEST_LEVEL {
            let blocks = self.query_one(COUNT, params![trace, level], |row| row.int(0))?;
            if blocks < BLOCKS_A_LEVEL as i64 {
                return Ok(());
            }
            self.blocks_merge_up_to(trace, level)?;
        }
        Ok(())
    }

    /// Makes one block of all of a trace.
    pub fn spans_settle(&mut self, _permit: &Permit<LogTrace>, trace: TraceRow) -> Result<()> {
        const COUNT: &str = "SELECT COUNT(*) FROM trace_block WHERE trace_id = $1";
        if self.query_one(COUNT, params![trace], |row| row.int(0))? < 2 {
            return Ok(());
        }
        self.blocks_merge_up_to(trace, HIGHEST_LEVEL)
    }

    /// Merges the blocks of a trace up to a level into one of the next. Those of lower levels are newer, so that all of
    /// them go along and the order stays.
    fn blocks_merge_up_to(&mut self, trace: TraceRow, level: i64) -> Result<()> {
        const READ: &str = "SELECT data FROM trace_block WHERE trace_id = $1 AND level <= $2 ORDER BY id";
        const DELETE: &str = "DELETE FROM trace_block WHERE trace_id = $1 AND level <= $2";
        const INSERT: &str = "INSERT INTO trace_block (trace_id, level, data) VALUES ($1, $2, $3)";
        let mut spans = Vec::new();
        for block in self.query(READ, params![trace, level], |row| row.blob(0))? {
            spans.extend(unpack(&block)?);
        }
        let merged = pack(newest(spans))?;
        self.execute(DELETE, params![trace, level])?;
        self.execute(INSERT, params![trace, (level + 1).min(HIGHEST_LEVEL), merged])?;
        Ok(())
    }

    /// What the spans of a trace say was used.
    pub fn spans_measured(&mut self, _permit: &Permit<LogTrace>, trace: TraceRow) -> Result<Vec<Measured>> {
        const MEASURED: &str = "SELECT span_id, parent_id, tokens, costs FROM span WHERE trace_id = $1";
        self.query(MEASURED, params![trace], |row| {
            Ok(Measured {
                span: row.text(0)?,
                parent: row.opt_text(1)?,
                tokens: document(row.opt_text(2)?)?.map(|value| Tokens::of_json(&value)),
                costs: document(row.opt_text(3)?)?.map(|value| Costs::of_json(&value)),
            })
        })
    }

    /// The spans of these traces, roots first, then by start.
    pub fn spans_of(&mut self, _visible: &Visibility, traces: &[TraceRow]) -> Result<HashMap<TraceRow, Vec<Span>>> {
        let sql =
            format!("SELECT trace_id, data FROM trace_block WHERE trace_id {} ORDER BY id", self.is_one_of_ints(1));
        let blocks = self.query(&sql, params![list(traces.iter().map(|row| row.0))], |row| {
            Ok((TraceRow(row.int(0)?), row.blob(1)?))
        })?;
        let mut found: HashMap<TraceRow, Vec<Span>> = HashMap::new();
        for (trace, block) in blocks {
            found.entry(trace).or_default().extend(unpack(&block)?);
        }
        for spans in found.values_mut() {
            let mut ordered = newest(std::mem::take(spans));
            ordered.sort_by_key(|span| (!span.is_root(), span.start_time_unix_nano));
            *spans = ordered;
        }
        Ok(found)
    }
}

/// Each span once, as it came last, where it came first.
fn newest(spans: Vec<Span>) -> Vec<Span> {
    let mut places: HashMap<Vec<u8>, usize> = HashMap::with_capacity(spans.len());
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match places.get(&span.span_id) {
            Some(place) => kept[*place] = span,
            None => {
                places.insert(span.span_id.clone(), kept.len());
                kept.push(span);
            }
        }
    }
    kept
}

fn row_of(span: &Span) -> Result<SpanRow> {
    let text = |text: &str| text.replace('\0', "\u{fffd}").chars().take(LONGEST_NAME).collect::<String>();
    let time = |nanoseconds: u64| {
        i64::try_from(nanoseconds)
            .map_err(|_| Error::invalid(format!("a span has the time {nanoseconds}, which is after the year 2262")))
    };
    let status = match span.status.as_ref().map_or(0, |status| status.code) {
        Status::OK => "OK",
        Status::ERROR => "ERROR",
        _ => "UNSET",
    };
    // Some clients send a type that is no text.
    let kind = match span.attribute(spans::SPAN_TYPE) {
        None => "UNKNOWN".to_owned(),
        Some(value) if matches!(value.value, Some(Any::Text(_))) => text(&value.plain_text()),
        Some(value) => text(&value.json_text()),
    };
    Ok(SpanRow {
        measured: Measured {
            span: hex::encode(&span.span_id),
            parent: (!span.is_root()).then(|| hex::encode(&span.parent_span_id)),
            tokens: spans::tokens(span),
            costs: spans::costs(span),
        },
        name: text(&span.name),
        kind,
        status,
        started_at: time(span.start_time_unix_nano)?,
        ended_at: span.ended_at().map(time).transpose()?,
        model: span.text(spans::MODEL).map(text),
        provider: span.text(spans::PROVIDER).map(text),
        searched: spans::searched(span).to_string(),
    })
}

fn row_values(trace: TraceRow, experiment: ExperimentId, row: &SpanRow) -> [Value<'_>; 17] {
    let SpanRow { measured, name, kind, status, started_at, ended_at, model, provider, searched } = row;
    let Measured { span, parent, tokens, costs } = measured;
    [
        trace.into(),
        span.into(),
        parent.as_deref().into(),
        experiment.into(),
        name.into(),
        kind.into(),
        (*status).into(),
        (*started_at).into(),
        (*ended_at).into(),
        model.as_deref().into(),
        provider.as_deref().into(),
        tokens.and_then(Tokens::to_json).map(|tokens| tokens.to_string()).into(),
        costs.and_then(Costs::to_json).map(|costs| costs.to_string()).into(),
        costs.and_then(|costs| costs.input).into(),
        costs.and_then(|costs| costs.output).into(),
        costs.and_then(|costs| costs.total).into(),
        searched.into(),
    ]
}

fn document(text: Option<String>) -> Result<Option<serde_json::Value>> {
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Error::internal(format!("a span holds damaged JSON: {error}")))
}
