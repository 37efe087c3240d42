//! The one thread that writes: it runs waiting writes in groups, each group one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;

use metrics::histogram;
use rusqlite::Connection;
use stele_domain::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::checkpoint::Checkpoints;
use super::durability::{Durability, Group};
use super::{Tx, run, stopped};
use crate::audit::{Chain, Mark};

/// What the writer thread hears.
pub(super) enum Message {
    Write(Box<dyn WriteJob>),
    /// The group that was handed on last is on disk.
    Synced,
    /// As many pages of the log are copied into the database.
    Copied(i32),
    Stop,
}

/// A write waiting for its turn: runs inside the open transaction, and is answered when that is on disk.
pub(super) trait WriteJob: Send {
    fn run(&mut self, connection: &Connection, chain: &mut Chain, isolation: Isolation);
    fn succeeded(&self) -> bool;
    /// Sends the outcome to the waiting caller; `failure` replaces it when the commit failed.
    fn answer(self: Box<Self>, failure: Option<&Error>);
}

/// What undoes a write that fails half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// The whole group is undone and run again, which spares the others the price of a savepoint.
    Group,
    /// A savepoint of its own.
    Savepoint,
}

pub(super) struct Write<T, F> {
    work: F,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    /// Makes room for another write once this one is answered.
    _slot: OwnedSemaphorePermit,
}

impl<T, F> Write<T, F> {
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T>>, slot: OwnedSemaphorePermit) -> Write<T, F> {
        Write { work, outcome: None, reply, _slot: slot }
    }
}

impl<T: Send, F: FnMut(&mut Tx) -> Result<T> + Send> WriteJob for Write<T, F> {
    fn run(&mut self, connection: &Connection, chain: &mut Chain, isolation: Isolation) {
        let mark = chain.mark();
        let result = catch_unwind(AssertUnwindSafe(|| match isolation {
            Isolation::Group => (self.work)(&mut Tx::sqlite_chained(connection, chain)),
            Isolation::Savepoint => in_savepoint(connection, chain, &mut self.work),
        }));
        let outcome = result.unwrap_or_else(|_| {
            if isolation == Isolation::Savepoint {
                undo_savepoint(connection);
            }
            Err(Error::internal("a write panicked"))
        });
        if outcome.is_err() {
            // Nothing of it stays; where the whole group goes, the group sets the chain back further.
            chain.back_to(mark);
        }
        self.outcome = Some(outcome);
    }

    fn succeeded(&self) -> bool {
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failure: Option<&Error>) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure.clone()),
            (Some(ok), None) => ok,
            (None, None) => Err(stopped()),
        };
        // The caller may have gone away; the write is durable all the same.
        let _ = self.reply.send(outcome);
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    chain: &mut Chain,
    work: &mut impl FnMut(&mut Tx) -> Result<T>,
) -> Result<T> {
    run(connection, "SAVEPOINT job")?;
    let result = work(&mut Tx::sqlite_chained(connection, chain));
    match result {
        Ok(value) => run(connection, "RELEASE job").map(|()| value).inspect_err(|_| undo_savepoint(connection)),
        Err(error) => {
            undo_savepoint(connection);
            Err(error)
        }
    }
}

fn undo_savepoint(connection: &Connection) {
    if let Err(error) = run(connection, "ROLLBACK TO job").and_then(|()| run(connection, "RELEASE job")) {
        tracing::error!(%error, "a failed write could not be undone alone");
        // Half of it must not be committed with the others.
        if !connection.is_autocommit() {
            let _ = run(connection, "ROLLBACK");
        }
    }
}

/// The state of the writer thread.
pub(super) struct Writer {
    pub(super) connection: Connection,
    /// The only chain of audit entries, since this is the only writer.
    pub(super) chain: Chain,
    pub(super) inbox: mpsc::Receiver<Message>,
    /// Where committed groups go to be synced and answered.
    pub(super) syncer: mpsc::Sender<Group>,
    pub(super) durability: Arc<Durability>,
    pub(super) checkpoints: Checkpoints,
}

