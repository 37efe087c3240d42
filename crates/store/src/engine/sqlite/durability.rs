//! Waiting for the disk. The writer commits into the write-ahead log without a sync; a thread of its own syncs the
//! log and only then answers the writes, while the writer runs the next group.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use metrics::histogram;
use stele_domain::{Error, Result};
use tokio::sync::watch;

use super::writer::{Message, WriteJob};

/// Which commits are on disk. Commits are counted from 1.
pub(super) struct Durability {
    /// The newest commit that a read may have seen.
    visible: AtomicU64,
    /// The newest commit that is on disk, or why no later one will be.
    on_disk: watch::Sender<Result<u64>>,
}

impl Durability {
    pub(super) fn new() -> Durability {
        Durability { visible: AtomicU64::new(0), on_disk: watch::Sender::new(Ok(0)) }
    }

    /// To be called before a commit, which gets the number that this returns.
    pub(super) fn next_commit(&self) -> u64 {
        self.visible.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// To be called after a read: no commit with a greater number was seen by it.
    pub(super) fn last_seen(&self) -> u64 {
        self.visible.load(Ordering::SeqCst)
    }

    /// Waits until a commit and all before it are on disk.
    pub(super) async fn reached(&self, commit: u64) -> Result<()> {
        let mut on_disk = self.on_disk.subscribe();
        let state = on_disk.wait_for(|state| state.as_ref().map_or(true, |number| *number >= commit)).await;
        state.map_err(|_| super::stopped())?.as_ref().map(|_| ()).map_err(Clone::clone)
    }
}

/// The writes of one commit, on their way to their answers.
pub(super) struct Group {
    pub(super) commit: u64,
    pub(super) jobs: Vec<Box<dyn WriteJob>>,
    /// Why the commit failed, if it did.
    pub(super) failure: Option<Error>,
}

/// The thread that syncs: for every group in turn, makes it durable with `sync` and answers its writes.
pub(super) fn sync_groups(
    groups: &mpsc::Receiver<Group>,
    mut sync: impl FnMut() -> io::Result<()>,
    durability: &Durability,
    writer: &mpsc::Sender<Message>,
) {
    let mut broken: Option<Error> = None;
    for Group { commit, jobs, failure } in groups {
        let changed = failure.is_none() && jobs.iter().any(|job| job.succeeded());
        if broken.is_none()
            && changed
            && let Err(error) = timed(&mut sync)
        {
            // What a failed sync left on disk cannot be known before the log is read again, by the next start.
            tracing::error!(%error, "the database cannot be synced to disk; restart the server when the disk is sound");
            broken = Some(Error::Unavailable { message: format!("the database cannot be synced to disk: {error}") });
        }
        durability.on_disk.send_modify(|state| *state = broken.clone().map_or(Ok(commit), Err));
        // Before the answers, so that the writer need not wait for them.
        let _ = writer.send(Message::Synced);
        let failure = broken.as_ref().or(failure.as_ref());
        for job in jobs {
            job.answer(failure);
        }
    }
}

fn timed(sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let begun = Instant::now();
    let outcome = sync();
    histogram!("stele_sync_seconds").record(begun.elapsed());
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rusqlite::Connection;

    use super::super::writer::Isolation;
    use super::*;
    use crate::audit::Chain;

    /// A write that has run, and tells how it was answered.
    struct Done(mpsc::Sender<Option<Error>>);

    impl WriteJob for Done {
        fn run(&mut self, _: &Connection, _: &mut Chain, _: Isolation) {}

        fn succeeded(&self) -> bool {
            true
        }

        fn answer(self: Box<Self>, failure: Option<&Error>) {
            self.0.send(failure.cloned()).unwrap();
        }
    }

    /// The syncing thread with a disk that does as the test says.
    struct Bench {
        durability: Arc<Durability>,
        groups: mpsc::Sender<Group>,
        disk: mpsc::Sender<io::Result<()>>,
        answer: mpsc::Sender<Option<Error>>,
        answers: mpsc::Receiver<Option<Error>>,
    }

    impl Bench {
        fn new() -> Bench {
            let durability = Arc::new(Durability::new());
            let (groups, inbox) = mpsc::channel();
            let (disk, outcomes) = mpsc::channel::<io::Result<()>>();
            let (writer, messages) = mpsc::channel();
            let (answer, answers) = mpsc::channel();
            let state = Arc::clone(&durability);
            std::thread::spawn(move || {
                let _messages = messages;
                sync_groups(&inbox, || outcomes.recv().unwrap(), &state, &writer);
            });
            Bench { durability, groups, disk, answer, answers }
        }

        fn commit(&self) -> u64 {
            let commit = self.durability.next_commit();
            let jobs: Vec<Box<dyn WriteJob>> = vec![Box::new(Done(self.answer.clone()))];
            self.groups.send(Group { commit, jobs, failure: None }).unwrap();
            commit
        }
    }

    #[tokio::test]
    async fn a_write_is_answered_and_a_read_of_it_returns_only_after_the_sync() {
        let bench = Bench::new();
        bench.durability.reached(bench.durability.last_seen()).await.unwrap();
        bench.commit();
        let seen = bench.durability.last_seen();
        let early = tokio::time::timeout(Duration::from_millis(50), bench.durability.reached(seen)).await;
        assert!(early.is_err() && bench.answers.try_recv().is_err(), "the disk has not answered yet");
        bench.disk.send(Ok(())).unwrap();
        bench.durability.reached(seen).await.unwrap();
        assert_eq!(bench.answers.recv().unwrap(), None);
    }

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_said_to_be_durable() {
        let bench = Bench::new();
        bench.disk.send(Err(io::Error::other("broken"))).unwrap();
        let (first, second) = (bench.commit(), bench.commit());
        for _ in 0..2 {
            assert!(matches!(bench.answers.recv().unwrap(), Some(Error::Unavailable { .. })));
        }
        assert!(bench.durability.reached(first).await.is_err());
        assert!(bench.durability.reached(second).await.is_err());
    }
}
