//! What must hold before a version moves, who says so, and what was answered.

mod answer;
mod artifacts;
mod evaluation;
mod evidence;
mod exception;
mod fingerprint;
mod gate;
mod lapse;
mod pass;
mod report;
mod review;

pub use evaluation::NewModelEvaluation;
pub use exception::NewException;
pub use gate::Checked;
pub use review::{NewReview, Reviewed};

pub(crate) use pass::{Kept, keep_gates, pass, pass_all, pass_renamed, refusal_kept};
pub(crate) use review::{standing, vote_of};

use stele_domain::{Error, Result};

use crate::transact::check_text;

/// The longest reason or comment, in characters.
const LONGEST_REASON: usize = 5_000;

fn check_reason(field: &str, reason: &str) -> Result<()> {
    check_text(field, reason)?;
    if reason.chars().count() > LONGEST_REASON {
        return Err(Error::invalid(format!("{field} has more than {LONGEST_REASON} characters")));
    }
    Ok(())
}