impl Writer {
    /// Runs until it is told to stop. While the disk is syncing one group, the next one collects writes; it is
    /// committed as soon as the disk is free and nobody waits.
    pub(super) fn run(mut self) {
        let mut open: Option<OpenGroup> = None;
        let mut syncing = 0_u32;
        loop {
            let waits = open.is_none() || syncing > 0;
            let message = if waits { self.inbox.recv().ok() } else { self.inbox.try_recv().ok() };
            let nobody_waits = message.is_none();
            match message {
                Some(Message::Write(job)) => open = self.take(open, job),
                Some(Message::Synced) => syncing -= 1,
                Some(Message::Copied(pages)) => self.checkpoints.copied(pages),
                Some(Message::Stop) => break,
                None if waits => break,
                None => {}
            }
            // A full disk makes SQLite undo the whole transaction; a write after that would be in one of its own.
            let complete = nobody_waits || self.connection.is_autocommit();
            if complete && let Some(group) = open.take() {
                self.finish(group);
                syncing += 1;
                self.checkpoints.tend(&self.connection);
            }
        }
        if let Some(group) = open {
            self.finish(group);
        }
    }

    /// Runs one write in the open group, or in a new one.
    fn take(&mut self, open: Option<OpenGroup>, job: Box<dyn WriteJob>) -> Option<OpenGroup> {
        let mut group = match open {
            Some(group) => group,
            None => match run(&self.connection, "BEGIN IMMEDIATE") {
                Ok(()) => OpenGroup { jobs: Vec::new(), isolation: Isolation::Group, start: self.chain.mark() },
                Err(error) => {
                    tracing::error!(%error, "no transaction could be begun");
                    job.answer(Some(&error));
                    return None;
                }
            },
        };
        group.run(&self.connection, &mut self.chain, job);
        Some(group)
    }

    /// Commits a group and hands it on.
    fn finish(&mut self, group: OpenGroup) {
        let OpenGroup { jobs, .. } = group;
        histogram!("stele_write_group_size").record(jobs.len() as f64);
        let number = self.durability.next_commit();
        let changed = jobs.iter().any(|job| job.succeeded());
        let written = match changed && !self.connection.is_autocommit() {
            true => Tx::sqlite_chained(&self.connection, &mut self.chain).audit_flush(),
            false => Ok(()),
        };
        let committed = commit(&self.connection, changed && written.is_ok());
        let failure = written.and(committed).err();
        if let Some(error) = &failure {
            self.chain.forget();
            tracing::error!(%error, writes = jobs.len(), "a group of writes was not committed");
        }
        // Without the thread that syncs there is nobody to answer; the callers see that their write was dropped.
        let _ = self.syncer.send(Group { commit: number, jobs, failure });
    }
}

/// Ends the open transaction: commits it if it changed anything that is to stay.
pub(super) fn commit(connection: &Connection, changed: bool) -> Result<()> {
    if connection.is_autocommit() {
        return Err(Error::Unavailable { message: "the database undid a group of writes".to_owned() });
    }
    let result = run(connection, if changed { "COMMIT" } else { "ROLLBACK" });
    if result.is_err() && !connection.is_autocommit() {
        let _ = run(connection, "ROLLBACK");
    }
    result
}

/// The writes of the transaction that is open.
struct OpenGroup {
    jobs: Vec<Box<dyn WriteJob>>,
    isolation: Isolation,
    /// Where the chain of audit entries ended before the group.
    start: Mark,
}

impl OpenGroup {
    fn run(&mut self, connection: &Connection, chain: &mut Chain, mut job: Box<dyn WriteJob>) {
        let changes = connection.total_changes();
        job.run(connection, chain, self.isolation);
        let left_half = !job.succeeded() && connection.total_changes() != changes;
        self.jobs.push(job);
        if left_half && self.isolation == Isolation::Group && !connection.is_autocommit() {
            self.run_again(connection, chain);
        }
    }

    /// Undoes everything and runs every write again, each undone alone if it fails.
    fn run_again(&mut self, connection: &Connection, chain: &mut Chain) {
        self.isolation = Isolation::Savepoint;
        chain.back_to(self.start);
        let begun = run(connection, "ROLLBACK").and_then(|()| run(connection, "BEGIN IMMEDIATE"));
        if let Err(error) = begun {
            // The commit will find no transaction and fail for all.
            tracing::error!(%error, "a group of writes could not be run again");
            return;
        }
        for job in &mut self.jobs {
            if !connection.is_autocommit() {
                job.run(connection, chain, Isolation::Savepoint);
            }
        }
    }
}
