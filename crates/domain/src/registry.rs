//! The model registry: models, their numbered versions, aliases and stages.

use crate::id::{LoggedModelId, ModelRow, ModelVersionRow, RunId, Timestamp};
use crate::lifecycle::{ApprovalStatus, Stage};
use crate::record::{Param, Tag};

#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub row: ModelRow,
    pub name: String,
    pub description: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
    pub aliases: Vec<ModelAlias>,
    /// The newest version of each stage that has any.
    pub latest_versions: Vec<ModelVersion>,
}

/// A name that points at one version of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAlias {
    pub alias: String,
    pub version: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersion {
    pub row: ModelVersionRow,
    pub model: String,
    /// Counts from 1 in each model; a number is never used again.
    pub number: i64,
    pub description: Option<String>,
    pub user: Option<String>,
    pub stage: Stage,
    pub approval: ApprovalStatus,
    /// Where the client says the files are, which may be another model version or a run.
    pub source: String,
    /// Where the files really are.
    pub storage_uri: String,
    pub run: Option<RunId>,
    pub run_link: Option<String>,
    pub logged_model: Option<LoggedModelId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
    pub aliases: Vec<String>,
    /// Params and metrics of the logged model behind the version, for readers that show them.
    pub params: Vec<Param>,
    pub metrics: Vec<crate::record::ModelMetric>,
}

/// The alias names that always mean the stage of that name.
pub fn stage_of_alias(alias: &str) -> Option<Stage> {
    match alias {
        "staging" => Some(Stage::Staging),
        "production" => Some(Stage::Production),
        "archived" => Some(Stage::Archived),
        _ => None,
    }
}
