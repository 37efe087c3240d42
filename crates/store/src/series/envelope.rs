use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use stele_domain::Point;

use super::summary::Summary;

/// What a chart draws of one pixel column: the extremes of the points in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    pub index: usize,
    /// All the steps that the bucket is for.
    pub steps: RangeInclusive<i64>,
    pub summary: Summary,
}

/// The exact first, last, least and greatest of each of so many equal parts of a range of steps.
///
/// It takes summaries of what lies within one bucket and points of what does not, in any order. Nothing may be taken
/// twice.
pub struct Envelope {
    grid: Grid,
    summaries: Vec<Option<Summary>>,
}

impl Envelope {
    /// Both ends of `steps` are included. With more buckets than steps, some hold no step at all.
    pub fn new(steps: RangeInclusive<i64>, buckets: NonZeroUsize) -> Envelope {
        Envelope { grid: Grid { steps, buckets: buckets.get() as u128 }, summaries: vec![None; buckets.get()] }
    }

    /// Takes points by their summary, if they all lie in one bucket or outside the range; says whether that was so.
    /// If not, it wants the points.
    pub fn absorb(&mut self, summary: &Summary) -> bool {
        let (first, last) = (summary.first.step, summary.last.step);
        if !self.grid.meets(first, last) {
            return true;
        }
        if !self.grid.steps.contains(&first) || !self.grid.steps.contains(&last) {
            return false;
        }
        let bucket = self.grid.bucket(first);
        if !self.grid.steps_of(bucket).contains(&last) {
            return false;
        }
        self.join(bucket, summary);
        true
    }

    /// Takes the points run by run of one bucket: of sorted points, that is one look at the grid for each bucket.
    pub fn absorb_points(&mut self, points: &[Point]) {
        let mut rest = points;
        while let Some(point) = rest.first() {
            if !self.grid.steps.contains(&point.step) {
                rest = &rest[1..];
                continue;
            }
            let bucket = self.grid.bucket(point.step);
            let steps = self.grid.steps_of(bucket);
            let length = rest.iter().take_while(|point| steps.contains(&point.step)).count();
            let (run, after) = rest.split_at(length);
            if let Some(summary) = Summary::of(run) {
                self.join(bucket, &summary);
            }
            rest = after;
        }
    }

    /// The buckets that have points.
    pub fn into_buckets(self) -> Vec<Bucket> {
        let Envelope { grid, summaries } = self;
        let taken = summaries.into_iter().enumerate().filter_map(|(index, summary)| Some((index, summary?)));
        taken.map(|(index, summary)| Bucket { index, steps: grid.steps_of(index), summary }).collect()
    }

    fn join(&mut self, bucket: usize, summary: &Summary) {
        let slot = &mut self.summaries[bucket];
        *slot = Some(slot.map_or(*summary, |taken| taken.join(summary)));
    }
}

/// A range of steps in equal parts. All of `i64` is 2^64 steps, hence the wide integers.
struct Grid {
    steps: RangeInclusive<i64>,
    buckets: u128,
}

impl Grid {
    fn meets(&self, first: i64, last: i64) -> bool {
        !self.steps.is_empty() && first <= *self.steps.end() && last >= *self.steps.start()
    }

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
    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::{any_point, crowded_point, naive_envelope, regular_points};

    fn count(buckets: usize) -> NonZeroUsize {
        NonZeroUsize::new(buckets).expect("there is at least one bucket")
    }

    /// Gives parts of the points as summaries where the envelope takes them; says how many it did not.
    fn of_parts(steps: RangeInclusive<i64>, buckets: usize, parts: &[&[Point]]) -> (Vec<Bucket>, usize) {
        let mut envelope = Envelope::new(steps, count(buckets));
        let mut read = 0;
        for part in parts {
            let summary = Summary::of(part).expect("parts are not empty");
            if !envelope.absorb(&summary) {
                envelope.absorb_points(part);
                read += 1;
            }
        }
        (envelope.into_buckets(), read)
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
            mut points in prop_oneof![
                prop::collection::vec(any_point(), 0..120),
                prop::collection::vec(crowded_point(), 0..120),
            ],
            sorted in any::<bool>(),
            steps in steps(),
            buckets in 1usize..70,
            part in 1usize..30,
        ) {
            if sorted {
                points.sort();
            }
            let parts: Vec<&[Point]> = points.chunks(part).collect();
            prop_assert_eq!(of_parts(steps.clone(), buckets, &parts).0, naive_envelope(steps, buckets, &points));
        }
    }

    #[test]
    fn only_parts_that_straddle_buckets_are_read() {
        let points = regular_points(1000, |index| index as f64);
        let (buckets, read) = of_parts(0..=999, 8, &points.chunks(10).collect::<Vec<_>>());
        // Buckets of 125 steps end in the middle of a part of 10 every other time.
        assert_eq!(read, 4);
        assert_eq!(buckets[1].summary.max, Some(points[249]));
        assert_eq!(buckets[1].steps, 125..=249);
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case under test")]
    fn an_empty_range_has_no_buckets() {
        assert_eq!(of_parts(5..=4, 3, &[&regular_points(10, |_| 1.0)]), (vec![], 0));
    }
}
