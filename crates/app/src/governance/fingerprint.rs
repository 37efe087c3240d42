use sha2::{Digest, Sha256};
use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::registry::ModelVersion;
use stele_store::{Faceted, Tx};

use crate::Script;

/// What scripts keep with a version that says nothing of what the version is: the decision on it, where it stands, and
/// what is told about it.
const BESIDE: &[&str] = &["ApprovalDescription", "ModelLifeCycle", "CustomerMetadataProperties", "ModelCard"];

/// A digest of what was there to be decided on: whoever approved it has approved nothing else.
pub(super) fn fingerprint(tx: &mut Tx, visible: &Visibility, version: &ModelVersion) -> Result<String> {
    let mut facets = tx.facets(visible, Faceted::ModelVersion, Script::Sagemaker.as_str(), &[version.row.0])?;
    let mut kept = facets.remove(&version.row.0).map(|facets| facets.document).unwrap_or_default();
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
    Ok(hex::encode(Sha256::digest(what.to_string())))
}
