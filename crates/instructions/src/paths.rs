//! The hot paths: what each one does once.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use stele_domain::{ArtifactPath, Point};
use stele_store::series;

use crate::record::{self, FILE_PATH, FILE_SIZE, Record, SERIES_POINTS, message_to, metric};
use crate::server::Server;

pub(crate) struct HotPath {
    pub(crate) name: &'static str,
    /// How many are counted: enough that what happens now and then has its share.
    pub(crate) operations: usize,
    work: Work,
}

enum Work {
    /// A request through the whole server.
    Request {
        make: fn(&Record, usize) -> Result<Request<Body>>,
        status: StatusCode,
        /// Whether an answer is that of the work which is meant to be counted.
        is_meant: fn(&[u8]) -> bool,
    },
    Function(fn() -> Function),
}

type Function = Box<dyn Fn() -> Result<()>>;

/// How many operations go before the counted ones, to prepare statements and fill caches.
pub(crate) const WARMING: usize = 10;

/// Later than all ids of the prepared record.
const FIRST_ID: u64 = 1 << 40;

pub(crate) const ALL: &[HotPath] = &[
    request("log-batch", 150, log_batch, StatusCode::OK, |answer| answer == b"{}"),
    request("log-metric", 1_000, log_metric, StatusCode::OK, |answer| answer == b"{}"),
    request("set-tag", 1_000, set_tag, StatusCode::OK, |answer| answer == b"{}"),
    request("create-run", 1_000, create_run, StatusCode::OK, |answer| occurrences(answer, "\"run_id\"") == 1),
    request("search-runs", 30, search_runs, StatusCode::OK, |answer| occurrences(answer, "\"run_id\"") == PAGE),
    request("metric-history", 10, metric_history, StatusCode::OK, |answer| {
        occurrences(answer, "\"step\"") == SERIES_POINTS
    }),
    request("filter", 100, filter, StatusCode::BAD_REQUEST, |answer| occurrences(answer, MISTAKE) > 0),
    request("artifact-upload", 50, upload, StatusCode::OK, <[u8]>::is_empty),
    request("artifact-download", 50, download, StatusCode::OK, |answer| answer.len() == FILE_SIZE),
    function("chunk-encode", 200, chunk_encode),
    function("chunk-decode", 200, chunk_decode),
    function("artifact-path", 10_000, artifact_path),
];

const fn request(
    name: &'static str,
    operations: usize,
    make: fn(&Record, usize) -> Result<Request<Body>>,
    status: StatusCode,
    is_meant: fn(&[u8]) -> bool,
) -> HotPath {
    HotPath { name, operations, work: Work::Request { make, status, is_meant } }
}

const fn function(name: &'static str, operations: usize, make: fn() -> Function) -> HotPath {
    HotPath { name, operations, work: Work::Function(make) }
}

pub(crate) fn find(name: &str) -> Result<&'static HotPath> {
    ALL.iter().find(|path| path.name == name).with_context(|| {
        let known: Vec<&str> = ALL.iter().map(|path| path.name).collect();
        format!("there is no path {name} among {}", known.join(", "))
    })
}

impl HotPath {
    /// Does the first `operations` of those that are ever counted, on the record in `folder`.
    pub(crate) async fn repeat(&self, folder: &Path, operations: usize) -> Result<()> {
        match self.work {
            Work::Request { make, status, is_meant } => {
                let server = Server::open(folder, FIRST_ID).await?;
                let record = Record::read(folder)?;
                // All of them whatever is sent, so that their making cancels out.
                let requests = (0..WARMING + self.operations).map(|index| make(&record, index));
                let requests = requests.collect::<Result<Vec<_>>>()?;
                for (index, request) in requests.into_iter().take(operations).enumerate() {
                    let answer = server.send(request, status).await?;
                    ensure!(index > 0 || is_meant(&answer), "{} got another answer than it should", self.name);
                }
            }
            Work::Function(make) => {
                let function = make();
                (0..operations).try_for_each(|_| function())?;
            }
        }
        Ok(())
    }
}

/// 1,000 points of ten metrics, as a training loop sends them.
fn log_batch(record: &Record, index: usize) -> Result<Request<Body>> {
    let steps = index * 100..(index + 1) * 100;
    let metrics = steps.flat_map(|step| (0..10).map(move |key| metric(&format!("train/metric {key}"), step)));
    let metrics: Vec<Value> = metrics.collect();
    message_to("runs/log-batch", &json!({ "run_id": record.run, "metrics": metrics }))
}

