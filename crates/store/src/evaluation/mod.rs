//! Evaluation datasets with their records, and scorers.

mod dataset;
mod record;
mod scorer;

pub(crate) use dataset::{COLUMNS, dataset};
