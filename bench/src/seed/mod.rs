//! Filling servers with much data quickly: Stele through its store's bulk path, the peers through their own tables, as their
//! APIs would take hours.

mod audit;
mod dataset;
mod peer;
mod points;
mod stele;

pub(crate) use dataset::{RunData, unit};
pub(crate) use points::SPIKE;
pub(crate) use stele::url as store_url;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::Bench;
use crate::peers::Kind;

/// What filling a server came to.
pub(crate) enum Seeded {
    Done(Duration),
    /// Left out, since it would have taken longer than it may.
    TooSlow(String),
}

/// Puts `runs` runs into an experiment of a server without runs.
pub(crate) fn runs(bench: &mut Bench, experiment: &str, runs: u64) -> Result<Seeded> {
    let limit = bench.options.seed_time();
    let started = Instant::now();
    let put = match bench.server.target.kind {
        Kind::Stele => {
            bench.server.stop();
            stele::runs(&bench.server, experiment, runs, limit)?
        }
        _ => peer::runs(&bench.server, experiment, runs, limit)?,
    };
    let took = started.elapsed();
    if !bench.server.is_running() {
        bench.server.start()?;
    }
    Ok(outcome(put, runs, took, limit, "runs"))
}

/// Makes the audit log of a server at least `entries` long. Gives how long the log is, if it could be done in time.
pub(crate) fn audit(bench: &mut Bench, entries: u64) -> Result<(u64, Seeded)> {
    let limit = bench.options.seed_time();
    let started = Instant::now();
    bench.server.stop();
    let there = audit::entries(&bench.server, entries, limit)?;
    let took = started.elapsed();
    bench.server.start()?;
    Ok((there, outcome(there.min(entries), entries, took, limit, "entries")))
}

/// Puts one series of `points` points into a new run.
pub(crate) fn series(bench: &mut Bench, run: &str, points: u64) -> Result<Seeded> {
    let limit = bench.options.seed_time();
    let started = Instant::now();
    let put = match bench.server.target.kind {
        Kind::Stele => points::through_the_api(bench, run, points, limit)?,
        _ => peer::series(&bench.server, run, points, limit)?,
    };
    Ok(outcome(put, points, started.elapsed(), limit, "points"))
}

fn outcome(put: u64, wanted: u64, took: Duration, limit: Duration, what: &str) -> Seeded {
    if put == wanted {
        return Seeded::Done(took);
    }
    Seeded::TooSlow(format!(
        "not measured: {} of {} {what} were in after the {} s that filling may take",
        crate::table::number(put as f64),
        crate::table::number(wanted as f64),
        limit.as_secs()
    ))
}