fn log_metric(record: &Record, index: usize) -> Result<Request<Body>> {
    let mut message = metric("loss", index);
    message["run_id"] = json!(record.run);
    message_to("runs/log-metric", &message)
}

fn set_tag(record: &Record, index: usize) -> Result<Request<Body>> {
    message_to("runs/set-tag", &json!({ "run_id": record.run, "key": "phase", "value": format!("epoch {index}") }))
}

fn create_run(record: &Record, index: usize) -> Result<Request<Body>> {
    let tags = json!([
        { "key": "mlflow.user", "value": "ada" },
        { "key": "mlflow.source.name", "value": "train.py" },
        { "key": "mlflow.source.type", "value": "LOCAL" },
        { "key": "mlflow.runName", "value": format!("new {index}") },
    ]);
    let start = 1_700_000_000_000_i64 + index as i64;
    let run = json!({ "experiment_id": record.experiment, "user_id": "ada", "start_time": start, "tags": tags });
    message_to("runs/create", &run)
}

const PAGE: usize = 50;

fn search_runs(record: &Record, _: usize) -> Result<Request<Body>> {
    let search = json!({
        "experiment_ids": [record.experiment],
        "filter": "metrics.`metric 0` < 0.5 AND params.`param 1` != '3' AND tags.`tag 2` = 'group 1'",
        "order_by": ["metrics.`metric 3` DESC"],
        "max_results": PAGE,
    });
    message_to("runs/search", &search)
}

fn metric_history(record: &Record, _: usize) -> Result<Request<Body>> {
    let path = format!("/api/2.0/mlflow/metrics/get-history?run_id={}&metric_key=series", record.run);
    Ok(Request::get(path).body(Body::empty())?)
}

/// What the last comparison of [`filter`] compares, which no run has.
const MISTAKE: &str = "nonsense";

/// A long filter with a mistake at its end: all of it is parsed, and nothing is searched.
fn filter(record: &Record, _: usize) -> Result<Request<Body>> {
    let clauses = (0..200).map(|index| match index % 3 {
        0 => format!("metrics.`val/loss {index}` >= {}", record::value(index)),
        1 => format!("params.optimizer_{index} IN ('adam', 'sgd', 'lion')"),
        _ => format!("tags.\"team {index}\" LIKE '%vision%'"),
    });
    let filter = clauses.chain([format!("attributes.{MISTAKE} = 'x'")]).collect::<Vec<_>>().join(" AND ");
    message_to("runs/search", &json!({ "experiment_ids": [record.experiment], "filter": filter }))
}

fn upload(_: &Record, index: usize) -> Result<Request<Body>> {
    record::upload(&format!("1/uploads/{index}.bin"))
}

fn download(_: &Record, _: usize) -> Result<Request<Body>> {
    Ok(Request::get(format!("/api/2.0/mlflow-artifacts/artifacts/{FILE_PATH}")).body(Body::empty())?)
}

fn chunk_encode() -> Function {
    let points = points();
    Box::new(move || {
        black_box(series::encode(black_box(&points)));
        Ok(())
    })
}

fn chunk_decode() -> Function {
    let chunk = series::encode(&points());
    Box::new(move || {
        ensure!(series::decode(black_box(&chunk))?.len() == series::CHUNK_POINTS.get(), "points are missing");
        Ok(())
    })
}

/// A full chunk of a series whose values are single-precision floats, as most are.
fn points() -> Vec<Point> {
    let points = (0..series::CHUNK_POINTS.get()).map(|step| {
        let time = 1_700_000_000_000 + 250 * step as i64 + (step % 7) as i64;
        Point::new(step as i64, time, f64::from(record::value(step) as f32))
    });
    points.collect()
}

fn artifact_path() -> Function {
    Box::new(|| {
        let path =
            ArtifactPath::parse_file(black_box("12/0123456789abcdef0123456789abcdef/artifacts/plots/a%20b.png"))?;
        ensure!(path.file_name() == Some("a b.png"), "another path than the one that was meant");
        Ok(())
    })
}

fn occurrences(answer: &[u8], text: &str) -> usize {
    String::from_utf8_lossy(answer).matches(text).count()
}
