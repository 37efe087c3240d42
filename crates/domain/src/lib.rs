//! The record: types, ids, lifecycles, search, authorization and errors. No IO, no async, no wire formats.

pub mod error;
pub mod metric;
pub mod search;

pub use error::{Error, Kind, Result};
pub use metric::Point;
