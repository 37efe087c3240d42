//! What a point costs without a server: reading its JSON, packing and appending it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Deserialize;
use stele_domain::Point;
use stele_store::series;

use super::pace::rate;
use crate::scenarios::log_batch::{self, KEYS, POINTS, STEPS};

#[derive(Deserialize)]
pub(super) struct Batch<'b> {
    #[serde(borrow)]
    metrics: Vec<Metric<'b>>,
}

#[derive(Deserialize)]
struct Metric<'b> {
    key: &'b str,
    value: f64,
    timestamp: i64,
    step: i64,
}

/// Points a second that serde_json reads into plain structs, on one core.
pub(super) fn parsed(time: Duration, parts: usize) -> Result<f64> {
    let mut template = log_batch::body("0123456789abcdef0123456789abcdef");
    let mut sum = 0i64;
    let points = rate(time, parts, || {
        let batch: Batch = serde_json::from_slice(template.next()?)?;
        sum ^= batch
            .metrics
            .iter()
            .fold(0, |sum, metric| sum ^ metric.step ^ metric.timestamp ^ metric.value.to_bits() as i64);
        sum ^= batch.metrics.iter().map(|metric| metric.key.len() as i64).sum::<i64>();
        Ok(batch.metrics.len() as u64)
    })?;
    ensure!(sum != i64::MIN, "the points were not read");
    Ok(points)
}

/// Points a second that are encoded as chunks, appended to a file, and synced once for `group` batches.
pub(super) fn appended(folder: &Path, group: usize, time: Duration, parts: usize) -> Result<f64> {
    let path = folder.join("chunks");
    let mut file = File::create(&path)?;
    let mut first = 0;
    let mut bytes = Vec::new();
    let points = rate(time, parts, || {
        bytes.clear();
        for _ in 0..group {
            for curve in 0..KEYS.len() as u64 {
                bytes.extend(series::encode(&chunk(first, curve)));
            }
            first += STEPS;
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        Ok(group as u64 * POINTS)
    })?;
    std::fs::remove_file(path)?;
    Ok(points)
}

fn chunk(first: u64, curve: u64) -> Vec<Point> {
    let point = |step: u64| {
        let time = log_batch::FIRST_TIMESTAMP + (first + step) * log_batch::STEP_TIME;
        Point::new((first + step) as i64, time as i64, log_batch::value(step, curve))
    };
    (0..STEPS).map(point).collect()
}

/// Appends `bytes` for each of `group` writers and syncs once for all: writes a second.
pub(super) fn small_appends(folder: &Path, bytes: usize, group: usize, time: Duration, parts: usize) -> Result<f64> {
    let path = folder.join("small");
    let mut file = File::create(&path)?;
    let content = vec![b'x'; bytes * group];
    let writes = rate(time, parts, || {
        file.write_all(&content)?;
        file.sync_data()?;
        Ok(group as u64)
    })?;
    std::fs::remove_file(path)?;
    Ok(writes)
}
