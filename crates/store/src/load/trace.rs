//! Traces as they were somewhere else.

use std::collections::HashSet;

use stele_domain::authz::{LogTrace, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, Timestamp, TraceRow};
use stele_domain::otlp::Span;
use stele_domain::record::Tag;
use stele_domain::trace::{
    Assessment, MOST_ASSESSMENTS, MOST_SPAN_BYTES, MOST_SPANS, MOST_TAGS, TraceFacts, TraceId, TraceLink,
};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Value, list, params};
use crate::trace::{NewTrace, SpanBatch};

/// A trace as it was somewhere else, with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedTrace {
    pub id: TraceId,
    pub facts: TraceFacts,
    /// Whether its maker told all of it.
    pub finalized: bool,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
    /// Of several with one key the last counts.
    pub metadata: Vec<Tag>,
    pub links: Vec<LoadedLink>,
    /// In the order in which they came.
    pub assessments: Vec<Assessment>,
    pub spans: Vec<Span>,
}

/// What a trace was linked to, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedLink {
    pub kind: TraceLink,
    pub target: String,
    pub created_at: Timestamp,
}

/// A trace that is ready to be loaded: its spans are compressed, and nothing in it is more than a trace may have.
#[derive(Debug, Clone)]
pub struct PreparedTrace {
    trace: LoadedTrace,
    spans: Option<SpanBatch>,
}

impl PreparedTrace {
    pub fn of(mut trace: LoadedTrace) -> Result<PreparedTrace> {
        let bytes: i64 = trace.spans.iter().map(|span| prost::Message::encoded_len(span) as i64).sum();
        for (things, count, most) in [
            ("spans", trace.spans.len() as i64, MOST_SPANS),
            ("bytes of spans", bytes, MOST_SPAN_BYTES),
            ("tags", trace.tags.len() as i64, MOST_TAGS),
            ("entries of metadata", trace.metadata.len() as i64, MOST_TAGS),
            ("assessments", trace.assessments.len() as i64, MOST_ASSESSMENTS),
        ] {
            if count > most {
                return Err(Error::LimitExceeded {
                    message: format!("a trace has at most {most} {things}, not {count}"),
                });
            }
        }
        let spans = std::mem::take(&mut trace.spans);
        let spans = if spans.is_empty() { None } else { Some(SpanBatch::of(spans)?) };
        Ok(PreparedTrace { trace, spans })
    }

    /// The trace; its spans are no longer with it.
    pub fn trace(&self) -> &LoadedTrace {
        &self.trace
    }

    pub fn spans(&self) -> usize {
        self.spans.as_ref().map_or(0, |spans| spans.measured().count())
    }
}

impl Tx<'_> {
    /// Those of the traces that the record has already.
    pub fn traces_known(&mut self, visible: &Visibility, ids: &[TraceId]) -> Result<HashSet<TraceId>> {
        let mut values = params![list(ids.iter().map(TraceId::as_str)), visible.workspace()].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let one_of = self.is_one_of_texts(1);
        let sql = format!("SELECT public_id FROM trace WHERE public_id {one_of} AND workspace_id = $2{seen}");
        self.query(&sql, &values, |row| TraceId::parse(&row.text(0)?)).map(|known| known.into_iter().collect())
    }

    /// Brings a trace into an experiment, which the caller holds, unless there is one of its id; says whether it is new.
    pub fn trace_load(
        &mut self,
        permit: &Permit<LogTrace>,
        experiment: ExperimentId,
        new: &PreparedTrace,
    ) -> Result<bool> {
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let PreparedTrace { trace, spans } = new;
        let head = NewTrace { id: trace.id.clone(), experiment, facts: trace.facts.clone() };
        let Some(row) = self.trace_create(permit, &head)? else { return Ok(false) };
        if trace.finalized {
            self.trace_update(permit, row, &trace.facts, true)?;
        }
        self.trace_tags_set(permit, row, experiment, &trace.tags)?;
        self.trace_metadata_set(permit, row, experiment, &trace.metadata)?;
        self.trace_links_load(row, &trace.links)?;
        for assessment in &trace.assessments {
            self.assessment_put(permit, row, experiment, assessment)?;
        }
        if let Some(spans) = spans {
            self.spans_add(permit, row, experiment, spans)?;
        }
        Ok(true)
    }

    fn trace_links_load(&mut self, trace: TraceRow, links: &[LoadedLink]) -> Result<()> {
        let values: Vec<Value> = links
            .iter()
            .flat_map(|LoadedLink { kind, target, created_at }| {
                [trace.into(), kind.as_str().into(), target.into(), (*created_at).into()]
            })
            .collect();
        let head = "INSERT INTO trace_link (trace_id, kind, target, created_at)";
        self.insert_rows(head, 4, "ON CONFLICT (trace_id, kind, target) DO NOTHING", &values).map(|_| ())
    }
}
