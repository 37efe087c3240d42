use std::time::Duration;

use anyhow::Result;

use crate::bench::Bench;
use crate::figure::Unit;
use crate::process;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// After the start, before anything was asked of it.
pub(crate) fn idle(bench: &mut Bench) -> Result<()> {
    // MLflow's worker processes come up one after another.
    std::thread::sleep(Duration::from_secs(if bench.options.quick { 0 } else { 2 }));
    record(bench, "memory/idle", "")
}

/// After the measurements of writes, on the process that took them all.
pub(crate) fn loaded(bench: &mut Bench) -> Result<()> {
    record(bench, "memory/loaded", "after the loads above")
}

pub(crate) fn record(bench: &mut Bench, id: &str, note: &str) -> Result<()> {
    if !bench.wants(id) {
        return Ok(());
    }
    let memory = process::group_memory(bench.server.group());
    let processes = process::group(bench.server.group()).len();
    let mut figure = bench.figure(id, Unit::Mebibytes, memory.resident as f64 / MEBIBYTE);
    figure = figure.note(format!("peak {} MiB", crate::table::number(memory.peak as f64 / MEBIBYTE)));
    if processes > 1 {
        figure = figure.note(format!("{processes} processes"));
    }
    if !note.is_empty() {
        figure = figure.note(note);
    }
    bench.record(figure);
    Ok(())
}
