use rusqlite::params;
use stele_domain::Result;
use stele_domain::lifecycle::Presence;

use super::Writer;
use crate::export::Record;
use crate::mlflow::logged_model_status_number;

impl Writer {
    /// Experiments, and the datasets and logged models in them.
    pub(super) async fn tracking(&mut self, record: &Record<'_>) -> Result<()> {
        let mut page = record.experiments(None).await?;
        while !page.is_empty() {
            for experiment in &page {
                self.insert(
                    "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,
                         last_update_time, workspace)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'default')",
                    params![
                        experiment.id.0,
                        experiment.name,
                        experiment.artifact_location,
                        lifecycle_stage(experiment.presence),
                        experiment.created_at.0,
                        experiment.updated_at.0
                    ],
                )?;
                for tag in &experiment.tags {
                    self.insert(
                        "INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?1, ?2, ?3)",
                        params![experiment.id.0, tag.key, tag.value],
                    )?;
                }
            }
            page = record.experiments(page.last()).await?;
        }
        self.datasets(record).await?;
        self.logged_models(record).await?;
        self.commit()
    }

    async fn datasets(&mut self, record: &Record<'_>) -> Result<()> {
        let mut page = record.datasets(None).await?;
        while !page.is_empty() {
            for known in &page {
                let dataset = &known.dataset;
                self.insert(
                    "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
                         dataset_source, dataset_schema, dataset_profile)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        known.public_id,
                        known.experiment.0,
                        dataset.name,
                        dataset.digest,
                        dataset.source_type,
                        dataset.source,
                        dataset.schema,
                        dataset.profile
                    ],
                )?;
            }
            page = record.datasets(page.last()).await?;
        }
        Ok(())
    }

    async fn logged_models(&mut self, record: &Record<'_>) -> Result<()> {
        let mut page = record.logged_models(None).await?;
        while !page.is_empty() {
            for model in &page {
                self.insert(
                    "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,
                         creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, model_type,
                         source_run_id, status_message)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        model.id.as_str(),
                        model.experiment.0,
                        model.name,
                        model.artifact_uri,
                        model.created_at.0,
                        model.updated_at.0,
                        logged_model_status_number(model.status),
                        lifecycle_stage(model.presence),
                        model.model_type,
                        model.source_run.as_ref().map(|run| run.as_str()),
                        model.status_message
                    ],
                )?;
                for tag in &model.tags {
                    self.insert(
                        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)
                         VALUES (?1, ?2, ?3, ?4)",
                        params![model.id.as_str(), model.experiment.0, tag.key, tag.value],
                    )?;
                }
                for param in &model.params {
                    self.insert(
                        "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value)
                         VALUES (?1, ?2, ?3, ?4)",
                        params![model.id.as_str(), model.experiment.0, param.key, param.value],
                    )?;
                }
            }
            page = record.logged_models(page.last()).await?;
        }
        Ok(())
    }
}

pub(super) fn lifecycle_stage(presence: Presence) -> &'static str {
    match presence {
        Presence::Active => "active",
        Presence::Deleted => "deleted",
    }
}
