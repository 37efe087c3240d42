//! Who may do what. Every use case asks here, and store methods that change governed things take the
//! [`Permit`] that only [`authorize`] can make, so that a forgotten check does not compile.
//!
//! A permit says to which part of the workspace its verb may be done. Whether a thing is in that part is known once its
//! row is read, so that the store asks the permit when it opens a thing, and a change whose permit was never asked is
//! refused (`Permit::settle`).
//!
//! A team's own rules are asked at the same place, about the thing as it is before the change; [`explain`] is how they
//! and the roles come together.

mod explain;
mod extent;
mod judge;
mod permit;
mod verb;

pub use explain::{Decision, Reason, explain};
pub use extent::{Extent, Place, Visibility};
pub use judge::{Concern, Described, Intent, Judge, Judgement, Question, Rule, Rules, Thing};
pub use permit::{Denial, Permit, authorize, authorize_own};
pub use verb::*;

use std::sync::Arc;

use crate::id::WorkspaceId;
pub use crate::identity::Principal;

/// Who asks, and in which workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub principal: Principal,
    pub workspace: WorkspaceId,
    pub workspace_name: Arc<str>,
}

/// The part of the record that `subject` may see. What it may not see does not exist for it.
pub fn visible(subject: &Subject) -> Visibility {
    Visibility::new(subject.workspace, Extent::of(subject, |_| true))
}

#[cfg(test)]
mod tests;
