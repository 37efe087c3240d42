//! The record: types, ids, lifecycles, search, authorization and errors. No IO, no async, no wire formats.

pub mod authz;
pub mod change;
pub mod error;
pub mod id;
pub mod lifecycle;
pub mod metric;
pub mod record;
pub mod registry;
pub mod search;

pub use error::{Error, Kind, Result};
