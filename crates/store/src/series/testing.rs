//! Strategies that the codec's property tests share.

use proptest::prelude::*;
use stele_domain::Point;

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
