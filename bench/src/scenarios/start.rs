use std::time::Duration;

use anyhow::Result;

use crate::bench::{Bench, milliseconds};
use crate::figure::Unit;
use crate::latency::median;

/// A start that takes longer is not repeated.
const LONG: Duration = Duration::from_secs(4);

/// From starting the process to the first answer from the database. The first start, which makes the schema, is not
/// counted: it is the start of every day that people wait for.
pub(crate) fn empty(bench: &mut Bench) -> Result<()> {
    let first = bench.server.start()?;
    again(bench, "start/empty", &format!("the very first: {:.0} ms", milliseconds(first)))
}

/// The same, with all that was logged since.
pub(crate) fn full(bench: &mut Bench) -> Result<()> {
    let Some(runs) = bench.seeded_runs else { return Ok(()) };
    again(bench, "start/full", &format!("with {} runs", crate::table::number(runs as f64)))
}

fn again(bench: &mut Bench, id: &str, note: &str) -> Result<()> {
    if !bench.wants(id) {
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..bench.options.repeats.max(1) {
        let took = bench.server.start()?;
        times.push(milliseconds(took));
        if took > LONG {
            break;
        }
    }
    let figure = bench.figure(id, Unit::Milliseconds, median(times).unwrap_or(f64::NAN)).note(note);
    bench.record(figure);
    Ok(())
}
