use stele_domain::{Error, Result};

use super::postgres::PostgresTx;
use super::value::{Row, Value};
use crate::audit::Chain;

/// One open transaction. SQL is common to both engines; binds are `$1`, `$2`, ..
pub struct Tx<'a> {
    pub(super) engine: Engine<'a>,
    /// The chain of audit entries that the writer holds; readers hold none.
    pub(crate) chain: Option<&'a mut Chain>,
}

pub(super) enum Engine<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(PostgresTx<'a>),
}

/// The most values one statement may bind, below the limits of both engines.
const MOST_BINDS: usize = 16_000;

impl<'a> Tx<'a> {
    pub(super) fn sqlite(connection: &'a rusqlite::Connection) -> Tx<'a> {
        Tx { engine: Engine::Sqlite(connection), chain: None }
    }

    /// A transaction whose changes are audited.
    pub(super) fn sqlite_chained(connection: &'a rusqlite::Connection, chain: &'a mut Chain) -> Tx<'a> {
        Tx { engine: Engine::Sqlite(connection), chain: Some(chain) }
    }

    pub(super) fn postgres(tx: PostgresTx<'a>, chain: &'a mut Chain) -> Tx<'a> {
        Tx { engine: Engine::Postgres(tx), chain: Some(chain) }
    }

    pub(super) fn into_postgres(self) -> Option<PostgresTx<'a>> {
        match self.engine {
            Engine::Postgres(tx) => Some(tx),
            Engine::Sqlite(_) => None,
        }
    }

    /// Runs a statement that gives no rows; says how many it changed.
    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let mut statement = prepare(connection, sql)?;
                bind(&mut statement, sql, params)?;
                let changed = statement.raw_execute().map_err(|e| sqlite_error(sql, &e))?;
                Ok(changed as u64)
            }
            Engine::Postgres(tx) => tx.execute(sql, params),
        }
    }

    /// Runs a query and maps every row.
    pub(crate) fn query<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        mut map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let mut statement = prepare(connection, sql)?;
                bind(&mut statement, sql, params)?;
                let mut rows = statement.raw_query();
                let mut mapped = Vec::new();
                while let Some(row) = rows.next().map_err(|e| sqlite_error(sql, &e))? {
                    mapped.push(map(&Row::Sqlite(row))?);
                }
                Ok(mapped)
            }
            Engine::Postgres(tx) => tx.query(sql, params)?.iter().map(|row| map(&Row::Postgres(row))).collect(),
        }
    }

    /// Runs a query and looks at every row while it is there, without keeping any.
    pub(crate) fn query_each(
        &mut self,
        sql: &str,
        params: &[Value],
        mut look: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        self.query(sql, params, |row| look(row)).map(|_| ())
    }

    /// Runs a query that gives at most one row.
    pub(crate) fn query_opt<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, params, map)?.into_iter().next())
    }

    /// Runs a query that always gives a row, such as a count or an insert with `RETURNING`.
    pub(crate) fn query_one<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        map: impl FnMut(&Row) -> Result<T>,
    ) -> Result<T> {
        self.query_opt(sql, params, map)?
            .ok_or_else(|| Error::internal(format!("a statement that must give a row gave none: {sql}")))
    }

    /// Inserts many rows in few statements: `head` up to `VALUES`, `width` values a row, `tail` after them. Says how many it changed.
    pub(crate) fn insert_rows(&mut self, head: &str, width: usize, tail: &str, values: &[Value]) -> Result<u64> {
        debug_assert_eq!(values.len() % width, 0, "whole rows");
        // Powers of two keep the number of different statements, and so the statement cache, small.
        let mut rest = values;
        let mut changed = 0;
        while !rest.is_empty() {
            let rows = (rest.len() / width).min(MOST_BINDS / width).min(256);
            let rows = if rows.is_power_of_two() { rows } else { rows.next_power_of_two() / 2 };
            let (now, later) = rest.split_at(rows * width);
            let row_after_row = match self.engine() {
                EngineKind::Sqlite => unnumbered(rows, width),
                EngineKind::Postgres => placeholders(rows, width),
            };
            changed += self.execute(&format!("{head} VALUES {row_after_row} {tail}"), now)?;
            rest = later;
        }
        Ok(changed)
    }

    /// Appended to a select whose rows this transaction is about to change. SQLite has one writer anyway.
    pub(crate) fn for_update(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "",
            Engine::Postgres(_) => " FOR NO KEY UPDATE",
        }
    }

    /// As [`Tx::for_update`], for the rows of one of the tables that are joined.
    pub(crate) fn for_update_of(&self, table: &str) -> String {
        match self.for_update() {
            "" => String::new(),
            lock => format!("{lock} OF {table}"),
        }
    }

    /// Appended to a select of a row that must stay as it is until this transaction ends.
    pub(crate) fn for_share(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "",
            Engine::Postgres(_) => " FOR SHARE",
        }
    }

    /// As [`Tx::for_update`], but rows that another transaction is changing are passed over.
    pub(crate) fn for_update_skipping_locked(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "",
            Engine::Postgres(_) => " FOR NO KEY UPDATE SKIP LOCKED",
        }
    }

    pub(crate) fn engine(&self) -> EngineKind {
        match self.engine {
            Engine::Sqlite(_) => EngineKind::Sqlite,
            Engine::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// `column {is_one_of_ints(1)}` tests for membership in the list bound to `$1` (see [`list`]).
    pub(crate) fn is_one_of_ints(&self, parameter: usize) -> String {
        self.engine().is_one_of_ints(parameter)
    }

    /// As [`Tx::is_one_of_ints`], for text.
    pub(crate) fn is_one_of_texts(&self, parameter: usize) -> String {
        self.engine().is_one_of_texts(parameter)
    }
}

/// Which engine a statement is for, where their SQL differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineKind {
    Sqlite,
    Postgres,
}

