//! Reading metric series: histories in order, single points by rank, charts. Memory is bounded by what overlaps, not by
//! the length of the series.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, Range, RangeInclusive};

use stele_domain::id::{RunRow, SeriesRow};
use stele_domain::{Error, Point, Result};

use crate::Tx;
use crate::engine::{Row, list, params};
use crate::metric::read_tail;
use crate::series::{self, BLOCK, Bucket, ChunkSummary, CorruptChunk, Envelope, Order, Sequencer};

/// Chunks of at least so many points have a summary. Smaller ones are decoded about as fast, and soon merged.
pub(crate) const SUMMARIZED_POINTS: usize = 1024;

/// How many chunks are in memory at a time.
const CHUNKS_AT_A_TIME: usize = 16;

/// A range of steps in so many equal parts, of which those are given that have points.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub steps: RangeInclusive<i64>,
    pub buckets: Vec<Bucket>,
}

/// Where a page of a history begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HistoryStart {
    /// After so many points.
    Offset(usize),
    /// After this point, wherever it stands by now.
    After(Point),
}

/// Points by time, then step, then value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryPage {
    pub points: Vec<Point>,
    pub has_more: bool,
}

/// A series, with its points that are in no chunk yet, in order.
struct FoundSeries {
    row: SeriesRow,
    tail: Vec<Point>,
}

/// What is known of a chunk before its points are read, or of that part of it that matters.
struct Head {
    number: i64,
    points: usize,
    /// In the order in which the series is read.
    least: Point,
    greatest: Point,
    /// The points, where they had to be read already.
    read: Option<Vec<Point>>,
}

impl Head {
    fn of_points(number: i64, points: Vec<Point>, order: Order) -> Option<Head> {
        let least = *points.iter().min_by(|a, b| order.cmp(a, b))?;
        let greatest = *points.iter().max_by(|a, b| order.cmp(a, b))?;
        Some(Head { number, points: points.len(), least, greatest, read: Some(points) })
    }

    fn of_summary(number: i64, summary: &ChunkSummary, order: Order) -> Option<Head> {
        let (least, greatest) = match order {
            Order::Step => (summary.blocks.first()?.first, summary.blocks.last()?.last),
            Order::Time => (summary.oldest, summary.newest),
        };
        Some(Head { number, points: summary.points(), least, greatest, read: None })
    }
}

/// Chunks that overlap each other and nothing else, as positions in the list of heads.
struct Island {
    heads: Range<usize>,
    /// The ranks of its points in the whole.
    ranks: Range<usize>,
}

