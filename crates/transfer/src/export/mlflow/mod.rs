//! An MLflow database of the record: SQLite, of the schema of MLflow 3.17.

mod evaluation;
mod registry;
mod review;
mod runs;
mod schema;
mod traces;
mod tracking;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;
use stele_app::{App, Ctx};
use stele_domain::{Error, Result};

use super::{ExportReport, Exported, Partial, Record, cannot_write};
use crate::Progress;

/// How many rows that name nothing are removed at a time.
const MOST_STRAYS: usize = 10_000;

/// The tables that an export fills.
const TABLES: &[&str] = &[
    "experiments",
    "experiment_tags",
    "runs",
    "tags",
    "params",
    "metrics",
    "latest_metrics",
    "datasets",
    "inputs",
    "input_tags",
    "logged_models",
    "logged_model_tags",
    "logged_model_params",
    "logged_model_metrics",
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
    "trace_info",
    "trace_tags",
    "trace_request_metadata",
    "spans",
    "assessments",
    "entity_associations",
    "evaluation_datasets",
    "evaluation_dataset_tags",
    "evaluation_dataset_records",
    "scorers",
    "scorer_versions",
    "online_scoring_configs",
    "issues",
    "label_schemas",
    "review_queues",
    "review_queue_users",
    "review_queue_label_schemas",
    "review_queue_items",
    "webhooks",
    "webhook_events",
];

/// Writes all of the record to a new database at `target`, which appears under its name when it is whole.
pub async fn export_mlflow(
    app: &App,
    ctx: &Ctx,
    target: &Path,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ExportReport> {
    let partial = Partial::of(target, |path| std::fs::remove_file(path))?;
    let record = Record { app, ctx };
    let mut writer = Writer::create(&partial.path)?;
    progress(Progress::Total(app.runs_count(ctx).await?));
    writer.tracking(&record).await?;
    writer.runs(&record, &progress).await?;
    writer.traces(&record).await?;
    writer.evaluation(&record).await?;
    writer.reviews(&record).await?;
    writer.registry(&record).await?;
    partial.publish(writer.finish()?)
}

/// Writes rows in transactions of some size.
struct Writer {
    connection: Connection,
    counts: RefCell<HashMap<&'static str, u64>>,
}

impl Writer {
    fn create(path: &Path) -> Result<Writer> {
        let connection = Connection::open(path).map_err(|error| cannot_write(path, &error))?;
        connection.set_prepared_statement_cache_capacity(64);
        // The file is synced when it is whole, and thrown away when it does not get there. What a row refers to is looked
        // at in the end, for all rows at once.
        connection
            .execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;
                 PRAGMA foreign_keys = OFF;",
            )
            .and_then(|()| connection.execute_batch(&schema::tables()))
            .and_then(|()| connection.execute_batch("BEGIN;"))
            .map_err(|error| cannot_write(path, &error))?;
        Ok(Writer { connection, counts: RefCell::default() })
    }

    fn insert(&self, sql: &'static str, values: impl rusqlite::Params) -> Result<()> {
        let rows = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| failed(sql, &error))?;
        *self.counts.borrow_mut().entry(table_of(sql)).or_default() += rows as u64;
        Ok(())
    }

    /// Ends the transaction and begins the next.
    fn commit(&self) -> Result<()> {
        self.connection.execute_batch("COMMIT; BEGIN;").map_err(|error| failed("COMMIT", &error))
    }

    fn finish(self) -> Result<Vec<Exported>> {
        self.connection.execute_batch("COMMIT;").map_err(|error| failed("COMMIT", &error))?;
        schema::complete(&self.connection).map_err(|error| failed("CREATE INDEX", &error))?;
        self.leave_out_strays()?;
        let counts = self.counts.into_inner();
        self.connection.close().map_err(|(_, error)| failed("close", &error))?;
        let rows = |table: &&'static str| Exported {
            name: (*table).to_owned(),
            rows: counts.get(table).copied().unwrap_or_default(),
        };
        Ok(TABLES.iter().map(rows).collect())
    }

    /// Removes rows that name what is not in the file. The record is read page by page, and what came to it meanwhile may
    /// be on a page of which those before it were read already.
    fn leave_out_strays(&self) -> Result<()> {
        loop {
            let mut strays = Vec::new();
            // A row of a run was written with its run in the hand.
            for table in TABLES.iter().filter(|table| !schema::OF_RUNS.contains(table)) {
                let room = MOST_STRAYS - strays.len();
                strays.extend(self.strays(table, room)?.into_iter().map(|row| (*table, row)));
            }
            if strays.is_empty() {
                return Ok(());
            }
            for (table, row) in strays {
                if table == "runs" {
                    for of_run in schema::OF_RUNS {
                        self.delete(of_run, "run_uuid = (SELECT run_uuid FROM runs WHERE rowid = ?1)", row)?;
                    }
                }
                self.delete(table, "rowid = ?1", row)?;
            }
        }
    }

    fn strays(&self, table: &str, most: usize) -> Result<Vec<i64>> {
        let check = format!("PRAGMA foreign_key_check({table})");
        let cannot = |error: rusqlite::Error| failed(&check, &error);
        let mut statement = self.connection.prepare(&check).map_err(cannot)?;
        let rows = statement.query_map([], |row| row.get(1)).map_err(cannot)?;
        let mut strays: Vec<i64> = rows.take(most).collect::<rusqlite::Result<_>>().map_err(cannot)?;
        strays.dedup();
        Ok(strays)
    }

    fn delete(&self, table: &'static str, condition: &str, row: i64) -> Result<()> {
        let delete = format!("DELETE FROM {table} WHERE {condition}");
        let gone = self.connection.execute(&delete, [row]).map_err(|error| failed(&delete, &error))?;
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(table).or_default();
        *count = count.saturating_sub(gone as u64);
        Ok(())
    }
}

/// The table that a statement inserts into.
fn table_of(insert: &'static str) -> &'static str {
    insert.split_ascii_whitespace().nth(2).unwrap_or_default()
}

fn failed(sql: &str, error: &rusqlite::Error) -> Error {
    Error::Unavailable { message: format!("cannot write the MLflow database: {error} in: {sql}") }
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;

    #[test]
    fn rows_that_name_nothing_are_left_out_with_what_is_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.db");
        let writer = Writer::create(&path).unwrap();
        let experiment = "INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace)
             VALUES (1, 'one', 'active', 'default')";
        writer.insert(experiment, params![]).unwrap();
        for (run, experiment) in [("a", 1), ("b", 2)] {
            let head = "INSERT INTO runs (run_uuid, status, lifecycle_stage, experiment_id)
                 VALUES (?1, 'FINISHED', 'active', ?2)";
            writer.insert(head, params![run, experiment]).unwrap();
            writer.insert("INSERT INTO tags (key, value, run_uuid) VALUES ('k', 'v', ?1)", params![run]).unwrap();
            let tag = "INSERT INTO experiment_tags (key, value, experiment_id) VALUES ('k', 'v', ?1)";
            writer.insert(tag, params![experiment]).unwrap();
        }
        let counts = writer.finish().unwrap();
        let rows = |name: &str| counts.iter().find(|table| table.name == name).map(|table| table.rows);
        assert_eq!([rows("runs"), rows("tags"), rows("experiment_tags")], [Some(1); 3]);

        let connection = Connection::open(&path).unwrap();
        let left: Vec<(String, String)> = connection
            .prepare("SELECT runs.run_uuid, tags.run_uuid FROM runs, tags")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        assert_eq!(left, [("a".to_owned(), "a".to_owned())]);
        let strays = connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
        assert!(!strays);
    }
}
