use rusqlite::params;
use stele_app::ExportedModel;
use stele_domain::Result;
use stele_domain::registry::{ModelVersion, stage_of_alias};

use super::Writer;
use crate::export::Record;
use crate::mlflow::{DELETED_STAGE, stage_name};

impl Writer {
    /// Registered models with their versions. An alias that means a stage is told by the stage.
    pub(super) async fn registry(&mut self, record: &Record<'_>) -> Result<()> {
        let mut page = record.models(None).await?;
        while !page.is_empty() {
            for exported in &page {
                self.model(exported)?;
                let mut last_number = 0;
                let mut versions = record.versions(exported.model.row, None).await?;
                while let Some(last) = versions.last() {
                    last_number = last.number;
                    versions.iter().try_for_each(|version| self.version(version))?;
                    versions = record.versions(exported.model.row, versions.last()).await?;
                }
                if last_number < exported.last_number {
                    self.deleted_version(exported)?;
                }
            }
            self.commit()?;
            page = record.models(page.last()).await?;
        }
        Ok(())
    }

    fn model(&self, ExportedModel { model, last_number: _ }: &ExportedModel) -> Result<()> {
        self.insert(
            "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time, description)
             VALUES ('default', ?1, ?2, ?3, ?4)",
            params![model.name, model.created_at.0, model.updated_at.0, model.description],
        )?;
        for tag in &model.tags {
            self.insert(
                "INSERT INTO registered_model_tags (workspace, name, key, value) VALUES ('default', ?1, ?2, ?3)",
                params![model.name, tag.key, tag.value],
            )?;
        }
        for alias in model.aliases.iter().filter(|alias| stage_of_alias(&alias.alias).is_none()) {
            self.insert(
                "INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', ?1, ?2, ?3)",
                params![model.name, alias.alias, alias.version],
            )?;
        }
        Ok(())
    }

    fn version(&self, version: &ModelVersion) -> Result<()> {
        self.insert(
            "INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, description, user_id,
                 current_stage, source, storage_location, run_id, run_link, status, status_message)
             VALUES ('default', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'READY', NULL)",
            params![
                version.model,
                version.number,
                version.created_at.0,
                version.updated_at.0,
                version.description,
                version.user,
                stage_name(version.stage),
                version.source,
                version.storage_uri,
                version.run.as_ref().map(|run| run.as_str()),
                version.run_link
            ],
        )?;
        for tag in &version.tags {
            self.insert(
                "INSERT INTO model_version_tags (workspace, name, version, key, value)
                 VALUES ('default', ?1, ?2, ?3, ?4)",
                params![version.model, version.number, tag.key, tag.value],
            )?;
        }
        Ok(())
    }

    /// MLflow keeps a row for a version that was deleted, and only so knows not to use its number again.
    fn deleted_version(&self, ExportedModel { model, last_number }: &ExportedModel) -> Result<()> {
        self.insert(
            "INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, current_stage,
                 status)
             VALUES ('default', ?1, ?2, ?3, ?3, ?4, 'READY')",
            params![model.name, last_number, model.updated_at.0, DELETED_STAGE],
        )
    }
}
