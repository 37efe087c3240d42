mod checkpoint;
mod durability;
mod writer;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use stele_domain::{Error, Result};
use tokio::sync::{Semaphore, oneshot};

use self::checkpoint::Checkpoints;
use self::durability::Durability;
use self::writer::{Message, Write, Writer, commit};
use super::tx::{Tx, sqlite_error};
use crate::StoreState;
use crate::audit::Chain;

/// SQLite in WAL mode: one writer thread that commits in groups, one that syncs and answers them, one that moves
/// pages from the log into the database, and a few read connections.
pub(crate) struct Sqlite {
    path: PathBuf,
    /// Held as long as the database is open: one process at a time.
    _lock: File,
    writer: mpsc::Sender<Message>,
    write_slots: Arc<Semaphore>,
    durability: Arc<Durability>,
    readers: Mutex<Vec<Connection>>,
    reader_slots: Arc<Semaphore>,
}

/// How many readers may run at once; each has a page cache of its own.
const READERS: usize = 4;

/// The most writes that are under way or waiting; further callers wait before they hand theirs over.
const WRITES: usize = 512;

/// Statements kept prepared on each connection.
const STATEMENTS: usize = 256;

impl Sqlite {
    /// Opens the file, which must be migrated already.
    pub(crate) fn open(path: &Path, lock: File) -> Result<Sqlite> {
        let (writer, durability) = start_writer(path)?;
        let readers = (0..READERS).map(|_| open_reader(path)).collect::<Result<Vec<_>>>()?;
        Ok(Sqlite {
            path: path.to_owned(),
            _lock: lock,
            writer,
            write_slots: Arc::new(Semaphore::new(WRITES)),
            durability,
            readers: Mutex::new(readers),
            reader_slots: Arc::new(Semaphore::new(READERS)),
        })
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let slot = Arc::clone(&self.write_slots).acquire_owned().await.map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        self.writer.send(Message::Write(Box::new(Write::new(work, reply, slot)))).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = Arc::clone(self);
        // Held by the thread: a caller that goes away must not free a slot whose connection is still in use.
        let slot = Arc::clone(&self.reader_slots).acquire_owned().await.map_err(|_| stopped())?;
        let finished = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let connection = this.readers.lock().pop().ok_or_else(stopped)?;
            let result = catch_unwind(AssertUnwindSafe(|| read_snapshot(&connection, work)));
            this.readers.lock().push(connection);
            let result = result.unwrap_or_else(|_| Err(Error::internal("a read panicked")));
            Ok((result, this.durability.last_seen()))
        });
        let (result, seen) = finished.await.map_err(|e| Error::internal(format!("a read did not finish: {e}")))??;
        // Nobody is told of a change that a power failure could still take back.
        self.durability.reached(seen).await?;
        result
    }

    pub(crate) async fn state(&self) -> Result<StoreState> {
        let files = [self.path.clone(), with_suffix(&self.path, "-wal")];
        let measure = move || files.iter().map(|file| file.metadata().map_or(0, |found| found.len())).sum();
        let bytes = tokio::task::spawn_blocking(measure).await.map_err(|e| Error::internal(e.to_string()))?;
        Ok(StoreState { bytes, writes_under_way: self.writes_under_way() })
    }

    pub(crate) fn writes_under_way(&self) -> usize {
        WRITES - self.write_slots.available_permits()
    }

    /// Runs `work` in one transaction after another until it says that nothing is left to do. The connection is one of
    /// its own that sorts in files, since the indexes of a large record do not fit into memory. Other writers wait.
    pub(crate) async fn sort(&self, work: impl Fn(&mut Tx) -> Result<bool> + Send + 'static) -> Result<()> {
        let path = self.path.clone();
        let finished = tokio::task::spawn_blocking(move || {
            let connection = open_writer(&path)?;
            // Each of the threads sorts in as much memory as the cache may take.
            configure(&connection, "PRAGMA cache_size = -24576; PRAGMA temp_store = FILE; PRAGMA threads = 2;")?;
            loop {
                run(&connection, "BEGIN IMMEDIATE")?;
                let worked = work(&mut Tx::sqlite(&connection));
                commit(&connection, worked.is_ok())?;
                // What a large transaction leaves in the log would have to be read at each start.
                configure(&connection, "PRAGMA wal_checkpoint(TRUNCATE);")?;
                if !worked? {
                    return Ok(());
                }
            }
        });
        finished.await.map_err(|e| Error::internal(format!("sorting did not finish: {e}")))?
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The other threads send to the writer as well, so it would not notice by itself.
        let _ = self.writer.send(Message::Stop);
    }
}

