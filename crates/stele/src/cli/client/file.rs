//! Files on their way to the record and from it, in pieces, so that memory does not grow with them.

use std::path::Path;

use anyhow::{Context, Result};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use indicatif::ProgressBar;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PIECE: usize = 256 * 1024;

/// A file that is sent.
pub(crate) struct Outgoing {
    file: File,
    pub(super) size: u64,
    bar: ProgressBar,
}

impl Outgoing {
    /// Opens a file; `bar` moves as it is sent.
    pub(crate) async fn open(path: &Path, bar: ProgressBar) -> Result<Outgoing> {
        let open = async {
            let file = File::open(path).await?;
            let size = file.metadata().await?.len();
            std::io::Result::Ok((file, size))
        };
        let (file, size) = open.await.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Outgoing { file, size, bar })
    }

    pub(super) fn into_body(self) -> BoxBody<Bytes, std::io::Error> {
        BoxBody::new(StreamBody::new(self.pieces().map(|piece| piece.map(http_body::Frame::data))))
    }

    fn pieces(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync {
        let Outgoing { file, size, bar } = self;
        futures::stream::try_unfold((file, size, bar), move |(mut file, left, bar)| async move {
            // No more than was announced, should the file grow meanwhile.
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            if most == 0 {
                return Ok(None);
            }
            let mut piece = BytesMut::with_capacity(most);
            let read = (&mut file).take(most as u64).read_buf(&mut piece).await?;
            if read == 0 {
                return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file has become shorter"));
            }
            bar.inc(read as u64);
            Ok(Some((piece.freeze(), (file, left - read as u64, bar))))
        })
    }
}

/// Writes the body of an answer to `target`.
pub(crate) async fn save(body: Body, target: &mut File, bar: &ProgressBar) -> Result<()> {
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.context("the download broke off")?;
        target.write_all(&piece).await?;
        bar.inc(piece.len() as u64);
    }
    target.flush().await?;
    Ok(())
}
