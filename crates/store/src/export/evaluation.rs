use std::collections::HashMap;

use stele_domain::Result;
use stele_domain::authz::{Place, Visibility};
use stele_domain::evaluation::EvaluationDataset;
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};

use crate::Tx;
use crate::engine::{list, params};
use crate::evaluation::{COLUMNS, dataset};
use crate::load::{LoadedOnlineScoring, LoadedScorer};

/// A dataset with the experiments that it is for, and since when.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedEvaluationDataset {
    pub dataset: EvaluationDataset,
    pub experiments: Vec<(String, Timestamp)>,
}

/// A scorer with all of its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedScorer {
    pub experiment: ExperimentId,
    pub scorer: LoadedScorer,
}

impl Tx<'_> {
    pub fn evaluation_datasets_after(
        &mut self,
        visible: &Visibility,
        after: EvaluationDatasetRow,
        most: usize,
    ) -> Result<Vec<ExportedEvaluationDataset>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM evaluation_dataset WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3"
        );
        let found = self.query(&sql, params![visible.workspace(), after, most as i64], dataset)?;
        let found = self.evaluation_datasets_add_tags(found)?;
        let sql = format!(
            "SELECT dataset_id, experiment, created_at FROM evaluation_dataset_experiment WHERE dataset_id {}
             ORDER BY dataset_id, created_at, experiment",
            self.is_one_of_ints(1)
        );
        let rows = list(found.iter().map(|dataset| dataset.row.0));
        let mut experiments: HashMap<i64, Vec<(String, Timestamp)>> = HashMap::new();
        for (row, experiment) in
            self.query(&sql, params![rows], |row| Ok((row.int(0)?, (row.text(1)?, Timestamp(row.int(2)?)))))?
        {
            experiments.entry(row).or_default().push(experiment);
        }
        let whole = |dataset: EvaluationDataset| ExportedEvaluationDataset {
            experiments: experiments.remove(&dataset.row.0).unwrap_or_default(),
            dataset,
        };
        Ok(found.into_iter().map(whole).collect())
    }

    /// The scorers of these experiments, also of deleted ones.
    pub fn scorers_whole(&mut self, visible: &Visibility, experiments: &[ExperimentId]) -> Result<Vec<ExportedScorer>> {
        let sql = format!(
            "SELECT scorer.public_id, scorer.experiment_id, scorer.name, version.number, version.definition,
                 version.created_at
             FROM scorer JOIN experiment ON experiment.id = scorer.experiment_id AND experiment.workspace_id = $1
             JOIN scorer_version AS version ON version.scorer_id = scorer.id
             WHERE scorer.experiment_id {} ORDER BY scorer.id, version.number",
            self.is_one_of_ints(2)
        );
        let among = list(visible.among(experiments).iter().map(|id| id.0));
        let mut scorers: Vec<ExportedScorer> = Vec::new();
        self.query(&sql, params![visible.workspace(), among], |row| {
            let id = row.text(0)?;
            let version = (row.int(3)?, row.text(4)?, Timestamp(row.int(5)?));
            match scorers.last_mut().filter(|known| known.scorer.id == id) {
                Some(known) => known.scorer.versions.push(version),
                None => {
                    let scorer = LoadedScorer { id, name: row.text(2)?, versions: vec![version], online: None };
                    scorers.push(ExportedScorer { experiment: ExperimentId(row.int(1)?), scorer });
                }
            }
            Ok(())
        })?;
        let ids: Vec<String> = scorers.iter().map(|known| known.scorer.id.clone()).collect();
        for online in self.online_scorings(visible, &ids)? {
            if let Some(known) = scorers.iter_mut().find(|known| known.scorer.id == online.scorer) {
                let scoring =
                    LoadedOnlineScoring { id: online.id, sample_rate: online.sample_rate, filter: online.filter };
                known.scorer.online = Some(scoring);
            }
        }
        Ok(scorers)
    }
}
