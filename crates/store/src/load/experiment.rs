//! Experiments as they were somewhere else, with their ids and times.

use stele_domain::authz::{LoadRecord, Permit};
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::lifecycle::Presence;
use stele_domain::record::Tag;
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{EngineKind, Value, params};

/// An experiment as it was somewhere else.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedExperiment {
    /// Kept where it is free.
    pub id: ExperimentId,
    pub name: String,
    pub artifact_location: String,
    pub presence: Presence,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
}

impl Tx<'_> {
    /// Makes an experiment with the id given, unless another one has it, and with all else as it was.
    pub fn experiment_load(&mut self, permit: &Permit<LoadRecord>, new: &LoadedExperiment) -> Result<ExperimentId> {
        const WITH_ID: &str = "INSERT INTO experiment
                 (id, workspace_id, name, artifact_location, presence, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id";
        const WITHOUT_ID: &str = "INSERT INTO experiment
                 (workspace_id, name, artifact_location, presence, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id";
        permit.require_workspace()?;
        let LoadedExperiment { id, name, artifact_location, presence, created_at, updated_at, tags } = new;
        let (workspace, presence) = (permit.workspace(), presence.as_str());
        let with_id = params![*id, workspace, name, artifact_location, presence, *created_at, *updated_at];
        let made = match self.query_opt(WITH_ID, with_id, |row| row.int(0))? {
            Some(made) => {
                self.experiment_numbers_pass(made)?;
                Some(made)
            }
            None => {
                let without_id = params![workspace, name, artifact_location, presence, *created_at, *updated_at];
                self.query_opt(WITHOUT_ID, without_id, |row| row.int(0))?
            }
        };
        let made = made.map(ExperimentId).ok_or_else(|| Error::already_exists(Kind::Experiment, name))?;
        self.experiment_tags_load(made, tags)?;
        Ok(made)
    }

    /// Turns the experiment that every record starts with into the one given, if nobody has used it. Says whether.
    pub fn experiment_replace_unused(
        &mut self,
        permit: &Permit<LoadRecord>,
        id: ExperimentId,
        new: &LoadedExperiment,
    ) -> Result<bool> {
        const REPLACE: &str =
            "UPDATE experiment SET artifact_location = $3, presence = $4, created_at = $5, updated_at = $6
             WHERE id = $1 AND workspace_id = $2 AND id = 0 AND created_at = updated_at AND presence = 'active'
                 AND NOT EXISTS (SELECT 1 FROM run WHERE experiment_id = $1)
                 AND NOT EXISTS (SELECT 1 FROM logged_model WHERE experiment_id = $1)
                 AND NOT EXISTS (SELECT 1 FROM experiment_tag WHERE experiment_id = $1)";
        permit.require_workspace()?;
        let LoadedExperiment { id: _, name: _, artifact_location, presence, created_at, updated_at, tags } = new;
        let values = params![id, permit.workspace(), artifact_location, presence.as_str(), *created_at, *updated_at];
        if self.execute(REPLACE, values)? == 0 {
            return Ok(false);
        }
        self.experiment_tags_load(id, tags)?;
        Ok(true)
    }

    /// Moves an experiment that a load has made to its final place: what was said of it when it was made could not
    /// contain its id.
    pub fn experiment_relocate(
        &mut self,
        _permit: &Permit<LoadRecord>,
        id: ExperimentId,
        artifact_location: &str,
    ) -> Result<()> {
        const RELOCATE: &str = "UPDATE experiment SET artifact_location = $2 WHERE id = $1";
        self.execute(RELOCATE, params![id, artifact_location]).map(|_| ())
    }

    fn experiment_tags_load(&mut self, id: ExperimentId, tags: &[Tag]) -> Result<()> {
        let values: Vec<Value> =
            tags.iter().flat_map(|tag| [id.into(), (&tag.key).into(), (&tag.value).into()]).collect();
        let tail = "ON CONFLICT (experiment_id, key) DO NOTHING";
        self.insert_rows("INSERT INTO experiment_tag (experiment_id, key, value)", 3, tail, &values).map(|_| ())
    }

    /// Makes the numbers that the database gives out go on after `id`. SQLite does that by itself.
    fn experiment_numbers_pass(&mut self, id: i64) -> Result<()> {
        const PASS: &str = "SELECT setval(pg_get_serial_sequence('experiment', 'id'),
             GREATEST(CAST($1 AS BIGINT), 1, (SELECT last_value FROM pg_sequences
                 WHERE schemaname = current_schema() AND sequencename = 'experiment_id_seq')))";
        match self.engine() {
            EngineKind::Sqlite => Ok(()),
            EngineKind::Postgres => self.query_one(PASS, params![id], |row| row.int(0)).map(|_| ()),
        }
    }
}