impl Tx<'_> {
    /// At most `most` points of a metric by time; none when the run has no such metric.
    pub fn metric_history(&mut self, run: RunRow, key: &str, start: HistoryStart, most: usize) -> Result<HistoryPage> {
        let mut page = HistoryPage::default();
        let Some(series) = self.series_find(run, key)? else { return Ok(page) };
        let order = Order::Time;
        let mut heads = self.series_heads(&series, order, &(i64::MIN..=i64::MAX))?;
        let (skipped, after) = match start {
            HistoryStart::Offset(offset) => (offset, None),
            HistoryStart::After(after) => (0, Some(after)),
        };
        let mut wanted = skipped..skipped.saturating_add(most).saturating_add(1);
        if let Some(after) = &after {
            heads.retain(|head| order.cmp(&head.greatest, after).is_gt());
            // How many of the points that are left lie before it is not known.
            wanted = 0..usize::MAX;
        }
        self.series_walk(
            series.row,
            order,
            heads,
            |ranks| meet(&ranks, &wanted),
            |rank, points| {
                let start = match &after {
                    None => skipped.saturating_sub(rank).min(points.len()),
                    Some(after) => points.partition_point(|point| order.cmp(point, after).is_le()),
                };
                let points = &points[start..];
                let room = most - page.points.len();
                page.points.extend_from_slice(points.get(..room).unwrap_or(points));
                page.has_more = points.len() > room;
                if page.has_more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )?;
        Ok(page)
    }

    /// Those points of a metric with a step in `steps` that stand, in the order of points, at the ranks that `choose`
    /// gives when it is told how many points there are. Ranks are given in order.
    pub fn metric_points_at(
        &mut self,
        run: RunRow,
        key: &str,
        steps: &RangeInclusive<i64>,
        choose: impl FnOnce(usize) -> Vec<usize>,
    ) -> Result<Vec<Point>> {
        let Some(series) = self.series_find(run, key)? else { return Ok(Vec::new()) };
        let heads = self.series_heads(&series, Order::Step, steps)?;
        let chosen = choose(heads.iter().map(|head| head.points).sum());
        let mut found = Vec::with_capacity(chosen.len());
        let within = |ranks: &Range<usize>| {
            let from = chosen.partition_point(|rank| *rank < ranks.start);
            let to = chosen.partition_point(|rank| *rank < ranks.end);
            &chosen[from..to]
        };
        self.series_walk(
            series.row,
            Order::Step,
            heads,
            |ranks| !within(&ranks).is_empty(),
            |rank, points| {
                found.extend(within(&(rank..rank + points.len())).iter().map(|chosen| points[chosen - rank]));
                ControlFlow::Continue(())
            },
        )?;
        Ok(found)
    }

    /// The chart of a metric in so many buckets, from the first step given, or of the series, to the last; absent when
    /// the run has no such metric.
    pub fn metric_envelope(
        &mut self,
        run: RunRow,
        key: &str,
        first: Option<i64>,
        last: Option<i64>,
        buckets: NonZeroUsize,
    ) -> Result<Option<Chart>> {
        let Some(series) = self.series_find(run, key)? else { return Ok(None) };
        let steps = match (first, last) {
            (Some(first), Some(last)) => first..=last,
            _ => {
                let (least, greatest) = self.series_ends(&series)?;
                let first = first.unwrap_or(least.min(last.unwrap_or(least)));
                first..=last.unwrap_or(greatest.max(first))
            }
        };
        let mut envelope = Envelope::new(steps.clone(), buckets);
        let mut straddling: Vec<(i64, Vec<usize>)> = Vec::new();
        let all_data = i64::MIN..=i64::MAX;
        self.chunks_scan(&series, &steps, &all_data, |chunk| {
            match chunk.content {
                ChunkContent::Points(points) => envelope.absorb_points(&points),
                ChunkContent::Summary(summary) => {
                    let blocks = summary.blocks.iter().enumerate();
                    let blocks: Vec<usize> =
                        blocks.filter(|(_, block)| !envelope.absorb(block)).map(|(index, _)| index).collect();
                    if !blocks.is_empty() {
                        straddling.push((chunk.number, blocks));
                    }
                }
            }
            Ok(())
        })?;
        let mut points = Vec::new();
        for straddling in straddling.chunks(CHUNKS_AT_A_TIME) {
            let chunks = self.chunks_read(series.row, straddling.iter().map(|(number, _)| *number))?;
            for (number, blocks) in straddling {
                points.clear();
                let chunk = chunks.get(number).ok_or_else(vanished)?;
                series::decode_blocks(chunk, |block| blocks.binary_search(&block).is_ok(), &mut points)
                    .map_err(corrupt)?;
                envelope.absorb_points(&points);
            }
        }
        Ok(Some(Chart { steps, buckets: envelope.into_buckets() }))
    }

    fn series_find(&mut self, run: RunRow, key: &str) -> Result<Option<FoundSeries>> {
        const SERIES: &str = "SELECT id, tail FROM series WHERE run_id = $1 AND key = $2";
        let found = |row: &Row| Ok(FoundSeries { row: SeriesRow(row.int(0)?), tail: read_tail(row, 1)? });
        self.query_opt(SERIES, params![run, key], found)
    }

    /// The least and the greatest step of a series.
    fn series_ends(&mut self, series: &FoundSeries) -> Result<(i64, i64)> {
        const ENDS: &str = "SELECT MIN(min_step), MAX(max_step) FROM chunk WHERE series_id = $1";
        let ends = |row: &Row| Ok(row.opt_int(0)?.zip(row.opt_int(1)?));
        let chunks = self.query_one(ENDS, params![series.row], ends)?;
        let tail = series.tail.first().zip(series.tail.last()).map(|(first, last)| (first.step, last.step));
        let both = chunks.into_iter().chain(tail).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        Ok(both.unwrap_or_default())
    }

    /// Heads of the points of a series with a step in `steps`.
    fn series_heads(&mut self, series: &FoundSeries, order: Order, steps: &RangeInclusive<i64>) -> Result<Vec<Head>> {
        let mut heads = Vec::new();
        self.chunks_scan(series, steps, steps, |chunk| {
            heads.extend(match chunk.content {
                ChunkContent::Summary(summary) => Head::of_summary(chunk.number, &summary, order),
                ChunkContent::Points(mut points) => {
                    let count = points.len();
                    points.retain(|point| steps.contains(&point.step));
                    // A large chunk that is all wanted is read again in its turn rather than held.
                    let is_large = points.len() == count && count >= SUMMARIZED_POINTS;
                    let head = Head::of_points(chunk.number, points, order);
                    head.map(|head| if is_large { Head { read: None, ..head } } else { head })
                }
            });
            Ok(())
        })?;
        Ok(heads)
    }

    /// Visits the points of `heads` in order, part by part with the rank of the first. Where no rank is `wanted`,
    /// points may be left out.
    fn series_walk(
        &mut self,
        series: SeriesRow,
        order: Order,
        mut heads: Vec<Head>,
        wanted: impl Fn(Range<usize>) -> bool,
        mut visit: impl FnMut(usize, &[Point]) -> ControlFlow<()>,
    ) -> Result<()> {
        heads.sort_by(|a, b| order.cmp(&a.least, &b.least));
        let mut islands = islands(&heads, order);
        islands.retain(|island| wanted(island.ranks.clone()));
        let unread = islands.iter().flat_map(|island| &heads[island.heads.clone()]);
        let unread: Vec<i64> = unread.filter(|head| head.read.is_none()).map(|head| head.number).collect();
        let mut unread = unread.chunks(CHUNKS_AT_A_TIME);
        let mut chunks = HashMap::new();
        let mut sequencer = Sequencer::new(order);
        for Island { heads: positions, ranks } in islands {
            let mut rank = ranks.start;
            for position in positions.clone() {
                let number = heads[position].number;
                match heads[position].read.take() {
                    Some(points) => sequencer.pending().extend(points),
                    None => {
                        if !chunks.contains_key(&number) {
                            chunks = self.chunks_read(series, unread.next().unwrap_or_default().iter().copied())?;
                        }
                        let chunk = chunks.get(&number).ok_or_else(vanished)?;
                        if order == Order::Step && positions.len() == 1 {
                            // Sorted in that order and alone, so that its blocks have ranks of their own.
                            if visit_blocks(chunk, &ranks, &wanted, &mut visit)?.is_break() {
                                return Ok(());
                            }
                            continue;
                        }
                        series::decode_blocks(chunk, |_| true, sequencer.pending()).map_err(corrupt)?;
                    }
                }
                let next = heads[..positions.end].get(position + 1).map(|head| &head.least);
                let settled = sequencer.settled(next);
                if visit(rank, &settled).is_break() {
                    return Ok(());
                }
                rank += settled.len();
            }
        }
        Ok(())
    }

    /// Goes through the chunks of a series that meet `steps`: by their summaries, or by their points if they have none or
    /// are not wholly within `by_summary`. The tail is the last of them.
    fn chunks_scan(
        &mut self,
        series: &FoundSeries,
        steps: &RangeInclusive<i64>,
        by_summary: &RangeInclusive<i64>,
        mut visit: impl FnMut(ScannedChunk) -> Result<()>,
    ) -> Result<()> {
        const SCAN: &str = "SELECT chunk.number,
                 CASE WHEN chunk.min_step >= $4 AND chunk.max_step <= $5 THEN chunk_summary.summary END,
                 CASE WHEN chunk_summary.summary IS NULL OR chunk.min_step < $4 OR chunk.max_step > $5 THEN chunk.data END
             FROM chunk LEFT JOIN chunk_summary
                 ON chunk_summary.series_id = chunk.series_id AND chunk_summary.number = chunk.number
             WHERE chunk.series_id = $1 AND chunk.max_step >= $2 AND chunk.min_step <= $3";
        let binds = params![series.row, *steps.start(), *steps.end(), *by_summary.start(), *by_summary.end()];
        self.query_each(SCAN, binds, |row| visit(scanned_chunk(row)?))?;
        if series.tail.iter().any(|point| steps.contains(&point.step)) {
            visit(ScannedChunk { number: TAIL, content: ChunkContent::Points(series.tail.clone()) })?;
        }
        Ok(())
    }

    fn chunks_read(&mut self, series: SeriesRow, numbers: impl Iterator<Item = i64>) -> Result<HashMap<i64, Vec<u8>>> {
        let sql = format!("SELECT number, data FROM chunk WHERE series_id = $1 AND number {}", self.is_one_of_ints(2));
        let chunks = self.query(&sql, params![series, list(numbers)], |row| Ok((row.int(0)?, row.blob(1)?)))?;
        Ok(chunks.into_iter().collect())
    }
}

