//! In which order tags came to a thing, for clients that list them so.

use stele_domain::Result;
use stele_domain::authz::{LogRun, Permit};
use stele_domain::id::{ExperimentId, ModelRow, ModelVersionRow, ResourceRow, RunRow};
use stele_domain::record::Tag;

use crate::Tx;
use crate::engine::params;

/// A thing that has tags.
#[derive(Debug, Clone, Copy)]
pub enum Tagged {
    Model(ModelRow),
    ModelVersion(ModelVersionRow),
    Experiment(ExperimentId),
    Run(RunRow),
    Resource(ResourceRow),
}

impl Tagged {
    /// Its table of tags, the column there that names the thing, and the thing.
    fn table(self) -> (&'static str, &'static str, i64) {
        match self {
            Tagged::Model(row) => ("model_tag", "model_id", row.0),
            Tagged::ModelVersion(row) => ("model_version_tag", "model_version_id", row.0),
            Tagged::Experiment(id) => ("experiment_tag", "experiment_id", id.0),
            Tagged::Run(row) => ("run_tag", "run_id", row.0),
            Tagged::Resource(row) => ("resource_tag", "resource_id", row.0),
        }
    }
}

impl Tx<'_> {
    /// Puts tags that have no place yet behind the others, in the order given. One that is set anew keeps its place.
    pub(crate) fn tags_place(&mut self, tagged: Tagged, tags: &[Tag]) -> Result<()> {
        let (table, column, row) = tagged.table();
        let place = format!(
            "UPDATE {table} SET place = (SELECT COALESCE(MAX(place), 0) + 1 FROM {table} WHERE {column} = $1)
             WHERE {column} = $1 AND key = $2 AND place = 0"
        );
        for tag in tags {
            self.execute(&place, params![row, &tag.key])?;
        }
        Ok(())
    }

    /// As for other things, but not with every tag that is set: runs log too many for that.
    pub fn run_tags_place(&mut self, _permit: &Permit<LogRun>, run: RunRow, tags: &[Tag]) -> Result<()> {
        self.tags_place(Tagged::Run(run), tags)
    }

    /// The keys of the tags in the order in which they came; those without a place are first, by key.
    pub fn tag_keys(&mut self, tagged: Tagged) -> Result<Vec<String>> {
        let (table, column, row) = tagged.table();
        let keys = format!("SELECT key FROM {table} WHERE {column} = $1 ORDER BY place, key");
        self.query(&keys, params![row], |row| row.text(0))
    }
}
