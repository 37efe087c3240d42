//! The long series that is read back: a curve with one spike that a chart must not miss.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::unit;
use crate::api::TRACKING;
use crate::bench::Bench;
use crate::http;

pub(crate) const SPIKE: f64 = 12_345.5;
const FIRST_TIMESTAMP: u64 = 1_764_000_000_000;
const BATCH: u64 = 1_000;
const CLIENTS: usize = 4;

/// Timestamp and value at a step of a series of `points`.
pub(crate) fn point(step: u64, points: u64) -> (u64, f64) {
    let value = if step == points / 3 { SPIKE } else { 2.0 / (1.0 + step as f64 * 1e-4) + 0.1 * unit(step) };
    (FIRST_TIMESTAMP + step * 25, value)
}

/// Logs the series in full batches, as a client would. Gives how many points were stored in the time.
pub(super) fn through_the_api(bench: &Bench, run: &str, points: u64, limit: Duration) -> Result<u64> {
    let next = AtomicU64::new(0);
    let started = Instant::now();
    let client = || -> Result<u64> {
        let mut connection = bench.connection();
        let mut stored = 0;
        while started.elapsed() < limit {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= points {
                break;
            }
            let last = (first + BATCH).min(points);
            connection
                .expect_ok(&http::post(&format!("{TRACKING}/runs/log-batch"), &batch(run, first, last, points)))?;
            stored += last - first;
        }
        Ok(stored)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let stored = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?);
        stored.sum()
    })
}

fn batch(run: &str, first: u64, last: u64, points: u64) -> String {
    let mut body = format!(r#"{{"run_id": "{run}", "metrics": ["#);
    for step in first..last {
        let (timestamp, value) = point(step, points);
        let comma = if step == first { "" } else { ", " };
        let _ = write!(body, r#"{comma}{{"key": "loss", "value": {value}, "timestamp": {timestamp}, "step": {step}}}"#);
    }
    body + r#"], "params": [], "tags": []}"#
}
