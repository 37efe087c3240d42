//! Logged models as they were somewhere else.

use stele_domain::authz::{LogModel, Permit, Place};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::lifecycle::{LoggedModelStatus, Presence};
use stele_domain::record::{Param, Tag};
use stele_domain::{Kind, Result};

use crate::Tx;
use crate::artifact::{ArtifactType, NewArtifactVersion};
use crate::engine::params;

/// A logged model as it was somewhere else. Its metric values come with the runs that measured them.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedLoggedModel {
    pub id: LoggedModelId,
    pub name: String,
    pub artifact_uri: String,
    pub status: LoggedModelStatus,
    pub status_message: Option<String>,
    pub model_type: Option<String>,
    pub source_run: Option<RunId>,
    pub presence: Presence,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
    pub params: Vec<Param>,
}

impl Tx<'_> {
    /// Brings a logged model into an experiment; says whether it is new.
    pub fn logged_model_load(
        &mut self,
        permit: &Permit<LogModel>,
        experiment: ExperimentId,
        new: &LoadedLoggedModel,
    ) -> Result<bool> {
        const INSERT: &str = "INSERT INTO logged_model (id, public_id, workspace_id, experiment_id, name, artifact_uri,
                 status, status_message, model_type, source_run, presence, created_at, updated_at, deleted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        if self.logged_model_rows(permit.visible(), std::iter::once(&new.id))?.contains_key(&new.id) {
            return Ok(false);
        }
        let version = NewArtifactVersion {
            public_id: new.id.as_str(),
            name: &new.name,
            kind: ArtifactType::Model,
            uri: &new.artifact_uri,
            digest: None,
        };
        let row = self.artifact_version_create(permit.workspace(), &version, new.created_at)?;
        let values = params![
            row,
            new.id.as_str(),
            permit.workspace(),
            experiment,
            &new.name,
            &new.artifact_uri,
            new.status.as_str(),
            new.status_message.as_deref(),
            new.model_type.as_deref(),
            new.source_run.as_ref().map(RunId::as_str),
            new.presence.as_str(),
            new.created_at,
            new.updated_at,
            (new.presence == Presence::Deleted).then_some(new.updated_at),
        ];
        self.execute(INSERT, values)?;
        self.logged_model_params_add(permit, row, &new.params)?;
        self.logged_model_tags_set(permit, row, &new.tags)?;
        Ok(true)
    }
}
