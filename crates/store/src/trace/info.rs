use std::collections::HashMap;

use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::{LogTrace, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, RunId, Timestamp, TraceRow};
use stele_domain::lifecycle::Presence;
use stele_domain::record::Tag;
use stele_domain::trace::{Costs, Tokens, TraceFacts, TraceId, TraceInfo, TraceState};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

/// A trace to be made; its tags and metadata come after it.
#[derive(Debug, Clone)]
pub struct NewTrace {
    pub id: TraceId,
    pub experiment: ExperimentId,
    pub facts: TraceFacts,
}

/// What [`trace`] reads; the table `experiment` is joined.
pub(crate) const COLUMNS: &str = "trace.id, trace.public_id, trace.experiment_id, experiment.artifact_location, \
     trace.requested_at, trace.duration, trace.state, trace.name, trace.client_request_id, trace.request_preview, \
     trace.response_preview, trace.session, trace.source_run, trace.finalized, trace.spans, trace.input_tokens, \
     trace.output_tokens, trace.total_tokens, trace.cache_read_tokens, trace.cache_creation_tokens, \
     trace.input_cost, trace.output_cost, trace.total_cost";

impl Tx<'_> {
    /// Holds the experiment that traces are about to be recorded in, which must be in use.
    pub fn trace_experiment_hold(&mut self, permit: &Permit<LogTrace>, id: ExperimentId) -> Result<()> {
        permit.require(self, Place::Experiment(id), Kind::Experiment, id)?;
        let sql = format!("SELECT presence FROM experiment WHERE workspace_id = $1 AND id = $2{}", self.for_share());
        let presence = self
            .query_opt(&sql, params![permit.workspace(), id], |row| row.parsed(0, Presence::parse))?
            .ok_or_else(|| Error::not_found(Kind::Experiment, id.to_string()))?;
        match presence {
            Presence::Active => Ok(()),
            Presence::Deleted => Err(Error::WrongState {
                kind: Kind::Experiment,
                id: id.to_string(),
                state: "deleted",
                needed: "active",
            }),
        }
    }

    /// Makes a trace unless there is one of its id.
    pub fn trace_create(&mut self, permit: &Permit<LogTrace>, new: &NewTrace) -> Result<Option<TraceRow>> {
        const INSERT: &str = "INSERT INTO trace (public_id, workspace_id, experiment_id, requested_at, state)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, public_id) DO NOTHING RETURNING id";
        let facts = &new.facts;
        let values =
            params![new.id.as_str(), permit.workspace(), new.experiment, facts.requested_at, facts.state.as_str()];
        let made = self.query_opt(INSERT, values, |row| row.int(0))?.map(TraceRow);
        if let Some(row) = made {
            self.trace_update(permit, row, facts, false)?;
        }
        Ok(made)
    }

    /// Writes all facts of a trace, and whether its maker told all of it.
    pub fn trace_update(
        &mut self,
        _permit: &Permit<LogTrace>,
        row: TraceRow,
        facts: &TraceFacts,
        finalized: bool,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE trace SET requested_at = $2, duration = $3, state = $4, name = $5,
                 client_request_id = $6, request_preview = $7, response_preview = $8, session = $9, source_run = $10,
                 finalized = $11, input_tokens = $12, output_tokens = $13, total_tokens = $14, cache_read_tokens = $15,
                 cache_creation_tokens = $16, input_cost = $17, output_cost = $18, total_cost = $19
             WHERE id = $1";
        let TraceFacts {
            requested_at,
            duration,
            state,
            name,
            client_request_id,
            request_preview,
            response_preview,
            session,
            source_run,
            tokens: Tokens { input, output, total, cache_read, cache_creation },
            costs,
        } = facts;
        let values = params![
            row,
            *requested_at,
            *duration,
            state.as_str(),
            name.as_deref(),
            client_request_id.as_deref(),
            request_preview.as_deref(),
            response_preview.as_deref(),
            session.as_deref(),
            source_run.as_ref().map(RunId::as_str),
            finalized,
            *input,
            *output,
            *total,
            *cache_read,
            *cache_creation,
            costs.input,
            costs.output,
            costs.total,
        ];
        self.execute(UPDATE, values).map(|_| ())
    }

    /// Reads the trace that this transaction is about to change, without its tags, metadata and assessments.
    pub fn trace_open(&mut self, permit: &Permit<LogTrace>, id: &TraceId) -> Result<TraceInfo> {
        self.traces_open(permit, std::slice::from_ref(id))?
            .pop()
            .ok_or_else(|| Error::not_found(Kind::Trace, id.as_str()))
    }

    /// Reads those of these traces that are there, as [`Tx::trace_open`] does, by id. They are locked in that order, so
    /// that two writers wait for each other and not both.
    pub fn traces_open(&mut self, permit: &Permit<LogTrace>, ids: &[TraceId]) -> Result<Vec<TraceInfo>> {
        let lock = self.for_update_of("trace");
        let sql = format!(
            "SELECT {COLUMNS} FROM trace JOIN experiment ON experiment.id = trace.experiment_id
             WHERE trace.workspace_id = $1 AND trace.public_id {} ORDER BY trace.public_id{lock}",
            self.is_one_of_texts(2)
        );
        let traces = self.query(&sql, params![permit.workspace(), list(ids.iter().map(TraceId::as_str))], trace)?;
        for trace in &traces {
            permit.require(self, Place::Experiment(trace.experiment), Kind::Trace, trace.id.as_str())?;
        }
        Ok(traces)
    }

    pub fn trace_get(&mut self, visible: &Visibility, id: &TraceId) -> Result<TraceInfo> {
        self.traces_get(visible, std::slice::from_ref(id), None)?
            .pop()
            .ok_or_else(|| Error::not_found(Kind::Trace, id.as_str()))
    }

    /// Those of these traces that are there, in this order, each once; only of these experiments, if any are named.
    pub fn traces_get(
        &mut self,
        visible: &Visibility,
        ids: &[TraceId],
        among: Option<&[ExperimentId]>,
    ) -> Result<Vec<TraceInfo>> {
        let mut sql = format!(
            "SELECT {COLUMNS} FROM trace JOIN experiment ON experiment.id = trace.experiment_id
             WHERE trace.workspace_id = $1 AND trace.public_id {}",
            self.is_one_of_texts(2)
        );
        let mut values: Vec<Value> = vec![visible.workspace().into(), list(ids.iter().map(TraceId::as_str))];
        if let Some(among) = among {
            sql.push_str(&format!(" AND trace.experiment_id {}", self.is_one_of_ints(3)));
            values.push(list(among.iter().map(|id| id.0)));
        }
        sql.push_str(&self.and_experiment_seen(visible, "trace.experiment_id", &mut values));
        let found = self.query(&sql, &values, trace)?;
        let mut found: HashMap<TraceId, TraceInfo> = found.into_iter().map(|trace| (trace.id.clone(), trace)).collect();
        let traces = ids.iter().filter_map(|id| found.remove(id)).collect();
        self.traces_complete(traces)
    }

    /// Adds tags, metadata and assessments to traces, with one query for each.
    pub fn traces_complete(&mut self, mut traces: Vec<TraceInfo>) -> Result<Vec<TraceInfo>> {
        if traces.is_empty() {
            return Ok(traces);
        }
        let rows = list(traces.iter().map(|trace| trace.row.0));
        let one_of = self.is_one_of_ints(1);
        let mut keyed = |table: &str| {
            let sql =
                format!("SELECT trace_id, key, value FROM {table} WHERE trace_id {one_of} ORDER BY trace_id, key");
            let found = self.query(&sql, params![rows.clone()], |row| {
                Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? }))
            })?;
            Ok::<_, Error>(grouped(found))
        };
        let (mut tags, mut metadata) = (keyed("trace_tag")?, keyed("trace_metadata")?);
        let mut assessments = grouped(self.assessments_of(&rows)?);
        for trace in &mut traces {
            let TraceRow(row) = trace.row;
            trace.tags = tags.remove(&row).unwrap_or_default();
            trace.metadata = metadata.remove(&row).unwrap_or_default();
            trace.assessments = assessments.remove(&row).unwrap_or_default();
        }
        Ok(traces)
    }

    /// The place of the files of a trace.
    pub fn trace_artifact_uri(&mut self, visible: &Visibility, id: &TraceId) -> Result<String> {
        self.trace_get(visible, id).map(|trace| trace.artifact_uri)
    }
}

