//! MLflow's filter and `order_by` languages, parsed into the record's search AST.
//!
//! The grammar is MLflow's, `comparison (AND comparison)*`, with `OR`, `NOT`, parentheses and `IN` lists on any text
//! as additions. `NOT` binds tighter than `AND`, `AND` tighter than `OR`; keywords are case-insensitive.
//! Stray `AND`s and a missing `AND` between two comparisons are accepted, because MLflow accepts them and programs
//! that join optional clauses rely on it.
//!
//! Literals are taken verbatim, as MLflow takes them: `'it''s'` and `'it\'s'` do not end at the inner quote, and the
//! doubled quote or the backslash stays in the value. Only inside an `IN` list are backslash escapes decoded.
//!
//! Error messages begin with MLflow's text, which its clients match, and end with the position (in characters, from 1).

mod comparison;
pub(crate) mod evaluation_datasets;
pub(crate) mod experiments;
pub(crate) mod issues;
mod key;
mod lexer;
pub(crate) mod logged_models;
mod messages;
pub(crate) mod models;
pub(crate) mod order_by;
mod parser;
pub(crate) mod prompts;
pub(crate) mod runs;
#[cfg(test)]
mod tests;
pub(crate) mod trace_metrics;
pub(crate) mod traces;
pub(crate) mod versions;

pub(crate) use order_by::OrderByError;
pub(crate) use prompts::{PromptSelection, select_prompts};

/// Longest filter or `order_by` clause, in bytes: room for an `IN` list of some 25,000 run ids.
pub(crate) const MAX_LENGTH: usize = 1 << 20;
/// Deepest nesting of parentheses and `NOT`.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most comparisons in one filter.
pub(crate) const MAX_COMPARISONS: usize = 1_000;
/// Most values in one `IN` list.
pub(crate) const MAX_LIST_VALUES: usize = 20_000;
/// Most clauses in one `order_by`.
pub(crate) const MAX_ORDER_BY_CLAUSES: usize = 100;
