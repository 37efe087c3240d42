//! How long requests took: exact percentiles of all that were counted.

use std::time::Duration;

use serde::Serialize;

/// Latencies in milliseconds. Of few requests the high percentiles are the slowest one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) requests: usize,
}

impl Percentiles {
    /// None when nothing was measured.
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Option<Percentiles> {
        if latencies.is_empty() {
            return None;
        }
        latencies.sort_unstable();
        let at = |percent: usize| latencies[rank(latencies.len(), percent)].as_secs_f64() * 1000.0;
        Some(Percentiles { p50: at(50), p95: at(95), p99: at(99), requests: latencies.len() })
    }
}

/// The place of a percentile among `count` sorted values: the first that is not below `percent` of them (the nearest-rank
/// definition, which only ever gives a value that was measured).
fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).clamp(1, count) - 1
}

/// The middle one, or the mean of the two in the middle. None of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let expected = Percentiles { p50: 100.0, p95: 190.0, p99: 198.0, requests: 200 };
        assert_eq!(Percentiles::of(latencies), Some(expected));
    }

    #[test]
    fn few_requests_have_percentiles_too() {
        let one = Percentiles::of(vec![Duration::from_millis(7)]).unwrap();
        assert_eq!((one.p50, one.p95, one.p99), (7.0, 7.0, 7.0));
        let two = Percentiles::of(vec![Duration::from_millis(9), Duration::from_millis(1)]).unwrap();
        assert_eq!((two.p50, two.p95, two.p99), (1.0, 9.0, 9.0));
        assert_eq!(Percentiles::of(Vec::new()), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
