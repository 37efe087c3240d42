//! Evaluation datasets: examples that clients gather, to try an application on.

use serde_json::json;
use sha2::{Digest, Sha256};
use stele_domain::authz::{ManageEvaluationDataset, Permit, Place};
use stele_domain::change::Change;
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord, GivenRecord};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::search::{EvaluationDatasetSearch, Page};
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// An evaluation dataset to be made.
#[derive(Debug, Clone)]
pub struct NewEvaluationDataset {
    pub name: String,
    pub tags: Vec<Tag>,
    /// As the client names them, whether there are such experiments or not.
    pub experiments: Vec<String>,
    pub user: Option<String>,
}

/// What became of given records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upserted {
    pub inserted: u64,
    pub updated: u64,
}

impl App {
    pub async fn evaluation_dataset_create(&self, ctx: &Ctx, new: NewEvaluationDataset) -> Result<EvaluationDataset> {
        let NewEvaluationDataset { name, tags, experiments, user } = new;
        check_text("dataset name", &name)?;
        check_tags(&tags)?;
        experiments.iter().try_for_each(|id| check_text("experiment id", id))?;
        let now = ctx.now();
        let mut dataset = EvaluationDataset {
            row: EvaluationDatasetRow(0),
            id: format!("d-{}", ctx.new_id().simple()),
            digest: digest(&name, now),
            name,
            schema: None,
            records: None,
            created_at: now,
            updated_at: now,
            created_by: user.clone(),
            updated_by: user,
            tags,
        };
        let object = dataset.id.clone();
        self.change::<ManageEvaluationDataset, _>(ctx, &object, move |tx, permit| {
            dataset.row = tx.evaluation_dataset_create(permit, &dataset)?;
            tx.evaluation_dataset_experiments_add(permit, dataset.row, &experiments, now)?;
            let change = Change::event("evaluation-dataset.create", Kind::EvaluationDataset, &dataset.id);
            Ok(Changed::one(dataset.clone(), change.after(json!({ "name": dataset.name }))))
        })
        .await
    }

    pub async fn evaluation_dataset_get(&self, ctx: &Ctx, id: String) -> Result<EvaluationDataset> {
        let visible = ctx.visible();
        self.read(move |tx| tx.evaluation_dataset_get(&visible, &id)).await
    }

