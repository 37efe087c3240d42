use std::num::NonZeroUsize;

use stele_domain::Point;

/// Points in a full chunk.
pub const CHUNK_POINTS: NonZeroUsize = NonZeroUsize::new(4096).expect("4096 is not zero");

/// Merges chunks into sorted ones of at most `target` points that follow each other, without duplicates.
///
/// All are full but the last. Of points that are equal but differ in bits (zeros of either sign, kinds of NaN), the
/// first one given stays.
pub fn merge(chunks: Vec<Vec<Point>>, target: NonZeroUsize) -> Vec<Vec<Point>> {
    let mut points = chunks.concat();
    // The stable sort finds the runs that are sorted already, which most chunks are, and merges them.
    points.sort();
    points.dedup();
    points.chunks(target.get()).map(<[Point]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::{any_point, crowded_point};

    proptest! {
        #[test]
        fn merging_is_the_union_of_sets(
            chunks in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any_point(), 0..30),
                    prop::collection::vec(crowded_point(), 0..30),
                ],
                0..8,
            ),
            target in 1usize..40,
        ) {
            let union: BTreeSet<Point> = chunks.iter().flatten().copied().collect();
            let merged = merge(chunks, NonZeroUsize::new(target).expect("targets start at 1"));
            prop_assert!(merged.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= target));
            prop_assert_eq!(merged.len(), union.len().div_ceil(target));
            prop_assert_eq!(merged.concat(), union.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_sent_again_adds_nothing() {
        let batch: Vec<Point> = (0..10).map(|step| Point::new(step, 5, f64::NAN)).collect();
        let again: Vec<Point> = (0..10).map(|step| Point::new(step, 5, -f64::NAN)).collect();
        assert_eq!(merge(vec![batch.clone(), again], CHUNK_POINTS), vec![batch]);
    }

    #[test]
    fn nothing_merges_into_nothing() {
        assert!(merge(vec![vec![], vec![]], CHUNK_POINTS).is_empty());
    }
}
