use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use stele_domain::{Error, Result};
use tokio::sync::{Semaphore, oneshot};

use super::tx::{Tx, sqlite_error};

/// SQLite in WAL mode: one writer thread that commits in groups, and a few read connections.
pub(crate) struct Sqlite {
    /// Held as long as the database is open: one process at a time.
    _lock: File,
    writer: mpsc::Sender<Box<dyn WriteJob>>,
    readers: Mutex<Vec<Connection>>,
    reader_slots: Semaphore,
}

/// How many readers may run at once; each has a page cache of its own.
const READERS: usize = 4;

/// The most writes that one commit covers. Waiting writers share one sync to disk.
const GROUP: usize = 512;

/// Statements kept prepared on each connection.
const STATEMENTS: usize = 256;

impl Sqlite {
    /// Opens the file, which must be migrated already.
    pub(crate) fn open(path: &Path, lock: File) -> Result<Sqlite> {
        let connection = open_writer(path)?;
        let (writer, jobs) = mpsc::channel();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_in_groups(&connection, &jobs))
            .map_err(|e| Error::internal(format!("cannot start the writer thread: {e}")))?;
        let readers = (0..READERS).map(|_| open_reader(path)).collect::<Result<Vec<_>>>()?;
        Ok(Sqlite { _lock: lock, writer, readers: Mutex::new(readers), reader_slots: Semaphore::new(READERS) })
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Write { work, outcome: None, reply };
        self.writer.send(Box::new(job)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    pub(crate) async fn read<T: Send + 'static>(
        self: &std::sync::Arc<Self>,
        work: impl FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = std::sync::Arc::clone(self);
        let _slot = self.reader_slots.acquire().await.map_err(|_| stopped())?;
        let finished = tokio::task::spawn_blocking(move || {
            let connection = this.readers.lock().pop().ok_or_else(stopped)?;
            let result = catch_unwind(AssertUnwindSafe(|| read_snapshot(&connection, work)));
            this.readers.lock().push(connection);
            result.unwrap_or_else(|_| Err(Error::internal("a read panicked")))
        });
        finished.await.map_err(|e| Error::internal(format!("a read did not finish: {e}")))?
    }
}

fn read_snapshot<T>(connection: &Connection, work: impl FnOnce(&mut Tx) -> Result<T>) -> Result<T> {
    let snapshot = connection.unchecked_transaction().map_err(|e| sqlite_error("BEGIN", &e))?;
    let result = work(&mut Tx::sqlite(&snapshot));
    snapshot.finish().map_err(|e| sqlite_error("ROLLBACK", &e))?;
    result
}

/// Takes the lock file beside the database, so that no second server writes to it.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let lock_path = path.with_added_extension("lock");
    let failed = |error: &dyn std::fmt::Display| {
        Error::internal(format!("cannot lock the database with {}: {error}", lock_path.display()))
    };
    let file = File::create(&lock_path).map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(failed(&"another server is using it; stop it, or give this one a --data of its own"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(failed(&error)),
    }
}

fn stopped() -> Error {
    Error::Unavailable { message: "the database has stopped".to_owned() }
}

pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)
        .map_err(|e| Error::internal(format!("cannot open the database {}: {e}", path.display())))?;
    // FULL makes every commit wait for the disk; WAL makes that one sync.
    configure(
        &connection,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| Error::internal(format!("cannot open the database {}: {e}", path.display())))?;
    configure(&connection, "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

fn configure(connection: &Connection, pragmas: &str) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
        .busy_timeout(Duration::from_secs(10))
        .and_then(|()| connection.execute_batch(pragmas))
        // LIKE is case-sensitive in the record's search, as it is on PostgreSQL.
        .and_then(|()| connection.execute_batch("PRAGMA case_sensitive_like = ON;"))
        .map_err(|e| sqlite_error(pragmas, &e))
}

/// A write waiting for its turn: runs inside the open transaction, and is answered after the commit.
trait WriteJob: Send {
    /// Runs the work in a savepoint of its own, so that a failure undoes only this write.
    fn run(&mut self, connection: &Connection);
    fn succeeded(&self) -> bool;
    /// Sends the outcome to the waiting caller; `failure` replaces it when the commit failed.
    fn answer(self: Box<Self>, failure: Option<&Error>);
}

struct Write<T, F> {
    work: F,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&mut Tx) -> Result<T> + Send> WriteJob for Write<T, F> {
    fn run(&mut self, connection: &Connection) {
        let result = catch_unwind(AssertUnwindSafe(|| in_savepoint(connection, &mut self.work)));
        let outcome = result.unwrap_or_else(|_| {
            undo_savepoint(connection);
            Err(Error::internal("a write panicked"))
        });
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

fn in_savepoint<T>(connection: &Connection, work: &mut impl FnMut(&mut Tx) -> Result<T>) -> Result<T> {
    run(connection, "SAVEPOINT job")?;
    let result = work(&mut Tx::sqlite(connection));
    match result {
        Ok(value) => run(connection, "RELEASE job").map(|()| value),
        Err(error) => {
            undo_savepoint(connection);
            Err(error)
        }
    }
}

fn undo_savepoint(connection: &Connection) {
    if let Err(error) = run(connection, "ROLLBACK TO job").and_then(|()| run(connection, "RELEASE job")) {
        tracing::error!(%error, "a failed write could not be undone alone");
    }
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(|e| sqlite_error(sql, &e))
}

/// The writer thread: takes all the writes that wait, runs each, commits once, answers each.
fn write_in_groups(connection: &Connection, jobs: &mpsc::Receiver<Box<dyn WriteJob>>) {
    while let Ok(first) = jobs.recv() {
        let mut done: Vec<Box<dyn WriteJob>> = Vec::new();
        let failure = match run(connection, "BEGIN IMMEDIATE") {
            Ok(()) => {
                let mut next = Some(first);
                while let Some(mut job) = next {
                    job.run(connection);
                    done.push(job);
                    next = if done.len() < GROUP { jobs.try_recv().ok() } else { None };
                }
                commit(connection, done.iter().any(|job| job.succeeded())).err()
            }
            Err(error) => {
                done.push(first);
                Some(error)
            }
        };
        if let Some(error) = &failure {
            tracing::error!(%error, writes = done.len(), "a group of writes was not committed");
        }
        for job in done {
            job.answer(failure.as_ref());
        }
    }
}

fn commit(connection: &Connection, changed: bool) -> Result<()> {
    let result = run(connection, if changed { "COMMIT" } else { "ROLLBACK" });
    if result.is_err() && !connection.is_autocommit() {
        let _ = run(connection, "ROLLBACK");
    }
    result
}
