//! Bare SQLite with the settings of a careful server: a write-ahead log that is synced at every commit.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rusqlite::{Connection, params};

use super::pace::rate;

/// Rows a second of `rows` inserts a commit, into a table of points keyed like a series.
pub(super) fn rows(folder: &Path, rows: u64, time: Duration, parts: usize) -> Result<f64> {
    let path = folder.join("bare.db");
    let mut connection = Connection::open(&path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536;
         CREATE TABLE point (series BIGINT, step BIGINT, timestamp BIGINT, value DOUBLE PRECISION, PRIMARY KEY (series, step)) WITHOUT ROWID;",
    )?;
    let mut step = 0i64;
    let inserted = rate(time, parts, || {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO point VALUES (?1, ?2, ?3, ?4)")?;
            for row in 0..rows as i64 {
                insert.execute(params![
                    row % 10,
                    step + row / 10,
                    1_764_000_000_000 + step,
                    crate::seed::unit(row as u64)
                ])?;
            }
        }
        transaction.commit()?;
        step += rows as i64 / 10 + 1;
        Ok(rows)
    })?;
    drop(connection);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("bare.db{suffix}")));
    }
    Ok(inserted)
}
