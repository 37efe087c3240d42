//! Reading whole runs: the columns of a run with its values, inputs and outputs, for one run or a page of them.

use std::collections::{BTreeMap, HashMap};

use stele_domain::authz::Visibility;
use stele_domain::id::RunId;
use stele_domain::record::{Param, Run, RunInfo, Tag};
use stele_domain::{Error, Kind, Result};

use crate::engine::{list, params};
use crate::metric::latest_metric;
use crate::run::{RUN_COLUMNS, run_info};
use crate::{NewRun, Tx};

impl Tx<'_> {
    pub fn run_get(&mut self, visible: &Visibility, id: &RunId) -> Result<Run> {
        let info = self.run_info(visible, id)?;
        self.runs_complete(vec![info])?.pop().ok_or_else(|| Error::not_found(Kind::Run, id.as_str()))
    }

    /// Reads runs, also deleted ones, in the order of their ids as given; each of them must be there.
    pub fn runs_get(&mut self, visible: &Visibility, ids: &[RunId]) -> Result<Vec<Run>> {
        let mut values = params![visible.workspace(), list(ids.iter().map(RunId::as_str))].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let one_of = self.is_one_of_texts(2);
        let sql = format!("SELECT {RUN_COLUMNS} FROM run WHERE workspace_id = $1 AND public_id {one_of}{seen}");
        let infos = self.query(&sql, &values, run_info)?;
        let mut found: HashMap<RunId, Run> =
            self.runs_complete(infos)?.into_iter().map(|run| (run.info.id.clone(), run)).collect();
        ids.iter().map(|id| found.remove(id).ok_or_else(|| Error::not_found(Kind::Run, id.as_str()))).collect()
    }

    /// Reads a run that this transaction has just made: it has its tags, and nothing else yet.
    pub fn run_created(&mut self, visible: &Visibility, new: &NewRun) -> Result<Run> {
        let mut run = bare(self.run_info(visible, &new.id)?);
        let tags: BTreeMap<&str, &str> = new.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        run.tags = tags.into_iter().map(|(key, value)| Tag { key: key.to_owned(), value: value.to_owned() }).collect();
        Ok(run)
    }

    /// Adds to the columns of runs everything else that belongs to them, with a few queries for all.
    pub(crate) fn runs_complete(&mut self, infos: Vec<RunInfo>) -> Result<Vec<Run>> {
        let rows = list(infos.iter().map(|info| info.row.0));
        let positions: HashMap<i64, usize> =
            infos.iter().enumerate().map(|(position, info)| (info.row.0, position)).collect();
        let mut runs: Vec<Run> = infos.into_iter().map(bare).collect();
        let one_of = self.is_one_of_ints(1);

        let tags = format!("SELECT run_id, key, value FROM run_tag WHERE run_id {one_of} ORDER BY run_id, key");
        self.query(&tags, params![rows.clone()], |row| {
            let tag = Tag { key: row.text(1)?, value: row.text(2)? };
            runs[positions[&row.int(0)?]].tags.push(tag);
            Ok(())
        })?;

        let params = format!("SELECT run_id, key, value FROM run_param WHERE run_id {one_of} ORDER BY run_id, key");
        self.query(&params, params![rows.clone()], |row| {
            let param = Param { key: row.text(1)?, value: row.text(2)? };
            runs[positions[&row.int(0)?]].params.push(param);
            Ok(())
        })?;

        let metrics = format!(
            "SELECT run_id, key, step, timestamp, value, is_nan FROM series WHERE run_id {one_of} ORDER BY run_id, key"
        );
        self.query(&metrics, params![rows], |row| {
            runs[positions[&row.int(0)?]].metrics.push(latest_metric(row, 1)?);
            Ok(())
        })?;
        self.runs_add_lineage(&mut runs, &positions)?;
        Ok(runs)
    }
}

fn bare(info: RunInfo) -> Run {
    Run {
        info,
        tags: Vec::new(),
        params: Vec::new(),
        metrics: Vec::new(),
        dataset_inputs: Vec::new(),
        model_inputs: Vec::new(),
        model_outputs: Vec::new(),
    }
}
