//! Uploads and downloads that bypass this server.

use std::time::Duration;

use serde_json::json;
use stele_domain::change::Change;
use stele_domain::{ArtifactPath, Kind, Result};
use stele_store::Tx;
use stele_store::blobs::{MultipartUpload, PresignedUrl, UploadedPart};

use super::ArtifactRoot;
use crate::{App, Ctx};

impl App {
    /// Begins an upload of `parts` parts, which the client sends to the storage itself.
    pub async fn artifact_multipart_create(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        parts: u32,
    ) -> Result<MultipartUpload> {
        let (_permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        place.blobs.multipart_create(&place.path, parts).await
    }

    /// Makes one file of the parts that the client has sent.
    pub async fn artifact_multipart_complete(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        upload_id: &str,
        parts: &[UploadedPart],
    ) -> Result<()> {
        let (permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        place.blobs.multipart_complete(&place.path, upload_id, parts).await?;
        let change = Change::quiet("artifact.put", Kind::Artifact, place.uri).after(json!({ "parts": parts.len() }));
        // The bytes went past this server, which knows them by what the storage calls them.
        let meta = place.blobs.head(&place.path).await?;
        let digest = format!("etag {}", meta.etag.unwrap_or_else(|| upload_id.to_owned()));
        let (file, now, writer) = (place.file, ctx.now(), permit.clone());
        let noted = move |tx: &mut Tx| tx.artifact_file_put(&writer, &file, meta.size, &digest, now);
        self.record_with(ctx, &permit, change, noted).await
    }

    /// Forgets the parts of an upload that will not be completed.
    pub async fn artifact_multipart_abort(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        upload_id: &str,
    ) -> Result<()> {
        let (_permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        place.blobs.multipart_abort(&place.path, upload_id).await
    }

    /// A URL that serves the file at `path` for `lifetime`, to whoever has it.
    pub async fn artifact_download_url(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        lifetime: Duration,
    ) -> Result<PresignedUrl> {
        let place = self.artifact_place(ctx, root, path).await?;
        place.blobs.presigned_get(&place.path, lifetime).await
    }

    /// A URL that takes the file at `path` for `lifetime`, from whoever has it. That it was given out is recorded,
    /// since the server does not see the upload.
    pub async fn artifact_upload_url(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        content_type: &str,
        lifetime: Duration,
    ) -> Result<PresignedUrl> {
        let (permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        let url = place.blobs.presigned_put(&place.path, content_type, lifetime).await?;
        let change = Change::quiet("artifact.presign", Kind::Artifact, place.uri)
            .after(json!({ "seconds": lifetime.as_secs() }));
        // Whoever has the URL may write any bytes: what was decided on is no longer known to be there.
        let (file, now, writer, digest) = (place.file, ctx.now(), permit.clone(), format!("url of {}", ctx.now().0));
        let noted = move |tx: &mut Tx| tx.artifact_file_put(&writer, &file, 0, &digest, now);
        self.record_with(ctx, &permit, change, noted).await?;
        Ok(url)
    }
}