impl EngineKind {
    /// See [`Tx::is_one_of_ints`].
    pub(crate) fn is_one_of_ints(self, parameter: usize) -> String {
        match self {
            EngineKind::Sqlite => format!("IN (SELECT value FROM json_each(${parameter}))"),
            EngineKind::Postgres => format!(
                "= ANY (ARRAY(SELECT CAST(item AS BIGINT) FROM json_array_elements_text(CAST(${parameter} AS json)) item))"
            ),
        }
    }

    /// Selects the numbers in the list bound to a parameter.
    pub(crate) fn select_ints(self, parameter: usize) -> String {
        match self {
            EngineKind::Sqlite => format!("SELECT value FROM json_each(${parameter})"),
            EngineKind::Postgres => {
                format!("SELECT CAST(item AS BIGINT) FROM json_array_elements_text(CAST(${parameter} AS json)) item")
            }
        }
    }

    /// See [`Tx::is_one_of_texts`].
    pub(crate) fn is_one_of_texts(self, parameter: usize) -> String {
        match self {
            EngineKind::Sqlite => format!("IN (SELECT value FROM json_each(${parameter}))"),
            EngineKind::Postgres => {
                format!("= ANY (ARRAY(SELECT item FROM json_array_elements_text(CAST(${parameter} AS json)) item))")
            }
        }
    }

    /// The `LIKE` operator takes its pattern literally on both engines: no escape character.
    pub(crate) fn like_suffix(self) -> &'static str {
        match self {
            EngineKind::Sqlite => "",
            EngineKind::Postgres => " ESCAPE ''",
        }
    }
}

/// A list bound as one value, whatever its length, so that statements stay few.
pub(crate) fn list<T: Into<serde_json::Value>>(items: impl IntoIterator<Item = T>) -> Value<'static> {
    Value::Text(serde_json::Value::from_iter(items).to_string().into())
}

/// `($1,$2),($3,$4)` for two rows of two.
fn placeholders(rows: usize, width: usize) -> String {
    let mut text = String::with_capacity(rows * width * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..width {
            if column > 0 {
                text.push(',');
            }
            text.push('$');
            text.push_str(&(row * width + column + 1).to_string());
        }
        text.push(')');
    }
    text
}

/// `(?,?),(?,?)`, which SQLite numbers by itself.
pub(super) fn unnumbered(rows: usize, width: usize) -> String {
    let row = format!("({}?),", "?,".repeat(width - 1));
    let mut text = row.repeat(rows);
    text.pop();
    text
}

/// Prepares a statement, or takes it from the cache of the connection. SQLite numbers `$n` parameters by their first
/// appearance, and finding them by name takes longer than a small statement; `?n` are numbered by `n`.
fn prepare<'c>(connection: &'c rusqlite::Connection, sql: &str) -> Result<rusqlite::CachedStatement<'c>> {
    connection.prepare_cached(&sql.replace('$', "?")).map_err(|e| sqlite_error(sql, &e))
}

fn bind(statement: &mut rusqlite::CachedStatement, sql: &str, params: &[Value]) -> Result<()> {
    let wanted = statement.parameter_count();
    if params.len() < wanted {
        return Err(Error::internal(format!("a statement wants {wanted} values and has {}: {sql}", params.len())));
    }
    for (index, value) in params.iter().take(wanted).enumerate() {
        statement.raw_bind_parameter(index + 1, value).map_err(|e| sqlite_error(sql, &e))?;
    }
    Ok(())
}

pub(super) fn sqlite_error(sql: &str, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) if is_unique(error) => {
            tracing::warn!(%error, sql, "a unique constraint refused");
            Error::conflict("somebody else changed the same thing at the same time")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Unavailable { message: format!("the database is busy: {error}") }
        }
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
            Error::Unavailable { message: format!("the database cannot be written: {error}") }
        }
        _ => Error::internal(format!("{error} in: {sql}")),
    }
}

fn is_unique(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE))
}
