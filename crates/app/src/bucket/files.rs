//! The files that hold the bytes of objects.

use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use metrics::counter;
use parking_lot::Mutex;
use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::bucket::Piece;
use stele_domain::{ArtifactPath, Error, Kind, Result};
use stele_store::BUCKET_FILES;
use stele_store::blobs::{Blobs, ByteRange, RangedBlob};

use crate::{App, Ctx};

/// A file that was written and that no row names yet.
pub(super) struct Written {
    pub(super) piece: Piece,
    pub(super) md5: [u8; 16],
}

impl App {
    /// Writes a file durably. It is removed again unless its content ends well.
    pub(super) async fn bucket_file_write<S, E>(&self, ctx: &Ctx, length: Option<u64>, content: S) -> Result<Written>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let file = ctx.new_id().simple().to_string();
        let (blobs, path) = self.bucket_file(&file).await?;
        let digest = Arc::new(Mutex::new(Md5::new()));
        let hashed = Arc::clone(&digest);
        let content = content.inspect(move |part| {
            if let Ok(part) = part {
                hashed.lock().update(part);
            }
        });
        let size = blobs.put(&path, length, content).await?;
        counter!("stele_artifact_bytes_total", "direction" => "in").increment(size);
        let md5 = std::mem::take(&mut *digest.lock()).finalize().into();
        Ok(Written { piece: Piece { file, size }, md5 })
    }

    /// Removes a file that no row came to name.
    pub(super) async fn bucket_file_drop(&self, piece: &Piece) {
        let removed = async {
            let (blobs, path) = self.bucket_file(&piece.file).await?;
            blobs.delete(&path).await
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, file = piece.file, "a file that belongs to no object could not be removed");
        }
    }

    /// The bytes of a range of an object, from the files that hold it. Each is opened when its turn comes.
    pub(crate) fn bucket_content(&self, pieces: Vec<Piece>, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let mut start = 0;
        let mut wanted = Vec::new();
        for piece in pieces {
            let end = start + piece.size;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                wanted.push((piece.file, ByteRange::Between { start: from - start, end: to - start }));
            }
            start = end;
        }
        let app = self.clone();
        let sent = counter!("stele_artifact_bytes_total", "direction" => "out");
        stream::iter(wanted)
            .then(move |(file, range)| {
                let app = app.clone();
                async move { app.bucket_file_read(&file, range).await }
            })
            .try_flatten()
            .inspect_ok(move |part| sent.increment(part.len() as u64))
            .boxed()
    }

    async fn bucket_file_read(&self, file: &str, range: ByteRange) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (blobs, path) = self.bucket_file(file).await?;
        match blobs.get_range(&path, range).await {
            Ok(RangedBlob::Part(blob)) => Ok(blob.content),
            Ok(RangedBlob::Unsatisfiable { size }) => {
                Err(Error::internal(format!("the file {file} of an object has only {size} bytes")))
            }
            // It was replaced while it was being read, and its files are gone.
            Err(Error::NotFound { .. }) => Err(Error::not_found(Kind::Object, file)),
            Err(error) => Err(error),
        }
    }

    async fn bucket_file(&self, file: &str) -> Result<(Blobs, ArtifactPath)> {
        let (blobs, base) = self.artifact_storage().root(&append_to_uri_path(BUCKET_FILES, "")?).await?;
        Ok((blobs, base.join(&ArtifactPath::parse_file(file)?)))
    }
}
