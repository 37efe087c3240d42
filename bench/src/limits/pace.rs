use std::time::{Duration, Instant};

use anyhow::Result;

use crate::latency::median;

/// Units a second of work that is done again and again on this thread: the median of the parts of the time.
pub(crate) fn rate(time: Duration, parts: usize, mut work: impl FnMut() -> Result<u64>) -> Result<f64> {
    work()?;
    let mut rates = Vec::with_capacity(parts);
    for _ in 0..parts.max(1) {
        let started = Instant::now();
        let mut units = 0;
        while started.elapsed() < time / u32::try_from(parts.max(1))? {
            units += work()?;
        }
        rates.push(units as f64 / started.elapsed().as_secs_f64());
    }
    Ok(median(rates).unwrap_or(f64::NAN))
}
