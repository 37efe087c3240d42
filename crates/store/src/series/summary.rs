//! What is known of points without reading them, and the bytes in which a chunk's summary is stored.
//!
//! A chunk's summary has the first, last, least and greatest point of every [`BLOCK`] of it, which is what a line
//! chart needs of a pixel column (the aggregation of Jugel et al., "M4: A Visualization-Oriented Time Series Data
//! Aggregation", 2014). They are points, so they are packed as a chunk's points are.
//!
//! | part | bytes |
//! |---|---|
//! | header | 1: format version |
//! | count | varint: points of the chunk |
//! | NaN | for every [`BLOCK`] blocks of the chunk, a block of their counts of NaN |
//! | points | columns of the chunk's oldest and newest, then each block's first, least, greatest and last |
//! | checksum | 4: CRC-32C of all before it, little-endian |

use std::cmp::Ordering;

use stele_domain::Point;

use super::block::{BLOCK, read_block, write_block};
use super::chunk::{read_columns, write_columns};
use super::reader::{CorruptChunk, Reader, with_checksum, without_checksum, write_unsigned};

const VERSION: u8 = 1;

/// The extremes of a set of points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub points: usize,
    /// How many of the values are not numbers.
    pub nan: usize,
    /// In the order of points; their values may be NaN.
    pub first: Point,
    pub last: Point,
    /// Over the values that are not NaN, infinities included; of equal values the first. Absent if all are NaN.
    pub min: Option<Point>,
    pub max: Option<Point>,
}

impl Summary {
    /// Summarizes points in any order; absent if there are none.
    pub fn of(points: &[Point]) -> Option<Summary> {
        let (start, rest) = points.split_first()?;
        let number = (!start.value.is_nan()).then_some(*start);
        let nan = usize::from(number.is_none());
        let mut summary = Summary { points: points.len(), nan, first: *start, last: *start, min: number, max: number };
        for point in rest {
            summary.first = summary.first.min(*point);
            summary.last = summary.last.max(*point);
            if point.value.is_nan() {
                summary.nan += 1;
            } else {
                summary.min = extreme(summary.min, Some(*point), Ordering::Less);
                summary.max = extreme(summary.max, Some(*point), Ordering::Greater);
            }
        }
        Some(summary)
    }

    /// The summary of these points and those of `other`, which must be others.
    #[must_use]
    pub fn join(&self, other: &Summary) -> Summary {
        Summary {
            points: self.points + other.points,
            nan: self.nan + other.nan,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            min: extreme(self.min, other.min, Ordering::Less),
            max: extreme(self.max, other.max, Ordering::Greater),
        }
    }
}

/// The one of two points, neither NaN, whose value is `wanted` beside the other's; the first if they are equal.
fn extreme(one: Option<Point>, other: Option<Point>, wanted: Ordering) -> Option<Point> {
    match (one, other) {
        (Some(one), Some(other)) => match other.value.partial_cmp(&one.value) {
            Some(Ordering::Equal) => Some(one.min(other)),
            order => Some(if order == Some(wanted) { other } else { one }),
        },
        (one, other) => one.or(other),
    }
}

/// What is stored of a chunk beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkSummary {
    /// The least and the greatest point by time.
    pub oldest: Point,
    pub newest: Point,
    /// Of each [`BLOCK`] points in turn.
    pub blocks: Vec<Summary>,
}

impl ChunkSummary {
    /// Summarizes the points of a chunk; absent if there are none.
    pub fn of(points: &[Point]) -> Option<ChunkSummary> {
        Some(ChunkSummary {
            oldest: *points.iter().min_by(|a, b| a.cmp_by_time(b))?,
            newest: *points.iter().max_by(|a, b| a.cmp_by_time(b))?,
            blocks: points.chunks(BLOCK).filter_map(Summary::of).collect(),
        })
    }

    pub fn points(&self) -> usize {
        self.blocks.iter().map(|block| block.points).sum()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        write_unsigned(self.points() as u64, &mut out);
        let nan: Vec<i64> = self.blocks.iter().map(|block| block.nan as i64).collect();
        for nan in nan.chunks(BLOCK) {
            write_block(nan, &mut out);
        }
        let extremes = self.blocks.iter().flat_map(|Summary { points: _, nan: _, first, last, min, max }| {
            // A block without numbers has NaN in their place, which says so.
            [*first, min.unwrap_or(*first), max.unwrap_or(*first), *last]
        });
        let points: Vec<Point> = [self.oldest, self.newest].into_iter().chain(extremes).collect();
        write_columns(&points, &mut out);
        with_checksum(out)
    }

