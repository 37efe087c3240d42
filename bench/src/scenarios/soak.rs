use std::time::Duration;

use anyhow::Result;

use crate::bench::Bench;
use crate::figure::{Figure, Unit};
use crate::load::{self, Plan};
use crate::process;
use crate::scenarios::{log_batch, memory};

const CLIENTS: usize = 16;
/// What each client sends a second: one full batch, so 16,000 points a second together.
const PACE: Duration = Duration::from_secs(1);

/// A steady load for a long time, then the memory of the process that took it.
pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    let (Some(seconds), true) = (bench.options.soak(), bench.wants("soak")) else { return Ok(()) };
    bench.server.start()?;
    let mut api = bench.api();
    let experiment = api.create_experiment("soak")?;
    let runs = api.create_runs(&experiment, CLIENTS)?;
    process::forget_peak(bench.server.group());
    let loads = runs.iter().map(|run| log_batch::client(run)).collect();
    let outcome = load::run(&Plan { seconds, pace: Some(PACE), ..bench.plan() }, loads)?;
    let figure = Figure {
        load_cpu: Some(outcome.load_cpu),
        server_cpu: Some(outcome.server_cpu),
        ..bench.figure("soak/points", Unit::PointsPerSecond, outcome.rate).latency(outcome.latency)
    };
    let figure = match outcome.first_failure {
        Some(failure) => figure.failed(format!("{} requests failed, first: {failure}", outcome.failures)),
        None => figure.note(format!("16,000 offered for {} s", seconds.as_secs())),
    };
    bench.record(figure);
    memory::record(bench, "memory/soaked", &format!("after {} s at that pace", seconds.as_secs()))
}
