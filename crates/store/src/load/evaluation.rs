//! Evaluation datasets, scorers and webhooks as they were somewhere else.

use stele_domain::authz::{ManageEvaluationDataset, ManageScorer, ManageWebhook, Permit, Place};
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};
use stele_domain::webhook::Webhook;
use stele_domain::{Kind, Result};

use crate::Tx;
use crate::engine::{Value, params};

/// A scorer as it was somewhere else.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedScorer {
    pub id: String,
    pub name: String,
    /// Number, definition and time of each.
    pub versions: Vec<(i64, String, Timestamp)>,
    pub online: Option<LoadedOnlineScoring>,
}

/// How much of the traces of its experiment a scorer judges by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedOnlineScoring {
    pub id: String,
    pub sample_rate: f64,
    pub filter: Option<String>,
}

/// What the digest of a dataset is while its records are still coming.
const UNFINISHED: &str = "";

impl Tx<'_> {
    /// Begins to bring a dataset into the record, or goes on with one that came in part. One that is whole stays as it
    /// is, and gives back nothing.
    pub fn evaluation_dataset_load(
        &mut self,
        permit: &Permit<ManageEvaluationDataset>,
        new: &EvaluationDataset,
        experiments: &[(String, Timestamp)],
    ) -> Result<Option<EvaluationDatasetRow>> {
        const KNOWN: &str = "SELECT id, digest, workspace_id FROM evaluation_dataset WHERE public_id = $1";
        let known = self.query_opt(KNOWN, params![&new.id], |row| Ok((row.int(0)?, row.text(1)?, row.int(2)?)))?;
        if let Some((row, digest, workspace)) = known {
            let is_open = digest == UNFINISHED && workspace == permit.workspace().0;
            return Ok(is_open.then_some(EvaluationDatasetRow(row)));
        }
        let begun = EvaluationDataset { digest: UNFINISHED.to_owned(), ..new.clone() };
        let row = self.evaluation_dataset_create(permit, &begun)?;
        for (experiment, at) in experiments {
            self.evaluation_dataset_experiments_add(permit, row, std::slice::from_ref(experiment), *at)?;
        }
        Ok(Some(row))
    }

    /// Adds records to a dataset that is being loaded; those with the inputs of one that is there are left out. Says how
    /// many are new.
    pub fn evaluation_records_load(
        &mut self,
        permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        records: &[(String, EvaluationRecord)],
    ) -> Result<usize> {
        permit.require_workspace()?;
        let identities: Vec<String> = records.iter().map(|(identity, _)| identity.clone()).collect();
        let known = self.evaluation_records_by_identity(permit, dataset, &identities)?;
        let new: Vec<(String, EvaluationRecord)> =
            records.iter().filter(|(identity, _)| !known.contains_key(identity)).cloned().collect();
        self.evaluation_records_put(permit, dataset, &new)?;
        Ok(new.len())
    }

    /// Ends the loading of a dataset, whose records are all there.
    pub fn evaluation_dataset_loaded(
        &mut self,
        permit: &Permit<ManageEvaluationDataset>,
        row: EvaluationDatasetRow,
        dataset: &EvaluationDataset,
    ) -> Result<()> {
        permit.require_workspace()?;
        self.evaluation_dataset_update(permit, &EvaluationDataset { row, ..dataset.clone() })
    }

    /// Brings a scorer with all of its versions into an experiment, which the caller holds, unless there is one of its
    /// name or id; says whether it is new.
    pub fn scorer_load(
        &mut self,
        permit: &Permit<ManageScorer>,
        experiment: ExperimentId,
        new: &LoadedScorer,
    ) -> Result<bool> {
        const INSERT: &str = "INSERT INTO scorer (public_id, experiment_id, name) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING RETURNING id";
        const ONLINE: &str = "INSERT INTO online_scoring (scorer_id, public_id, experiment_id, sample_rate, filter)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let LoadedScorer { id, name, versions, online } = new;
        let Some(row) = self.query_opt(INSERT, params![id, experiment, name], |row| row.int(0))? else {
            return Ok(false);
        };
        let values: Vec<Value> = versions
            .iter()
            .flat_map(|(number, definition, at)| [row.into(), (*number).into(), definition.into(), (*at).into()])
            .collect();
        let head = "INSERT INTO scorer_version (scorer_id, number, definition, created_at)";
        self.insert_rows(head, 4, "ON CONFLICT DO NOTHING", &values)?;
        if let Some(LoadedOnlineScoring { id, sample_rate, filter }) = online {
            self.execute(ONLINE, params![row, id, experiment, *sample_rate, filter.as_deref()])?;
        }
        Ok(true)
    }

    /// Brings a webhook into the record, unless there is or was one of its id; says whether it is new.
    pub fn webhook_load(&mut self, permit: &Permit<ManageWebhook>, new: &Webhook) -> Result<bool> {
        const KNOWN: &str = "SELECT id FROM webhook WHERE public_id = $1";
        let known = self.query_opt(KNOWN, params![&new.id], |row| row.int(0))?;
        if known.is_some() {
            return Ok(false);
        }
        self.webhook_create(permit, new).map(|()| true)
    }
}
