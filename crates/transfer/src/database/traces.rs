use std::collections::HashMap;

use serde_json::Value;
use stele_app::{LoadedLink, LoadedTrace};
use stele_domain::Result;
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::trace::{
    Assessment, AssessmentSource, AssessmentValue, Costs, Judgement, Tokens, TraceFacts, TraceId, TraceLink,
};

use super::connection::{Cell, Row};
use super::{Reader, placeholders};
use crate::import::Item;
use crate::traces::{read_span, state, with_meaning, with_source_run};

/// How many traces come in one part.
const TRACES: usize = 200;
/// The characters of spans in one part, unless one trace has more.
const PART: i64 = 8 << 20;
/// Rows that are read at a time.
const ROWS: usize = 1024;

/// Columns that not every release of MLflow has, in the order in which [`head`] reads them.
const COLUMNS: &[&str] = &[
    "client_request_id",
    "request_preview",
    "response_preview",
    "trace_name",
    "session_id",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "input_cost",
    "output_cost",
    "total_cost",
    "cache_creation_input_tokens_above_1hr",
];

impl Reader<'_> {
    /// All traces of an experiment.
    pub(super) fn traces(&self, experiment: ExperimentId) -> Result<()> {
        if !self.schema.has_table("trace_info") {
            return Ok(());
        }
        let columns: Vec<&str> = COLUMNS.iter().map(|column| self.schema.column("trace_info", column)).collect();
        let sql = format!(
            "SELECT request_id, timestamp_ms, execution_time_ms, status, {} FROM trace_info
             WHERE experiment_id = $1 ORDER BY timestamp_ms, request_id",
            columns.join(", ")
        );
        self.database.pages(&sql, &[Cell::Int(experiment.0)], TRACES, |rows| {
            let mut traces = Vec::with_capacity(rows.len());
            let mut extended = 0;
            for mut row in rows {
                let id = row.text(0)?;
                extended += i64::from(row.opt_int(17)?.is_some());
                match TraceId::parse(&id) {
                    Ok(id) => traces.push(head(id, row)?),
                    Err(_) => {
                        let why = "an id has at most 64 letters, digits, '-' and '_' here";
                        self.runtime.block_on(self.sink.not_taken("traces", why, 1, Some(id)))?;
                    }
                }
            }
            self.not_taken(
                "counts of tokens cached for more than an hour",
                "the record has no place for them",
                extended,
            )?;
            let known = self.runtime.block_on(self.sink.known_traces(traces.iter().map(|t| t.id.clone()).collect()))?;
            if !known.is_empty() {
                self.send(Item::KnownTraces(known.len() as u64))?;
            }
            traces.retain(|trace| !known.contains(&trace.id));
            let sizes = self.span_sizes(&traces)?;
            let (mut part, mut size) = (Vec::with_capacity(traces.len()), 0);
            for trace in traces {
                let own = sizes.get(trace.id.as_str()).copied().unwrap_or_default();
                if size + own > PART && !part.is_empty() {
                    self.send_traces(experiment, std::mem::take(&mut part))?;
                    size = 0;
                }
                size += own;
                part.push(trace);
            }
            if part.is_empty() { Ok(()) } else { self.send_traces(experiment, part) }
        })
    }

    fn span_sizes(&self, traces: &[LoadedTrace]) -> Result<HashMap<String, i64>> {
        if !self.schema.has("spans", "content") || traces.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT trace_id, CAST(SUM(LENGTH(content)) AS BIGINT) FROM spans WHERE trace_id IN ({}) GROUP BY trace_id",
            placeholders(traces.len())
        );
        let rows = self.database.query(&sql, &ids(traces))?;
        rows.into_iter().map(|mut row| Ok((row.text(0)?, row.int(1)?))).collect()
    }

    /// Sends traces with all that belongs to them.
    fn send_traces(&self, experiment: ExperimentId, mut traces: Vec<LoadedTrace>) -> Result<()> {
        let tag = |row: &mut Row| Ok(Tag { key: row.text(1)?, value: row.text(2)? });
        self.each_trace(
            "SELECT request_id, key, value FROM trace_tags WHERE request_id IN (..)",
            &mut traces,
            |trace, row| {
                trace.tags.push(tag(row)?);
                Ok(())
            },
        )?;
        let metadata = "SELECT request_id, key, value FROM trace_request_metadata WHERE request_id IN (..)";
        self.each_trace(metadata, &mut traces, |trace, row| {
            trace.metadata.push(tag(row)?);
            Ok(())
        })?;
        self.assessments(&mut traces)?;
        if self.schema.has_table("entity_associations") {
            let links = "SELECT source_id, destination_type, destination_id, created_time FROM entity_associations
                 WHERE source_type = 'trace' AND destination_type IN ('run', 'prompt_version') AND source_id IN (..)";
            self.each_trace(links, &mut traces, |trace, row| {
                let kind = if row.text(1)? == "run" { TraceLink::Run } else { TraceLink::Prompt };
                let created_at = Timestamp(row.opt_int(3)?.unwrap_or_default());
                trace.links.push(LoadedLink { kind, target: row.text(2)?, created_at });
                Ok(())
            })?;
        }
        self.spans(&mut traces)?;
        let traces = traces.into_iter().map(with_meaning).collect();
        self.send(Item::Traces { experiment, traces })
    }

    fn assessments(&self, traces: &mut [LoadedTrace]) -> Result<()> {
        const ASSESSMENTS: &str =
            "SELECT trace_id, assessment_id, name, assessment_type, value, error, created_timestamp,
                 last_updated_timestamp, source_type, source_id, span_id, rationale, overrides, valid,
                 assessment_metadata, run_id
             FROM assessments WHERE trace_id IN (..) ORDER BY trace_id, created_timestamp, assessment_id";
        if !self.schema.has_table("assessments") {
            return Ok(());
        }
        let mut damaged = 0;
        self.each_trace(ASSESSMENTS, traces, |trace, row| {
            match assessment(row)? {
                Some(assessment) => trace.assessments.push(assessment),
                None => damaged += 1,
            }
            Ok(())
        })?;
        self.not_taken("assessments", "their value cannot be read", damaged)
    }

    fn spans(&self, traces: &mut [LoadedTrace]) -> Result<()> {
        if !self.schema.has("spans", "content") {
            return Ok(());
        }
        let mut damaged = 0;
        let mut example = None;
        let spans = "SELECT trace_id, span_id, content FROM spans WHERE trace_id IN (..)
             ORDER BY trace_id, start_time_unix_nano, span_id";
        self.each_trace(spans, traces, |trace, row| {
            let (id, content) = (row.text(1)?, row.text(2)?);
            // Of an archived trace the text is gone, which its tags tell.
            match read_span(&content) {
                Ok(span) => trace.spans.push(span),
                Err(_) if content.is_empty() => {}
                Err(error) => {
                    damaged += 1;
                    example.get_or_insert_with(|| format!("{id} of {}: {}", trace.id.as_str(), error.0));
                }
            }
            Ok(())
        })?;
        self.runtime.block_on(self.sink.not_taken("spans", "their content cannot be read", damaged, example))
    }

    /// Asks something about all of the traces, whose ids stand for `(..)` in `sql` and come first in its rows.
    fn each_trace(
        &self,
        sql: &str,
        traces: &mut [LoadedTrace],
        mut take: impl FnMut(&mut LoadedTrace, &mut Row) -> Result<()>,
    ) -> Result<()> {
        let positions: HashMap<String, usize> =
            traces.iter().enumerate().map(|(position, trace)| (trace.id.as_str().to_owned(), position)).collect();
        let sql = sql.replace("(..)", &format!("({})", placeholders(traces.len())));
        self.database.pages(&sql, &ids(traces), ROWS, |rows| {
            for mut row in rows {
                if let Some(position) = positions.get(&row.text(0)?) {
                    take(&mut traces[*position], &mut row)?;
                }
            }
            Ok(())
        })
    }
}

