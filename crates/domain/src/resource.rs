//! What one script keeps beside the record: named things with a document that their client wrote.

use serde_json::{Map, Value};

use crate::id::{ExperimentId, ResourceRow, Timestamp};
use crate::record::Tag;

pub type Document = Map<String, Value>;

#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub row: ResourceRow,
    /// 32 hex digits.
    pub public_id: String,
    pub kind: String,
    /// Unique in its kind.
    pub name: String,
    /// Of a trial: the experiment that it belongs to, by id and name.
    pub experiment: Option<(ExperimentId, String)>,
    /// Counts the documents that are kept; 1 as long as there is one.
    pub version: i64,
    pub document: Document,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
}

/// A former or present document of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceVersion {
    pub number: i64,
    pub document: Document,
    pub updated_at: Timestamp,
}

/// What one script keeps with an entity of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Facets {
    /// The entity's public id; empty where it has none but its row id.
    pub public_id: String,
    pub created_at: Timestamp,
    pub document: Document,
}

/// A trial that a run is in, with the experiment of the trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialOfRun {
    pub trial: String,
    pub experiment: ExperimentId,
    pub experiment_name: String,
}
