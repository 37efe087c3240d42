//! Issues, questions for reviewers, and queues of traces. All of them are in an experiment.

mod issue;
mod item;
mod label_schema;
mod queue;

pub(crate) use issue::{COLUMNS, issue};
