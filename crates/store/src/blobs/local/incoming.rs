//! The content of an upload on its way to the disk: receiving, writing and syncing go on at the same time.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::staged::StagedFile;

/// Goes to the blocking pool in pieces of this size, so that a slow client holds no thread.
const PIECE_BYTES: usize = 512 * 1024;

/// How much is written before the disk is told to begin. Left to itself the system gathers a tenth of the memory first,
/// and the sync at the end of a large file would wait for all of it.
const SYNC_BYTES: usize = 32 * 1024 * 1024;

pub(super) struct Incoming {
    staged: Arc<StagedFile>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    written_bytes: usize,
    writing: Option<Step>,
    syncing: Option<Step>,
}

type Step = JoinHandle<io::Result<()>>;

impl Incoming {
    pub(super) fn new(staged: StagedFile) -> Incoming {
        Incoming {
            staged: Arc::new(staged),
            gathered: Vec::new(),
            gathered_bytes: 0,
            written_bytes: 0,
            writing: None,
            syncing: None,
        }
    }

    /// Takes what comes next. Waits when the disk is slower than the client.
    pub(super) async fn take(&mut self, chunk: Bytes) -> io::Result<()> {
        self.gathered_bytes += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_bytes < PIECE_BYTES {
            return Ok(());
        }
        finish(&mut self.writing).await?;
        if self.written_bytes >= SYNC_BYTES {
            finish(&mut self.syncing).await?;
            self.syncing = Some(self.start(StagedFile::sync_data));
            self.written_bytes = 0;
        }
        let pieces = std::mem::take(&mut self.gathered);
        self.writing = Some(self.start(move |staged| staged.write(&pieces)));
        self.written_bytes += std::mem::take(&mut self.gathered_bytes);
        Ok(())
    }

    /// Gives back the file, and what of it is not written yet.
    pub(super) async fn finish(mut self) -> io::Result<(Arc<StagedFile>, Vec<Bytes>)> {
        finish(&mut self.writing).await?;
        finish(&mut self.syncing).await?;
        Ok((self.staged, self.gathered))
    }

    fn start(&self, step: impl FnOnce(&StagedFile) -> io::Result<()> + Send + 'static) -> Step {
        let staged = Arc::clone(&self.staged);
        tokio::task::spawn_blocking(move || step(&staged))
    }
}

async fn finish(step: &mut Option<Step>) -> io::Result<()> {
    match step.take() {
        Some(step) => step.await.unwrap_or_else(|panic| Err(io::Error::other(panic))),
        None => Ok(()),
    }
}
