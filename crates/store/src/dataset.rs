use stele_domain::authz::{LogRun, Permit, Place, Visibility};
use stele_domain::id::{ArtifactRow, ExperimentId, Timestamp};
use stele_domain::record::{Dataset, DatasetSummary};
use stele_domain::{Kind, Result};

use crate::Tx;
use crate::artifact::{ArtifactType, NewArtifactVersion};
use crate::engine::{Row, list, params};

/// The most summaries that one question gets, as many as MLflow's dataset picker shows.
const MOST_SUMMARIES: i64 = 1000;

impl Tx<'_> {
    /// Finds a dataset of an experiment by name and digest, or makes it a version of the artifact of its name,
    /// under `public_id`. What an experiment knows already stays as it is.
    pub fn dataset_ensure(
        &mut self,
        permit: &Permit<LogRun>,
        experiment: ExperimentId,
        dataset: &Dataset,
        public_id: &str,
        now: Timestamp,
    ) -> Result<ArtifactRow> {
        const INSERT: &str =
            "INSERT INTO dataset (id, experiment_id, name, digest, source_type, source, schema, profile)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        if let Some(found) = self.dataset_find(experiment, dataset)? {
            return Ok(found);
        }
        self.artifact_lock(permit.workspace(), &dataset.name, now)?;
        // Somebody may have made it before this transaction got its turn.
        if let Some(found) = self.dataset_find(experiment, dataset)? {
            return Ok(found);
        }
        let version = NewArtifactVersion {
            public_id,
            name: &dataset.name,
            kind: ArtifactType::Data,
            uri: &dataset.source,
            digest: Some(&dataset.digest),
        };
        let row = self.artifact_version_create(permit.workspace(), &version, now)?;
        let values = params![
            row,
            experiment,
            &dataset.name,
            &dataset.digest,
            &dataset.source_type,
            &dataset.source,
            dataset.schema.as_deref(),
            dataset.profile.as_deref(),
        ];
        self.execute(INSERT, values)?;
        Ok(row)
    }

    fn dataset_find(&mut self, experiment: ExperimentId, dataset: &Dataset) -> Result<Option<ArtifactRow>> {
        const FIND: &str = "SELECT id FROM dataset WHERE experiment_id = $1 AND name = $2 AND digest = $3";
        self.query_opt(FIND, params![experiment, &dataset.name, &dataset.digest], |row| row.int(0).map(ArtifactRow))
    }

    /// The datasets that runs of the experiments read, once for each value of the input tag `context_key`.
    pub fn datasets_used(
        &mut self,
        visible: &Visibility,
        experiments: &[ExperimentId],
        context_key: &str,
    ) -> Result<Vec<DatasetSummary>> {
        let sql = format!(
            "SELECT DISTINCT dataset.experiment_id, dataset.name, dataset.digest, edge_tag.value
             FROM dataset
             JOIN experiment ON experiment.id = dataset.experiment_id AND experiment.workspace_id = $1
             JOIN edge ON edge.source_kind = 'artifact_version' AND edge.source_id = dataset.id
                 AND edge.kind = 'consumed' AND edge.target_kind = 'run'
             LEFT JOIN edge_tag ON edge_tag.edge_id = edge.id AND edge_tag.key = $3
             WHERE dataset.experiment_id {}
             ORDER BY dataset.experiment_id, dataset.name, dataset.digest, edge_tag.value NULLS FIRST
             LIMIT $4",
            self.is_one_of_ints(2)
        );
        let experiments = list(visible.among(experiments).iter().map(|experiment| experiment.0));
        self.query(&sql, params![visible.workspace(), experiments, context_key, MOST_SUMMARIES], |row| {
            Ok(DatasetSummary {
                experiment: ExperimentId(row.int(0)?),
                name: row.text(1)?,
                digest: row.text(2)?,
                context: row.opt_text(3)?,
            })
        })
    }
}

/// Reads name, digest, source type, source, schema and profile from `column` on.
pub(crate) fn dataset(row: &Row, column: usize) -> Result<Dataset> {
    Ok(Dataset {
        name: row.text(column)?,
        digest: row.text(column + 1)?,
        source_type: row.text(column + 2)?,
        source: row.text(column + 3)?,
        schema: row.opt_text(column + 4)?,
        profile: row.opt_text(column + 5)?,
    })
}
