//! A file on its way in: written under a hidden name, published by a rename.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use stele_domain::ArtifactPath;

use super::directory::{Directory, NodeKind, ignore_missing};

/// Names that begin so are uploads in progress. MLflow reserves the same prefix, so that its server and ours can share
/// a folder: each hides the other's.
pub(super) const STAGING_PREFIX: &str = ".artifact.uploading.";

/// Folders whose own entry in their parent is known to be durable, by device and inode.
pub(super) type DurableFolders = Mutex<HashSet<(u64, u64)>>;

/// Dropped before it is published, it removes itself.
#[derive(Debug)]
pub(super) struct StagedFile {
    root: Directory,
    folder: Directory,
    name: String,
    file: File,
    published: AtomicBool,
}

impl StagedFile {
    /// Opens a hidden file to write what will be `path`, which must not be a folder or a link.
    pub(super) fn create(root_path: &Path, path: &ArtifactPath) -> io::Result<StagedFile> {
        let root = open_or_create_root(root_path)?;
        let folder = staging_folder(&root, path)?;
        loop {
            let name = next_name();
            let file = match folder.create_file(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created?,
            };
            // The lock tells whoever cleans up after a crash that this one is alive. A cleaner that came between the
            // creation and the lock has removed the name by now, which the link count shows. Where the file system
            // has no locks, nothing is cleaned up either.
            match file.try_lock() {
                Ok(()) | Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => continue,
            }
            if file.metadata()?.nlink() > 0 {
                return Ok(StagedFile { root, folder, name, file, published: AtomicBool::new(false) });
            }
        }
    }

    /// Appends `chunks`, in as few calls as the system takes.
    pub(super) fn write(&self, chunks: &[Bytes]) -> io::Result<()> {
        // More at once are refused.
        const MOST_AT_ONCE: usize = 1024;
        for chunks in chunks.chunks(MOST_AT_ONCE) {
            let mut slices: Vec<IoSlice> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
            let mut rest = slices.as_mut_slice();
            // Drops what is empty.
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                match (&self.file).write_vectored(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => IoSlice::advance_slices(&mut rest, written),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Makes durable what is written so far.
    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Makes the content durable, then the file visible under `path`, then that visibility durable.
    pub(super) fn publish(&self, path: &ArtifactPath, durable: &DurableFolders) -> io::Result<()> {
        self.file.sync_all()?;
        let target = create_folders(&self.root, path, durable)?;
        self.folder.rename(&self.name, &target, file_name(path)?)?;
        self.published.store(true, Ordering::Relaxed);
        target.sync()
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if self.published.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = ignore_missing(self.folder.remove_file(self.name.as_ref())) {
            tracing::warn!(name = self.name, %error, "cannot remove the remains of a broken upload");
        }
    }
}

/// Removes what uploads left behind whose process is gone.
pub(super) fn remove_leftovers(root_path: &Path) -> io::Result<()> {
    let root = match Directory::open(root_path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    for (name, kind) in root.entries()? {
        if !name.starts_with(STAGING_PREFIX) || !matches!(kind, NodeKind::File { .. }) {
            continue;
        }
        let file = match root.open_file(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        // Still locked: another server process is writing it.
        if file.try_lock().is_ok() {
            ignore_missing(root.remove_file(name.as_ref()))?;
        }
    }
    Ok(())
}

fn next_name() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{STAGING_PREFIX}{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// The root, where leftovers are easy to find; but a file can only be renamed within one file system, so the nearest
/// existing folder where another one is mounted below the root.
fn staging_folder(root: &Directory, path: &ArtifactPath) -> io::Result<Directory> {
    let mut nearest = root.duplicate()?;
    let mut segments = path.segments().peekable();
    while let Some(segment) = segments.next() {
        if segments.peek().is_none() {
            match nearest.kind(segment) {
                Ok(NodeKind::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
                Ok(NodeKind::Other) => return Err(rustix::io::Errno::LOOP.into()),
                Ok(NodeKind::File { .. }) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        nearest = match nearest.open_child(segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            opened => opened?,
        };
    }
    let same_file_system = nearest.identity()?.0 == root.identity()?.0;
    if same_file_system { root.duplicate() } else { Ok(nearest) }
}

/// Opens the folder that will hold `path`, makes what is missing on the way, and makes sure that all of it is durable.
fn create_folders(root: &Directory, path: &ArtifactPath, durable: &DurableFolders) -> io::Result<Directory> {
    let mut current = root.duplicate()?;
    let parent = path.parent().unwrap_or_default();
    for segment in parent.segments() {
        let (child, is_new) = match current.open_child(segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match current.create_child(segment) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    created => created?,
                }
                (current.open_child(segment)?, true)
            }
            opened => (opened?, false),
        };
        // A folder that is there may have been made a moment ago by a writer that has not synced it yet, or by a
        // process that was killed before it could: only those this process has synced are taken on trust.
        let identity = child.identity()?;
        if is_new || !durable.lock().contains(&identity) {
            current.sync()?;
            remember(durable, identity);
        }
        current = child;
    }
    Ok(current)
}

fn remember(durable: &DurableFolders, identity: (u64, u64)) {
    const LIMIT: usize = 100_000;
    let mut durable = durable.lock();
    if durable.len() >= LIMIT {
        durable.clear();
    }
    durable.insert(identity);
}

fn open_or_create_root(path: &Path) -> io::Result<Directory> {
    match Directory::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    std::fs::create_dir_all(path)?;
    for parent in missing.iter().filter_map(|folder| folder.parent()) {
        Directory::open(parent)?.sync()?;
    }
    Directory::open(path)
}

fn file_name(path: &ArtifactPath) -> io::Result<&str> {
    path.file_name().ok_or_else(|| io::ErrorKind::IsADirectory.into())
}
