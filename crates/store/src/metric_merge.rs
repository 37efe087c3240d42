//! Merging small chunks of metric series: read and merged by a reader, so that writers wait only while the rows change.

use stele_domain::id::SeriesRow;
use stele_domain::{Point, Result};

use crate::engine::{Row, Value, params};
use crate::metric::chunk_row;
use crate::metric_read::decode;
use crate::series::{self, CHUNK_POINTS};
use crate::{Store, Tx};

/// A series with more chunks than this since its last merge is worth merging; the index `series_to_merge` is
/// over these.
const CHUNKS_TO_MERGE: i64 = 32;

/// About as many points are merged at once, of at most so many chunks: writers wait while they are written.
const POINTS_AT_ONCE: i64 = 4 * FULL;
const CHUNKS_AT_ONCE: usize = 1024;

const FULL: i64 = CHUNK_POINTS.get() as i64;

/// More chunks than this are never left by merges that had nothing small enough to go with them: each is larger than
/// all that follow.
const CHUNKS_LEFT: usize = 16;

/// What is to be done for one series.
struct Merge {
    series: SeriesRow,
    /// None when there is nothing to gain.
    replacement: Option<Replacement>,
    /// No chunk before this number need be looked at again.
    looked: i64,
}

/// Small chunks, and the larger ones that they make: numbered as the first of the small ones, in whose place they come.
struct Replacement {
    small: Small,
    large: Vec<(i64, Vec<Point>)>,
}

/// Those chunks of a series, from one number to another, that are not full. Chunks never change, and whoever merges
/// some of these changes how many they are, or how many points they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Small {
    first: i64,
    last: i64,
    chunks: i64,
    points: i64,
}

impl Store {
    /// Merges small chunks of one series that has many. Says whether there was one.
    ///
    /// Of the chunks that a merge has made before, only those are merged again that are smaller than all the newer
    /// ones together, so that a point is written again a few times only, however small the batches are.
    pub async fn series_merge_one(&self) -> Result<bool> {
        let Some(merge) = self.read(|tx| tx.series_to_merge()).await? else { return Ok(false) };
        self.write(move |tx| tx.series_merge(&merge)).await?;
        Ok(true)
    }
}

impl Tx<'_> {
    fn series_to_merge(&mut self) -> Result<Option<Merge>> {
        const FRESH: &str =
            "SELECT number, points FROM chunk WHERE series_id = $1 AND number >= $2 ORDER BY number LIMIT $3";
        const LEFT: &str =
            "SELECT number, points FROM chunk WHERE series_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
        const CHUNKS: &str = "SELECT data FROM chunk WHERE series_id = $1 AND points < $2 AND number BETWEEN $3 AND $4
             ORDER BY number";
        // A partial index serves only a statement that has its condition.
        let candidate = format!(
            "SELECT id, next_chunk, unmerged FROM series WHERE unmerged > {CHUNKS_TO_MERGE} ORDER BY unmerged DESC LIMIT 1"
        );
        let found =
            self.query_opt(&candidate, params![], |row| Ok((SeriesRow(row.int(0)?), row.int(1)?, row.int(2)?)))?;
        let Some((id, next_chunk, unmerged)) = found else { return Ok(None) };
        let size = |row: &Row| Ok((row.int(0)?, row.int(1)?));
        let first = next_chunk - unmerged;
        let fresh = self.query(FRESH, params![id, first, CHUNKS_AT_ONCE as i64], size)?;
        let left = self.query(LEFT, params![id, first, CHUNKS_LEFT as i64], size)?;
        let looked = fresh.last().map_or(next_chunk, |(number, _)| number + 1);
        let small = small_to_merge(&left, &fresh);
        let Some(small) = small else {
            return Ok(Some(Merge { series: id, replacement: None, looked }));
        };
        let chunks = self.query(CHUNKS, params![id, FULL, small.first, small.last], |row| row.blob(0))?;
        let replacement = match chunks.iter().map(|chunk| decode(chunk)).collect::<Result<Vec<_>>>() {
            Ok(chunks) => {
                let large = (small.first..).zip(series::merge(chunks, CHUNK_POINTS)).collect();
                Some(Replacement { small, large })
            }
            Err(error) => {
                // Others must be merged all the same.
                tracing::error!(%error, series = id.0, "a metric series cannot be merged");
                None
            }
        };
        Ok(Some(Merge { series: id, replacement, looked: small.last + 1 }))
    }

    /// Does what was found to do, unless the small chunks are not there any more.
    fn series_merge(&mut self, merge: &Merge) -> Result<()> {
        const SMALL: &str = "FROM chunk WHERE series_id = $1 AND points < $2 AND number BETWEEN $3 AND $4";
        const LOOKED: &str = "UPDATE series SET unmerged = CASE WHEN next_chunk - unmerged < $2 THEN next_chunk - $2
             ELSE unmerged END WHERE id = $1";
        let Merge { series: id, replacement, looked } = merge;
        // Locked, since other servers merge too, and whoever logs numbers chunks.
        let series = format!("SELECT id FROM series WHERE id = $1{}", self.for_update());
        if self.query_opt(&series, params![*id], |row| row.int(0))?.is_none() {
            return Ok(());
        }
        if let Some(Replacement { small, large }) = replacement {
            let range = params![*id, FULL, small.first, small.last];
            let counted = format!("SELECT COUNT(*), CAST(COALESCE(SUM(points), 0) AS BIGINT) {SMALL}");
            let there = self.query_one(&counted, range, |row| Ok((row.int(0)?, row.int(1)?)))?;
            if there != (small.chunks, small.points) {
                return Ok(());
            }
            let forget =
                format!("DELETE FROM chunk_summary WHERE series_id = $1 AND number IN (SELECT number {SMALL})");
            self.execute(&forget, range)?;
            self.execute(&format!("DELETE {SMALL}"), range)?;
            let rows: Vec<Value> = large.iter().flat_map(|(number, points)| chunk_row(*id, *number, points)).collect();
            self.chunks_insert(&rows)?;
            self.summaries_insert(large.iter().map(|(number, points)| (*id, *number, points.as_slice())))?;
        }
        self.execute(LOOKED, params![*id, *looked]).map(|_| ())
    }
}