fn grouped<T>(rows: Vec<(i64, T)>) -> HashMap<i64, Vec<T>> {
    let mut groups: HashMap<i64, Vec<T>> = HashMap::new();
    for (row, item) in rows {
        groups.entry(row).or_default().push(item);
    }
    groups
}

/// Where the files of a trace are: `LOCATION/traces/ID/artifacts`.
pub(super) fn artifact_uri(location: &str, id: &TraceId) -> Result<String> {
    append_to_uri_path(location, &format!("traces/{}/artifacts", id.as_str()))
}

pub(crate) fn trace(row: &Row) -> Result<TraceInfo> {
    let id = TraceId::parse(&row.text(1)?)?;
    Ok(TraceInfo {
        row: TraceRow(row.int(0)?),
        experiment: ExperimentId(row.int(2)?),
        artifact_uri: artifact_uri(&row.text(3)?, &id)?,
        id,
        facts: TraceFacts {
            requested_at: Timestamp(row.int(4)?),
            duration: row.opt_int(5)?,
            state: row.parsed(6, TraceState::parse)?,
            name: row.opt_text(7)?,
            client_request_id: row.opt_text(8)?,
            request_preview: row.opt_text(9)?,
            response_preview: row.opt_text(10)?,
            session: row.opt_text(11)?,
            source_run: row.opt_text(12)?.map(RunId),
            tokens: Tokens {
                input: row.opt_int(15)?,
                output: row.opt_int(16)?,
                total: row.opt_int(17)?,
                cache_read: row.opt_int(18)?,
                cache_creation: row.opt_int(19)?,
            },
            costs: Costs { input: row.opt_real(20)?, output: row.opt_real(21)?, total: row.opt_real(22)? },
        },
        finalized: row.bool(13)?,
        spans: row.int(14)?,
        tags: Vec::new(),
        metadata: Vec::new(),
        assessments: Vec::new(),
    })
}
