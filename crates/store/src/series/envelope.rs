use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use stele_domain::Point;

use super::summary::{ChunkSummary, summarize};

/// What a chart draws of one pixel column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// In the order of points; their values may be NaN.
    pub first: Point,
    pub last: Point,
    /// Over the values that are not NaN, infinities included; absent if all are NaN.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub has_nan: bool,
}

/// The exact first, last, least and greatest of each of `buckets` equal parts of the range of steps, both ends
/// included; a part without points is absent. With more buckets than steps, some hold no step at all.
///
/// A chunk that lies within one bucket is answered from its summary, one outside the range is passed over, and only
/// the others are decoded. Chunks may overlap and repeat points: a duplicate changes no bucket.
pub fn envelope<D, E>(
    steps: RangeInclusive<i64>,
    buckets: NonZeroUsize,
    chunks: impl IntoIterator<Item = (ChunkSummary, D)>,
) -> Result<Vec<Option<Bucket>>, E>
where
    D: FnOnce() -> Result<Vec<Point>, E>,
{
    let mut envelope = vec![None; buckets.get()];
    if steps.is_empty() {
        return Ok(envelope);
    }
    let grid = Grid { steps, buckets: buckets.get() as u128 };
    for (summary, decode) in chunks {
        if summary.max_step < *grid.steps.start() || summary.min_step > *grid.steps.end() {
            continue;
        }
        let inside = grid.steps.contains(&summary.min_step) && grid.steps.contains(&summary.max_step);
        if inside && grid.bucket(summary.min_step) == grid.bucket(summary.max_step) {
            absorb(&mut envelope[grid.bucket(summary.min_step)], &summary);
        } else {
            absorb_points(&mut envelope, &grid, &decode()?);
        }
    }
    Ok(envelope)
}

/// Takes the points run by run of one bucket: in a sorted chunk, that is one look at the grid for each bucket.
fn absorb_points(envelope: &mut [Option<Bucket>], grid: &Grid, points: &[Point]) {
    let mut rest = points;
    while let Some(point) = rest.first() {
        if !grid.steps.contains(&point.step) {
            rest = &rest[1..];
            continue;
        }
        let bucket = grid.bucket(point.step);
        let steps = grid.steps_of(bucket);
        let length = rest.iter().take_while(|point| steps.contains(&point.step)).count();
        let (run, after) = rest.split_at(length);
        if let Some(summary) = summarize(run) {
            absorb(&mut envelope[bucket], &summary);
        }
        rest = after;
    }
}

fn absorb(slot: &mut Option<Bucket>, summary: &ChunkSummary) {
    let other = Bucket {
        first: summary.first,
        last: summary.last,
        min: summary.min,
        max: summary.max,
        has_nan: summary.nan_count > 0,
    };
    *slot = Some(match slot {
        None => other,
        Some(bucket) => Bucket {
            first: bucket.first.min(other.first),
            last: bucket.last.max(other.last),
            min: bucket.min.into_iter().chain(other.min).reduce(f64::min),
            max: bucket.max.into_iter().chain(other.max).reduce(f64::max),
            has_nan: bucket.has_nan || other.has_nan,
        },
    });
}

/// A range of steps, not empty, in equal parts. All of `i64` is 2^64 steps, hence the wide integers.
struct Grid {
    steps: RangeInclusive<i64>,
    buckets: u128,
}

impl Grid {
    fn bucket(&self, step: i64) -> usize {
        (self.offset(step) * self.buckets / self.span()) as usize
    }

    /// The steps of a bucket that holds at least one.
    fn steps_of(&self, bucket: usize) -> RangeInclusive<i64> {
        let from = (bucket as u128 * self.span()).div_ceil(self.buckets);
        let to = ((bucket as u128 + 1) * self.span()).div_ceil(self.buckets) - 1;
        self.step(from)..=self.step(to)
    }

    fn span(&self) -> u128 {
        self.offset(*self.steps.end()) + 1
    }

