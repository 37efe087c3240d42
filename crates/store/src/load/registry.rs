//! Registered models and their versions as they were somewhere else.

use stele_domain::Result;
use stele_domain::authz::{LoadRecord, Permit};
use stele_domain::id::{LoggedModelId, ModelRow, ModelVersionRow, RunId, Timestamp};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::record::Tag;
use stele_domain::registry::ModelAlias;

use crate::Tx;
use crate::engine::{Value, params};

/// A registered model as it was somewhere else, without its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModel {
    pub name: String,
    pub description: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
    /// None that means a stage, which the stage of a version says already.
    pub aliases: Vec<ModelAlias>,
    /// The highest number that a version ever had.
    pub last_number: i64,
}

/// A version of a registered model as it was somewhere else.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedVersion {
    pub number: i64,
    pub description: Option<String>,
    pub user: Option<String>,
    /// At most one version of a model is in production.
    pub stage: Stage,
    pub source: String,
    pub storage_uri: String,
    pub run: Option<RunId>,
    pub run_link: Option<String>,
    pub logged_model: Option<LoggedModelId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
}

impl Tx<'_> {
    /// Makes a registered model, unless the name is taken: then nothing changes and it gives back nothing.
    pub fn model_load(
        &mut self,
        permit: &Permit<LoadRecord>,
        public_id: &str,
        new: &LoadedModel,
    ) -> Result<Option<ModelRow>> {
        const INSERT: &str = "INSERT INTO model
                 (workspace_id, public_id, name, description, last_number, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING id";
        permit.require_workspace()?;
        let LoadedModel { name, description, created_at, updated_at, tags, aliases, last_number } = new;
        let values = params![
            permit.workspace(),
            public_id,
            name,
            description.as_deref(),
            *last_number,
            *created_at,
            *updated_at
        ];
        let Some(row) = self.query_opt(INSERT, values, |row| row.int(0))? else { return Ok(None) };
        self.tags_load("INSERT INTO model_tag (model_id, key, value)", row, tags)?;
        let aliases: Vec<Value> =
            aliases.iter().flat_map(|alias| [row.into(), (&alias.alias).into(), alias.version.into()]).collect();
        self.insert_rows("INSERT INTO model_alias (model_id, alias, number)", 3, "ON CONFLICT DO NOTHING", &aliases)?;
        Ok(Some(ModelRow(row)))
    }

    pub fn model_version_load(
        &mut self,
        permit: &Permit<LoadRecord>,
        model: ModelRow,
        public_id: &str,
        new: &LoadedVersion,
    ) -> Result<ModelVersionRow> {
        const INSERT: &str = "INSERT INTO model_version (public_id, model_id, number, description, user_name, stage,
                 approval, source, storage_uri, run, run_link, logged_model, created_at, updated_at, author)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id";
        let values = params![
            public_id,
            model,
            new.number,
            new.description.as_deref(),
            new.user.as_deref(),
            new.stage.as_str(),
            ApprovalStatus::Pending.as_str(),
            &new.source,
            &new.storage_uri,
            new.run.as_ref().map(RunId::as_str),
            new.run_link.as_deref(),
            new.logged_model.as_ref().map(LoggedModelId::as_str),
            new.created_at,
            new.updated_at,
            permit.subject().principal.name(),
        ];
        let row = self.query_one(INSERT, values, |row| row.int(0))?;
        self.tags_load("INSERT INTO model_version_tag (model_version_id, key, value)", row, &new.tags)?;
        let row = ModelVersionRow(row);
        if new.stage == Stage::Production {
            self.model_version_produced(row)?;
        }
        Ok(row)
    }

    fn tags_load(&mut self, head: &str, owner: i64, tags: &[Tag]) -> Result<()> {
        let values: Vec<Value> =
            tags.iter().flat_map(|tag| [owner.into(), (&tag.key).into(), (&tag.value).into()]).collect();
        self.insert_rows(head, 3, "ON CONFLICT DO NOTHING", &values).map(|_| ())
    }
}
