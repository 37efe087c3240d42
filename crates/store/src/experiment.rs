use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::{ManageExperiment, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::lifecycle::Presence;
use stele_domain::record::{Experiment, Tag};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, params};
use crate::tag_place::Tagged;

/// An experiment to be made. Without a location it lies below `default_root`, under its own id.
#[derive(Debug, Clone)]
pub struct NewExperiment {
    pub name: String,
    pub artifact_location: Option<String>,
    pub default_root: String,
    pub tags: Vec<Tag>,
}

pub(crate) const COLUMNS: &str = "id, name, artifact_location, presence, created_at, updated_at";

impl Tx<'_> {
    pub fn experiment_create(
        &mut self,
        permit: &Permit<ManageExperiment>,
        new: &NewExperiment,
        now: Timestamp,
    ) -> Result<ExperimentId> {
        const INSERT: &str =
            "INSERT INTO experiment (workspace_id, name, artifact_location, presence, created_at, updated_at)
             VALUES ($1, $2, $3, 'active', $4, $4) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING id";
        const LOCATE: &str = "UPDATE experiment SET artifact_location = $2 WHERE id = $1";
        permit.require_workspace()?;
        let location = new.artifact_location.as_deref().unwrap_or("");
        let id = self
            .query_opt(INSERT, params![permit.workspace(), &new.name, location, now], |row| row.int(0))?
            .map(ExperimentId)
            .ok_or_else(|| Error::already_exists(Kind::Experiment, &new.name))?;
        if new.artifact_location.is_none() {
            let location = append_to_uri_path(&new.default_root, &id.to_string())?;
            self.execute(LOCATE, params![id, &location])?;
        }
        let tags: Vec<Value> =
            new.tags.iter().flat_map(|tag| [id.into(), (&tag.key).into(), (&tag.value).into()]).collect();
        self.insert_rows(
            "INSERT INTO experiment_tag (experiment_id, key, value)",
            3,
            "ON CONFLICT (experiment_id, key) DO NOTHING",
            &tags,
        )?;
        self.tags_place(Tagged::Experiment(id), &new.tags)?;
        Ok(id)
    }

    pub fn experiment_get(&mut self, visible: &Visibility, id: ExperimentId) -> Result<Experiment> {
        visible.require(Place::Experiment(id), Kind::Experiment, id)?;
        let sql = format!("SELECT {COLUMNS} FROM experiment WHERE workspace_id = $1 AND id = $2");
        let mut experiment = self
            .query_opt(&sql, params![visible.workspace(), id], experiment)?
            .ok_or_else(|| Error::not_found(Kind::Experiment, id.to_string()))?;
        experiment.tags = self.experiment_tags(id)?;
        Ok(experiment)
    }

    /// Reads an experiment, without its tags, that must not be deleted before this transaction ends.
    pub fn experiment_hold(&mut self, visible: &Visibility, id: ExperimentId) -> Result<Experiment> {
        visible.require(Place::Experiment(id), Kind::Experiment, id)?;
        let sql = format!("SELECT {COLUMNS} FROM experiment WHERE workspace_id = $1 AND id = $2{}", self.for_share());
        self.query_opt(&sql, params![visible.workspace(), id], experiment)?
            .ok_or_else(|| Error::not_found(Kind::Experiment, id.to_string()))
    }

    pub fn experiment_get_by_name(&mut self, visible: &Visibility, name: &str) -> Result<Experiment> {
        let sql = format!("SELECT {COLUMNS} FROM experiment WHERE workspace_id = $1 AND name = $2");
        let mut experiment = self
            .query_opt(&sql, params![visible.workspace(), name], experiment)?
            .ok_or_else(|| Error::not_found(Kind::Experiment, name))?;
        visible.require(Place::Experiment(experiment.id), Kind::Experiment, name)?;
        experiment.tags = self.experiment_tags(experiment.id)?;
        Ok(experiment)
    }

    /// Reads an experiment that this transaction is about to change, or to change what is in it; others who want to wait.
    pub fn experiment_open<V>(&mut self, permit: &Permit<V>, id: ExperimentId) -> Result<Experiment> {
        let sql = format!("SELECT {COLUMNS} FROM experiment WHERE workspace_id = $1 AND id = $2{}", self.for_update());
        let experiment = self
            .query_opt(&sql, params![permit.workspace(), id], experiment)?
            .ok_or_else(|| Error::not_found(Kind::Experiment, id.to_string()))?;
        permit.require(self, Place::Experiment(id), Kind::Experiment, id)?;
        Ok(experiment)
    }

    pub fn experiment_rename(
        &mut self,
        _permit: &Permit<ManageExperiment>,
        id: ExperimentId,
        name: &str,
        now: Timestamp,
    ) -> Result<()> {
        const RENAME: &str = "UPDATE experiment SET name = $2, updated_at = $3 WHERE id = $1";
        self.execute(RENAME, params![id, name, now]).map(|_| ()).map_err(|error| match error {
            Error::Conflict { .. } => Error::already_exists(Kind::Experiment, name),
            other => other,
        })
    }

    /// Moves an experiment and all its runs to the trash or out of it.
    pub fn experiment_set_presence(
        &mut self,
        _permit: &Permit<ManageExperiment>,
        id: ExperimentId,
        presence: Presence,
        now: Timestamp,
    ) -> Result<()> {
        const EXPERIMENT: &str = "UPDATE experiment SET presence = $2, updated_at = $3 WHERE id = $1";
        const RUNS: &str = "UPDATE run SET presence = $2, deleted_at = $3 WHERE experiment_id = $1";
        let deleted_at = (presence == Presence::Deleted).then_some(now);
        self.execute(EXPERIMENT, params![id, presence.as_str(), now])?;
        self.execute(RUNS, params![id, presence.as_str(), deleted_at])?;
        Ok(())
    }

    pub fn experiment_tag_set(
        &mut self,
        _permit: &Permit<ManageExperiment>,
        id: ExperimentId,
        tag: &Tag,
    ) -> Result<()> {
        const UPSERT: &str = "INSERT INTO experiment_tag (experiment_id, key, value) VALUES ($1, $2, $3)
             ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value";
        self.execute(UPSERT, params![id, &tag.key, &tag.value])?;
        self.tags_place(Tagged::Experiment(id), std::slice::from_ref(tag))
    }

    /// Says whether the tag was there.
    pub fn experiment_tag_delete(
        &mut self,
        _permit: &Permit<ManageExperiment>,
        id: ExperimentId,
        key: &str,
    ) -> Result<bool> {
        const DELETE: &str = "DELETE FROM experiment_tag WHERE experiment_id = $1 AND key = $2";
        Ok(self.execute(DELETE, params![id, key])? > 0)
    }

    pub(crate) fn experiment_tags(&mut self, id: ExperimentId) -> Result<Vec<Tag>> {
        const TAGS: &str = "SELECT key, value FROM experiment_tag WHERE experiment_id = $1 ORDER BY key";
        self.query(TAGS, params![id], tag)
    }
}

pub(crate) fn experiment(row: &Row) -> Result<Experiment> {
    Ok(Experiment {
        id: ExperimentId(row.int(0)?),
        name: row.text(1)?,
        artifact_location: row.text(2)?,
        presence: row.parsed(3, Presence::parse)?,
        created_at: Timestamp(row.int(4)?),
        updated_at: Timestamp(row.int(5)?),
        tags: Vec::new(),
    })
}

pub(crate) fn tag(row: &Row) -> Result<Tag> {
    Ok(Tag { key: row.text(0)?, value: row.text(1)? })
}
