use axum::body::Body;
use stele_app::{App, ArtifactRoot, Ctx};
use stele_domain::{ArtifactPath, Result};

/// Streams the body into the file at `path`, if that is one, and returns its size in bytes.
pub async fn receive_file(
    app: &App,
    ctx: &Ctx,
    root: &ArtifactRoot,
    path: Result<ArtifactPath>,
    length: Option<u64>,
    body: Body,
) -> Result<u64> {
    app.artifact_put(ctx, root, &path?, length, body.into_data_stream()).await
}
