//! Reviews of what an application did: issues, questions for reviewers, and queues of traces.

mod issue;
mod label_schema;
mod queue;

pub use issue::NewIssue;
pub use label_schema::NewLabelSchema;
pub use queue::NewReviewQueue;
use stele_domain::authz::Visibility;
use stele_domain::id::ExperimentId;
use stele_domain::{Kind, Result};
use stele_store::Tx;

use crate::Ctx;
use crate::experiment::require_active;
use crate::identity::own_account;

/// Sees to it that an experiment is there, is seen and is in use.
fn look_at(tx: &mut Tx, visible: &Visibility, id: ExperimentId) -> Result<()> {
    let experiment = tx.experiment_get(visible, id)?;
    require_active(Kind::Experiment, id.to_string(), experiment.presence)
}

/// The name of the account that asks; none on a server without authentication.
fn account(ctx: &Ctx) -> Option<String> {
    own_account(ctx).map(|account| account.name.clone())
}
