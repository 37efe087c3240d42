//! An MLflow database of the record: SQLite, of the schema of MLflow 3.17.

mod evaluation;
mod registry;
mod review;
mod runs;
mod traces;
mod tracking;

use std::path::Path;

use rusqlite::Connection;
use stele_app::{App, Ctx};
use stele_domain::{Error, Result};

use super::{ExportReport, Exported, Partial, Record, cannot_write};
use crate::Progress;

const SCHEMA: &str = include_str!("schema.sql");

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

/// The schema in two parts: indexes are made when the rows are there, since sorting all at once is much less work than
/// finding a place for each.
fn tables_and_indexes() -> (&'static str, &'static str) {
    SCHEMA.split_at(SCHEMA.find("CREATE INDEX").unwrap_or(SCHEMA.len()))
}

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
}

impl Writer {
    fn create(path: &Path) -> Result<Writer> {
        let connection = Connection::open(path).map_err(|error| cannot_write(path, &error))?;
        connection.set_prepared_statement_cache_capacity(64);
        // The file is synced when it is whole, and thrown away when it does not get there. The indexes of a few tables
        // grow in no order, which a large cache mends.
        connection
            .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -131072;")
            .and_then(|()| connection.execute_batch(tables_and_indexes().0))
            .and_then(|()| connection.execute_batch("PRAGMA foreign_keys = ON; BEGIN;"))
            .map_err(|error| cannot_write(path, &error))?;
        Ok(Writer { connection })
    }

    fn insert(&self, sql: &'static str, values: impl rusqlite::Params) -> Result<()> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(|_| ())
            .map_err(|error| failed(sql, &error))
    }

    /// Ends the transaction and begins the next.
    fn commit(&self) -> Result<()> {
        self.connection.execute_batch("COMMIT; BEGIN;").map_err(|error| failed("COMMIT", &error))
    }

    fn finish(self) -> Result<Vec<Exported>> {
        let (_, indexes) = tables_and_indexes();
        self.connection
            .execute_batch("COMMIT;")
            .and_then(|()| self.connection.execute_batch(indexes))
            .map_err(|error| failed("COMMIT", &error))?;
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            let count = format!("SELECT COUNT(*) FROM {table}");
            let rows: i64 =
                self.connection.query_row(&count, [], |row| row.get(0)).map_err(|error| failed(&count, &error))?;
            counts.push(Exported { name: (*table).to_owned(), rows: rows as u64 });
        }
        self.connection.close().map_err(|(_, error)| failed("close", &error))?;
        Ok(counts)
    }
}

fn failed(sql: &str, error: &rusqlite::Error) -> Error {
    Error::Unavailable { message: format!("cannot write the MLflow database: {error} in: {sql}") }
}
