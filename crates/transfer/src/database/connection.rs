//! One SQL text on SQLite and PostgreSQL, as far as reading needs it.

use std::cell::{self, RefCell};
use std::error::Error as StdError;
use std::path::Path;

use postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use rusqlite::OpenFlags;
use rusqlite::types::ValueRef;
use stele_domain::{Error, Result};
use stele_postgres::Server;

/// A foreign database, in one read-only transaction.
pub(crate) struct Database {
    engine: Engine,
    /// How many cursors there have been, so that each has a name of its own.
    cursors: cell::Cell<u64>,
}

enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(RefCell<postgres::Client>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

/// One row of an answer. Columns are counted from 0, and a text can be taken once.
#[derive(Debug)]
pub(crate) struct Row(Vec<Cell>);

impl Database {
    pub(crate) fn open_sqlite(path: &Path) -> Result<Database> {
        let failed = |error: rusqlite::Error| failed(&format!("open {}", path.display()), &error);
        // Read-write, since a log that a killed server left has to be read in; nothing is written.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(path, flags)
            .or_else(|_| rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .map_err(failed)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(30))
            .and_then(|()| connection.execute_batch("PRAGMA query_only = ON; BEGIN;"))
            .map_err(failed)?;
        Ok(Database { engine: Engine::Sqlite(connection), cursors: cell::Cell::new(0) })
    }

    pub(crate) fn open_postgres(url: &str) -> Result<Database> {
        let mut client = Server::parse(url)?.connect()?;
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .map_err(|error| failed("begin to read", &error))?;
        Ok(Database { engine: Engine::Postgres(RefCell::new(client)), cursors: cell::Cell::new(0) })
    }

    /// Gives table and column of every column.
    pub(super) fn columns_query(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => {
                "SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
                 WHERE tables.type = 'table'"
            }
            Engine::Postgres(_) => {
                "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
                 WHERE table_schema = current_schema()"
            }
        }
    }

    pub(crate) fn query(&self, sql: &str, params: &[Cell]) -> Result<Vec<Row>> {
        let mut all = Vec::new();
        match &self.engine {
            Engine::Sqlite(_) => self.pages(sql, params, usize::MAX, |rows| {
                all = rows;
                Ok(())
            })?,
            Engine::Postgres(client) => {
                let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
                let rows = client.borrow_mut().query(sql, &params).map_err(|error| failed("read", &error))?;
                all = rows.iter().map(postgres_row).collect::<Result<_>>()?;
            }
        }
        Ok(all)
    }

    /// Visits the rows of an answer of any length, so many at a time; `visit` may ask other questions.
    pub(crate) fn pages(
        &self,
        sql: &str,
        params: &[Cell],
        size: usize,
        mut visit: impl FnMut(Vec<Row>) -> Result<()>,
    ) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(connection) => {
                let cannot = |error: rusqlite::Error| failed(&format!("read ({sql})"), &error);
                let mut statement = connection.prepare_cached(&sql.replace('$', "?")).map_err(cannot)?;
                let width = statement.column_count();
                let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(cannot)?;
                let mut page = Vec::new();
                while let Some(row) = rows.next().map_err(cannot)? {
                    let cells = (0..width).map(|column| sqlite_cell(row.get_ref(column).map_err(cannot)?));
                    page.push(Row(cells.collect::<Result<_>>()?));
                    if page.len() == size {
                        visit(std::mem::take(&mut page))?;
                    }
                }
                if page.is_empty() { Ok(()) } else { visit(page) }
            }
            Engine::Postgres(client) => {
                let cannot = |error: postgres::Error| failed(&format!("read ({sql})"), &error);
                self.cursors.set(self.cursors.get() + 1);
                let name = format!("pages_{}", self.cursors.get());
                let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR {}", inlined(sql, params));
                client.borrow_mut().batch_execute(&declare).map_err(cannot)?;
                loop {
                    let rows = client.borrow_mut().query(&format!("FETCH {size} FROM {name}"), &[]).map_err(cannot)?;
                    if rows.is_empty() {
                        break;
                    }
                    visit(rows.iter().map(postgres_row).collect::<Result<_>>()?)?;
                }
                client.borrow_mut().batch_execute(&format!("CLOSE {name}")).map_err(cannot)
            }
        }
    }
}

