//! A consistent copy of a SQLite database, taken while a server writes to it, and looking whether a copy is sound.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use stele_domain::{Error, Result};

use crate::series;

/// A copy that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    pub bytes: u64,
}

/// What was looked at in a copy that is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub tables: u64,
    pub rows: u64,
    /// Chunks of metric points, each of which was decoded and matched its checksum.
    pub chunks: u64,
    /// In chunks, and in series that have too few for one.
    pub points: u64,
}

/// Copies the database at `source` to the file `target`, which must not be there. Everything that was acknowledged
/// before is in the copy. The copy appears under its name when it is whole and on disk. Blocks.
pub fn backup(source: &Path, target: &Path) -> Result<BackedUp> {
    if target.exists() {
        return Err(Error::invalid(format!("{} is there already", target.display())));
    }
    let partial = target.with_added_extension("partial");
    remove_if_there(&partial)?;
    let connection = open(source, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let text = partial.to_str().ok_or_else(|| Error::invalid(format!("{} is not UTF-8", target.display())))?;
    // One read transaction of the source; the copy has no free pages and no write-ahead log.
    connection.execute("VACUUM INTO ?1", [text]).map_err(|error| failed("copy", source, &error))?;
    let published = File::open(&partial).and_then(|file| {
        file.sync_all()?;
        std::fs::rename(&partial, target)?;
        File::open(folder_of(target))?.sync_all()?;
        Ok(file.metadata()?.len())
    });
    published.map(|bytes| BackedUp { bytes }).map_err(|error| failed("finish", target, &error))
}

/// Looks whether the database in the file `path` is sound: its pages and indexes, its references, and every chunk of
/// metric points. Blocks.
pub fn verify(path: &Path) -> Result<Verified> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let unsound = |what: String| Error::internal(format!("{} is damaged: {what}", path.display()));
    let cannot = |error: rusqlite::Error| failed("verify", path, &error);
    let answer: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(cannot)?;
    if answer != "ok" {
        return Err(unsound(answer));
    }
    let mut references = connection.prepare("PRAGMA foreign_key_check").map_err(cannot)?;
    let broken: Option<String> =
        references.query_map([], |row| row.get(0)).map_err(cannot)?.next().transpose().map_err(cannot)?;
    if let Some(table) = broken {
        return Err(unsound(format!("a row of {table} refers to one that is not there")));
    }
    let mut verified = Verified { tables: 0, rows: 0, chunks: 0, points: 0 };
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .map_err(cannot)?;
    for table in tables.query_map([], |row| row.get::<_, String>(0)).map_err(cannot)? {
        let count = format!("SELECT COUNT(*) FROM \"{}\"", table.map_err(cannot)?);
        let rows: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(cannot)?;
        verified.tables += 1;
        verified.rows += rows as u64;
    }
    let mut chunks = connection.prepare("SELECT series_id, number, points, data FROM chunk").map_err(cannot)?;
    let mut rows = chunks.query([]).map_err(cannot)?;
    while let Some(row) = rows.next().map_err(cannot)? {
        let (series, number, points): (i64, i64, i64) =
            (row.get(0).map_err(cannot)?, row.get(1).map_err(cannot)?, row.get(2).map_err(cannot)?);
        let data: Vec<u8> = row.get(3).map_err(cannot)?;
        let decoded = series::decode(&data)
            .map_err(|error| unsound(format!("chunk {number} of metric series {series}: {error}")))?;
        if decoded.len() as i64 != points {
            return Err(unsound(format!("chunk {number} of metric series {series} has {} points", decoded.len())));
        }
        verified.chunks += 1;
        verified.points += decoded.len() as u64;
    }
    // Copies that were made before series had tails have none.
    let has_tails = "SELECT COUNT(*) FROM pragma_table_info('series') WHERE name = 'tail'";
    if connection.query_row(has_tails, [], |row| row.get::<_, i64>(0)).map_err(cannot)? == 0 {
        return Ok(verified);
    }
    let mut tails = connection.prepare("SELECT id, tail FROM series WHERE tail IS NOT NULL").map_err(cannot)?;
    let mut rows = tails.query([]).map_err(cannot)?;
    while let Some(row) = rows.next().map_err(cannot)? {
        let (id, tail): (i64, Vec<u8>) = (row.get(0).map_err(cannot)?, row.get(1).map_err(cannot)?);
        let decoded = series::decode(&tail)
            .map_err(|error| unsound(format!("the newest points of metric series {id}: {error}")))?;
        verified.points += decoded.len() as u64;
    }
    Ok(verified)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(|connection| connection.busy_timeout(Duration::from_secs(30)).map(|()| connection));
    connection.map_err(|error| failed("open", path, &error))
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("remove", path, &error)),
        _ => Ok(()),
    }
}

fn failed(what: &str, path: &Path, error: &dyn std::error::Error) -> Error {
    Error::Unavailable { message: format!("cannot {what} {}: {error}", path.display()) }
}
