//! The model registry: models, their numbered versions, aliases and stages.

use crate::id::{LoggedModelId, ModelRow, ModelVersionRow, RunId, Timestamp};
use crate::lifecycle::{ApprovalStatus, Stage};
use crate::record::Tag;

/// MLflow's prompts are models whose tag of this key says `true`; they share the names of models.
pub const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

/// Whether the tags are those of a prompt.
pub fn is_prompt(tags: &[Tag]) -> bool {
    tags.iter().any(|tag| tag.key == PROMPT_TAG && tag.value.eq_ignore_ascii_case("true"))
}

#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub row: ModelRow,
    pub name: String,
    pub description: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
    /// Sorted, with those that mean a stage.
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
    /// Sorted, with the stage's own alias when this is the newest version of its stage.
    pub aliases: Vec<String>,
}

/// The alias names that always mean the stage of that name, however they are capitalised: MLflow writes `Production`.
pub fn stage_of_alias(alias: &str) -> Option<Stage> {
    let is = |stage: &&Stage| **stage != Stage::None && alias.eq_ignore_ascii_case(stage.as_str());
    Stage::ALL.iter().find(is).copied()
}

/// The alias that always means `stage`; stage none has no such alias.
pub fn alias_of_stage(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::None => None,
        Stage::Staging | Stage::Production | Stage::Archived => Some(stage.as_str()),
    }
}

/// How a model version is named in errors and in the audit log. Model names have no slash.
pub fn version_id(model: &str, number: i64) -> String {
    format!("{model}/{number}")
}

/// What the others in a stage do when a version enters it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupants {
    Archive,
    Stay,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_their_aliases_agree() {
        for stage in Stage::ALL {
            assert_eq!(alias_of_stage(*stage).and_then(stage_of_alias), (*stage != Stage::None).then_some(*stage));
        }
        assert_eq!(stage_of_alias("Production"), Some(Stage::Production));
        assert_eq!(stage_of_alias("None"), None);
    }
}
