use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::RunData;
use super::dataset::{METRICS, PARAMS, TAGS, metric_key, param_key, tag_key};
use crate::api::{Api, TRACKING};
use crate::bench::Bench;
use crate::http::{self, Connection};

const CLIENTS: usize = 4;

/// Puts runs into an experiment through the API. Gives how many were in when the time was over.
pub(super) fn runs(bench: &Bench, experiment: &str, runs: u64, limit: Duration) -> Result<u64> {
    let next = AtomicU64::new(0);
    let started = Instant::now();
    let client = || -> Result<u64> {
        let (mut api, mut connection) = (bench.api(), bench.connection());
        let mut stored = 0;
        while started.elapsed() < limit {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= runs {
                break;
            }
            one(&mut api, &mut connection, experiment, RunData { index })?;
            stored += 1;
        }
        Ok(stored)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?).sum()
    })
}

fn one(api: &mut Api, connection: &mut Connection, experiment: &str, data: RunData) -> Result<()> {
    let tags: Vec<Value> = (0..TAGS).map(|tag| json!({ "key": tag_key(tag), "value": data.tag(tag) })).collect();
    let body = json!({
        "experiment_id": experiment, "user_id": "researcher", "start_time": data.start_time(), "run_name": data.name(), "tags": tags,
    });
    let answer = api.post("runs/create", &body)?;
    let run = answer["run"]["info"]["run_id"].as_str().context("the new run has no id")?.to_owned();
    let mut body = format!(r#"{{"run_id": "{run}", "metrics": ["#);
    for metric in 0..METRICS {
        let comma = if metric == 0 { "" } else { ", " };
        let (key, value) = (metric_key(metric), data.metric(metric));
        let _ =
            write!(body, r#"{comma}{{"key": "{key}", "value": {value}, "timestamp": {}, "step": 0}}"#, data.end_time());
    }
    body += r#"], "params": ["#;
    for param in 0..PARAMS {
        let comma = if param == 0 { "" } else { ", " };
        let _ = write!(body, r#"{comma}{{"key": "{}", "value": "{}"}}"#, param_key(param), data.param(param));
    }
    body += r#"], "tags": []}"#;
    connection.expect_ok(&http::post(&format!("{TRACKING}/runs/log-batch"), &body))
}
