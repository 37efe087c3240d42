use sha2::{Digest, Sha256};
use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::canonical::canonical;
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
            said: hex::encode(Sha256::digest(canonical(&what))),
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

#[cfg(test)]
mod tests {
    use stele_domain::id::{RunId, Timestamp};
    use stele_domain::lifecycle::{ApprovalStatus, Stage};
    use stele_domain::record::Tag;

    use super::*;

    fn version() -> ModelVersion {
        ModelVersion {
            row: ModelVersionRow(1),
            model: "m".to_owned(),
            number: 1,
            description: None,
            user: None,
            stage: Stage::None,
            approval: ApprovalStatus::Pending,
            source: "s3://b/m".to_owned(),
            storage_uri: "s3://b/m".to_owned(),
            run: Some(RunId("r".to_owned())),
            run_link: None,
            logged_model: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            tags: vec![Tag { key: "a".to_owned(), value: "1".to_owned() }],
            aliases: Vec::new(),
        }
    }

    /// Approvals that were given once stand: what they were given to has the same digest as it had then, in whichever
    /// order a client says it again.
    #[test]
    fn the_order_of_members_is_nothing_that_is_approved() {
        const ONE: &str = r#"{"Task": "OTHER", "SourceUri": "s3://b/m", "ModelCard": {"b": 1, "a": 2}, "ModelMetrics": {
            "ModelQuality": {"Statistics": {"S3Uri": "s3://b/s", "ContentType": "json"}},
            "Bias": {"Report": {"S3Uri": "s3://b/r", "ContentType": "json"}}}}"#;
        const OTHER: &str = r#"{"ModelMetrics": {"Bias": {"Report": {"ContentType": "json", "S3Uri": "s3://b/r"}},
            "ModelQuality": {"Statistics": {"ContentType": "json", "S3Uri": "s3://b/s"}}},
            "SourceUri": "s3://b/m", "Task": "OTHER"}"#;
        for kept in [ONE, OTHER] {
            let kept: Document = serde_json::from_str(kept).unwrap();
            let said = Fingerprint::of(&version(), &kept, &Artifacts::default()).said;
            assert_eq!(said, "47c28d390b402e7412bc2a1f94a0b2a877954ad0e25c9053bdf4c0728d7d4103");
        }
    }
}
