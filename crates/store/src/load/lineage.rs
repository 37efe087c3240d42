//! What loaded runs read and made, and what they measured of logged models.

use stele_domain::authz::{LogRun, Permit, Place};
use stele_domain::id::{LoggedModelId, RunId, RunRow, Timestamp};
use stele_domain::record::{Dataset, Experiment, MetricValue, ModelOutput, RunInfo, Tag};
use stele_domain::{Kind, Result};

use super::LoadedRun;
use crate::Tx;
use crate::engine::params;

/// What a loaded run read and made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadedLineage {
    pub datasets: Vec<LoadedReading>,
    pub model_inputs: Vec<LoggedModelId>,
    pub model_outputs: Vec<ModelOutput>,
    /// Values about logged models, which the metrics of the run have as well. Those about models that are not in the
    /// record are left out.
    pub model_metrics: Vec<MetricValue>,
}

/// A dataset that a loaded run read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedReading {
    /// What the dataset is called if the experiment does not know it; `app` makes one of an empty one.
    pub public_id: String,
    pub dataset: Dataset,
    pub tags: Vec<Tag>,
}

impl Tx<'_> {
    pub(super) fn run_lineage_load(
        &mut self,
        permit: &Permit<LogRun>,
        experiment: &Experiment,
        row: RunRow,
        run: &LoadedRun,
        now: Timestamp,
    ) -> Result<()> {
        let LoadedLineage { datasets, model_inputs, model_outputs, model_metrics } = &run.lineage;
        for LoadedReading { public_id, dataset, tags } in datasets {
            let dataset = self.dataset_ensure(permit, experiment.id, dataset, public_id, now)?;
            self.run_dataset_input_add(permit, row, dataset, tags, now)?;
        }
        if !model_inputs.is_empty() {
            self.run_model_inputs_add(permit, row, model_inputs, now)?;
        }
        if !model_outputs.is_empty() {
            self.run_model_outputs_add(permit, row, model_outputs, now)?;
        }
        if model_metrics.is_empty() {
            return Ok(());
        }
        let subjects = model_metrics.iter().filter_map(|metric| Some(&metric.subject.as_ref()?.model));
        let known = self.logged_model_rows(permit.visible(), subjects)?;
        let is_known =
            |metric: &&MetricValue| metric.subject.as_ref().is_some_and(|subject| known.contains_key(&subject.model));
        let about: Vec<MetricValue> = model_metrics.iter().filter(is_known).cloned().collect();
        let info = RunInfo {
            row,
            id: run.id.clone(),
            experiment: experiment.id,
            kind: run.kind,
            name: run.name.clone(),
            status: run.status,
            presence: run.presence,
            user: run.user.clone(),
            artifact_uri: String::new(),
            started_at: run.started_at,
            ended_at: run.ended_at,
        };
        self.logged_model_metrics_append(permit, &info, &about)
    }

    /// Nests the runs of an experiment that name their parent in the tag `key` and are in none, as runs are whose parent
    /// came after them in a load. At most `most` runs; says how many there were.
    pub fn run_parents_link(
        &mut self,
        permit: &Permit<LogRun>,
        experiment: &Experiment,
        key: &str,
        most: usize,
    ) -> Result<usize> {
        const ORPHANS: &str = "SELECT run.id, run_tag.value FROM run_tag JOIN run ON run.id = run_tag.run_id
             JOIN run AS parent ON parent.public_id = run_tag.value AND parent.workspace_id = $3 AND parent.id <> run.id
             WHERE run_tag.experiment_id = $1 AND run_tag.key = $2 AND run.parent_id IS NULL AND run.workspace_id = $3
             ORDER BY run.started_at, run.id LIMIT $4";
        permit.require(self, Place::Experiment(experiment.id), Kind::Experiment, experiment.id)?;
        let values = params![experiment.id, key, permit.workspace(), most as i64];
        let orphans = self.query(ORPHANS, values, |row| Ok((RunRow(row.int(0)?), RunId(row.text(1)?))))?;
        for (run, parent) in &orphans {
            self.run_set_parent(permit, *run, parent)?;
        }
        Ok(orphans.len())
    }
}
