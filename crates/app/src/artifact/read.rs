use futures::StreamExt;
use metrics::counter;
use stele_domain::{ArtifactPath, Error, Kind, Result};
use stele_store::blobs::{Blob, BlobMeta, ByteRange, Listing, RangedBlob};

use super::{ArtifactAt, ArtifactListing, ArtifactRoot};
use crate::{App, Ctx};

impl App {
    /// The files and folders directly in `path`, sorted by name; none when it is a file or is not there.
    pub async fn artifact_list(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<ArtifactListing> {
        let place = self.artifact_place(ctx, root, path).await?;
        let entries = place.blobs.list(&place.path).await?.into_entries();
        Ok(ArtifactListing { root_uri: place.root_uri, entries })
    }

    /// What lies at `path`: a folder with what is directly in it, sorted by name, or a file. The root is always there.
    pub async fn artifact_at(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<ArtifactAt> {
        let place = self.artifact_place(ctx, root, path).await?;
        match place.blobs.list(&place.path).await? {
            Listing::Directory(entries) => Ok(ArtifactAt::Folder(entries)),
            Listing::File => Ok(ArtifactAt::File { size: place.blobs.head(&place.path).await?.size }),
            Listing::Missing if path.is_root() => Ok(ArtifactAt::Folder(Vec::new())),
            Listing::Missing => Err(Error::not_found(Kind::Artifact, path.as_str())),
        }
    }

    /// Opens a file for streaming.
    pub async fn artifact_get(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<Blob> {
        let place = self.artifact_place(ctx, root, path).await?;
        Ok(counted(place.blobs.get(&place.path).await?))
    }

    /// Opens a part of a file for streaming.
    pub async fn artifact_get_range(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        range: ByteRange,
    ) -> Result<RangedBlob> {
        let place = self.artifact_place(ctx, root, path).await?;
        Ok(match place.blobs.get_range(&place.path, range).await? {
            RangedBlob::Part(blob) => RangedBlob::Part(counted(blob)),
            unsatisfiable => unsatisfiable,
        })
    }

    /// What is known of a file without reading it.
    pub async fn artifact_head(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<BlobMeta> {
        let place = self.artifact_place(ctx, root, path).await?;
        place.blobs.head(&place.path).await
    }
}

/// Tells operators how much of a file was sent.
fn counted(blob: Blob) -> Blob {
    let sent = counter!("stele_artifact_bytes_total", "direction" => "out");
    let content = blob.content.inspect(move |piece| {
        if let Ok(piece) = piece {
            sent.increment(piece.len() as u64);
        }
    });
    Blob { content: content.boxed(), ..blob }
}
