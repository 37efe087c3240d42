//! The record: types, ids, lifecycles, search, authorization and errors. No IO, no async, no wire formats.

pub mod artifact_path;
pub mod artifact_uri;
pub mod audit;
pub mod authz;
pub mod bucket;
pub mod canonical;
pub mod change;
pub mod directory;
pub mod error;
pub mod evaluation;
pub mod event;
pub mod gate;
pub mod id;
pub mod identity;
pub mod lifecycle;
pub mod lineage;
pub mod metric;
mod metric_values;
pub mod model_history;
pub mod model_uri;
pub mod names;
pub mod otlp;
pub mod policy;
pub mod printable;
pub mod record;
pub mod registry;
pub mod resource;
pub mod review;
pub mod search;
pub mod trace;
pub mod webhook;
pub mod workspace;

pub use artifact_path::ArtifactPath;
pub use error::{Error, Kind, Result};
pub use metric::Point;
pub use metric_values::{MetricColumn, MetricValues, MetricValuesBuilder};
