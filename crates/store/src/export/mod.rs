//! Reading the whole record, page by page in the order of row ids, for what leaves it.

mod evaluation;
mod history;
mod review;
mod trace;

use std::collections::HashMap;

use stele_domain::authz::Visibility;
use stele_domain::id::{ArtifactRow, ExperimentId, ModelRow, ModelVersionRow, RunRow, Timestamp};
use stele_domain::record::{Dataset, Experiment, LoggedModel, Run, Tag};
use stele_domain::registry::{Model, ModelVersion};
use stele_domain::{Point, Result};

use crate::Tx;
use crate::dataset::dataset;
use crate::engine::{list, params};
use crate::experiment::{COLUMNS, experiment};
use crate::run::{RUN_COLUMNS, run_info};

pub use self::evaluation::{ExportedEvaluationDataset, ExportedScorer};
pub use self::review::{ExportedIssue, ExportedItem, ExportedLabelSchema, ExportedReviewQueue};
pub use self::trace::ExportedTrace;

/// A run with what only an export asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedRun {
    pub run: Run,
    pub deleted_at: Option<Timestamp>,
    /// Those histories that are short, whole. The others are read page by page.
    pub histories: HashMap<String, Vec<Point>>,
}

/// A dataset as an experiment knows it, with its own id.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedDataset {
    pub row: ArtifactRow,
    pub public_id: String,
    pub experiment: ExperimentId,
    pub dataset: Dataset,
}

/// A model with the highest number that a version of it ever had.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedModel {
    pub model: Model,
    pub last_number: i64,
}

impl Tx<'_> {
    pub fn experiments_after(
        &mut self,
        visible: &Visibility,
        after: ExperimentId,
        most: usize,
    ) -> Result<Vec<Experiment>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, "id", &mut values);
        let sql =
            format!("SELECT {COLUMNS} FROM experiment WHERE workspace_id = $1 AND id > $2{seen} ORDER BY id LIMIT $3");
        let mut found = self.query(&sql, &values, experiment)?;
        let tags = format!(
            "SELECT experiment_id, key, value FROM experiment_tag WHERE experiment_id {} ORDER BY experiment_id, key",
            self.is_one_of_ints(1)
        );
        let positions: HashMap<i64, usize> =
            found.iter().enumerate().map(|(position, experiment)| (experiment.id.0, position)).collect();
        let ids = list(found.iter().map(|experiment| experiment.id.0));
        self.query(&tags, params![ids], |row| {
            found[positions[&row.int(0)?]].tags.push(Tag { key: row.text(1)?, value: row.text(2)? });
            Ok(())
        })?;
        Ok(found)
    }

    pub fn runs_after(&mut self, visible: &Visibility, after: RunRow, most: usize) -> Result<Vec<ExportedRun>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let sql = format!(
            "SELECT {RUN_COLUMNS}, run.deleted_at FROM run WHERE workspace_id = $1 AND id > $2{seen}
             ORDER BY id LIMIT $3"
        );
        let found = self.query(&sql, &values, |row| Ok((run_info(row)?, row.opt_int(11)?.map(Timestamp))))?;
        let (infos, deleted): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let rows: Vec<RunRow> = infos.iter().map(|info| info.row).collect();
        let mut histories = self.histories_short(&rows)?;
        let runs = self.runs_complete(infos)?;
        let whole = |(run, deleted_at): (Run, _)| {
            let histories = histories.remove(&run.info.row).unwrap_or_default();
            ExportedRun { run, deleted_at, histories }
        };
        Ok(runs.into_iter().zip(deleted).map(whole).collect())
    }

    pub fn runs_count(&mut self, visible: &Visibility) -> Result<u64> {
        let mut values = params![visible.workspace()].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let sql = format!("SELECT COUNT(*) FROM run WHERE workspace_id = $1{seen}");
        let count = self.query_one(&sql, &values, |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub fn datasets_after(
        &mut self,
        visible: &Visibility,
        after: ArtifactRow,
        most: usize,
    ) -> Result<Vec<ExportedDataset>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, "dataset.experiment_id", &mut values);
        let sql = format!(
            "SELECT dataset.id, version.public_id, dataset.experiment_id, dataset.name, dataset.digest,
                 dataset.source_type, dataset.source, dataset.schema, dataset.profile
             FROM dataset JOIN artifact_version AS version ON version.id = dataset.id
             WHERE version.workspace_id = $1 AND dataset.id > $2{seen} ORDER BY dataset.id LIMIT $3"
        );
        self.query(&sql, &values, |row| {
            Ok(ExportedDataset {
                row: ArtifactRow(row.int(0)?),
                public_id: row.text(1)?,
                experiment: ExperimentId(row.int(2)?),
                dataset: dataset(row, 3)?,
            })
        })
    }

    pub fn logged_models_after(
        &mut self,
        visible: &Visibility,
        after: ArtifactRow,
        most: usize,
    ) -> Result<Vec<LoggedModel>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let sql = format!("SELECT id FROM logged_model WHERE workspace_id = $1 AND id > $2{seen} ORDER BY id LIMIT $3");
        let rows = self.query(&sql, &values, |row| row.int(0))?;
        self.logged_models_by_rows(&rows.into_iter().map(ArtifactRow).collect::<Vec<_>>())
    }

    pub fn models_after(&mut self, visible: &Visibility, after: ModelRow, most: usize) -> Result<Vec<ExportedModel>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_model_seen(visible, "name", &mut values);
        let sql =
            format!("SELECT id, last_number FROM model WHERE workspace_id = $1 AND id > $2{seen} ORDER BY id LIMIT $3");
        let rows = self.query(&sql, &values, |row| Ok((ModelRow(row.int(0)?), row.int(1)?)))?;
        let (rows, numbers): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let models = self.models_by_rows(&rows)?;
        Ok(models.into_iter().zip(numbers).map(|(model, last_number)| ExportedModel { model, last_number }).collect())
    }

    /// The versions of a model with a number above `after`, by number.
    pub fn model_versions_after(
        &mut self,
        visible: &Visibility,
        model: ModelRow,
        after: i64,
        most: usize,
    ) -> Result<Vec<ModelVersion>> {
        let mut values = params![visible.workspace(), model, after, most as i64].to_vec();
        let seen = self.and_model_seen(visible, "model.name", &mut values);
        let sql = format!(
            "SELECT version.id FROM model_version AS version JOIN model ON model.id = version.model_id
             WHERE model.workspace_id = $1 AND model.id = $2 AND version.number > $3{seen}
             ORDER BY version.number LIMIT $4"
        );
        let rows = self.query(&sql, &values, |row| row.int(0))?;
        self.model_versions_by_rows(&rows.into_iter().map(ModelVersionRow).collect::<Vec<_>>())
    }
}