    pub async fn evaluation_dataset_search(
        &self,
        ctx: &Ctx,
        search: EvaluationDatasetSearch,
    ) -> Result<Page<EvaluationDataset>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.evaluation_datasets_search(&visible, &search)).await
    }

    /// Deletes a dataset with its records, if it is there.
    pub async fn evaluation_dataset_delete(&self, ctx: &Ctx, id: String) -> Result<()> {
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let Some(dataset) = open_if_there(tx, permit, &id)? else { return Ok(Changed::nothing(())) };
            tx.evaluation_dataset_delete(permit, dataset.row)?;
            let change = Change::event("evaluation-dataset.delete", Kind::EvaluationDataset, &id);
            Ok(Changed::one((), change.before(json!({ "name": dataset.name, "records": dataset.records }))))
        })
        .await
    }

    pub async fn evaluation_dataset_tags_set(&self, ctx: &Ctx, id: String, tags: Vec<Tag>) -> Result<()> {
        check_tags(&tags)?;
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let dataset = tx.evaluation_dataset_open(permit, &id)?;
            tx.evaluation_dataset_tags_set(permit, dataset.row, &tags)?;
            let after: serde_json::Map<_, _> =
                tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().into())).collect();
            let change = Change::quiet("evaluation-dataset.tag", Kind::EvaluationDataset, &id);
            Ok(Changed::one((), change.after(after.into())))
        })
        .await
    }

    /// Removes a tag; nothing changes when the dataset does not have it, or is not there.
    pub async fn evaluation_dataset_tag_delete(&self, ctx: &Ctx, id: String, key: String) -> Result<()> {
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let Some(dataset) = open_if_there(tx, permit, &id)? else { return Ok(Changed::nothing(())) };
            if !tx.evaluation_dataset_tag_delete(permit, dataset.row, &key)? {
                return Ok(Changed::nothing(()));
            }
            let change = Change::quiet("evaluation-dataset.untag", Kind::EvaluationDataset, &id);
            Ok(Changed::one((), change.before(json!({ "key": key }))))
        })
        .await
    }

    /// The experiments that a dataset is for; none for a dataset that is not there.
    pub async fn evaluation_dataset_experiments(&self, ctx: &Ctx, id: String) -> Result<Vec<String>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.evaluation_dataset_experiments(&visible, &id)).await
    }

    /// Makes a dataset one of further experiments, which must be there.
    pub async fn evaluation_dataset_experiments_add(
        &self,
        ctx: &Ctx,
        id: String,
        experiments: Vec<String>,
    ) -> Result<EvaluationDataset> {
        let (visible, now) = (ctx.visible(), ctx.now());
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let mut dataset = tx.evaluation_dataset_open(permit, &id)?;
            let named: Vec<ExperimentId> =
                experiments.iter().filter_map(|id| id.parse().ok().map(ExperimentId)).collect();
            let known: Vec<String> = tx.experiments_known(&visible, &named)?.iter().map(ToString::to_string).collect();
            if let Some(unknown) = experiments.iter().find(|id| !known.contains(id)) {
                return Err(Error::not_found(Kind::Experiment, unknown));
            }
            tx.evaluation_dataset_experiments_add(permit, dataset.row, &experiments, now)?;
            dataset.updated_at = now;
            tx.evaluation_dataset_update(permit, &dataset)?;
            let change = Change::quiet("evaluation-dataset.link", Kind::EvaluationDataset, &id);
            Ok(Changed::one(dataset, change.after(json!({ "experiments": experiments }))))
        })
        .await
    }

    /// Takes a dataset from experiments; those it is not for do not matter.
    pub async fn evaluation_dataset_experiments_remove(
        &self,
        ctx: &Ctx,
        id: String,
        experiments: Vec<String>,
    ) -> Result<EvaluationDataset> {
        let now = ctx.now();
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let mut dataset = tx.evaluation_dataset_open(permit, &id)?;
            if tx.evaluation_dataset_experiments_remove(permit, dataset.row, &experiments)? == 0 {
                return Ok(Changed::nothing(dataset));
            }
            dataset.updated_at = now;
            tx.evaluation_dataset_update(permit, &dataset)?;
            let change = Change::quiet("evaluation-dataset.unlink", Kind::EvaluationDataset, &id);
            Ok(Changed::one(dataset, change.before(json!({ "experiments": experiments }))))
        })
        .await
    }

    /// Adds records to a dataset; one with the inputs of another is merged into it.
    pub async fn evaluation_records_upsert(&self, ctx: &Ctx, id: String, given: Vec<GivenRecord>) -> Result<Upserted> {
        let now = ctx.now();
        // Made outside of the transaction, so that a second try makes the same ones.
        let given: Vec<(String, String, GivenRecord)> = given
            .into_iter()
            .map(|record| (sha256(&record.identity()), format!("dr-{}", ctx.new_id().simple()), record))
            .collect();
        for (.., record) in &given {
            check_text("user", record.user.as_deref().unwrap_or(""))?;
        }
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let mut dataset = tx.evaluation_dataset_open(permit, &id)?;
            let identities: Vec<String> = given.iter().map(|(identity, ..)| identity.clone()).collect();
            let mut records = tx.evaluation_records_by_identity(permit, dataset.row, &identities)?;
            let mut upserted = Upserted::default();
            let mut schema = dataset.schema.take();
            for (identity, new_id, record) in &given {
                schema.get_or_insert_default().learn(record);
                match records.get_mut(identity) {
                    Some(known) => {
                        known.merge(record.clone(), now);
                        upserted.updated += 1;
                    }
                    None => {
                        records.insert(identity.clone(), record.clone().into_record(new_id.clone(), now));
                        upserted.inserted += 1;
                    }
                }
            }
            // In the order given, each once.
            let changed: Vec<(String, EvaluationRecord)> =
                identities.iter().filter_map(|identity| records.remove_entry(identity)).collect();
            tx.evaluation_records_put(permit, dataset.row, &changed)?;
            dataset.schema = schema;
            let count = tx.evaluation_records_count(permit, dataset.row)?;
            dataset.records = (count > 0).then_some(count).or(dataset.records);
            // Later than before, also within one millisecond, since the digest tells states apart by the time.
            dataset.updated_at = Timestamp(now.0.max(dataset.updated_at.0 + 1));
            dataset.digest = digest(&dataset.name, dataset.updated_at);
            dataset.updated_by = given.iter().rev().find_map(|(.., record)| record.user.clone());
            tx.evaluation_dataset_update(permit, &dataset)?;
            let change = Change::quiet("evaluation-dataset.fill", Kind::EvaluationDataset, &id);
            let Upserted { inserted, updated } = upserted;
            Ok(Changed::one(upserted, change.after(json!({ "inserted": inserted, "updated": updated }))))
        })
        .await
    }

    /// Deletes records of a dataset; says how many of them there were, which is none if the dataset is not there.
    pub async fn evaluation_records_delete(&self, ctx: &Ctx, id: String, records: Vec<String>) -> Result<u64> {
        self.change::<ManageEvaluationDataset, _>(ctx, &id.clone(), move |tx, permit| {
            let Some(mut dataset) = open_if_there(tx, permit, &id)? else { return Ok(Changed::nothing(0)) };
            let deleted = tx.evaluation_records_delete(permit, dataset.row, &records)?;
            if deleted == 0 {
                return Ok(Changed::nothing(0));
            }
            dataset.records = Some(tx.evaluation_records_count(permit, dataset.row)?);
            tx.evaluation_dataset_update(permit, &dataset)?;
            let change = Change::quiet("evaluation-dataset.empty", Kind::EvaluationDataset, &id);
            Ok(Changed::one(deleted, change.before(json!({ "records": records }))))
        })
        .await
    }

    /// Up to `limit` records in the order in which they came, after the one made at the time and with the id given.
    pub async fn evaluation_records_list(
        &self,
        ctx: &Ctx,
        id: String,
        after: Option<(Timestamp, String)>,
        limit: i64,
    ) -> Result<Vec<EvaluationRecord>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let after = after.as_ref().map(|(time, id)| (*time, id.as_str()));
            tx.evaluation_records_list(&visible, &id, after, limit)
        })
        .await
    }
}

/// Opens a dataset that somebody wants something gone from, who is content when it was never there. That is told only to
/// those who could have deleted it, so that others do not learn what there is.
fn open_if_there(tx: &mut Tx, permit: &Permit<ManageEvaluationDataset>, id: &str) -> Result<Option<EvaluationDataset>> {
    match tx.evaluation_dataset_open(permit, id) {
        Err(Error::NotFound { .. }) => {
            permit.require(tx, Place::Workspace, Kind::EvaluationDataset, id)?;
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// Eight hex digits that clients tell states of a dataset apart by, as MLflow's store makes them.
pub(crate) fn digest(name: &str, now: Timestamp) -> String {
    sha256(&format!("{name}:{}", now.0))[..8].to_owned()
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
