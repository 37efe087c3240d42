use sha2::{Digest, Sha256};
use stele_domain::artifact_uri::{UriParts, local_path};
use stele_domain::authz::Visibility;
use stele_domain::id::Timestamp;
use stele_domain::registry::ModelVersion;
use stele_domain::resource::Document;
use stele_domain::{Error, Result};
use stele_store::{ArtifactFiles, Tx};

use super::report::states;
use crate::artifact::files_of_version;

/// What the files of a version are, as far as they went through this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Artifacts {
    /// Follows from the bytes of the files and of the reports that the version names.
    pub(super) digest: Option<String>,
    /// When bytes of a file last took the place of others.
    pub(super) replaced_at: Option<Timestamp>,
}

pub(super) fn artifacts(
    tx: &mut Tx,
    visible: &Visibility,
    version: &ModelVersion,
    kept: &Document,
) -> Result<Artifacts> {
    let files = files(tx, visible, &version.storage_uri)?;
    let states = states(tx, visible.workspace(), kept)?;
    let replaced_at = files.as_ref().and_then(|files| files.replaced_at);
    if files.is_none() && states.is_empty() {
        return Ok(Artifacts::default());
    }
    let whole = serde_json::json!([files.map(|files| files.digest), states]);
    Ok(Artifacts { digest: Some(hex::encode(Sha256::digest(whole.to_string()))), replaced_at })
}

fn files(tx: &mut Tx, visible: &Visibility, storage_uri: &str) -> Result<Option<ArtifactFiles>> {
    if storage_uri.is_empty() {
        return Ok(None);
    }
    let uri = match files_of_version(tx, visible, storage_uri) {
        Ok(uri) => uri,
        // The run that it lies in is gone or hidden, or it names no place at all.
        Err(Error::NotFound { .. } | Error::Invalid { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some((bucket, key)) = bucket_and_key(&uri)
        && let Some(files) = tx.object_files(visible.workspace(), bucket, key)?
    {
        return Ok(Some(files));
    }
    if matches!(local_path(&uri), Ok(Some(_))) {
        return Ok(None);
    }
    tx.artifact_files(&uri)
}

/// The parts of `s3://BUCKET/KEY`.
pub(super) fn bucket_and_key(uri: &str) -> Option<(&str, &str)> {
    if UriParts::split(uri).scheme != "s3" {
        return None;
    }
    let (bucket, key) = uri.get("s3://".len()..)?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}
