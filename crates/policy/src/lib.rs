//! A team's own rules, written in Cedar: read, checked against the schema of the record, compiled once, and asked.
//!
//! Roles are not rules here: they are decided without this crate. See [`stele_domain::authz::explain`] for how the two
//! come together.

mod ask;
mod compile;
mod names;
mod needs;
mod read;
mod schema;

pub use compile::{PolicySet, Unreadable};
pub use read::rules_in;
pub use schema::SCHEMA;

#[cfg(test)]
mod needs_tests;
#[cfg(test)]
mod tests;