impl Row {
    pub(crate) fn int(&mut self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| Error::invalid(format!("column {column} of a row is NULL")))
    }

    pub(crate) fn opt_int(&mut self, column: usize) -> Result<Option<i64>> {
        match &self.0[column] {
            Cell::Null => Ok(None),
            Cell::Int(value) => Ok(Some(*value)),
            // SQLite keeps whole numbers in columns of any type.
            Cell::Real(value) if value.fract() == 0.0 => Ok(Some(*value as i64)),
            other => Err(Error::invalid(format!("{other:?} is no whole number"))),
        }
    }

    /// NULL is NaN, as which SQLite takes it.
    pub(crate) fn real(&mut self, column: usize) -> Result<f64> {
        match &self.0[column] {
            Cell::Null => Ok(f64::NAN),
            Cell::Int(value) => Ok(*value as f64),
            Cell::Real(value) => Ok(*value),
            Cell::Text(_) => Err(Error::invalid("a text is no number")),
        }
    }

    pub(crate) fn opt_real(&mut self, column: usize) -> Result<Option<f64>> {
        match &self.0[column] {
            Cell::Null => Ok(None),
            _ => self.real(column).map(Some),
        }
    }

    /// NULL is the empty text.
    pub(crate) fn text(&mut self, column: usize) -> Result<String> {
        Ok(self.opt_text(column)?.unwrap_or_default())
    }

    pub(crate) fn opt_text(&mut self, column: usize) -> Result<Option<String>> {
        match std::mem::replace(&mut self.0[column], Cell::Null) {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Int(value) => Ok(Some(value.to_string())),
            Cell::Real(value) => Ok(Some(value.to_string())),
        }
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => rusqlite::types::Null.into(),
            Cell::Int(value) => (*value).into(),
            Cell::Real(value) => (*value).into(),
            Cell::Text(text) => text.as_str().into(),
        })
    }
}

impl ToSql for Cell {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Cell::Null => Ok(IsNull::Yes),
            Cell::Int(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Cell::Int(value) => value.to_sql(ty, out),
            Cell::Real(value) => value.to_sql(ty, out),
            Cell::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A statement with its values written into it, since a cursor cannot be declared with parameters. Texts are quoted as
/// the standard has it, which a server reads literally.
fn inlined(sql: &str, params: &[Cell]) -> String {
    let mut text = String::with_capacity(sql.len() + 40 * params.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let number: Option<usize> = after[..digits].parse().ok();
        match number.and_then(|number| params.get(number.wrapping_sub(1))) {
            Some(Cell::Int(value)) => text.push_str(&value.to_string()),
            Some(Cell::Real(value)) => text.push_str(&value.to_string()),
            Some(Cell::Text(value)) => text.push_str(&format!("'{}'", value.replace('\'', "''"))),
            Some(Cell::Null) | None => text.push_str("NULL"),
        }
        rest = &after[digits..];
    }
    text.push_str(rest);
    text
}

fn sqlite_cell(value: ValueRef) -> Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) | ValueRef::Blob(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
    })
}

fn postgres_row(row: &postgres::Row) -> Result<Row> {
    let cannot = |error: postgres::Error| failed("read a value", &error);
    let mut cells = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let cell = match *column.type_() {
            Type::INT2 => row.try_get::<_, Option<i16>>(index).map_err(cannot)?.map(|value| Cell::Int(value.into())),
            Type::INT4 => row.try_get::<_, Option<i32>>(index).map_err(cannot)?.map(|value| Cell::Int(value.into())),
            Type::INT8 => row.try_get::<_, Option<i64>>(index).map_err(cannot)?.map(Cell::Int),
            Type::BOOL => row.try_get::<_, Option<bool>>(index).map_err(cannot)?.map(|value| Cell::Int(value.into())),
            Type::FLOAT4 => row.try_get::<_, Option<f32>>(index).map_err(cannot)?.map(|value| Cell::Real(value.into())),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(index).map_err(cannot)?.map(Cell::Real),
            _ => row.try_get::<_, Option<String>>(index).map_err(cannot)?.map(Cell::Text),
        };
        cells.push(cell.unwrap_or(Cell::Null));
    }
    Ok(Row(cells))
}

fn failed(what: &str, error: &dyn StdError) -> Error {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Error::Unavailable { message: format!("cannot {what}: {error}{cause}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_cursors_are_quoted() {
        let params = [Cell::Text("it's; --".to_owned()), Cell::Int(-3), Cell::Null];
        assert_eq!(inlined("a = $1 AND b = $2 AND c = $3", &params), "a = 'it''s; --' AND b = -3 AND c = NULL");
        assert_eq!(inlined("$1$1", &[Cell::Int(1)]), "11");
    }
}
