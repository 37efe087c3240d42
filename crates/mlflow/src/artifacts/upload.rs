use axum::body::Body;
use futures::{Stream, StreamExt};
use stele_app::{App, ArtifactRoot, Ctx};
use stele_domain::{ArtifactPath, Result};

/// How much of a refused upload is read and thrown away. Many clients look for the answer only when they have sent
/// everything, and would report a broken connection instead of what is wrong; but nobody may keep us busy for ever.
const MOST_THROWN_AWAY: usize = 256 * 1024 * 1024;

/// Streams the body into the file at `path`, if that is one, and returns its size in bytes.
pub async fn receive_file(
    app: &App,
    ctx: &Ctx,
    root: &ArtifactRoot,
    path: Result<ArtifactPath>,
    length: Option<u64>,
    body: Body,
) -> Result<u64> {
    let mut content = body.into_data_stream();
    let outcome = match path {
        Ok(path) => app.artifact_put(ctx, root, &path, length, &mut content).await,
        Err(refusal) => Err(refusal),
    };
    if outcome.is_err() {
        throw_away(content).await;
    }
    outcome
}

async fn throw_away<E>(mut content: impl Stream<Item = Result<bytes::Bytes, E>> + Unpin) {
    let mut thrown_away = 0;
    while let Some(Ok(chunk)) = content.next().await {
        thrown_away += chunk.len();
        if thrown_away > MOST_THROWN_AWAY {
            return;
        }
    }
}
