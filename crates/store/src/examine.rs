//! Looking at a database from outside, without making, migrating or locking anything, also while a server has it open.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use stele_domain::id::Timestamp;
use stele_domain::{Error, Result};
use stele_postgres::{Server, SslMode};

use crate::{DatabaseUrl, migrate};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// Of the engine, such as `SQLite 3.50.2` or `PostgreSQL 16.4`.
    pub engine: String,
    /// How a database server is connected, such as `TLSv1.3, its certificate and host checked`.
    pub connection: Option<String>,
    /// In bytes.
    pub size: u64,
    /// The number of the newest migration that was applied; 0 when the database is empty.
    pub applied: i64,
    /// The number of the newest migration that this program knows.
    pub known: i64,
    /// Whether requests must prove who they are.
    pub authentication: bool,
    /// What the clock of a database server said.
    pub clock: Option<Timestamp>,
}

/// Reads what a database says of itself; `None` when there is no such file. Blocks.
pub fn examine(url: &DatabaseUrl) -> Result<Option<Examination>> {
    match url {
        DatabaseUrl::Sqlite(path) if !path.exists() => Ok(None),
        DatabaseUrl::Sqlite(path) => sqlite(path).map(Some),
        DatabaseUrl::Postgres(url) => postgres(url).map(Some),
    }
}

/// Has SQLite read the whole file and gives back what is damaged; PostgreSQL looks after its own. Blocks.
pub fn damage(url: &DatabaseUrl) -> Result<Vec<String>> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(Vec::new()) };
    let open = open(path)?;
    let mut statement = open.prepare("PRAGMA quick_check(10)").map_err(|e| failed(&e))?;
    let found = statement.query_map([], |row| row.get::<_, String>(0)).map_err(|e| failed(&e))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

fn open(path: &Path) -> Result<Connection> {
    // A reader of the write-ahead log writes to its index, so read-only would not do.
    let open = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|e| failed(&e))?;
    open.execute_batch("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000;").map_err(|e| failed(&e))?;
    Ok(open)
}

const AUTHENTICATION: &str = "SELECT COUNT(*) FROM setting WHERE key = 'authentication' AND value = 'required'";

fn sqlite(path: &Path) -> Result<Examination> {
    let open = open(path)?;
    let int = |sql: &str| open.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|e| failed(&e));
    let has_history = int("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'")? > 0;
    let applied = if has_history { int("SELECT COALESCE(MAX(version), 0) FROM refinery_schema_history")? } else { 0 };
    // What was written lately may be in the log beside the file only.
    let log = std::fs::metadata(format!("{}-wal", path.display())).map_or(0, |log| log.len());
    let size = std::fs::metadata(path).map_err(|e| failed(&e))?.len() + log;
    let engine = format!("SQLite {}", rusqlite::version());
    let has_settings = int("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'setting'")? > 0;
    let authentication = has_settings && int(AUTHENTICATION)? > 0;
    Ok(Examination { engine, connection: None, size, applied, known: migrate::newest(), authentication, clock: None })
}

fn postgres(url: &str) -> Result<Examination> {
    let server = Server::parse(url)?;
    let mut client = server.connect()?;
    let connected = server.connected(&mut client)?;
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), pg_database_size(current_database()),
                 to_regclass('refinery_schema_history') IS NOT NULL, to_regclass('setting') IS NOT NULL,
                 CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
            &[],
        )
        .map_err(|e| failed(&e))?;
    let (version, size, has_history, has_settings, clock): (String, i64, bool, bool, i64) =
        (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4));
    let authentication = has_settings && {
        let found: i64 = client.query_one(AUTHENTICATION, &[]).map_err(|e| failed(&e))?.get(0);
        found > 0
    };
    let applied = if has_history {
        let sql = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM refinery_schema_history";
        client.query_one(sql, &[]).map_err(|e| failed(&e))?.get(0)
    } else {
        0
    };
    Ok(Examination {
        engine: format!("PostgreSQL {}", version.split(' ').next().unwrap_or_default()),
        connection: Some(match (connected.tls, connected.mode) {
            (None, _) => "without TLS".to_owned(),
            (Some(tls), SslMode::VerifyFull) => format!("{tls}, its certificate and host checked"),
            (Some(tls), SslMode::VerifyCa) => format!("{tls}, its certificate checked, but not its host"),
            (Some(tls), _) => format!("{tls}, its certificate not checked"),
        }),
        size: size.unsigned_abs(),
        applied,
        known: migrate::newest(),
        authentication,
        clock: Some(Timestamp(clock)),
    })
}

fn failed(error: &dyn std::error::Error) -> Error {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Error::Unavailable { message: format!("{error}{cause}") }
}
