//! Runs as clients see them that name runs and group them into trials.

use std::collections::HashMap;

use stele_domain::authz::{LogRun, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, ResourceRow, RunId, RunRow, Timestamp};
use stele_domain::record::{Param, RunInfo};
use stele_domain::resource::TrialOfRun;
use stele_domain::{Kind, Result};

use crate::Tx;
use crate::engine::{Value, list, params};

impl Tx<'_> {
    /// Names a run uniquely; says whether the name was free.
    pub fn run_alias_set(&mut self, permit: &Permit<LogRun>, run: RunRow, name: &str) -> Result<bool> {
        const SET: &str = "INSERT INTO run_alias (run_id, workspace_id, name) VALUES ($1, $2, $3)
             ON CONFLICT (workspace_id, name) DO NOTHING";
        Ok(self.execute(SET, params![run, permit.workspace(), name])? > 0)
    }

    pub fn run_alias_delete(&mut self, _permit: &Permit<LogRun>, run: RunRow) -> Result<()> {
        const DELETE: &str = "DELETE FROM run_alias WHERE run_id = $1";
        self.execute(DELETE, params![run]).map(|_| ())
    }

    /// The run of this name, or else the one of this id that has no name.
    pub fn run_by_alias(&mut self, visible: &Visibility, name: &str) -> Result<Option<RunId>> {
        let mut values = params![visible.workspace(), name].to_vec();
        let seen = self.and_experiment_seen(visible, "run.experiment_id", &mut values);
        let sql = format!(
            "SELECT run.public_id FROM run_alias JOIN run ON run.id = run_alias.run_id
                 WHERE run_alias.workspace_id = $1 AND run_alias.name = $2{seen}
             UNION ALL
             SELECT run.public_id FROM run WHERE run.workspace_id = $1 AND run.public_id = $2{seen}
                 AND NOT EXISTS (SELECT 1 FROM run_alias WHERE run_alias.run_id = run.id)"
        );
        self.query_opt(&sql, &values, |row| row.text(0).map(RunId))
    }

    /// The names of those of these runs that have one.
    pub fn run_aliases(&mut self, runs: &[RunRow]) -> Result<HashMap<RunRow, String>> {
        let sql = format!("SELECT run_id, name FROM run_alias WHERE run_id {}", self.is_one_of_ints(1));
        let rows = list(runs.iter().map(|run| run.0));
        let found = self.query(&sql, params![rows], |row| Ok((RunRow(row.int(0)?), row.text(1)?)))?;
        Ok(found.into_iter().collect())
    }

    /// The trials, by name, that each of these runs is in, with the experiments of the trials.
    pub fn run_trials(&mut self, visible: &Visibility, runs: &[RunRow]) -> Result<HashMap<RunRow, Vec<TrialOfRun>>> {
        let mut values = params![list(runs.iter().map(|run| run.0))].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment.id", &mut values);
        let sql = format!(
            "SELECT trial_run.run_id, resource.name, experiment.id, experiment.name FROM trial_run
             JOIN resource ON resource.id = trial_run.trial_id
             JOIN experiment ON experiment.id = resource.experiment_id
             WHERE trial_run.run_id {}{seen} ORDER BY trial_run.created_at, resource.id",
            self.is_one_of_ints(1)
        );
        let mut trials: HashMap<RunRow, Vec<TrialOfRun>> = HashMap::new();
        self.query(&sql, &values, |row| {
            trials.entry(RunRow(row.int(0)?)).or_default().push(TrialOfRun {
                trial: row.text(1)?,
                experiment: ExperimentId(row.int(2)?),
                experiment_name: row.text(3)?,
            });
            Ok(())
        })?;
        Ok(trials)
    }

    /// Puts a run into a trial, once.
    pub fn trial_run_add(
        &mut self,
        _permit: &Permit<LogRun>,
        trial: ResourceRow,
        run: RunRow,
        now: Timestamp,
    ) -> Result<()> {
        const ADD: &str = "INSERT INTO trial_run (trial_id, run_id, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (trial_id, run_id) DO NOTHING";
        self.execute(ADD, params![trial, run, now]).map(|_| ())
    }

    pub fn trial_run_remove(&mut self, _permit: &Permit<LogRun>, trial: ResourceRow, run: RunRow) -> Result<()> {
        const REMOVE: &str = "DELETE FROM trial_run WHERE trial_id = $1 AND run_id = $2";
        self.execute(REMOVE, params![trial, run]).map(|_| ())
    }

    /// Whether a run is in any trial, also in one that the caller does not see.
    pub fn run_has_trials(&mut self, run: RunRow) -> Result<bool> {
        const SOME: &str = "SELECT trial_id FROM trial_run WHERE run_id = $1 LIMIT 1";
        Ok(self.query_opt(SOME, params![run], |row| row.int(0))?.is_some())
    }

    /// Whether any run that is not deleted is in a trial.
    pub fn trial_has_runs(&mut self, trial: ResourceRow) -> Result<bool> {
        const SOME: &str = "SELECT trial_run.run_id FROM trial_run JOIN run ON run.id = trial_run.run_id
             WHERE trial_run.trial_id = $1 AND run.presence = 'active' LIMIT 1";
        Ok(self.query_opt(SOME, params![trial], |row| row.int(0))?.is_some())
    }

    pub fn experiment_has_trials(&mut self, experiment: ExperimentId) -> Result<bool> {
        const SOME: &str = "SELECT id FROM resource WHERE experiment_id = $1 LIMIT 1";
        Ok(self.query_opt(SOME, params![experiment], |row| row.int(0))?.is_some())
    }

    /// Moves a run with its values to another experiment. Its artifacts stay where they are.
    pub fn run_move(&mut self, permit: &Permit<LogRun>, run: RunRow, experiment: ExperimentId) -> Result<()> {
        const MOVES: [&str; 4] = [
            "UPDATE run SET experiment_id = $2 WHERE id = $1",
            "UPDATE run_tag SET experiment_id = $2 WHERE run_id = $1",
            "UPDATE run_param SET experiment_id = $2 WHERE run_id = $1",
            "UPDATE series SET experiment_id = $2 WHERE run_id = $1",
        ];
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        for statement in MOVES {
            self.execute(statement, params![run, experiment])?;
        }
        Ok(())
    }

    pub fn run_set_start(&mut self, _permit: &Permit<LogRun>, run: RunRow, start: Timestamp) -> Result<()> {
        const START: &str = "UPDATE run SET started_at = $2 WHERE id = $1";
        self.execute(START, params![run, start]).map(|_| ())
    }

    /// Sets params to values that may differ from those they have, for clients whose params may change. Each comes with
    /// whether it is a number.
    pub fn run_params_replace(
        &mut self,
        _permit: &Permit<LogRun>,
        run: &RunInfo,
        params: &[(Param, bool)],
    ) -> Result<()> {
        let values: Vec<Value> = params
            .iter()
            .flat_map(|(Param { key, value }, is_number)| {
                let kind = if *is_number { "number" } else { "string" };
                [run.row.into(), key.into(), value.into(), kind.into(), run.experiment.into()]
            })
            .collect();
        let upsert = "ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value, type = excluded.type";
        let head = "INSERT INTO run_param (run_id, key, value, type, experiment_id)";
        self.insert_rows(head, 5, upsert, &values).map(|_| ())
    }

    pub fn run_param_delete(&mut self, _permit: &Permit<LogRun>, run: RunRow, key: &str) -> Result<()> {
        const DELETE: &str = "DELETE FROM run_param WHERE run_id = $1 AND key = $2";
        self.execute(DELETE, params![run, key]).map(|_| ())
    }

    /// The keys of the params that were written as numbers.
    pub fn run_number_params(&mut self, runs: &[RunRow]) -> Result<HashMap<RunRow, Vec<String>>> {
        let sql =
            format!("SELECT run_id, key FROM run_param WHERE run_id {} AND type = 'number'", self.is_one_of_ints(1));
        let mut keys: HashMap<RunRow, Vec<String>> = HashMap::new();
        let rows = list(runs.iter().map(|run| run.0));
        self.query(&sql, params![rows], |row| {
            keys.entry(RunRow(row.int(0)?)).or_default().push(row.text(1)?);
            Ok(())
        })?;
        Ok(keys)
    }
}
