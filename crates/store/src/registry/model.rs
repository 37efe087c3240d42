use stele_domain::authz::{Permit, Place, RegisterModel, Verb};
use stele_domain::id::{ModelRow, Timestamp};
use stele_domain::record::Tag;
use stele_domain::{Error, Kind, Result};

use super::model_version::set_tags;
use crate::Tx;
use crate::engine::params;
use crate::tag_place::Tagged;

/// A model to be made.
#[derive(Debug, Clone)]
pub struct NewModel {
    pub public_id: String,
    pub name: String,
    pub description: Option<String>,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
}

/// A model as a change to it starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelHead {
    pub row: ModelRow,
    /// What it keeps when it is renamed.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
}

impl Tx<'_> {
    pub fn model_create(&mut self, permit: &Permit<RegisterModel>, new: &NewModel, now: Timestamp) -> Result<ModelRow> {
        const INSERT: &str = "INSERT INTO model (workspace_id, public_id, name, description, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING id";
        permit.require_workspace()?;
        let values = params![permit.workspace(), &new.public_id, &new.name, new.description.as_deref(), now];
        let row = self
            .query_opt(INSERT, values, |row| row.int(0))?
            .map(ModelRow)
            .ok_or_else(|| Error::already_exists(Kind::Model, &new.name))?;
        self.model_tags_set(permit, row, &new.tags)?;
        Ok(row)
    }

    /// Reads a model that this transaction is about to change; other writers to the same model wait.
    pub fn model_open<V: Verb>(&mut self, permit: &Permit<V>, name: &str) -> Result<ModelHead> {
        let sql = format!(
            "SELECT id, name, description, public_id FROM model WHERE workspace_id = $1 AND name = $2{}",
            self.for_update()
        );
        let head = self
            .query_opt(&sql, params![permit.workspace(), name], |row| {
                Ok(ModelHead {
                    row: ModelRow(row.int(0)?),
                    name: row.text(1)?,
                    description: row.opt_text(2)?,
                    id: row.text(3)?,
                })
            })?
            .ok_or_else(|| Error::not_found(Kind::Model, name))?;
        permit.require(self, Place::Model(name), Kind::Model, name)?;
        Ok(head)
    }

    /// Renames a model; its versions come along and count as updated.
    pub fn model_rename(
        &mut self,
        _permit: &Permit<RegisterModel>,
        model: ModelRow,
        name: &str,
        now: Timestamp,
    ) -> Result<()> {
        const RENAME: &str = "UPDATE model SET name = $2, updated_at = $3 WHERE id = $1";
        const VERSIONS: &str = "UPDATE model_version SET updated_at = $2 WHERE model_id = $1";
        self.grants_of_model_follow(model, Some(name))?;
        self.execute(RENAME, params![model, name, now]).map_err(|error| match error {
            Error::Conflict { .. } => Error::already_exists(Kind::Model, name),
            other => other,
        })?;
        self.execute(VERSIONS, params![model, now]).map(|_| ())
    }

    pub fn model_describe(
        &mut self,
        _permit: &Permit<RegisterModel>,
        model: ModelRow,
        description: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        const DESCRIBE: &str = "UPDATE model SET description = $2, updated_at = $3 WHERE id = $1";
        self.execute(DESCRIBE, params![model, description, now]).map(|_| ())
    }

    /// Marks a model as updated, since one of its versions came, went or moved.
    pub fn model_touch<V: Verb>(&mut self, _permit: &Permit<V>, model: ModelRow, now: Timestamp) -> Result<()> {
        const TOUCH: &str = "UPDATE model SET updated_at = $2 WHERE id = $1";
        self.execute(TOUCH, params![model, now]).map(|_| ())
    }

    /// Deletes a model with its versions, tags and aliases.
    pub fn model_delete(&mut self, _permit: &Permit<RegisterModel>, model: ModelRow) -> Result<()> {
        const DELETE: &str = "DELETE FROM model WHERE id = $1";
        self.grants_of_model_follow(model, None)?;
        self.execute(DELETE, params![model]).map(|_| ())
    }

    /// Sets tags; of several with one key the last counts.
    pub fn model_tags_set(&mut self, _permit: &Permit<RegisterModel>, model: ModelRow, tags: &[Tag]) -> Result<()> {
        const INSERT: &str = "INSERT INTO model_tag (model_id, key, value)";
        const UPSERT: &str = "ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value";
        set_tags(self, INSERT, UPSERT, model.0, tags)?;
        self.tags_place(Tagged::Model(model), tags)
    }

    /// The value of one tag.
    pub fn model_tag_get(&mut self, model: ModelRow, key: &str) -> Result<Option<String>> {
        const GET: &str = "SELECT value FROM model_tag WHERE model_id = $1 AND key = $2";
        self.query_opt(GET, params![model, key], |row| row.text(0))
    }

    /// Says whether the tag was there.
    pub fn model_tag_delete(&mut self, _permit: &Permit<RegisterModel>, model: ModelRow, key: &str) -> Result<bool> {
        const DELETE: &str = "DELETE FROM model_tag WHERE model_id = $1 AND key = $2";
        Ok(self.execute(DELETE, params![model, key])? > 0)
    }
}
