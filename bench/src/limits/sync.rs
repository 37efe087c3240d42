//! The disk: how long it takes until appended bytes are on it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::latency::Percentiles;

/// Appends 4 KiB and syncs, `times` times.
pub(crate) fn latency(folder: &Path, times: usize) -> Result<Percentiles> {
    let mut file = File::create(folder.join("sync"))?;
    let page = vec![7u8; 4096];
    let mut latencies = Vec::with_capacity(times);
    for _ in 0..times {
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        latencies.push(started.elapsed());
    }
    std::fs::remove_file(folder.join("sync"))?;
    Percentiles::of(latencies).context("nothing was synced")
}
