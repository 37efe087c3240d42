//! Fills the tables of MLflow and of FastTrackML, which kept MLflow's names for them and added columns.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rusqlite::{Connection, params};

use super::RunData;
use super::dataset::{METRICS, PARAMS, TAGS, metric_key, param_key, tag_key};
use super::points::point;
use crate::peers::{Kind, Server};

/// Runs between two looks at the clock.
const BATCH: u64 = 1_000;
/// Points between two looks at the clock.
const POINTS: u64 = 50_000;

pub(super) fn runs(server: &Server, experiment: &str, runs: u64, limit: Duration) -> Result<u64> {
    let experiment: i64 = experiment.parse().context("the experiment's id is not a number")?;
    let started = Instant::now();
    match &server.postgres {
        Some(database) => {
            let mut client = postgres::Client::connect(&database.url, postgres::NoTls)?;
            let mut first = 0;
            while first < runs && started.elapsed() < limit {
                let last = (first + BATCH * 10).min(runs);
                copy_runs(&mut client, experiment, first, last, runs)?;
                first = last;
            }
            client.batch_execute("ANALYZE")?;
            Ok(first)
        }
        None => {
            let mut connection = open(server)?;
            let schema = Schema::of(server.target.kind, &connection)?;
            let mut first = 0;
            while first < runs && started.elapsed() < limit {
                let last = (first + BATCH).min(runs);
                insert_runs(&mut connection, &schema, experiment, first, last, runs)?;
                first = last;
            }
            connection.execute_batch("ANALYZE")?;
            Ok(first)
        }
    }
}

pub(super) fn series(server: &Server, run: &str, points: u64, limit: Duration) -> Result<u64> {
    let started = Instant::now();
    let mut first = 0;
    match &server.postgres {
        Some(database) => {
            let mut client = postgres::Client::connect(&database.url, postgres::NoTls)?;
            while first < points && started.elapsed() < limit {
                let last = (first + POINTS).min(points);
                let mut copy =
                    client.copy_in("COPY metrics (key, value, timestamp, step, is_nan, run_uuid) FROM STDIN")?;
                for step in first..last {
                    let (timestamp, value) = point(step, points);
                    writeln!(copy, "loss\t{value}\t{timestamp}\t{step}\tf\t{run}")?;
                }
                copy.finish()?;
                first = last;
            }
            client.batch_execute("ANALYZE metrics")?;
        }
        None => {
            let mut connection = open(server)?;
            let schema = Schema::of(server.target.kind, &connection)?;
            while first < points && started.elapsed() < limit {
                let last = (first + POINTS).min(points);
                let transaction = connection.transaction()?;
                let mut insert = transaction.prepare(&schema.metrics("metrics", "iter"))?;
                for step in first..last {
                    let (timestamp, value) = point(step, points);
                    insert.execute(params!["loss", value, timestamp as i64, step as i64, run, schema.context])?;
                }
                drop(insert);
                transaction.commit()?;
                first = last;
            }
        }
    }
    Ok(first)
}

fn open(server: &Server) -> Result<Connection> {
    let connection = Connection::open(server.sqlite_file())?;
    // What is lost here is measured no further: a crash of the machine ends the run anyway.
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY;")?;
    connection.busy_timeout(Duration::from_secs(30))?;
    Ok(connection)
}

/// Where the peers' tables differ.
struct Schema {
    fasttrackml: bool,
    /// FastTrackML's row for a metric without a context.
    context: i64,
}

impl Schema {
    fn of(kind: Kind, connection: &Connection) -> Result<Schema> {
        let fasttrackml = kind == Kind::FastTrackMl;
        let context = if fasttrackml { default_context(connection)? } else { 0 };
        Ok(Schema { fasttrackml, context })
    }

    /// An insert into one of the two tables of metrics, by key, value, timestamp, step, run and context.
    fn metrics(&self, table: &str, iteration: &str) -> String {
        if self.fasttrackml {
            format!(
                "INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid, {iteration}, context_id)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5, ?4 + 1, ?6)"
            )
        } else {
            // SQLite wants every parameter used.
            format!(
                "INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid) SELECT ?1, ?2, ?3, ?4, 0, ?5 WHERE ?6 = 0"
            )
        }
    }

    fn param_value(&self) -> &'static str {
        if self.fasttrackml { "value_str" } else { "value" }
    }
}

