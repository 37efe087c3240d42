//! What a team's rules look at of a thing.

use stele_domain::authz::{Described, Place, Thing};
use stele_domain::id::{ModelRow, WorkspaceId};
use stele_domain::record::Tag;
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::params;
use crate::experiment::tag;

impl Described for Tx<'_> {
    fn describe(&mut self, workspace: WorkspaceId, place: Place) -> Result<Thing> {
        const EXPERIMENT: &str = "SELECT name FROM experiment WHERE workspace_id = $1 AND id = $2";
        const MODEL: &str = "SELECT id FROM model WHERE workspace_id = $1 AND name = $2";
        match place {
            Place::Workspace => Ok(Thing::Workspace),
            Place::Experiment(id) => {
                let name = self.query_opt(EXPERIMENT, params![workspace, id], |row| row.text(0))?;
                let name = name.ok_or_else(|| Error::not_found(Kind::Experiment, id.to_string()))?;
                Ok(Thing::Experiment { id, name, tags: self.experiment_tags(id)? })
            }
            Place::Model(name) => {
                let row = self.query_opt(MODEL, params![workspace, name], |row| row.int(0))?.map(ModelRow);
                let row = row.ok_or_else(|| Error::not_found(Kind::Model, name))?;
                Ok(Thing::Model { name: name.to_owned(), tags: self.model_tags(row)? })
            }
        }
    }
}

impl Tx<'_> {
    /// The tags of a model by their keys.
    pub fn model_tags(&mut self, model: ModelRow) -> Result<Vec<Tag>> {
        const TAGS: &str = "SELECT key, value FROM model_tag WHERE model_id = $1 ORDER BY key";
        self.query(TAGS, params![model], tag)
    }
}