    fn offset(&self, step: i64) -> u128 {
        u128::from(step.wrapping_sub(*self.steps.start()) as u64)
    }

    fn step(&self, offset: u128) -> i64 {
        self.steps.start().wrapping_add(offset as i64)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::series::merge;
    use crate::series::testing::{any_point, crowded_point, regular_points};

    fn count(buckets: usize) -> NonZeroUsize {
        NonZeroUsize::new(buckets).expect("there is at least one bucket")
    }

    fn of_chunks(steps: RangeInclusive<i64>, buckets: usize, chunks: &[Vec<Point>]) -> Vec<Option<Bucket>> {
        let chunks = chunks.iter().filter_map(|chunk| Some((summarize(chunk)?, || Ok::<_, Infallible>(chunk.clone()))));
        let Ok(envelope) = envelope(steps, count(buckets), chunks);
        envelope
    }

    fn naive(steps: RangeInclusive<i64>, buckets: usize, points: &[Point]) -> Vec<Option<Bucket>> {
        let (start, span) = (i128::from(*steps.start()), i128::from(*steps.end()) - i128::from(*steps.start()) + 1);
        let within = |bucket: usize, point: &&Point| {
            steps.contains(&point.step) && (i128::from(point.step) - start) * buckets as i128 / span == bucket as i128
        };
        (0..buckets)
            .map(|bucket| {
                let points = || points.iter().filter(|point| within(bucket, point));
                let numbers = || points().map(|point| point.value).filter(|value| !value.is_nan());
                Some(Bucket {
                    first: *points().min()?,
                    last: *points().max()?,
                    min: numbers().min_by(f64::total_cmp),
                    max: numbers().max_by(f64::total_cmp),
                    has_nan: points().any(|point| point.value.is_nan()),
                })
            })
            .collect()
    }

    fn steps() -> impl Strategy<Value = RangeInclusive<i64>> {
        prop_oneof![
            (-25i64..25, 0i64..50).prop_map(|(start, length)| start..=start + length),
            (any::<i64>(), any::<i64>()).prop_map(|(one, other)| one.min(other)..=one.max(other)),
            Just(i64::MIN..=i64::MAX),
        ]
    }

    proptest! {
        #[test]
        fn envelopes_equal_the_naive_ones(
            chunks in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any_point(), 0..20),
                    prop::collection::vec(crowded_point(), 0..20),
                ],
                0..12,
            ),
            steps in steps(),
            buckets in 1usize..70,
            target in 1usize..6,
        ) {
            let expected = naive(steps.clone(), buckets, &chunks.concat());
            prop_assert_eq!(of_chunks(steps.clone(), buckets, &chunks), expected.clone());
            let merged = merge(chunks, count(target));
            prop_assert_eq!(of_chunks(steps, buckets, &merged), expected);
        }
    }

    #[test]
    fn only_chunks_that_straddle_buckets_are_decoded() {
        let chunks = merge(vec![regular_points(1000, |index| index as f64)], count(10));
        let decoded = Cell::new(0);
        let lazy = chunks.iter().filter_map(|chunk| {
            Some((summarize(chunk)?, || {
                decoded.set(decoded.get() + 1);
                Ok::<_, Infallible>(chunk.clone())
            }))
        });
        let Ok(envelope) = envelope(0..=999, count(8), lazy);
        // Buckets of 125 steps end in the middle of a chunk of 10 every other time.
        assert_eq!(decoded.get(), 4);
        assert_eq!(envelope[1].and_then(|bucket| bucket.max), Some(249.0));
    }

    #[test]
    fn a_decoder_that_fails_fails_the_envelope() {
        let chunk = regular_points(10, |_| 1.0);
        let summary = summarize(&chunk).expect("there are points");
        assert_eq!(envelope(0..=9, count(3), [(summary, || Err("damaged"))]), Err("damaged"));
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case under test")]
    fn an_empty_range_has_empty_buckets() {
        assert_eq!(of_chunks(5..=4, 3, &[regular_points(10, |_| 1.0)]), vec![None; 3]);
    }
}
