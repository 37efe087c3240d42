use std::collections::BTreeMap;

use stele_domain::authz::{ApproveModel, Permit, PromoteModel, RegisterModel, Verb};
use stele_domain::id::{LoggedModelId, ModelRow, ModelVersionRow, RunId, Timestamp};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::record::Tag;
use stele_domain::registry::version_id;
use stele_domain::{Error, Kind, Result};

use super::ModelHead;
use crate::Tx;
use crate::engine::{Value, params};
use crate::tag_place::Tagged;

/// A model version to be made; it starts in stage none, waiting for approval.
#[derive(Debug, Clone)]
pub struct NewModelVersion {
    pub public_id: String,
    pub description: Option<String>,
    pub source: String,
    pub storage_uri: String,
    pub run: Option<RunId>,
    pub run_link: Option<String>,
    pub logged_model: Option<LoggedModelId>,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
}

/// A model version as a change to it starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersionHead {
    pub row: ModelVersionRow,
    pub number: i64,
    pub stage: Stage,
    pub description: Option<String>,
}

const HEAD: &str = "SELECT id, number, stage, description FROM model_version";

impl Tx<'_> {
    /// Makes the next version of a model. Numbers count up and are never used again.
    pub fn model_version_create(
        &mut self,
        permit: &Permit<RegisterModel>,
        model: ModelRow,
        new: &NewModelVersion,
        now: Timestamp,
    ) -> Result<(ModelVersionRow, i64)> {
        const NUMBER: &str =
            "UPDATE model SET last_number = last_number + 1, updated_at = $2 WHERE id = $1 RETURNING last_number";
        const INSERT: &str = "INSERT INTO model_version (public_id, model_id, number, description, stage, approval,
                 source, storage_uri, run, run_link, logged_model, created_at, updated_at, author)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13) RETURNING id";
        let number = self.query_one(NUMBER, params![model, now], |row| row.int(0))?;
        let values = params![
            &new.public_id,
            model,
            number,
            new.description.as_deref(),
            Stage::None.as_str(),
            ApprovalStatus::Pending.as_str(),
            &new.source,
            &new.storage_uri,
            new.run.as_ref().map(RunId::as_str),
            new.run_link.as_deref(),
            new.logged_model.as_ref().map(LoggedModelId::as_str),
            now,
            permit.subject().principal.name(),
        ];
        let row = self.query_one(INSERT, values, |row| row.int(0)).map(ModelVersionRow)?;
        self.model_version_tags_set(permit, row, &new.tags)?;
        Ok((row, number))
    }

    /// Reads a version that this transaction is about to change. The opened model keeps other writers away.
    pub fn model_version_open<V: Verb>(
        &mut self,
        _permit: &Permit<V>,
        model: &ModelHead,
        number: i64,
    ) -> Result<ModelVersionHead> {
        let sql = format!("{HEAD} WHERE model_id = $1 AND number = $2");
        self.query_opt(&sql, params![model.row, number], head)?
            .ok_or_else(|| Error::not_found(Kind::ModelVersion, version_id(&model.name, number)))
    }

    /// The versions of a model in a stage that this transaction is about to change, by number.
    pub fn model_version_open_stage(
        &mut self,
        _permit: &Permit<PromoteModel>,
        model: &ModelHead,
        stage: Stage,
    ) -> Result<Vec<ModelVersionHead>> {
        let sql = format!("{HEAD} WHERE model_id = $1 AND stage = $2 ORDER BY number");
        self.query(&sql, params![model.row, stage.as_str()], head)
    }

    /// Moves a version to another stage.
    pub fn model_version_transition(
        &mut self,
        _permit: &Permit<PromoteModel>,
        version: ModelVersionRow,
        stage: Stage,
        now: Timestamp,
    ) -> Result<()> {
        const TRANSITION: &str = "UPDATE model_version SET stage = $2, updated_at = $3 WHERE id = $1";
        self.execute(TRANSITION, params![version, stage.as_str(), now])?;
        match stage {
            Stage::Production => self.model_version_produced(version),
            Stage::None | Stage::Staging | Stage::Archived => Ok(()),
        }
    }

    /// Keeps that a version is the one that was in production last.
    pub(crate) fn model_version_produced(&mut self, version: ModelVersionRow) -> Result<()> {
        const PRODUCED: &str = "UPDATE model SET last_in_production =
                 (SELECT version.number FROM model_version AS version WHERE version.id = $1)
             WHERE id = (SELECT version.model_id FROM model_version AS version WHERE version.id = $1)";
        self.execute(PRODUCED, params![version]).map(|_| ())
    }

    /// Sets the decision on a version.
    pub fn model_version_decide(
        &mut self,
        _permit: &Permit<ApproveModel>,
        version: ModelVersionRow,
        approval: ApprovalStatus,
        now: Timestamp,
    ) -> Result<()> {
        const DECIDE: &str = "UPDATE model_version SET approval = $2, updated_at = $3 WHERE id = $1";
        self.execute(DECIDE, params![version, approval.as_str(), now]).map(|_| ())
    }

    pub fn model_version_describe(
        &mut self,
        _permit: &Permit<RegisterModel>,
        version: ModelVersionRow,
        description: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        const DESCRIBE: &str = "UPDATE model_version SET description = $2, updated_at = $3 WHERE id = $1";
        self.execute(DESCRIBE, params![version, description, now]).map(|_| ())
    }

    /// Deletes a version with its tags and the aliases that point at it.
    pub fn model_version_delete(
        &mut self,
        _permit: &Permit<RegisterModel>,
        model: ModelRow,
        version: &ModelVersionHead,
    ) -> Result<()> {
        const ALIASES: &str = "DELETE FROM model_alias WHERE model_id = $1 AND number = $2";
        const DELETE: &str = "DELETE FROM model_version WHERE id = $1";
        self.execute(ALIASES, params![model, version.number])?;
        self.execute(DELETE, params![version.row]).map(|_| ())
    }

    /// Sets tags; of several with one key the last counts.
    pub fn model_version_tags_set(
        &mut self,
        _permit: &Permit<RegisterModel>,
        version: ModelVersionRow,
        tags: &[Tag],
    ) -> Result<()> {
        const INSERT: &str = "INSERT INTO model_version_tag (model_version_id, key, value)";
        const UPSERT: &str = "ON CONFLICT (model_version_id, key) DO UPDATE SET value = excluded.value";
        set_tags(self, INSERT, UPSERT, version.0, tags)?;
        self.tags_place(Tagged::ModelVersion(version), tags)
    }

    /// Says whether the tag was there.
    pub fn model_version_tag_delete(
        &mut self,
        _permit: &Permit<RegisterModel>,
        version: ModelVersionRow,
        key: &str,
    ) -> Result<bool> {
        const DELETE: &str = "DELETE FROM model_version_tag WHERE model_version_id = $1 AND key = $2";
        Ok(self.execute(DELETE, params![version, key])? > 0)
    }
}

/// Upserts tags of one owner, each key once.
pub(super) fn set_tags(tx: &mut Tx, insert: &str, upsert: &str, owner: i64, tags: &[Tag]) -> Result<()> {
    let newest: BTreeMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    let values: Vec<Value> =
        newest.into_iter().flat_map(|(key, value)| [owner.into(), key.into(), value.into()]).collect();
    tx.insert_rows(insert, 3, upsert, &values).map(|_| ())
}

fn head(row: &crate::engine::Row) -> Result<ModelVersionHead> {
    Ok(ModelVersionHead {
        row: ModelVersionRow(row.int(0)?),
        number: row.int(1)?,
        stage: row.parsed(2, Stage::parse)?,
        description: row.opt_text(3)?,
    })
}