    /// Memory is bounded by a constant multiple of the length of `bytes`, whatever they claim.
    pub fn decode(bytes: &[u8]) -> Result<ChunkSummary, CorruptChunk> {
        let mut input = Reader::new(without_checksum(bytes)?);
        match input.byte()? {
            VERSION => {}
            header => return Err(CorruptChunk::UnknownHeader(header)),
        }
        let count = usize::try_from(input.unsigned()?).map_err(|_| CorruptChunk::Truncated)?;
        let blocks = count.div_ceil(BLOCK);
        if blocks.div_ceil(BLOCK) > input.remaining() {
            return Err(CorruptChunk::Truncated);
        }
        let mut nan = vec![0; blocks];
        for nan in nan.chunks_mut(BLOCK) {
            read_block(&mut input, nan)?;
        }
        let mut points = Vec::new();
        read_columns(&mut input, |_| true, &mut points)?;
        let [oldest, newest, extremes @ ..] = points.as_slice() else { return Err(CorruptChunk::Truncated) };
        if extremes.len() != blocks * 4 || input.remaining() > 0 {
            return Err(CorruptChunk::Malformed("a summary has another number of blocks than its chunk"));
        }
        let blocks = extremes.as_chunks::<4>().0.iter().zip(nan).enumerate();
        let blocks = blocks.map(|(index, ([first, min, max, last], nan))| Summary {
            points: BLOCK.min(count - index * BLOCK),
            nan: nan as usize,
            first: *first,
            last: *last,
            min: (!min.value.is_nan()).then_some(*min),
            max: (!max.value.is_nan()).then_some(*max),
        });
        Ok(ChunkSummary { oldest: *oldest, newest: *newest, blocks: blocks.collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::{any_point, crowded_point, naive_summary, regular_points};

    fn points(most: usize) -> impl Strategy<Value = Vec<Point>> {
        prop_oneof![prop::collection::vec(any_point(), 0..most), prop::collection::vec(crowded_point(), 0..most)]
    }

    proptest! {
        #[test]
        fn summaries_equal_the_naive_ones(points in points(50)) {
            prop_assert_eq!(Summary::of(&points), naive_summary(&points));
        }

        #[test]
        fn a_summary_of_parts_is_the_summary_of_the_whole(points in points(50), cut in any::<prop::sample::Index>()) {
            let (left, right) = points.split_at(cut.index(points.len() + 1));
            if let (Some(left), Some(right)) = (Summary::of(left), Summary::of(right)) {
                prop_assert_eq!(Some(left.join(&right)), naive_summary(&points));
                prop_assert_eq!(Some(right.join(&left)), naive_summary(&points));
            }
        }

        #[test]
        fn summaries_of_chunks_round_trip(mut points in points(1200)) {
            points.sort();
            if let Some(summary) = ChunkSummary::of(&points) {
                prop_assert_eq!(summary.points(), points.len());
                prop_assert_eq!(summary.blocks.len(), points.len().div_ceil(BLOCK));
                prop_assert_eq!(ChunkSummary::decode(&summary.encode()), Ok(summary));
            }
        }

        #[test]
        fn garbage_with_a_right_checksum_never_panics(
            count in prop_oneof![0u64..2000, any::<u64>()],
            garbage in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut bytes = vec![VERSION];
            write_unsigned(count, &mut bytes);
            bytes.extend(garbage);
            let _ = ChunkSummary::decode(&with_checksum(bytes));
        }

        #[test]
        fn damage_with_a_right_checksum_never_panics(
            points in points(600),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            if let Some(summary) = ChunkSummary::of(&points) {
                let mut bytes = summary.encode();
                bytes.truncate(bytes.len() - 4);
                for (position, byte) in damage {
                    let position = position.index(bytes.len());
                    bytes[position] = byte;
                }
                let _ = ChunkSummary::decode(&with_checksum(bytes));
            }
        }
    }

    #[test]
    fn values_that_are_all_nan_have_no_min_and_no_max() {
        let points = [Point::new(3, 0, f64::NAN), Point::new(4, 0, f64::NAN)];
        let summary = Summary::of(&points).expect("there are points");
        assert_eq!((summary.min, summary.max, summary.nan), (None, None, 2));
        let chunk = ChunkSummary::of(&points).expect("there are points");
        assert_eq!(ChunkSummary::decode(&chunk.encode()).map(|chunk| chunk.blocks[0]), Ok(summary));
    }

    #[test]
    fn infinities_count() {
        let (low, high) = (Point::new(1, 0, 1.0), Point::new(0, 0, f64::INFINITY));
        let summary = Summary::of(&[high, low]).expect("there are points");
        assert_eq!((summary.min, summary.max), (Some(low), Some(high)));
    }

    #[test]
    fn of_equal_values_the_first_is_named() {
        let points: Vec<Point> = [5, 2, 9].map(|step| Point::new(step, 0, 1.0)).to_vec();
        let summary = Summary::of(&points).expect("there are points");
        assert_eq!((summary.min, summary.max), (Some(points[1]), Some(points[1])));
    }

    #[test]
    fn summaries_are_small_beside_their_chunks() {
        let loss = |index: usize| 2.0 / (1.0 + index as f64 / 500.0) + 0.05 * (index as f64 * 12.9898).sin();
        let chunk = regular_points(4096, loss);
        let bytes = ChunkSummary::of(&chunk).expect("there are points").encode().len();
        assert!(bytes < 800, "{bytes}");
        assert!(bytes * 25 < crate::series::encode(&chunk).len());
    }
}
