use serde_json::json;
use stele_domain::authz::{ManageEvaluationDataset, ManageScorer};
use stele_domain::change::Change;
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};
use stele_domain::{Kind, Result};
use stele_store::LoadedScorer;

use crate::evaluation::{digest, sha256};
use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    /// Begins to bring a dataset into the record, whose records follow in parts, or goes on with one that came in part.
    /// One that the record has whole stays as it is, and gives back nothing.
    pub async fn evaluation_dataset_load(
        &self,
        ctx: &Ctx,
        dataset: EvaluationDataset,
        experiments: Vec<(String, Timestamp)>,
    ) -> Result<Option<EvaluationDatasetRow>> {
        check_text("dataset id", &dataset.id)?;
        check_text("dataset name", &dataset.name)?;
        check_text("digest", &dataset.digest)?;
        check_tags(&dataset.tags)?;
        for user in [&dataset.created_by, &dataset.updated_by].into_iter().flatten() {
            check_text("user", user)?;
        }
        experiments.iter().try_for_each(|(id, _)| check_text("experiment id", id))?;
        self.change::<ManageEvaluationDataset, _>(ctx, &dataset.id.clone(), move |tx, permit| {
            let Some(row) = tx.evaluation_dataset_load(permit, &dataset, &experiments)? else {
                return Ok(Changed::nothing(None));
            };
            let change = Change::quiet("evaluation-dataset.load", Kind::EvaluationDataset, &dataset.id);
            Ok(Changed::one(Some(row), change.after(json!({ "name": dataset.name }))))
        })
        .await
    }

    /// Brings records into a dataset whose load has begun; those whose inputs it has already are left out. Says how many
    /// are new.
    pub async fn evaluation_records_load(
        &self,
        ctx: &Ctx,
        dataset: String,
        row: EvaluationDatasetRow,
        records: Vec<EvaluationRecord>,
    ) -> Result<usize> {
        for record in &records {
            check_text("record id", &record.id)?;
            for user in [&record.created_by, &record.updated_by].into_iter().flatten() {
                check_text("user", user)?;
            }
        }
        let records: Vec<(String, EvaluationRecord)> =
            records.into_iter().map(|record| (sha256(&record.identity()), record)).collect();
        self.change::<ManageEvaluationDataset, _>(ctx, &dataset.clone(), move |tx, permit| {
            let new = tx.evaluation_records_load(permit, row, &records)?;
            if new == 0 {
                return Ok(Changed::nothing(0));
            }
            let change = Change::quiet("evaluation-dataset.load", Kind::EvaluationDataset, &dataset);
            Ok(Changed::one(new, change.after(json!({ "inserted": new }))))
        })
        .await
    }

    /// Ends the load of a dataset, whose records are all there.
    pub async fn evaluation_dataset_loaded(
        &self,
        ctx: &Ctx,
        row: EvaluationDatasetRow,
        mut dataset: EvaluationDataset,
    ) -> Result<()> {
        if dataset.digest.is_empty() {
            dataset.digest = digest(&dataset.name, dataset.updated_at);
        }
        self.change::<ManageEvaluationDataset, _>(ctx, &dataset.id.clone(), move |tx, permit| {
            tx.evaluation_dataset_loaded(permit, row, &dataset)?;
            let change = Change::quiet("evaluation-dataset.load", Kind::EvaluationDataset, &dataset.id);
            Ok(Changed::one((), change.after(json!({ "digest": dataset.digest, "records": dataset.records }))))
        })
        .await
    }

    /// Brings scorers with all of their versions into an experiment; one whose name or id the record has already stays
    /// as it is. Says how many are new.
    pub async fn scorers_load(&self, ctx: &Ctx, experiment: ExperimentId, scorers: Vec<LoadedScorer>) -> Result<usize> {
        for scorer in &scorers {
            check_text("scorer id", &scorer.id)?;
            check_text("scorer name", &scorer.name)?;
            scorer.versions.iter().try_for_each(|(_, definition, _)| check_text("scorer", definition))?;
            check_text("filter", scorer.online.as_ref().and_then(|online| online.filter.as_deref()).unwrap_or(""))?;
        }
        let visible = ctx.visible();
        self.change::<ManageScorer, _>(ctx, &experiment.to_string(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, experiment)?;
            let mut new = Vec::new();
            for scorer in &scorers {
                if tx.scorer_load(permit, experiment.id, scorer)? {
                    let change = Change::quiet("scorer.load", Kind::Scorer, &scorer.id);
                    let after = json!({
                        "experiment": experiment.id.0, "name": scorer.name, "versions": scorer.versions.len(),
                    });
                    new.push(change.after(after));
                }
            }
            Ok(Changed::many(new.len(), new))
        })
        .await
    }
}
