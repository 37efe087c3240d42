//! Appending very many rows to a table: what a load needs, where [`Tx::insert_rows`] would be slow.

use stele_domain::Result;

use super::tx::{Engine, Tx, sqlite_error, unnumbered};
use super::value::{Value, params};

impl Tx<'_> {
    /// Inserts rows that the table does not have, given as the values of `columns`, row after row. Fastest when
    /// they come in the order of the primary key.
    pub(crate) fn rows_append(&mut self, table: &'static str, columns: &str, values: &[Value]) -> Result<()> {
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite_append(connection, table, columns, values),
            Engine::Postgres(tx) => tx.copy(table, columns, values),
        }
    }

    /// Takes row ids for `count` new rows of a table that numbers its rows, ascending.
    pub(crate) fn row_ids_take(&mut self, table: &'static str, count: usize) -> Result<Vec<i64>> {
        match &self.engine {
            // Inserting rows with these ids moves the sequence on; until then this is the only writer.
            Engine::Sqlite(_) => {
                let last = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = $1";
                let last = self.query_one(last, params![table], |row| row.int(0))?;
                Ok((last + 1..).take(count).collect())
            }
            Engine::Postgres(_) => {
                let next = "SELECT nextval(pg_get_serial_sequence($1, 'id')) AS id
                     FROM generate_series(1, CAST($2 AS BIGINT)) ORDER BY id";
                self.query(next, params![table, count as i64], |row| row.int(0))
            }
        }
    }
}

/// A row a statement. A statement of many rows would keep what is needed to undo it alone, at a cost that grows with
/// what the transaction has written.
fn sqlite_append(
    connection: &rusqlite::Connection,
    table: &'static str,
    columns: &str,
    values: &[Value],
) -> Result<()> {
    let width = columns.split(',').count();
    debug_assert_eq!(values.len() % width, 0, "whole rows");
    // Parameters are numbered by their place, so that binding them needs no look at their names.
    let sql = format!("INSERT INTO {table} ({columns}) VALUES {}", unnumbered(1, width));
    let mut statement = connection.prepare_cached(&sql).map_err(|e| sqlite_error(&sql, &e))?;
    for row in values.chunks_exact(width) {
        for (index, value) in row.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value).map_err(|e| sqlite_error(&sql, &e))?;
        }
        statement.raw_execute().map_err(|e| sqlite_error(&sql, &e))?;
    }
    Ok(())
}