/// Which small chunks to merge, given chunks by number and points: the oldest of the `fresh` ones, oldest first, and of
/// those that an earlier merge has `left`, newest first, as many as are not larger than all that is newer. None where
/// there are fewer than two.
fn small_to_merge(left: &[(i64, i64)], fresh: &[(i64, i64)]) -> Option<Small> {
    let fresh = fresh.iter().filter(|(_, points)| *points < FULL);
    let mut newer: i64 = fresh.clone().map(|(_, points)| points).sum();
    let goes_along = |(_, points): &&(i64, i64)| {
        let goes_along = *points < FULL && *points <= newer;
        newer += points;
        goes_along
    };
    let along: Vec<&(i64, i64)> = left.iter().take_while(goes_along).collect();
    let mut small: Option<Small> = None;
    for &(number, points) in along.into_iter().rev().chain(fresh) {
        small = Some(match small {
            None => Small { first: number, last: number, chunks: 1, points },
            Some(before) if before.chunks > 1 && before.points + points > POINTS_AT_ONCE => break,
            Some(before) => Small { last: number, chunks: before.chunks + 1, points: before.points + points, ..before },
        });
    }
    small.filter(|small| small.chunks > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunks of a series by number and points, oldest first, after one merge; and what is fresh then.
    fn merged(chunks: &[(i64, i64)], fresh: i64) -> Option<(Vec<(i64, i64)>, i64)> {
        let newest_first: Vec<(i64, i64)> = chunks.iter().rev().copied().collect();
        let (left, new): (Vec<_>, Vec<_>) = newest_first.into_iter().partition(|(number, _)| *number < fresh);
        let new: Vec<(i64, i64)> = new.into_iter().rev().collect();
        let small = small_to_merge(&left[..left.len().min(CHUNKS_LEFT)], &new[..new.len().min(CHUNKS_AT_ONCE)])?;
        let is_small = |(number, points): &(i64, i64)| *points < FULL && (small.first..=small.last).contains(number);
        let mut left: Vec<(i64, i64)> = chunks.iter().filter(|chunk| !is_small(chunk)).copied().collect();
        let mut points = small.points;
        for number in small.first.. {
            if points > 0 {
                left.push((number, points.min(FULL)));
            }
            points -= FULL;
            if points <= 0 {
                break;
            }
        }
        left.sort_unstable();
        Some((left, fresh.max(small.last + 1)))
    }

    #[test]
    fn a_stream_of_single_points_is_rewritten_rarely_and_leaves_few_chunks() {
        let (mut chunks, mut fresh, mut rewritten) = (Vec::<(i64, i64)>::new(), 0, 0);
        for next in 0..FULL {
            chunks.push((next, 1));
            if next + 1 - fresh > CHUNKS_TO_MERGE {
                let before: Vec<(i64, i64)> = chunks.clone();
                (chunks, fresh) = merged(&chunks, fresh).unwrap();
                rewritten +=
                    chunks.iter().filter(|chunk| !before.contains(chunk)).map(|(_, points)| points).sum::<i64>();
            }
            assert!(chunks.len() < CHUNKS_TO_MERGE as usize + 12, "{chunks:?}");
        }
        assert_eq!(chunks.iter().map(|(_, points)| points).sum::<i64>(), FULL);
        assert!(rewritten < FULL * 8, "{rewritten}");
    }

    #[test]
    fn many_chunks_are_merged_a_few_at_a_time() {
        let mut chunks: Vec<(i64, i64)> = (0..1_000).map(|number| (number, 1_000)).collect();
        let mut fresh = 0;
        while fresh < 1_000 - CHUNKS_TO_MERGE {
            let before = fresh;
            (chunks, fresh) = merged(&chunks, fresh).unwrap();
            assert!(fresh > before && (fresh - before) * 1_000 <= POINTS_AT_ONCE + FULL);
        }
        assert_eq!(chunks.iter().map(|(_, points)| points).sum::<i64>(), 1_000_000);
        let small = chunks.iter().filter(|(number, points)| *number < fresh && *points < FULL).count();
        assert!(small < 12, "{chunks:?}");
    }

    #[test]
    fn chunks_that_no_merge_has_seen_are_merged_whatever_their_sizes() {
        let fresh = [(7, 1), (8, 1000), (9, 1)];
        let small = small_to_merge(&[(6, 500), (5, 1503), (2, 2000)], &fresh);
        assert_eq!(small, Some(Small { first: 6, last: 9, chunks: 4, points: 1502 }));
        assert_eq!(small_to_merge(&[], &[]), None);
        assert_eq!(small_to_merge(&[(7, 30), (6, FULL)], &[(8, 20)]), None);
    }
}
