use std::path::PathBuf;

use bytes::Bytes;
use futures::StreamExt;
use stele_domain::artifact_uri::{absolute_location, local_path};
use stele_domain::id::{Clock, IdSource};
use stele_domain::{ArtifactPath, Error, Result};
use stele_store::blobs::{BlobOptions, BlobStores, Blobs};

use super::Finding;
use crate::system::{OrderedIds, SystemClock};

const CHECK: &str = "artifacts";

/// Writes a small file, reads it back and removes it.
pub(super) async fn check(destination: &str) -> Finding {
    if let Some(folder) = folder(destination).filter(|folder| !folder.exists()) {
        return match super::machine::cannot_be_made(&folder) {
            None => Finding::ok(CHECK, format!("{destination} is not there yet; the server makes it")),
            Some(why) => Finding::failed(
                CHECK,
                format!("{destination} cannot be made: {why}"),
                "name another with --artifacts, or make it as a folder that the user of the server owns",
            ),
        };
    }
    match probe(&location(destination)).await {
        Ok(()) => Finding::ok(CHECK, format!("{destination}: written, read back and removed")),
        Err(error) => Finding::failed(
            CHECK,
            format!("{destination}: {error}"),
            "see that the folder or bucket is there and may be written (buckets: credentials, region, endpoint in AWS_*, GOOGLE_* or AZURE_*)",
        ),
    }
}

/// The folder that artifacts are kept in, if they are kept in one.
pub(super) fn folder(destination: &str) -> Option<PathBuf> {
    local_path(&location(destination)).ok().flatten().map(PathBuf::from)
}

fn location(destination: &str) -> String {
    let here = std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default();
    absolute_location(destination, &here)
}

async fn probe(location: &str) -> Result<()> {
    let blobs = BlobStores::new(BlobOptions::from_environment()).open(location).await?;
    let name = format!("stele-doctor-{}", OrderedIds.next(SystemClock.now()).simple());
    let path = ArtifactPath::parse(&name)?;
    let kept = write_and_read(&blobs, &path, name.as_bytes()).await;
    let removed = blobs.delete(&path).await;
    kept.and(removed)
}

async fn write_and_read(blobs: &Blobs, path: &ArtifactPath, content: &[u8]) -> Result<()> {
    let piece = Bytes::copy_from_slice(content);
    let pieces = futures::stream::iter([Ok::<_, Error>(piece)]);
    blobs.put(path, Some(content.len() as u64), pieces).await?;
    let mut pieces = blobs.get(path).await?.content;
    let mut read = Vec::new();
    while let Some(piece) = pieces.next().await {
        read.extend_from_slice(&piece.map_err(|error| Error::Unavailable { message: error.to_string() })?);
    }
    if read == content { Ok(()) } else { Err(Error::internal("what is read back is not what was written")) }
}
