//! Issues, questions for reviewers, and queues of traces. All of them are in an experiment.

mod issue;
mod item;
mod label_schema;
mod queue;

pub(crate) use issue::{COLUMNS, issue};
pub(crate) use item::{COLUMNS as ITEM_COLUMNS, item};
pub(crate) use label_schema::{COLUMNS as LABEL_SCHEMA_COLUMNS, label_schema};
pub(crate) use queue::{COLUMNS as QUEUE_COLUMNS, queue};
