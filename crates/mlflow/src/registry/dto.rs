//! Registered models and model versions as MLflow's JSON has them.

use serde::Serialize;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::registry::{Model, ModelAlias, ModelVersion};

use crate::dto::{TagDto, tag_dtos};

/// Shows the approval of a version, which MLflow has no field for.
pub(crate) const APPROVAL_TAG: &str = "stele.approval";

#[derive(Serialize)]
pub(crate) struct RegisteredModelDto {
    name: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersionDto>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDto>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasDto>,
}

#[derive(Serialize)]
struct AliasDto {
    alias: String,
    version: String,
}

#[derive(Serialize)]
pub(crate) struct ModelVersionDto {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    current_stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    source: String,
    run_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDto>,
    run_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
}

impl From<Model> for RegisteredModelDto {
    fn from(model: Model) -> RegisteredModelDto {
        let Model { row: _, name, description, created_at, updated_at, tags, aliases, latest_versions } = model;
        RegisteredModelDto {
            name,
            creation_timestamp: created_at.0,
            last_updated_timestamp: updated_at.0,
            description: description.filter(|description| !description.is_empty()),
            latest_versions: latest_versions.into_iter().map(ModelVersionDto::row).collect(),
            tags: tag_dtos(tags),
            aliases: aliases
                .into_iter()
                .map(|ModelAlias { alias, version }| AliasDto { alias, version: version.to_string() })
                .collect(),
        }
    }
}

impl ModelVersionDto {
    /// A version as answers about one version and get-latest-versions have it.
    pub(crate) fn whole(version: ModelVersion) -> ModelVersionDto {
        let ModelVersion {
            row: _,
            model,
            number,
            description,
            user,
            stage,
            approval,
            source,
            // Only get-download-uri tells it.
            storage_uri: _,
            run,
            run_link,
            // MLflow never shows it; the logged model's tag points back.
            logged_model: _,
            created_at,
            updated_at,
            tags,
            aliases,
        } = version;
        let mut tags = tag_dtos(tags);
        if approval != ApprovalStatus::Pending {
            tags.push(TagDto { key: APPROVAL_TAG.to_owned(), value: approval.as_str().to_owned() });
        }
        ModelVersionDto {
            name: model,
            version: number.to_string(),
            creation_timestamp: created_at.0,
            last_updated_timestamp: updated_at.0,
            user_id: user,
            current_stage: stage_name(stage),
            description,
            source,
            run_id: run.map_or_else(String::new, |run| run.0),
            status: "READY",
            tags,
            run_link: run_link.unwrap_or_default(),
            aliases,
        }
    }

    /// A version as searches and registered models list it: without aliases.
    pub(crate) fn row(version: ModelVersion) -> ModelVersionDto {
        ModelVersionDto { aliases: Vec::new(), ..ModelVersionDto::whole(version) }
    }
}

pub(crate) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::None => "None",
        Stage::Staging => "Staging",
        Stage::Production => "Production",
        Stage::Archived => "Archived",
    }
}