fn ids(traces: &[LoadedTrace]) -> Vec<Cell> {
    traces.iter().map(|trace| Cell::Text(trace.id.as_str().to_owned())).collect()
}

fn head(id: TraceId, mut row: Row) -> Result<LoadedTrace> {
    let facts = TraceFacts {
        duration: row.opt_int(2)?,
        client_request_id: row.opt_text(4)?,
        request_preview: row.opt_text(5)?,
        response_preview: row.opt_text(6)?,
        name: row.opt_text(7)?,
        session: row.opt_text(8)?,
        tokens: Tokens {
            input: row.opt_int(9)?,
            output: row.opt_int(10)?,
            total: row.opt_int(11)?,
            cache_read: row.opt_int(12)?,
            cache_creation: row.opt_int(13)?,
        },
        costs: Costs { input: row.opt_real(14)?, output: row.opt_real(15)?, total: row.opt_real(16)? },
        ..TraceFacts::new(Timestamp(row.int(1)?), state(&row.text(3)?))
    };
    Ok(LoadedTrace {
        id,
        facts,
        finalized: false,
        tags: Vec::new(),
        metadata: Vec::new(),
        links: Vec::new(),
        assessments: Vec::new(),
        spans: Vec::new(),
    })
}

/// None if its value is of no kind that is known, or no JSON.
fn assessment(row: &mut Row) -> Result<Option<Assessment>> {
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let Some(value) = json(row.opt_text(4)?) else { return Ok(None) };
    let value = match row.text(3)?.as_str() {
        "feedback" => AssessmentValue::Feedback(Judgement { value, error: json(row.opt_text(5)?) }),
        "expectation" => AssessmentValue::Expectation(value),
        "issue" => AssessmentValue::Issue(value["issue_name"].as_str().unwrap_or_default().to_owned()),
        _ => return Ok(None),
    };
    let metadata = match json(row.opt_text(14)?) {
        Some(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let plain = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let metadata = metadata.into_iter().map(|(key, value)| Tag { key, value: plain(value) }).collect();
    let metadata = with_source_run(metadata, row.opt_text(15)?);
    Ok(Some(Assessment {
        id: row.text(1)?,
        name: row.text(2)?,
        value,
        source: AssessmentSource { kind: row.text(8)?, id: row.text(9)? },
        rationale: row.opt_text(11)?,
        metadata,
        span_id: row.opt_text(10)?,
        created_at: Timestamp(row.int(6)?),
        updated_at: Timestamp(row.int(7)?),
        overrides: row.opt_text(12)?,
        valid: row.int(13)? != 0,
        of_session: false,
    }))
}
