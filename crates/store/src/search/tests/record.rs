//! A small record with every oddity that a search can meet, and databases that hold it.

use std::collections::BTreeMap;

use stele_postgres::Server;
use tempfile::TempDir;

use crate::engine::params;
use crate::metric::stored_value;
use crate::{DatabaseUrl, Store, Tx};

#[derive(Debug, Clone)]
pub(super) struct TestRun {
    pub(super) row: i64,
    pub(super) id: String,
    pub(super) experiment: i64,
    pub(super) presence: &'static str,
    pub(super) name: &'static str,
    pub(super) status: &'static str,
    pub(super) user: &'static str,
    pub(super) started: Option<i64>,
    pub(super) ended: Option<i64>,
    pub(super) metrics: BTreeMap<&'static str, f64>,
    pub(super) params: BTreeMap<&'static str, String>,
    pub(super) tags: BTreeMap<&'static str, String>,
    /// Name, digest and context of each dataset that the run read.
    pub(super) datasets: Vec<(&'static str, &'static str, Option<&'static str>)>,
}

/// Values whose first hundred characters are the same, and ones that differ in case, length or script.
pub(super) fn texts() -> Vec<String> {
    let long = "x".repeat(100);
    ["", "1", "10", "A", "a", "ab", "é", "𝄞", "a%b", "a_b", "a\\b"]
        .into_iter()
        .map(str::to_owned)
        .chain([format!("{long}1"), format!("{long}2"), long.clone()])
        .collect()
}

/// Runs of experiments 1 and 2, whose values follow from their number alone.
pub(super) fn runs() -> Vec<TestRun> {
    let texts = texts();
    let mut state = 7_u64;
    let mut pick = move |most: usize| {
        // The multiplier and increment of Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut all = Vec::new();
    for row in 1..=60 {
        let mut metrics = BTreeMap::new();
        for key in ["m", "n"] {
            let values = [f64::NAN, -1.0, 0.0, 1.0, 1.5, f64::INFINITY];
            if let Some(value) = values.get(pick(values.len() + 2)) {
                metrics.insert(key, *value);
            }
        }
        let mut keyed = || {
            let mut values = BTreeMap::new();
            for key in ["k", "l"] {
                if let Some(value) = texts.get(pick(texts.len() + 5)) {
                    values.insert(key, value.clone());
                }
            }
            values
        };
        let (params, tags) = (keyed(), keyed());
        let mut datasets = Vec::new();
        for (name, digest) in [("d", "1"), ("d", "2"), ("e", "1")] {
            match pick(5) {
                0 => datasets.push((name, digest, Some("training"))),
                1 => datasets.push((name, digest, None)),
                _ => {}
            }
        }
        all.push(TestRun {
            row,
            id: format!("{:02}{row:02}", pick(50)),
            experiment: if pick(5) == 0 { 2 } else { 1 },
            presence: if pick(6) == 0 { "deleted" } else { "active" },
            name: ["a", "b", "B", "ab", ""][pick(5)],
            status: ["running", "completed", "failed", "stopped", "queued"][pick(5)],
            user: ["u", "v"][pick(2)],
            started: [None, Some(1), Some(2), Some(3), Some(4), Some(-5)][pick(6)],
            ended: [None, Some(10), Some(20)][pick(3)],
            metrics,
            params,
            tags,
            datasets,
        });
    }
    all
}

/// A database on SQLite, and one on PostgreSQL where STELE_TEST_POSTGRES names a superuser's URL.
pub(super) fn stores() -> Vec<(&'static str, Store, Option<TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Store::open(&DatabaseUrl::Sqlite(folder.path().join("stele.db"))).unwrap();
    let mut stores = vec![("sqlite", sqlite, Some(folder))];
    if let Ok(cluster) = std::env::var("STELE_TEST_POSTGRES") {
        let name = format!("search_{}_{}", std::process::id(), rand::random::<u32>());
        let mut client = Server::parse(&cluster).unwrap().connect().unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut url = url::Url::parse(&cluster).unwrap();
        url.set_path(&name);
        stores.push(("postgres", Store::open(&DatabaseUrl::Postgres(url.to_string())).unwrap(), None));
    }
    stores
}

/// Workspace 1 with experiments 1 and 2, workspace 2 with a run that nobody may find.
pub(super) fn write_runs(tx: &mut Tx, runs: &[TestRun]) -> stele_domain::Result<()> {
    const RUN: &str = "INSERT INTO run (id, public_id, workspace_id, experiment_id, kind, name, status, presence,
             user_name, artifact_uri, started_at, ended_at, created_at)
         VALUES ($1, $2, $3, $4, 'training', $5, $6, $7, $8, $9, $10, $11, $12)";
    for workspace in 1..=2 {
        let name = format!("w{workspace}");
        tx.execute("INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, 0)", params![workspace, &name])?;
    }
    for experiment in 1..=2 {
        let insert =
            "INSERT INTO experiment (id, workspace_id, name, artifact_location, presence, created_at, updated_at)
             VALUES ($1, 1, $2, '', 'active', 0, 0)";
        tx.execute(insert, params![experiment, &format!("e{experiment}")])?;
    }
    tx.execute("INSERT INTO artifact (id, workspace_id, name, created_at) VALUES (1, 1, 'd', 0)", params![])?;
    for run in runs {
        let uri = format!("s3://{}", run.id);
        let values = params![
            run.row,
            &run.id,
            1,
            run.experiment,
            run.name,
            run.status,
            run.presence,
            run.user,
            &uri,
            run.started,
            run.ended,
            run.row,
        ];
        tx.execute(RUN, values)?;
        for (key, value) in &run.metrics {
            let (value, is_nan) = stored_value(*value);
            let insert = "INSERT INTO series (run_id, key, experiment_id, value, is_nan, step, timestamp, points, next_chunk, unmerged)
                 VALUES ($1, $2, $3, $4, $5, 0, 0, 1, 1, 1)";
            tx.execute(insert, params![run.row, *key, run.experiment, value, is_nan])?;
        }
        for (table, values) in [("run_param", &run.params), ("run_tag", &run.tags)] {
            for (key, value) in values {
                let insert = format!("INSERT INTO {table} (run_id, key, value, experiment_id) VALUES ($1, $2, $3, $4)");
                tx.execute(&insert, params![run.row, *key, value, run.experiment])?;
            }
        }
        for (name, digest, context) in &run.datasets {
            read_dataset(tx, run, name, digest, *context)?;
        }
    }
    tx.execute(RUN, params![999, "hidden", 2, 1, "a", "running", "active", "u", "", 1, 1, 1]).map(|_| ())
}

fn read_dataset(
    tx: &mut Tx,
    run: &TestRun,
    name: &str,
    digest: &str,
    context: Option<&str>,
) -> stele_domain::Result<()> {
    let public = format!("{}-{name}-{digest}", run.experiment);
    tx.execute(
        "INSERT INTO artifact_version (public_id, workspace_id, artifact_id, number, type, uri, created_at)
             SELECT $1, 1, 1, COALESCE(MAX(number), 0) + 1, 'data', '', 0 FROM artifact_version
             WHERE NOT EXISTS (SELECT 1 FROM artifact_version WHERE public_id = $1) HAVING $1 <> ''
             ON CONFLICT DO NOTHING",
        params![&public],
    )?;
    let id =
        tx.query_one("SELECT id FROM artifact_version WHERE public_id = $1", params![&public], |row| row.int(0))?;
    tx.execute(
        "INSERT INTO dataset (id, experiment_id, name, digest, source_type, source) VALUES ($1, $2, $3, $4, '', '')
             ON CONFLICT DO NOTHING",
        params![id, run.experiment, name, digest],
    )?;
    let edge = "INSERT INTO edge (kind, source_kind, source_id, target_kind, target_id, created_at)
         VALUES ('consumed', 'artifact_version', $1, 'run', $2, 0) RETURNING id";
    let edge = tx.query_one(edge, params![id, run.row], |row| row.int(0))?;
    if let Some(context) = context {
        let tag = "INSERT INTO edge_tag (edge_id, key, value) VALUES ($1, 'mlflow.data.context', $2)";
        tx.execute(tag, params![edge, context])?;
    }
    Ok(())
}
