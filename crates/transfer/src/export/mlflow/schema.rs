//! The schema of an export, in the order in which a large one is written fastest.
//!
//! Indexes are made when the rows are there, since sorting all at once is much less work, and less to write, than finding a
//! place for each. That goes for the primary keys of the largest tables too, which begin with a name that many runs share,
//! so that their rows come in no order: these tables are made without them. In the file such a key is an index as any
//! other, under a name of its own and without a statement, and so it becomes one.

use rusqlite::{Connection, params};

const SCHEMA: &str = include_str!("schema.sql");

/// The tables with several rows a run.
pub(super) const OF_RUNS: &[&str] = &["tags", "params", "metrics", "latest_metrics"];

/// A table whose primary key is made last.
struct Keyed {
    table: &'static str,
    /// As MLflow makes it.
    whole: &'static str,
    keyless: String,
    /// The columns of the key, in brackets.
    key: &'static str,
}

/// The statements that make the tables, those of [`OF_RUNS`] without their keys.
pub(super) fn tables() -> String {
    let (tables, _) = parts();
    keyed().into_iter().fold(tables.to_owned(), |tables, keyed| tables.replace(keyed.whole, &keyed.keyless))
}

/// Makes the keys and indexes of tables that have their rows.
pub(super) fn complete(connection: &Connection) -> rusqlite::Result<()> {
    for Keyed { table, key, .. } in keyed() {
        connection.execute_batch(&format!("CREATE UNIQUE INDEX key_of_{table} ON {table} {key};"))?;
    }
    connection.execute_batch("BEGIN; PRAGMA writable_schema = ON;")?;
    for Keyed { table, whole, .. } in keyed() {
        let named = "UPDATE sqlite_schema SET sql = ?1 WHERE type = 'table' AND name = ?2";
        connection.execute(named, params![whole, table])?;
        let key = "UPDATE sqlite_schema SET name = 'sqlite_autoindex_' || ?1 || '_1', sql = NULL
             WHERE type = 'index' AND name = 'key_of_' || ?1";
        connection.execute(key, params![table])?;
    }
    // Reads the schema anew, and fails if it is none.
    connection.execute_batch("COMMIT; PRAGMA writable_schema = RESET;")?;
    connection.execute_batch(parts().1)
}

/// Tables, and indexes.
fn parts() -> (&'static str, &'static str) {
    SCHEMA.split_at(SCHEMA.find("CREATE INDEX").unwrap_or(SCHEMA.len()))
}

fn keyed() -> Vec<Keyed> {
    OF_RUNS.iter().filter_map(|table| of_table(table)).collect()
}

fn of_table(table: &'static str) -> Option<Keyed> {
    let begins = [format!("CREATE TABLE {table} ("), format!("CREATE TABLE \"{table}\" (")];
    let start = begins.iter().find_map(|begin| SCHEMA.find(begin))?;
    let whole = &SCHEMA[start..start + SCHEMA[start..].find(";\n")?];
    let line = whole.lines().find(|line| line.contains(" PRIMARY KEY ("))?;
    let key = line[line.find('(')?..].trim_end().trim_end_matches(',');
    Some(Keyed { table, whole, keyless: whole.replacen(&format!("{line}\n"), "", 1), key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(connection: &Connection) -> Vec<(String, String, Option<String>)> {
        let query = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name";
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn keys_that_are_made_last_are_as_those_that_were_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection.execute_batch(&tables()).unwrap();
        assert_eq!(keyed().len(), OF_RUNS.len());
        connection.execute_batch("BEGIN").unwrap();
        let tag = "INSERT INTO tags (key, value, run_uuid) VALUES (?1, 'v', ?2)";
        for number in 0..500 {
            let (key, run) = (format!("key {}", number % 7), format!("{:032x}", number * 7919 % 1009));
            connection.execute(tag, params![key, run]).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        complete(&connection).unwrap();
        let plain = Connection::open_in_memory().unwrap();
        plain.execute_batch(SCHEMA).unwrap();
        assert_eq!(of(&connection), of(&plain));
        connection.close().unwrap();

        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let plan = "EXPLAIN QUERY PLAN SELECT value FROM tags WHERE key = 'key 1' AND run_uuid = 'x'";
        let plan: String = connection.query_row(plan, [], |row| row.get(3)).unwrap();
        assert!(plan.contains("sqlite_autoindex_tags_1"), "{plan}");
        let twice = connection.execute(tag, params!["key 0", format!("{:032x}", 0)]);
        assert!(twice.is_err(), "a key is there once");
        connection.execute(tag, params!["key 0", "another run"]).unwrap();
    }
}
