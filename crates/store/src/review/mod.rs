//! Issues, questions for reviewers, and queues of traces. All of them are in an experiment.

mod issue;
mod item;
mod label_schema;
mod queue;

pub(crate) use issue::{COLUMNS, issue};
use stele_domain::authz::{ManageReview, Permit, Place};
use stele_domain::id::ExperimentId;
use stele_domain::record::Experiment;
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::params;

impl Tx<'_> {
    /// Reads the experiment that something is about to be made in; two that make things in one wait for each other.
    pub fn review_experiment_open(&mut self, permit: &Permit<ManageReview>, id: ExperimentId) -> Result<Experiment> {
        let sql = format!(
            "SELECT {} FROM experiment WHERE workspace_id = $1 AND id = $2{}",
            crate::experiment::COLUMNS,
            self.for_update()
        );
        let experiment = self
            .query_opt(&sql, params![permit.workspace(), id], crate::experiment::experiment)?
            .ok_or_else(|| Error::not_found(Kind::Experiment, id.to_string()))?;
        permit.require(self, Place::Experiment(id), Kind::Experiment, id)?;
        Ok(experiment)
    }
}
