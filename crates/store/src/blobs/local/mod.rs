//! A local folder of plain files under their own names, as MLflow keeps it.
//!
//! Written on the file system directly: `object_store`'s local store follows symbolic links out of its root, hides files
//! whose names end in `#1`, and leaves what a killed process was writing.

mod directory;
mod incoming;
mod staged;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use stele_domain::{ArtifactPath, Error, Result};

use super::error;
use super::types::{Blob, BlobMeta, ByteRange, ByteStream, Entry, EntryKind, Listing, RangedBlob};
use directory::{Directory, NodeKind, ignore_missing};
use incoming::Incoming;
use staged::{DurableFolders, STAGING_PREFIX, StagedFile};

/// Reads go through the blocking pool in pieces of this size, so that a slow client holds no thread.
const CHUNK_BYTES: usize = 512 * 1024;

#[derive(Debug, Clone)]
pub(super) struct LocalFolder {
    root: PathBuf,
    durable: Arc<DurableFolders>,
}

impl LocalFolder {
    pub(super) fn new(root: PathBuf) -> LocalFolder {
        LocalFolder { root, durable: Arc::default() }
    }

    pub(super) async fn remove_leftovers(&self) -> Result<()> {
        let folder = self.clone();
        blocking(move || {
            staged::remove_leftovers(&folder.root).map_err(|error| Error::Unavailable {
                message: format!("cannot clean up the artifact folder '{}': {error}", folder.root.display()),
            })
        })
        .await
    }