fn default_context(connection: &Connection) -> Result<i64> {
    connection.execute("INSERT INTO contexts (json) VALUES ('{}') ON CONFLICT DO NOTHING", [])?;
    Ok(connection.query_row("SELECT id FROM contexts WHERE json = '{}'", [], |row| row.get(0))?)
}

fn insert_runs(
    connection: &mut Connection,
    schema: &Schema,
    experiment: i64,
    first: u64,
    last: u64,
    salt: u64,
) -> Result<()> {
    let row_num = if schema.fasttrackml { "(SELECT COALESCE(MAX(row_num), 0) + 1 FROM runs)" } else { "NULL" };
    let columns = if schema.fasttrackml { ", row_num" } else { ", deleted_time" };
    let transaction = connection.transaction()?;
    {
        let mut run = transaction.prepare(&format!(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
                 end_time, source_version, lifecycle_stage, artifact_uri, experiment_id{columns})
             VALUES (?1, ?2, 'UNKNOWN', '', '', 'researcher', 'FINISHED', ?3, ?4, '', 'active', '', ?5, {row_num})"
        ))?;
        let mut metric = transaction.prepare(&schema.metrics("metrics", "iter"))?;
        let mut latest = transaction.prepare(&schema.metrics("latest_metrics", "last_iter"))?;
        let mut param = transaction
            .prepare(&format!("INSERT INTO params (key, {}, run_uuid) VALUES (?1, ?2, ?3)", schema.param_value()))?;
        let mut tag = transaction.prepare("INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)")?;
        for index in first..last {
            let data = RunData { index };
            let id = data.id(salt);
            run.execute(params![id, data.name(), data.start_time(), data.end_time(), experiment])?;
            for number in 0..METRICS {
                let values = params![metric_key(number), data.metric(number), data.end_time(), 0, id, schema.context];
                metric.execute(values)?;
                latest.execute(values)?;
            }
            for number in 0..PARAMS {
                param.execute(params![param_key(number), data.param(number), id])?;
            }
            for number in 0..TAGS {
                tag.execute(params![tag_key(number), data.tag(number), id])?;
            }
            tag.execute(params!["mlflow.runName", data.name(), id])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// MLflow's tables in PostgreSQL.
fn copy_runs(client: &mut postgres::Client, experiment: i64, first: u64, last: u64, salt: u64) -> Result<()> {
    let mut transaction = client.transaction()?;
    let runs = || (first..last).map(|index| RunData { index });
    let mut copy = transaction.copy_in(
        "COPY runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
             source_version, lifecycle_stage, artifact_uri, experiment_id) FROM STDIN",
    )?;
    for data in runs() {
        let (id, name, start, end) = (data.id(salt), data.name(), data.start_time(), data.end_time());
        writeln!(copy, "{id}\t{name}\tUNKNOWN\t\t\tresearcher\tFINISHED\t{start}\t{end}\t\tactive\t\t{experiment}")?;
    }
    copy.finish()?;
    for table in ["metrics", "latest_metrics"] {
        let sql = format!("COPY {table} (key, value, timestamp, step, is_nan, run_uuid) FROM STDIN");
        let mut copy = transaction.copy_in(&sql)?;
        for data in runs() {
            let (id, end) = (data.id(salt), data.end_time());
            for number in 0..METRICS {
                writeln!(copy, "{}\t{}\t{end}\t0\tf\t{id}", metric_key(number), data.metric(number))?;
            }
        }
        copy.finish()?;
    }
    let mut copy = transaction.copy_in("COPY params (key, value, run_uuid) FROM STDIN")?;
    for data in runs() {
        let id = data.id(salt);
        for number in 0..PARAMS {
            writeln!(copy, "{}\t{}\t{id}", param_key(number), data.param(number))?;
        }
    }
    copy.finish()?;
    let mut copy = transaction.copy_in("COPY tags (key, value, run_uuid) FROM STDIN")?;
    for data in runs() {
        let id = data.id(salt);
        for number in 0..TAGS {
            writeln!(copy, "{}\t{}\t{id}", tag_key(number), data.tag(number))?;
        }
        writeln!(copy, "mlflow.runName\t{}\t{id}", data.name())?;
    }
    copy.finish()?;
    transaction.commit()?;
    Ok(())
}
