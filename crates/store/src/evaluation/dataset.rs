use std::collections::HashMap;

use stele_domain::authz::{ManageEvaluationDataset, Permit, Place, Visibility};
use stele_domain::evaluation::{EvaluationDataset, RecordSchema};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

pub(crate) const COLUMNS: &str = "evaluation_dataset.id, evaluation_dataset.public_id, evaluation_dataset.name, \
     evaluation_dataset.digest, evaluation_dataset.schema, evaluation_dataset.records, evaluation_dataset.created_at, \
     evaluation_dataset.updated_at, evaluation_dataset.created_by, evaluation_dataset.updated_by";

impl Tx<'_> {
    /// Makes the dataset with its tags; the row in `new` is not looked at.
    pub fn evaluation_dataset_create(
        &mut self,
        permit: &Permit<ManageEvaluationDataset>,
        new: &EvaluationDataset,
    ) -> Result<EvaluationDatasetRow> {
        const INSERT: &str = "INSERT INTO evaluation_dataset
                 (workspace_id, public_id, name, digest, created_at, updated_at, created_by, updated_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
        permit.require_workspace()?;
        let values = params![
            permit.workspace(),
            &new.id,
            &new.name,
            &new.digest,
            new.created_at,
            new.updated_at,
            new.created_by.as_deref(),
            new.updated_by.as_deref(),
        ];
        let row = self.query_one(INSERT, values, |row| row.int(0)).map(EvaluationDatasetRow)?;
        self.evaluation_dataset_tags_set(permit, row, &new.tags)?;
        Ok(row)
    }

    pub fn evaluation_dataset_get(&mut self, visible: &Visibility, id: &str) -> Result<EvaluationDataset> {
        visible.require(Place::Workspace, Kind::EvaluationDataset, id)?;
        self.evaluation_dataset_read(visible.workspace(), id, "")
    }

    /// Reads a dataset that this transaction is about to change.
    pub fn evaluation_dataset_open(
        &mut self,
        permit: &Permit<ManageEvaluationDataset>,
        id: &str,
    ) -> Result<EvaluationDataset> {
        let dataset = self.evaluation_dataset_read(permit.workspace(), id, self.for_update())?;
        permit.require(self, Place::Workspace, Kind::EvaluationDataset, id)?;
        Ok(dataset)
    }

    fn evaluation_dataset_read(
        &mut self,
        workspace: stele_domain::id::WorkspaceId,
        id: &str,
        lock: &str,
    ) -> Result<EvaluationDataset> {
        let sql = format!("SELECT {COLUMNS} FROM evaluation_dataset WHERE workspace_id = $1 AND public_id = $2{lock}");
        let found = self
            .query_opt(&sql, params![workspace, id], dataset)?
            .ok_or_else(|| Error::not_found(Kind::EvaluationDataset, id))?;
        let mut found = self.evaluation_datasets_add_tags(vec![found])?;
        found.pop().ok_or_else(|| Error::not_found(Kind::EvaluationDataset, id))
    }

    pub(crate) fn evaluation_datasets_add_tags(
        &mut self,
        mut datasets: Vec<EvaluationDataset>,
    ) -> Result<Vec<EvaluationDataset>> {
        let sql = format!(
            "SELECT dataset_id, key, value FROM evaluation_dataset_tag WHERE dataset_id {} ORDER BY dataset_id, key",
            self.is_one_of_ints(1)
        );
        let rows = list(datasets.iter().map(|dataset| dataset.row.0));
        let mut tags: HashMap<i64, Vec<Tag>> = HashMap::new();
        for (dataset, tag) in
            self.query(&sql, params![rows], |row| Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? })))?
        {
            tags.entry(dataset).or_default().push(tag);
        }
        for dataset in &mut datasets {
            dataset.tags = tags.remove(&dataset.row.0).unwrap_or_default();
        }
        Ok(datasets)
    }

    /// Writes what a change of its records changes of a dataset.
    pub fn evaluation_dataset_update(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: &EvaluationDataset,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE evaluation_dataset
             SET digest = $2, schema = $3, records = $4, updated_at = $5, updated_by = $6 WHERE id = $1";
        let values = params![
            dataset.row,
            &dataset.digest,
            dataset.schema.as_ref().map(|schema| schema.to_json().to_string()),
            dataset.records,
            dataset.updated_at,
            dataset.updated_by.as_deref(),
        ];
        self.execute(UPDATE, values).map(|_| ())
    }

    /// Deletes a dataset with its records and tags.
    pub fn evaluation_dataset_delete(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
    ) -> Result<()> {
        const DELETE: &str = "DELETE FROM evaluation_dataset WHERE id = $1";
        self.execute(DELETE, params![dataset]).map(|_| ())
    }

    pub fn evaluation_dataset_tags_set(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        tags: &[Tag],
    ) -> Result<()> {
        const UPSERT: &str = "INSERT INTO evaluation_dataset_tag (dataset_id, key, value) VALUES ($1, $2, $3)
             ON CONFLICT (dataset_id, key) DO UPDATE SET value = excluded.value";
        tags.iter().try_for_each(|tag| self.execute(UPSERT, params![dataset, &tag.key, &tag.value]).map(|_| ()))
    }

    /// Says whether the tag was there.
    pub fn evaluation_dataset_tag_delete(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        key: &str,
    ) -> Result<bool> {
        const DELETE: &str = "DELETE FROM evaluation_dataset_tag WHERE dataset_id = $1 AND key = $2";
        Ok(self.execute(DELETE, params![dataset, key])? > 0)
    }

    /// Says for how many of the experiments the dataset was not before.
    pub fn evaluation_dataset_experiments_add(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        experiments: &[String],
        now: Timestamp,
    ) -> Result<u64> {
        let values: Vec<Value> =
            experiments.iter().flat_map(|experiment| [dataset.into(), experiment.into(), now.into()]).collect();
        self.insert_rows(
            "INSERT INTO evaluation_dataset_experiment (dataset_id, experiment, created_at)",
            3,
            "ON CONFLICT (dataset_id, experiment) DO NOTHING",
            &values,
        )
    }

    /// Says for how many of the experiments the dataset was.
    pub fn evaluation_dataset_experiments_remove(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        experiments: &[String],
    ) -> Result<u64> {
        let sql = format!(
            "DELETE FROM evaluation_dataset_experiment WHERE dataset_id = $1 AND experiment {}",
            self.is_one_of_texts(2)
        );
        self.execute(&sql, params![dataset, list(experiments.iter().map(String::as_str))])
    }

    /// The experiments that a dataset is for, in the order in which they came; none for a dataset that is not there.
    pub fn evaluation_dataset_experiments(&mut self, visible: &Visibility, id: &str) -> Result<Vec<String>> {
        const EXPERIMENTS: &str = "SELECT link.experiment FROM evaluation_dataset_experiment AS link
             JOIN evaluation_dataset AS dataset ON dataset.id = link.dataset_id
             WHERE dataset.workspace_id = $1 AND dataset.public_id = $2 ORDER BY link.created_at, link.experiment";
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        self.query(EXPERIMENTS, params![visible.workspace(), id], |row| row.text(0))
    }

    /// Which of these experiments there are, also deleted ones.
    pub fn experiments_known(
        &mut self,
        visible: &Visibility,
        experiments: &[ExperimentId],
    ) -> Result<Vec<ExperimentId>> {
        let sql = format!("SELECT id FROM experiment WHERE workspace_id = $1 AND id {}", self.is_one_of_ints(2));
        let ids = list(visible.among(experiments).iter().map(|id| id.0));
        self.query(&sql, params![visible.workspace(), ids], |row| row.int(0).map(ExperimentId))
    }
}

/// Reads [`COLUMNS`]; the tags come apart.
pub(crate) fn dataset(row: &Row) -> Result<EvaluationDataset> {
    Ok(EvaluationDataset {
        row: EvaluationDatasetRow(row.int(0)?),
        id: row.text(1)?,
        name: row.text(2)?,
        digest: row.text(3)?,
        schema: row.opt_text(4)?.map(|text| RecordSchema::from_json(&text)).transpose()?,
        records: row.opt_int(5)?,
        created_at: Timestamp(row.int(6)?),
        updated_at: Timestamp(row.int(7)?),
        created_by: row.opt_text(8)?,
        updated_by: row.opt_text(9)?,
        tags: Vec::new(),
    })
}
