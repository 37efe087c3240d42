use std::collections::HashMap;

use stele_domain::authz::{LogRun, Permit, Place, Visibility};
use stele_domain::error::ParamChange;
use stele_domain::id::{ExperimentId, RunId, RunRow, Timestamp};
use stele_domain::lifecycle::{Presence, RunKind, RunStatus};
use stele_domain::record::{Param, RunInfo, Tag};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, params};
use crate::governance::EVALUATED_TAG;

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub id: RunId,
    pub experiment: ExperimentId,
    pub kind: RunKind,
    /// The run it is nested in. A parent that does not exist is left out.
    pub parent: Option<RunId>,
    pub name: String,
    pub status: RunStatus,
    pub user: String,
    pub artifact_uri: String,
    pub started_at: Option<Timestamp>,
    pub tags: Vec<Tag>,
}

pub(crate) const RUN_COLUMNS: &str = "run.id, run.public_id, run.experiment_id, run.kind, run.name, run.status, \
     run.presence, run.user_name, run.artifact_uri, run.started_at, run.ended_at";

impl Tx<'_> {
    pub fn run_create(&mut self, permit: &Permit<LogRun>, new: &NewRun, now: Timestamp) -> Result<RunRow> {
        const INSERT: &str = "INSERT INTO run (public_id, workspace_id, experiment_id, kind, name, status, presence,
                 user_name, artifact_uri, started_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8, $9, $10)
             ON CONFLICT (public_id) DO NOTHING RETURNING id";
        permit.require(self, Place::Experiment(new.experiment), Kind::Experiment, new.experiment)?;
        let values = params![
            new.id.as_str(),
            permit.workspace(),
            new.experiment,
            new.kind.as_str(),
            &new.name,
            new.status.as_str(),
            &new.user,
            &new.artifact_uri,
            new.started_at,
            now,
        ];
        let row = self
            .query_opt(INSERT, values, |row| row.int(0))?
            .map(RunRow)
            .ok_or_else(|| Error::already_exists(Kind::Run, new.id.as_str()))?;
        if let Some(parent) = &new.parent {
            self.run_set_parent(permit, row, parent)?;
        }
        self.run_tags_set(permit, row, new.experiment, &new.tags)?;
        Ok(row)
    }

    /// Nests a run in another of the same workspace; when there is no such run, it is nested in none.
    pub fn run_set_parent(&mut self, permit: &Permit<LogRun>, run: RunRow, parent: &RunId) -> Result<()> {
        const NEST: &str = "UPDATE run SET
                 parent_id = (SELECT parent.id FROM run AS parent
                     WHERE parent.public_id = $2 AND parent.workspace_id = $3 AND parent.id <> $1),
                 root_id = (SELECT COALESCE(parent.root_id, parent.id) FROM run AS parent
                     WHERE parent.public_id = $2 AND parent.workspace_id = $3 AND parent.id <> $1)
             WHERE id = $1";
        self.execute(NEST, params![run, parent.as_str(), permit.workspace()]).map(|_| ())
    }

    pub fn run_info(&mut self, visible: &Visibility, id: &RunId) -> Result<RunInfo> {
        let sql = format!("SELECT {RUN_COLUMNS} FROM run WHERE public_id = $1 AND workspace_id = $2");
        let info = self
            .query_opt(&sql, params![id.as_str(), visible.workspace()], run_info)?
            .ok_or_else(|| Error::not_found(Kind::Run, id.as_str()))?;
        visible.require(Place::Experiment(info.experiment), Kind::Run, id)?;
        Ok(info)
    }

    /// Reads a run that this transaction is about to change; other writers to the same run wait.
    pub fn run_open(&mut self, permit: &Permit<LogRun>, id: &RunId) -> Result<RunInfo> {
        let sql =
            format!("SELECT {RUN_COLUMNS} FROM run WHERE public_id = $1 AND workspace_id = $2{}", self.for_update());
        let info = self
            .query_opt(&sql, params![id.as_str(), permit.workspace()], run_info)?
            .ok_or_else(|| Error::not_found(Kind::Run, id.as_str()))?;
        permit.require(self, Place::Experiment(info.experiment), Kind::Run, id)?;
        Ok(info)
    }

    /// Stores the name, status and end of a run as `info` has them.
    pub fn run_update(&mut self, _permit: &Permit<LogRun>, info: &RunInfo) -> Result<()> {
        const UPDATE: &str = "UPDATE run SET name = $2, status = $3, ended_at = $4 WHERE id = $1";
        self.execute(UPDATE, params![info.row, &info.name, info.status.as_str(), info.ended_at]).map(|_| ())
    }

    pub fn run_set_presence(
        &mut self,
        _permit: &Permit<LogRun>,
        run: RunRow,
        presence: Presence,
        now: Timestamp,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE run SET presence = $2, deleted_at = $3 WHERE id = $1";
        let deleted_at = (presence == Presence::Deleted).then_some(now);
        self.execute(UPDATE, params![run, presence.as_str(), deleted_at]).map(|_| ())
    }

    /// Sets tags; of several with one key the last counts.
    pub fn run_tags_set(
        &mut self,
        _permit: &Permit<LogRun>,
        run: RunRow,
        experiment: ExperimentId,
        tags: &[Tag],
    ) -> Result<()> {
        let newest: HashMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let values: Vec<Value> = newest
            .into_iter()
            .flat_map(|(key, value)| [run.into(), key.into(), value.into(), experiment.into()])
            .collect();
        self.insert_rows(
            "INSERT INTO run_tag (run_id, key, value, experiment_id)",
            4,
            "ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value",
            &values,
        )?;
        match tags.iter().rfind(|tag| tag.key == EVALUATED_TAG) {
            Some(tag) => self.run_evaluated_set(run, &tag.value),
            None => Ok(()),
        }
    }

    /// The value of one tag of a run.
    pub fn run_tag(&mut self, run: RunRow, key: &str) -> Result<Option<String>> {
        const TAG: &str = "SELECT value FROM run_tag WHERE run_id = $1 AND key = $2";
        self.query_opt(TAG, params![run, key], |row| row.text(0))
    }

    /// Says whether the tag was there.
    pub fn run_tag_delete(&mut self, _permit: &Permit<LogRun>, run: RunRow, key: &str) -> Result<bool> {
        const DELETE: &str = "DELETE FROM run_tag WHERE run_id = $1 AND key = $2";
        if key == EVALUATED_TAG {
            self.run_evaluated_set(run, "")?;
        }
        Ok(self.execute(DELETE, params![run, key])? > 0)
    }

    /// Sets params, whose keys differ. A param that has another value already is an error.
    pub fn run_params_set(&mut self, _permit: &Permit<LogRun>, run: &RunInfo, params: &[Param]) -> Result<()> {
        let values: Vec<Value> = params
            .iter()
            .flat_map(|param| [run.row.into(), (&param.key).into(), (&param.value).into(), run.experiment.into()])
            .collect();
        let inserted = self.insert_rows(
            "INSERT INTO run_param (run_id, key, value, experiment_id)",
            4,
            "ON CONFLICT (run_id, key) DO NOTHING",
            &values,
        )?;
        if inserted == params.len() as u64 {
            return Ok(());
        }
        let stored: HashMap<String, String> =
            self.run_params(run.row)?.into_iter().map(|param| (param.key, param.value)).collect();
        let changes: Vec<ParamChange> = params
            .iter()
            .filter_map(|param| {
                let old = stored.get(&param.key).filter(|old| **old != param.value)?;
                Some(ParamChange { key: param.key.clone(), old: old.clone(), new: param.value.clone() })
            })
            .collect();
        if changes.is_empty() { Ok(()) } else { Err(Error::ParamsChanged { run: run.id.to_string(), changes }) }
    }

    pub(crate) fn run_params(&mut self, run: RunRow) -> Result<Vec<Param>> {
        const PARAMS: &str = "SELECT key, value FROM run_param WHERE run_id = $1 ORDER BY key";
        self.query(PARAMS, params![run], |row| Ok(Param { key: row.text(0)?, value: row.text(1)? }))
    }
}

pub(crate) fn run_info(row: &Row) -> Result<RunInfo> {
    Ok(RunInfo {
        row: RunRow(row.int(0)?),
        id: RunId(row.text(1)?),
        experiment: ExperimentId(row.int(2)?),
        kind: row.parsed(3, RunKind::parse)?,
        name: row.text(4)?,
        status: row.parsed(5, RunStatus::parse)?,
        presence: row.parsed(6, Presence::parse)?,
        user: row.text(7)?,
        artifact_uri: row.text(8)?,
        started_at: row.opt_int(9)?.map(Timestamp),
        ended_at: row.opt_int(10)?.map(Timestamp),
    })
}