/// Starts the three threads that write.
fn start_writer(path: &Path) -> Result<(mpsc::Sender<Message>, Arc<Durability>)> {
    let mut connection = open_writer(path)?;
    // A commit does not wait for the disk: the thread that syncs does.
    configure(&connection, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE; ROLLBACK;")?;
    let database = PathBuf::from(connection.path().unwrap_or_default());
    let open = |path: &Path| File::open(path).map_err(|e| cannot_open(path, &e));
    let (log, database) = (open(&with_suffix(&database, "-wal"))?, open(&database)?);

    let durability = Arc::new(Durability::new());
    let (writer, inbox) = mpsc::channel();
    let (syncer, groups) = mpsc::channel();
    let (copier, requests) = mpsc::channel();
    let checkpoints = Checkpoints::new(&mut connection, copier).map_err(|e| sqlite_error("wal_hook", &e))?;

    let (state, answers) = (Arc::clone(&durability), writer.clone());
    thread("sqlite-sync", move || durability::sync_groups(&groups, || log.sync_data(), &state, &answers))?;
    let (copying, answers) = (open_writer(path)?, writer.clone());
    thread("sqlite-checkpoint", move || checkpoint::copy_on_request(&requests, &copying, &database, &answers))?;
    let state = Arc::clone(&durability);
    thread("sqlite-writer", move || {
        Writer { connection, chain: Chain::only(), inbox, syncer, durability: state, checkpoints }.run();
    })?;
    Ok((writer, durability))
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(|_| ()).map_err(|e| Error::internal(format!("cannot start the thread {name}: {e}")))
}

/// `stele.db` and `-wal` make `stele.db-wal`.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
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
    let connection = Connection::open(path).map_err(|e| cannot_open(path, &e))?;
    // FULL makes every commit wait for the disk; WAL makes that one sync.
    configure(
        &connection,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -49152; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| cannot_open(path, &e))?;
    configure(&connection, "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

fn cannot_open(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::internal(format!("cannot open the database {}: {error}", path.display()))
}

fn configure(connection: &Connection, pragmas: &str) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
        .busy_timeout(Duration::from_secs(10))
        .and_then(|()| connection.execute_batch(pragmas))
        // LIKE is case-sensitive in the record's search, as it is on PostgreSQL.
        .and_then(|()| connection.execute_batch("PRAGMA case_sensitive_like = ON;"))
        .and_then(|()| super::regexp::register(connection))
        .and_then(|()| super::percentile::register(connection))
        .map_err(|e| sqlite_error(pragmas, &e))
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(|e| sqlite_error(sql, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::params;

    async fn scratch() -> (tempfile::TempDir, Arc<Sqlite>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let sqlite = Arc::new(Sqlite::open(&path, lock(&path).unwrap()).unwrap());
        sqlite
            .write(|tx| tx.execute("CREATE TABLE thing (name TEXT PRIMARY KEY, size TEXT)", params![]))
            .await
            .unwrap();
        (folder, sqlite)
    }

    async fn names(sqlite: &Arc<Sqlite>) -> Vec<String> {
        sqlite.read(|tx| tx.query("SELECT name FROM thing ORDER BY name", params![], |row| row.text(0))).await.unwrap()
    }

    #[tokio::test]
    async fn a_second_server_on_the_file_is_refused() {
        let (folder, _sqlite) = scratch().await;
        assert!(lock(&folder.path().join("test.db")).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_whose_callers_went_away_take_no_connection_from_others() {
        let (_folder, sqlite) = scratch().await;
        let (started, starts) = mpsc::channel();
        let mut releases = Vec::new();
        for _ in 0..READERS {
            let (release, released) = mpsc::channel::<()>();
            releases.push(release);
            let (sqlite, started) = (Arc::clone(&sqlite), started.clone());
            let reader = tokio::spawn(async move {
                sqlite
                    .read(move |_| {
                        let _ = started.send(());
                        let _ = released.recv();
                        Ok(())
                    })
                    .await
            });
            starts.recv().unwrap();
            reader.abort();
            assert!(reader.await.unwrap_err().is_cancelled());
        }
        let waiting = tokio::spawn({
            let sqlite = Arc::clone(&sqlite);
            async move { names(&sqlite).await }
        });
        drop(releases);
        assert!(waiting.await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_fails_the_whole_group_and_leaves_nothing_of_it() {
        let (_folder, sqlite) = scratch().await;
        sqlite.write(|tx| tx.query("PRAGMA max_page_count = 40", params![], |row| row.int(0))).await.unwrap();
        let (release, released) = mpsc::channel::<()>();
        let insert = |name: &'static str, bytes: usize| {
            let sqlite = Arc::clone(&sqlite);
            tokio::spawn(async move {
                let size = "x".repeat(bytes);
                let sql = "INSERT INTO thing VALUES ($1, $2)";
                sqlite.write(move |tx| tx.execute(sql, params![name, &size])).await
            })
        };
        // Holds the writer until the others wait, so that they make one group.
        let holder = tokio::spawn({
            let sqlite = Arc::clone(&sqlite);
            async move { sqlite.write(move |_| Ok(released.recv().is_ok())).await }
        });
        let writes = [insert("before", 10), insert("too large", 1_000_000), insert("after", 10)];
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        holder.await.unwrap().ok();
        let mut acknowledged = Vec::new();
        for (name, write) in ["before", "too large", "after"].into_iter().zip(writes) {
            if write.await.unwrap().is_ok() {
                acknowledged.push(name.to_owned());
            }
        }
        acknowledged.sort();
        assert!(!acknowledged.contains(&"too large".to_owned()));
        assert_eq!(names(&sqlite).await, acknowledged, "what was acknowledged is there, and nothing else");
        insert("later", 10).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_write_that_panics_leaves_nothing_and_stops_nobody() {
        let (_folder, sqlite) = scratch().await;
        let panicked: Result<()> = sqlite
            .write(|tx| {
                tx.execute("INSERT INTO thing VALUES ('half', '')", params![])?;
                panic!("on purpose")
            })
            .await;
        assert!(panicked.is_err());
        sqlite.write(|tx| tx.execute("INSERT INTO thing VALUES ('whole', '')", params![])).await.unwrap();
        assert_eq!(names(&sqlite).await, ["whole"]);
    }
}
