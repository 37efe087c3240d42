//! How people look at what an application did: issues that were found in its traces, questions that reviewers answer
//! about them, and queues of traces that wait for a review.

mod issue;
mod label_schema;
mod queue;

pub use issue::{Issue, IssueChange, IssueSearch, IssueStatus, Severity};
pub use label_schema::{DEFAULT_INSTRUCTION, DEFAULT_NAME, LabelInput, LabelKind, LabelSchema, LabelSchemaChange};
pub use queue::{
    QueueChange, QueueKind, ReviewItem, ReviewQueue, ReviewStatus, check_owner, custom_queue_name, folded, reviewer,
    reviewers, user_queue_name,
};

use crate::{Error, Result};

/// Refuses a text that is empty or longer than `most` characters.
fn check_length(what: &str, text: &str, most: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!("`{what}` must be a non-empty string; got ''.")));
    }
    check_most(what, text, most)
}

/// Refuses a text that is longer than `most` characters.
fn check_most(what: &str, text: &str, most: usize) -> Result<()> {
    match text.chars().count() {
        length if length > most => {
            Err(Error::invalid(format!("`{what}` must be at most {most} characters; got {length}.")))
        }
        _ => Ok(()),
    }
}
