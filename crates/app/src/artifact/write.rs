use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use metrics::counter;
use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest, Sha256};
use stele_domain::change::Change;
use stele_domain::{ArtifactPath, Kind, Result};
use stele_store::Tx;

use super::ArtifactRoot;
use crate::{App, Ctx};

impl App {
    /// Stores `content` as the file at `path`, replacing one that is there, and returns its size in bytes.
    ///
    /// Nobody sees any of it before all of it is durable. `length` is what the client announced.
    pub async fn artifact_put<S, E>(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        length: Option<u64>,
        content: S,
    ) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let (permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        let digest = Arc::new(Mutex::new(Sha256::new()));
        let hashed = Arc::clone(&digest);
        let content = content.inspect(move |part| {
            if let Ok(part) = part {
                hashed.lock().update(part);
            }
        });
        let bytes = place.blobs.put(&place.path, length, content).await?;
        counter!("stele_artifact_bytes_total", "direction" => "in").increment(bytes);
        let digest = hex::encode(std::mem::take(&mut *digest.lock()).finalize());
        let change =
            Change::quiet("artifact.put", Kind::Artifact, place.uri).after(json!({ "bytes": bytes, "sha256": digest }));
        let (file, now, writer) = (place.file, ctx.now(), permit.clone());
        let noted = move |tx: &mut Tx| tx.artifact_file_put(&writer, &file, bytes, &digest, now);
        self.record_with(ctx, &permit, change, noted).await?;
        Ok(bytes)
    }

    /// Removes the file or the whole folder at `path`; that nothing is there is fine, since clients retry.
    pub async fn artifact_delete(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<()> {
        let (permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        place.blobs.delete(&place.path).await?;
        let change = Change::quiet("artifact.delete", Kind::Artifact, place.uri);
        let file = place.file;
        self.record_with(ctx, &permit, change, move |tx: &mut Tx| tx.artifact_files_forget(&file)).await
    }
}
