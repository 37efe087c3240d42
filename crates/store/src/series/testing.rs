//! Strategies that the codec's property tests share.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use proptest::prelude::*;
use stele_domain::Point;

use super::envelope::Bucket;
use super::summary::Summary;

/// Any bits at all, with the values that people log and the special ones more often than chance has them.
pub(super) fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        4 => any::<f32>().prop_map(f64::from),
        4 => (-1_000_000i32..1_000_000).prop_map(|scaled| f64::from(scaled) / 1e4),
        1 => prop::sample::select(&[f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0][..]),
    ]
}

fn any_integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => any::<i64>(),
        4 => -1000i64..1000,
        1 => prop::sample::select(&[i64::MIN, i64::MAX][..]),
    ]
}

pub(super) fn any_point() -> impl Strategy<Value = Point> {
    (any_integer(), any_integer(), any_value()).prop_map(|(step, timestamp, value)| Point::new(step, timestamp, value))
}

/// Points so close together that steps and whole points repeat.
pub(super) fn crowded_point() -> impl Strategy<Value = Point> {
    let value = prop::sample::select(&[f64::NAN, -f64::NAN, f64::NEG_INFINITY, -1.0, -0.0, 0.0, 0.5][..]);
    (-20i64..20, 0i64..3, value).prop_map(|(step, timestamp, value)| Point::new(step, timestamp, value))
}

/// A run of regular steps, jittered clock and whatever values.
pub(super) fn regular_points(count: usize, value: impl Fn(usize) -> f64) -> Vec<Point> {
    let mut timestamp = 1_790_000_000_000;
    let mut noise = 0x2545_f491_4f6c_dd1du64;
    (0..count)
        .map(|index| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            timestamp += 90 + (noise % 21) as i64;
            Point::new(index as i64, timestamp, value(index))
        })
        .collect()
}

/// A summary as its documentation says, without a thought for speed.
pub(super) fn naive_summary(points: &[Point]) -> Option<Summary> {
    let mut sorted = points.to_vec();
    sorted.sort();
    let by_value = |a: &Point, b: &Point| a.value.partial_cmp(&b.value).unwrap_or(Ordering::Equal);
    let numbers = || sorted.iter().filter(|point| !point.value.is_nan()).copied();
    Some(Summary {
        points: sorted.len(),
        nan: sorted.len() - numbers().count(),
        first: *sorted.first()?,
        last: *sorted.last()?,
        min: numbers().min_by(by_value),
        // Of equal values, `max_by` gives the last.
        max: numbers().rev().max_by(by_value),
    })
}

/// The buckets that have points, from all points.
pub(super) fn naive_envelope(steps: RangeInclusive<i64>, buckets: usize, points: &[Point]) -> Vec<Bucket> {
    let (start, span) = (i128::from(*steps.start()), i128::from(*steps.end()) - i128::from(*steps.start()) + 1);
    let bucket_of = |step: i64| (i128::from(step) - start) * buckets as i128 / span;
    let from = |bucket: i128| (start + (bucket * span + buckets as i128 - 1) / buckets as i128) as i64;
    let within = |index: usize, point: &&Point| steps.contains(&point.step) && bucket_of(point.step) == index as i128;
    let summaries = (0..buckets).filter_map(|index| {
        let inside: Vec<Point> = points.iter().filter(|point| within(index, point)).copied().collect();
        Some((index, naive_summary(&inside)?))
    });
    let buckets = summaries.map(|(index, summary)| {
        let last = from(index as i128 + 1).wrapping_sub(1);
        Bucket { index, steps: from(index as i128)..=last, summary }
    });
    buckets.collect()
}
