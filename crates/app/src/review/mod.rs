//! Reviews of what an application did: issues, questions for reviewers, and queues of traces.

mod issue;
mod label_schema;
mod queue;

pub use issue::NewIssue;
pub use label_schema::NewLabelSchema;
pub use queue::NewReviewQueue;
use stele_domain::authz::{ManageReview, Permit, Principal, Visibility};
use stele_domain::id::ExperimentId;
use stele_domain::{Kind, Result};
use stele_store::Tx;

use crate::Ctx;
use crate::experiment::require_active;

/// Opens the experiment that something is to be made in, which must be in use.
fn open(tx: &mut Tx, permit: &Permit<ManageReview>, id: ExperimentId) -> Result<()> {
    let experiment = tx.review_experiment_open(permit, id)?;
    require_active(Kind::Experiment, id.to_string(), experiment.presence)
}

/// Sees to it that an experiment is there, is seen and is in use.
fn look_at(tx: &mut Tx, visible: &Visibility, id: ExperimentId) -> Result<()> {
    let experiment = tx.experiment_get(visible, id)?;
    require_active(Kind::Experiment, id.to_string(), experiment.presence)
}

/// The account that asks; none on a server without authentication.
fn account(ctx: &Ctx) -> Option<String> {
    match &ctx.principal {
        Principal::LocalOwner => None,
        Principal::Account(account) => Some(account.name.to_string()),
    }
}
