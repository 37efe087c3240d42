//! The numbers, as Prometheus reads them.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use stele_app::App;

/// How often samples that nobody has asked for yet are put into their buckets.
const TIDY: Duration = Duration::from_secs(5);

const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const WRITES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Where every part of the server counts.
#[derive(Clone)]
pub(crate) struct Numbers(PrometheusHandle);

impl Numbers {
    /// From now on everything that is counted in this process is kept. Once a process.
    pub(crate) fn start() -> Result<Numbers> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Full("stele_write_group_size".to_owned()), &WRITES)?
            .build_recorder();
        let numbers = Numbers(recorder.handle());
        metrics::set_global_recorder(recorder).context("something counts already")?;
        describe();
        Ok(numbers)
    }

    /// Keeps the memory for samples small. Never ends.
    pub(crate) async fn tidy(self) {
        loop {
            tokio::time::sleep(TIDY).await;
            self.0.run_upkeep();
        }
    }
}

pub(crate) fn router(app: App, numbers: Numbers) -> Router {
    Router::new().route("/metrics", get(tell)).with_state((app, numbers))
}

async fn tell(State((app, numbers)): State<(App, Numbers)>) -> Response {
    match app.store_state().await {
        Ok(state) => {
            gauge!("stele_database_bytes").set(state.bytes as f64);
            gauge!("stele_writes_under_way").set(state.writes_under_way as f64);
        }
        // The other numbers are wanted now more than ever.
        Err(error) => tracing::warn!(%error, "the database cannot be measured"),
    }
    let text = numbers.0.render() + &super::process::told();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn describe() {
    describe_counter!("stele_http_requests_total", "Requests that were answered");
    describe_counter!(
        "stele_http_failures_total",
        "Requests that failed by the fault of the server; each is in the log"
    );
    describe_histogram!("stele_http_request_seconds", Unit::Seconds, "From a request's head to its answer's");
    describe_gauge!("stele_http_requests_under_way", "Requests whose answer has not begun");
    describe_gauge!("stele_http_connections", "Open connections");
    describe_histogram!("stele_write_seconds", Unit::Seconds, "From asking for a write until it is durable");
    describe_histogram!("stele_write_group_size", "Writes in one commit of SQLite");
    describe_histogram!("stele_sync_seconds", Unit::Seconds, "Syncs of SQLite's log");
    describe_gauge!("stele_writes_under_way", "Writes that wait or run; on PostgreSQL, connections in use");
    describe_gauge!("stele_database_bytes", Unit::Bytes, "Size of the database");
    describe_counter!("stele_artifact_bytes_total", Unit::Bytes, "Bytes of artifacts through the server");
    describe_gauge!("stele_build_info", "1, with the version of this server");
    gauge!("stele_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
