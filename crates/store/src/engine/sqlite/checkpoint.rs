//! Moving pages from the write-ahead log into the database, so that the log starts over instead of growing.
//!
//! A thread of its own copies and syncs most pages while the writer goes on. The log can only start over when every
//! page of it is copied, so the writer itself copies the few that came meanwhile.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::writer::Message;

/// Pages in the log that are worth a checkpoint: 16 MiB.
const FULL: i32 = 4_000;

/// Pages that the writer may copy itself, in a few milliseconds.
const FEW: i32 = 500;

/// How often the thread may copy, while the writer is adding pages, before the writer stops to copy all.
const PASSES: u32 = 4;

/// What the writer knows of the log.
pub(super) struct Checkpoints {
    /// Pages in the log after the newest commit, whether copied or not.
    pages: Arc<AtomicI32>,
    copier: mpsc::Sender<()>,
    state: State,
    /// As many pages before the next checkpoint.
    next: i32,
}

#[derive(Clone, Copy)]
enum State {
    Resting,
    /// The thread is copying, for the given time since the log was full.
    Copying(u32),
    Copied {
        pass: u32,
        pages: i32,
    },
}

impl Checkpoints {
    /// Takes over the checkpoints from `writer`, which must be the connection that [`Checkpoints::tend`] gets.
    pub(super) fn new(writer: &mut Connection, copier: mpsc::Sender<()>) -> rusqlite::Result<Checkpoints> {
        let pages = Arc::new(AtomicI32::new(0));
        let counter = Arc::clone(&pages);
        // Also replaces SQLite's own, automatic checkpoints.
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            counter.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Checkpoints { pages, copier, state: State::Resting, next: FULL })
    }

    /// The thread has copied as many pages of the log.
    pub(super) fn copied(&mut self, pages: i32) {
        if let State::Copying(pass) = self.state {
            self.state = State::Copied { pass, pages };
        }
    }

    /// Does what is to be done after a commit.
    pub(super) fn tend(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < FULL {
            // The log has started over.
            self.next = FULL;
        }
        match self.state {
            State::Resting if pages >= self.next => self.copy(1),
            State::Copied { pass, pages: copied } if pages - copied > FEW && pass < PASSES => self.copy(pass + 1),
            State::Copied { .. } => {
                checkpoint(writer);
                self.state = State::Resting;
                // A reader may still need the log; then it goes on for a while.
                self.next = pages + FULL / 4;
            }
            State::Resting | State::Copying(_) => {}
        }
    }

    fn copy(&mut self, pass: u32) {
        if self.copier.send(()).is_ok() {
            self.state = State::Copying(pass);
        }
    }
}

/// The thread that copies on request. `database` is the database file itself.
pub(super) fn copy_on_request(
    requests: &mpsc::Receiver<()>,
    connection: &Connection,
    database: &File,
    writer: &mpsc::Sender<Message>,
) {
    for () in requests {
        let copied = checkpoint(connection);
        // Or else the writer would wait for this, when it copies the last pages.
        if let Err(error) = database.sync_data() {
            tracing::warn!(%error, "the database file cannot be synced");
        }
        let _ = writer.send(Message::Copied(copied));
    }
}

/// Copies what no reader prevents; says how many pages of the log are copied.
fn checkpoint(connection: &Connection) -> i32 {
    match connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
        Ok((_, copied)) => copied,
        Err(error) => {
            tracing::warn!(%error, "a checkpoint of the database failed");
            0
        }
    }
}
