//! Reviews of what an application did: issues, questions for reviewers, and queues of traces.

pub(crate) mod issue;
pub(crate) mod label_schema;
mod queue;

pub use issue::NewIssue;
pub use label_schema::NewLabelSchema;
pub use queue::NewReviewQueue;
use stele_domain::authz::{ManageReview, Permit, Place, Visibility};
use stele_domain::id::ExperimentId;
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::Ctx;
use crate::experiment::require_active;
use crate::identity::own_account;

/// Sees to it that an experiment is there, is seen and is in use.
fn look_at(tx: &mut Tx, visible: &Visibility, id: ExperimentId) -> Result<()> {
    let experiment = tx.experiment_get(visible, id)?;
    require_active(Kind::Experiment, id.to_string(), experiment.presence)
}

/// What was opened to be removed, if it is there. That it is not goes well for those who may remove such things in the
/// whole workspace; others are told that there is none, as of one that they do not see.
fn if_there<T>(
    tx: &mut Tx,
    permit: &Permit<ManageReview>,
    kind: Kind,
    id: &str,
    opened: Result<T>,
) -> Result<Option<T>> {
    match opened {
        Err(Error::NotFound { kind: missing, .. }) if missing == kind => {
            permit.require(tx, Place::Workspace, kind, id)?;
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// The name of the account that asks; none on a server without authentication.
fn account(ctx: &Ctx) -> Option<String> {
    own_account(ctx).map(|account| account.name.clone())
}
