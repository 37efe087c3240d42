use std::fmt::Display;

use bytes::Bytes;
use futures::Stream;
use metrics::counter;
use serde_json::json;
use stele_domain::change::Change;
use stele_domain::{ArtifactPath, Kind, Result};

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
        let bytes = place.blobs.put(&place.path, length, content).await?;
        counter!("stele_artifact_bytes_total", "direction" => "in").increment(bytes);
        let change = Change::quiet("artifact.put", Kind::Artifact, place.uri).after(json!({ "bytes": bytes }));
        self.record(ctx, &permit, change).await?;
        Ok(bytes)
    }

    /// Removes the file or the whole folder at `path`; that nothing is there is fine, since clients retry.
    pub async fn artifact_delete(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<()> {
        let (permit, place) = self.artifact_place_to_write(ctx, root, path).await?;
        place.blobs.delete(&place.path).await?;
        self.record(ctx, &permit, Change::quiet("artifact.delete", Kind::Artifact, place.uri)).await
    }
}