    pub(super) async fn put<S, E>(&self, path: &ArtifactPath, length: Option<u64>, content: S) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        let failed = |error| error::from_io("store", path, error);
        let mut incoming = Incoming::new(self.stage(path).await?);
        let mut content = pin!(content);
        let mut received: u64 = 0;
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|reason| error::broken_upload(path, reason))?;
            received += chunk.len() as u64;
            if length.is_some_and(|length| received > length) {
                return Err(error::wrong_length(path, length.unwrap_or(0), received));
            }
            incoming.take(chunk).await.map_err(failed)?;
        }
        if let Some(length) = length.filter(|length| *length != received) {
            return Err(error::wrong_length(path, length, received));
        }
        let (staged, rest) = incoming.finish().await.map_err(failed)?;

        let (folder, path) = (self.clone(), path.clone());
        blocking(move || {
            staged
                .write(&rest)
                .and_then(|()| staged.publish(&path, &folder.durable))
                .map_err(|error| error::from_io("store", &path, error))
        })
        .await?;
        Ok(received)
    }

    pub(super) async fn get(&self, path: &ArtifactPath) -> Result<Blob> {
        let (file, meta) = self.open(path).await?;
        let range = 0..meta.size;
        Ok(Blob { content: read(file, path, range.clone()), range, meta })
    }

    pub(super) async fn get_range(&self, path: &ArtifactPath, range: ByteRange) -> Result<RangedBlob> {
        let (file, meta) = self.open(path).await?;
        Ok(match range.within(meta.size) {
            Some(range) => RangedBlob::Part(Blob { content: read(file, path, range.clone()), range, meta }),
            None => RangedBlob::Unsatisfiable { size: meta.size },
        })
    }

    pub(super) async fn head(&self, path: &ArtifactPath) -> Result<BlobMeta> {
        Ok(self.open(path).await?.1)
    }

    pub(super) async fn list(&self, path: &ArtifactPath) -> Result<Listing> {
        let (folder, path) = (self.clone(), path.clone());
        blocking(move || match folder.list_now(&path) {
            Err(error) if is_missing(&error) => Ok(Listing::Missing),
            listed => listed.map_err(|error| error::from_io("list", &path, error)),
        })
        .await
    }

    pub(super) async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        let (folder, path) = (self.clone(), path.clone());
        blocking(move || match folder.delete_now(&path) {
            Err(error) if is_missing(&error) => Ok(()),
            deleted => deleted.map_err(|error| error::from_io("delete", &path, error)),
        })
        .await
    }

    async fn stage(&self, path: &ArtifactPath) -> Result<StagedFile> {
        if let Some(name) = path.file_name().filter(|name| name.starts_with(STAGING_PREFIX)) {
            return Err(Error::invalid(format!(
                "Invalid artifact file name: '{name}'. Artifact names starting with '{STAGING_PREFIX}' are reserved."
            )));
        }
        let (folder, path) = (self.clone(), path.clone());
        blocking(move || match StagedFile::create(&folder.root, &path) {
            Ok(staged) => Ok(staged),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(Error::invalid(format!("a part of artifact path '{path}' is a file, not a directory")))
            }
            Err(error) => Err(error::from_io("store", &path, error)),
        })
        .await
    }

    async fn open(&self, path: &ArtifactPath) -> Result<(File, BlobMeta)> {
        let (folder, path) = (self.clone(), path.clone());
        blocking(move || {
            let opened = folder.open_now(&path).map_err(|error| error::from_io("read", &path, error))?;
            opened.ok_or_else(|| error::is_directory(&path))
        })
        .await
    }

    /// `None` for a folder.
    fn open_now(&self, path: &ArtifactPath) -> io::Result<Option<(File, BlobMeta)>> {
        let Some(name) = path.file_name() else { return Ok(None) };
        let file = self.open_folder(&path.parent().unwrap_or_default())?.open_file(name)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() || name.starts_with(STAGING_PREFIX) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // The inode tells two versions apart that were written within one tick of the file system's clock.
        let (seconds, nanoseconds, inode) = (metadata.mtime(), metadata.mtime_nsec(), metadata.ino());
        let etag = format!("\"{seconds:x}-{nanoseconds:x}-{:x}-{inode:x}\"", metadata.len());
        let meta = BlobMeta { size: metadata.len(), etag: Some(etag), last_modified: metadata.modified()? };
        Ok(Some((file, meta)))
    }

    fn list_now(&self, path: &ArtifactPath) -> io::Result<Listing> {
        let folder = match self.open_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return self.file_or_missing(path),
            opened => opened?,
        };
        let mut entries: Vec<Entry> = folder
            .entries()?
            .into_iter()
            .filter(|(name, _)| !name.starts_with(STAGING_PREFIX))
            .filter_map(|(name, kind)| match kind {
                NodeKind::File { size } => Some(Entry { name, kind: EntryKind::File { size } }),
                NodeKind::Directory => Some(Entry { name, kind: EntryKind::Directory }),
                NodeKind::Other => None,
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing::Directory(entries))
    }

    fn file_or_missing(&self, path: &ArtifactPath) -> io::Result<Listing> {
        let parent = self.open_folder(&path.parent().unwrap_or_default())?;
        match parent.kind(path.file_name().unwrap_or_default())? {
            NodeKind::File { .. } => Ok(Listing::File),
            NodeKind::Directory | NodeKind::Other => Ok(Listing::Missing),
        }
    }

    fn delete_now(&self, path: &ArtifactPath) -> io::Result<()> {
        let parent = self.open_folder(&path.parent().unwrap_or_default())?;
        // The inodes of what goes may come back as new folders, which are not durable by that.
        self.durable.lock().clear();
        ignore_missing(parent.remove_tree(path.file_name().unwrap_or_default().as_ref()))?;
        parent.sync()
    }

    fn open_folder(&self, path: &ArtifactPath) -> io::Result<Directory> {
        path.segments().try_fold(Directory::open(&self.root)?, |folder, segment| folder.open_child(segment))
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Files are only ever replaced, never changed, so an open one is a snapshot.
fn read(file: File, path: &ArtifactPath, range: Range<u64>) -> ByteStream {
    let (file, path, end) = (Arc::new(file), path.clone(), range.end);
    stream::iter(range.step_by(CHUNK_BYTES))
        .map(move |offset| {
            let (file, path) = (Arc::clone(&file), path.clone());
            blocking(move || {
                let length = (end - offset).min(CHUNK_BYTES as u64);
                read_at(&file, offset, length as usize).map_err(|error| error::from_io("read", &path, error))
            })
        })
        .buffered(2)
        .boxed()
}

/// Reads exactly `length` bytes into memory that nobody has to clear first.
fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut chunk: Vec<u8> = Vec::with_capacity(length);
    while chunk.len() < length {
        let offset = offset + chunk.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut chunk), offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    chunk.truncate(length);
    Ok(Bytes::from(chunk))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::internal(format!("a file operation did not finish: {error}"))))
}
