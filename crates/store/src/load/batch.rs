use std::collections::BTreeMap;

use stele_domain::Point;
use stele_domain::id::SeriesRow;
use stele_domain::lifecycle::Presence;

use super::LoadedRun;
use crate::engine::Value;
use crate::metric::{TAIL_POINTS, chunk_row, stored_tail};
use crate::series::CHUNK_POINTS;

/// Runs that are ready to be written: sorted as their tables are, metric points encoded. Making one takes most of the
/// time of a load and needs no database, so that the next can be made while one is written.
#[derive(Debug)]
pub struct RunBatch {
    pub(super) runs: Vec<PreparedRun>,
}

#[derive(Debug)]
pub(super) struct PreparedRun {
    /// Tags and params sorted by key, each key once; the metrics are in `series`.
    pub(super) loaded: LoadedRun,
    pub(super) series: Vec<PreparedSeries>,
}

#[derive(Debug)]
pub(super) struct PreparedSeries {
    pub(super) key: String,
    pub(super) latest: Point,
    pub(super) points: usize,
    /// Rows of the table, whose first value is the series that they will belong to.
    pub(super) chunks: Vec<[Value<'static>; 6]>,
    /// Instead of a chunk, when there are few points.
    pub(super) tail: Option<Vec<u8>>,
}

impl RunBatch {
    /// Of runs with one id the first counts. A metric without points is left out.
    pub fn new(mut runs: Vec<LoadedRun>) -> RunBatch {
        let mut ids = std::collections::HashSet::new();
        runs.retain(|run| ids.insert(run.id.clone()));
        RunBatch { runs: runs.into_iter().map(prepared).collect() }
    }

    pub fn are_all(&self, presence: Presence) -> bool {
        self.runs.iter().all(|run| run.loaded.presence == presence)
    }
}

fn prepared(mut loaded: LoadedRun) -> PreparedRun {
    last_by_key(&mut loaded.tags, |tag| &tag.key);
    last_by_key(&mut loaded.params, |param| &param.key);
    let mut metrics: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for metric in std::mem::take(&mut loaded.metrics) {
        metrics.entry(metric.key).or_default().extend(metric.points);
    }
    let series = metrics.into_iter().filter_map(|(key, points)| series(key, points)).collect();
    PreparedRun { loaded, series }
}

fn series(key: String, mut points: Vec<Point>) -> Option<PreparedSeries> {
    points.sort_unstable();
    points.dedup();
    let latest = *points.last()?;
    let unknown = SeriesRow(0);
    let (tail, chunked) = if points.len() < TAIL_POINTS { (&points[..], &[][..]) } else { (&[][..], &points[..]) };
    let chunks =
        (0..).zip(chunked.chunks(CHUNK_POINTS.get())).map(|(number, points)| chunk_row(unknown, number, points));
    let (chunks, tail) = (chunks.collect(), stored_tail(tail));
    Some(PreparedSeries { key, latest, points: points.len(), chunks, tail })
}

/// Sorts by key and keeps the last of those with one key.
fn last_by_key<T>(items: &mut Vec<T>, key: impl Fn(&T) -> &String) {
    items.reverse();
    items.sort_by(|left, right| key(left).cmp(key(right)));
    items.dedup_by(|later, first| key(later) == key(first));
}
