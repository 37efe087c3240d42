use sha2::{Digest, Sha256};
use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::ModelVersionRow;
use stele_domain::registry::ModelVersion;
use stele_domain::resource::Document;
use stele_store::{Faceted, Tx};

use super::artifacts::Artifacts;
use crate::Script;

/// What scripts keep with a version that says nothing of what the version is: the decision on it, where it stands, and
/// what is told about it.
const BESIDE: &[&str] = &["ApprovalDescription", "ModelLifeCycle", "CustomerMetadataProperties", "ModelCard"];

/// Of what was there to be decided on: whoever approved it has approved nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    said: String,
    /// Of the files. Decisions from before files were looked at have none.
    artifacts: Option<String>,
}

/// What SageMaker's clients say of a version.
pub(super) fn kept_with(tx: &mut Tx, visible: &Visibility, row: ModelVersionRow) -> Result<Document> {
    let mut facets = tx.facets(visible, Faceted::ModelVersion, Script::Sagemaker.as_str(), &[row.0])?;
    Ok(facets.remove(&row.0).map(|facets| facets.document).unwrap_or_default())
}

impl Fingerprint {
    pub(super) fn of(version: &ModelVersion, kept: &Document, artifacts: &Artifacts) -> Fingerprint {
        let mut kept = kept.clone();
        BESIDE.iter().for_each(|key| drop(kept.remove(*key)));
        let tags: Vec<(&str, &str)> = version.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let what = serde_json::json!([
            version.source,
            version.storage_uri,
            version.run.as_ref().map(|run| run.as_str()),
            version.logged_model.as_ref().map(|model| model.as_str()),
            tags,
            kept,
        ]);
        Fingerprint {
            said: hex::encode(Sha256::digest(what.to_string())),
            artifacts: Some(artifacts.digest.clone().unwrap_or_default()),
        }
    }

    pub(super) fn parse(text: &str) -> Fingerprint {
        match text.split_once(':') {
            Some((said, artifacts)) => Fingerprint { said: said.to_owned(), artifacts: Some(artifacts.to_owned()) },
            None => Fingerprint { said: text.to_owned(), artifacts: None },
        }
    }

    pub(super) fn text(&self) -> String {
        match &self.artifacts {
            Some(artifacts) => format!("{}:{artifacts}", self.said),
            None => self.said.clone(),
        }
    }

    /// Whether something else was said of the version then.
    pub(super) fn says_other(&self, then: &Fingerprint) -> bool {
        self.said != then.said
    }

    /// Whether the version had other files then.
    pub(super) fn has_other_files(&self, then: &Fingerprint) -> bool {
        self.artifacts.is_some() && then.artifacts.is_some() && self.artifacts != then.artifacts
    }
}