/// Visits the blocks of one chunk that have wanted ranks.
fn visit_blocks(
    chunk: &[u8],
    ranks: &Range<usize>,
    wanted: impl Fn(Range<usize>) -> bool,
    mut visit: impl FnMut(usize, &[Point]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let mut starts = Vec::new();
    let mut points = Vec::new();
    let wanted = |block: usize| {
        let start = ranks.start + block * BLOCK;
        let is_wanted = wanted(start..ranks.end.min(start + BLOCK));
        starts.extend(is_wanted.then_some(start));
        is_wanted
    };
    series::decode_blocks(chunk, wanted, &mut points).map_err(corrupt)?;
    let mut blocks = starts.into_iter().zip(points.chunks(BLOCK));
    Ok(blocks.try_for_each(|(start, block)| visit(start, block)).map_break(|()| ()))
}

/// Where a number of a chunk is due: no chunk has it, and nobody reads a tail by it, since its points are at hand.
const TAIL: i64 = i64::MAX;

struct ScannedChunk {
    number: i64,
    content: ChunkContent,
}

enum ChunkContent {
    Summary(ChunkSummary),
    Points(Vec<Point>),
}

fn scanned_chunk(row: &Row) -> Result<ScannedChunk> {
    let content = match row.opt_bytes(1)? {
        Some(summary) => ChunkContent::Summary(ChunkSummary::decode(summary).map_err(corrupt)?),
        None => ChunkContent::Points(decode(row.opt_bytes(2)?.unwrap_or_default())?),
    };
    Ok(ScannedChunk { number: row.int(0)?, content })
}

/// Cuts heads, which are sorted by their least point, where everything before is less than everything after.
fn islands(heads: &[Head], order: Order) -> Vec<Island> {
    let mut islands: Vec<Island> = Vec::new();
    let mut greatest: Option<Point> = None;
    let mut rank = 0;
    for (position, head) in heads.iter().enumerate() {
        let ranks = rank..rank + head.points;
        rank = ranks.end;
        match (islands.last_mut(), greatest) {
            (Some(island), Some(reached)) if order.cmp(&reached, &head.least).is_ge() => {
                island.heads.end = position + 1;
                island.ranks.end = rank;
                greatest = Some(if order.cmp(&reached, &head.greatest).is_lt() { head.greatest } else { reached });
            }
            _ => {
                islands.push(Island { heads: position..position + 1, ranks });
                greatest = Some(head.greatest);
            }
        }
    }
    islands
}

fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

pub(crate) fn decode(chunk: &[u8]) -> Result<Vec<Point>> {
    series::decode(chunk).map_err(corrupt)
}

fn corrupt(error: CorruptChunk) -> Error {
    Error::internal(format!("a metric chunk is damaged: {error}"))
}

fn vanished() -> Error {
    Error::internal("a metric chunk vanished while it was read")
}
