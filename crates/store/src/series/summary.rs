use stele_domain::Point;

/// What is known of a chunk without decoding it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChunkSummary {
    pub count: usize,
    /// The least and the greatest point in the order of points, wherever they stand in the chunk.
    pub first: Point,
    pub last: Point,
    pub min_step: i64,
    pub max_step: i64,
    pub min_timestamp: i64,
    pub max_timestamp: i64,
    /// Over the values that are not NaN, infinities included; absent if all are NaN.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub nan_count: usize,
}

/// Summarizes the points of a chunk, in any order; absent if there are none.
pub fn summarize(points: &[Point]) -> Option<ChunkSummary> {
    let start = points.first()?;
    let mut summary = ChunkSummary {
        count: points.len(),
        first: *start,
        last: *start,
        min_step: start.step,
        max_step: start.step,
        min_timestamp: start.timestamp,
        max_timestamp: start.timestamp,
        min: None,
        max: None,
        nan_count: 0,
    };
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in points {
        if *point < summary.first {
            summary.first = *point;
        }
        if *point > summary.last {
            summary.last = *point;
        }
        summary.min_timestamp = summary.min_timestamp.min(point.timestamp);
        summary.max_timestamp = summary.max_timestamp.max(point.timestamp);
        // `min` and `max` pass over a NaN on either side.
        min = min.min(point.value);
        max = max.max(point.value);
        summary.nan_count += usize::from(point.value.is_nan());
    }
    summary.min_step = summary.first.step;
    summary.max_step = summary.last.step;
    if summary.nan_count < summary.count {
        summary.min = Some(min);
        summary.max = Some(max);
    }
    Some(summary)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::{any_point, crowded_point};

    fn naive(points: &[Point]) -> Option<ChunkSummary> {
        let numbers = || points.iter().map(|point| point.value).filter(|value| !value.is_nan());
        Some(ChunkSummary {
            count: points.len(),
            first: *points.iter().min()?,
            last: *points.iter().max()?,
            min_step: points.iter().map(|point| point.step).min()?,
            max_step: points.iter().map(|point| point.step).max()?,
            min_timestamp: points.iter().map(|point| point.timestamp).min()?,
            max_timestamp: points.iter().map(|point| point.timestamp).max()?,
            min: numbers().min_by(f64::total_cmp),
            max: numbers().max_by(f64::total_cmp),
            nan_count: points.len() - numbers().count(),
        })
    }

    proptest! {
        #[test]
        fn summaries_equal_the_naive_ones(
            points in prop_oneof![
                prop::collection::vec(any_point(), 0..50),
                prop::collection::vec(crowded_point(), 0..50),
            ],
        ) {
            prop_assert_eq!(summarize(&points), naive(&points));
        }
    }

    #[test]
    fn a_chunk_of_nan_has_no_min_and_no_max() {
        let summary = summarize(&[Point::new(3, 0, f64::NAN), Point::new(4, 0, f64::NAN)]).expect("there are points");
        assert_eq!((summary.min, summary.max, summary.nan_count), (None, None, 2));
        assert_eq!((summary.min_step, summary.max_step), (3, 4));
    }

    #[test]
    fn infinities_count() {
        let summary = summarize(&[Point::new(0, 0, f64::INFINITY), Point::new(1, 0, 1.0)]).expect("there are points");
        assert_eq!((summary.min, summary.max), (Some(1.0), Some(f64::INFINITY)));
    }

    #[test]
    fn no_points_have_no_summary() {
        assert_eq!(summarize(&[]), None);
    }
}
