//! The record: types, ids, lifecycles, search, authorization and errors. No IO, no async, no wire formats.

pub mod artifact_path;
pub mod artifact_uri;
pub mod error;
pub mod search;

pub use artifact_path::ArtifactPath;
pub use error::{Error, Kind, Result};
