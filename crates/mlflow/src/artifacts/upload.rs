use futures::{Stream, StreamExt};
use stele_app::ArtifactRoot;
use stele_domain::ArtifactPath;

use crate::call::Call;
use crate::error::Result;

/// How much of a refused upload is read and thrown away. Many clients look for the answer only when they have sent
/// everything, and would report a broken connection instead of what is wrong; but nobody may keep us busy for ever.
const MOST_THROWN_AWAY: usize = 256 * 1024 * 1024;

/// Streams the body into the file at `path`, if that is one.
pub(super) async fn upload_body(
    call: &mut Call,
    root: &ArtifactRoot,
    path: stele_domain::Result<ArtifactPath>,
    length: Option<u64>,
) -> Result<()> {
    let mut content = std::mem::take(&mut call.body).into_data_stream();
    let outcome = match path {
        Ok(path) => call.app.artifact_put(&call.ctx, root, &path, length, &mut content).await.map(drop),
        Err(refusal) => Err(refusal),
    };
    if outcome.is_err() {
        throw_away(content).await;
    }
    Ok(outcome?)
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
