//! The record that the hot paths meet: one experiment with a few thousand runs, a long series, a file.

use std::path::Path;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::server::Server;

const RUNS: usize = 3_000;

/// Enough batches for the merger to care.
const BATCHES: usize = 50;
const BATCH: usize = 200;
pub(crate) const SERIES_POINTS: usize = BATCHES * BATCH;

/// In bytes.
pub(crate) const FILE_SIZE: usize = 1 << 20;
/// As HTTP connections deliver bodies, roughly.
const FRAME_SIZE: usize = 16 * 1024;
pub(crate) const FILE_PATH: &str = "1/model/weights.bin";

/// What requests must name.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) experiment: String,
    /// A run among the others, with a series of [`SERIES_POINTS`] points.
    pub(crate) run: String,
}

/// Makes the record in the empty `folder`, always the same one.
pub(crate) async fn prepare(folder: &Path) -> Result<()> {
    let server = Server::open(folder, 1).await?;
    let made = post(&server, "experiments/create", &json!({ "name": "counted" })).await?;
    let experiment = text(&made, "/experiment_id")?;
    // Sent together, so that they share commits; the writer takes them in the order in which they come.
    let made = try_join_all((0..RUNS).map(|index| {
        let run = json!({ "experiment_id": experiment, "run_name": format!("run {index}"), "start_time": index });
        let server = &server;
        async move { post(server, "runs/create", &run).await }
    }));
    let runs = made.await?.iter().map(|made| text(made, "/run/info/run_id")).collect::<Result<Vec<_>>>()?;
    let logged = runs.iter().enumerate().map(|(index, run)| {
        let values = run_values(run, index);
        let server = &server;
        async move { post(server, "runs/log-batch", &values).await }
    });
    try_join_all(logged).await?;
    let run = runs[RUNS / 2].clone();
    for batch in 0..BATCHES {
        let metrics: Vec<Value> = (0..BATCH).map(|index| metric("series", batch * BATCH + index)).collect();
        post(&server, "runs/log-batch", &json!({ "run_id": run, "metrics": metrics })).await?;
    }
    while server.store.series_merge_one().await? {}
    server.send(upload(FILE_PATH)?, StatusCode::OK).await?;
    let record = serde_json::to_vec(&Record { experiment, run })?;
    std::fs::write(folder.join("record.json"), record)?;
    server.close(folder).await
}

impl Record {
    pub(crate) fn read(folder: &Path) -> Result<Record> {
        Ok(serde_json::from_slice(&std::fs::read(folder.join("record.json"))?)?)
    }
}

fn run_values(run: &str, index: usize) -> Value {
    let keys = 0..5;
    let metrics: Vec<Value> = keys.clone().map(|key| metric(&format!("metric {key}"), index * 7 + key)).collect();
    let params = keys.clone().map(|key| json!({ "key": format!("param {key}"), "value": (index % 10).to_string() }));
    let tags = keys.clone().map(|key| json!({ "key": format!("tag {key}"), "value": format!("group {}", index % 3) }));
    let (params, tags): (Vec<Value>, Vec<Value>) = (params.collect(), tags.collect());
    json!({ "run_id": run, "metrics": metrics, "params": params, "tags": tags })
}

/// A metric value at `step`, between 0 and 1 and with as many digits as values have.
pub(crate) fn metric(key: &str, step: usize) -> Value {
    json!({ "key": key, "value": value(step), "timestamp": 1_700_000_000_000_i64 + 250 * step as i64, "step": step })
}

pub(crate) fn value(step: usize) -> f64 {
    0.5 + 0.5 * (step as f64 * 12.9898).sin()
}

async fn post(server: &Server, path: &str, message: &Value) -> Result<Value> {
    let answer = server.send(message_to(path, message)?, StatusCode::OK).await.with_context(|| path.to_owned())?;
    Ok(serde_json::from_slice(&answer)?)
}

pub(crate) fn message_to(path: &str, message: &Value) -> Result<Request<Body>> {
    let request = Request::builder().method(Method::POST).uri(format!("/api/2.0/mlflow/{path}"));
    Ok(request.header(header::CONTENT_TYPE, "application/json").body(message.to_string().into())?)
}

/// The upload of a file of [`FILE_SIZE`] bytes.
pub(crate) fn upload(path: &str) -> Result<Request<Body>> {
    let frames = (0..FILE_SIZE / FRAME_SIZE).map(|_| Ok::<_, std::convert::Infallible>(vec![7; FRAME_SIZE]));
    let request = Request::builder().method(Method::PUT).uri(format!("/api/2.0/mlflow-artifacts/artifacts/{path}"));
    let request = request.header(header::CONTENT_LENGTH, FILE_SIZE);
    Ok(request.body(Body::from_stream(futures::stream::iter(frames)))?)
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no {pointer} in {answer}"))
}
