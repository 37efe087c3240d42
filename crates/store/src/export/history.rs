use std::collections::HashMap;

use stele_domain::id::RunRow;
use stele_domain::{Error, Point, Result};

use crate::Tx;
use crate::engine::{list, params};
use crate::metric::read_tail;
use crate::series::decode_blocks;

/// A history with more points than this is read for itself, page by page.
const LONGEST: i64 = 4_096;
/// The points that come with one page of runs; histories beyond that are read for themselves too.
const MOST_POINTS: usize = 400_000;

/// The histories of one run, by key.
pub(super) type Histories = HashMap<String, Vec<Point>>;

impl Tx<'_> {
    /// The short histories of these runs, each whole and by time, with two statements for all of them.
    pub(super) fn histories_short(&mut self, runs: &[RunRow]) -> Result<HashMap<RunRow, Histories>> {
        let one_of = self.is_one_of_ints(1);
        let sql = format!(
            "SELECT id, run_id, key, points, tail FROM series WHERE run_id {one_of} AND points <= $2 ORDER BY run_id, id"
        );
        let rows = list(runs.iter().map(|run| run.0));
        let mut room = MOST_POINTS;
        let mut found = self.query(&sql, params![rows, LONGEST], |row| {
            let count = usize::try_from(row.int(3)?).unwrap_or(usize::MAX);
            if count > room {
                return Ok(None);
            }
            room -= count;
            Ok(Some((row.int(0)?, RunRow(row.int(1)?), row.text(2)?, count, read_tail(row, 4)?)))
        })?;
        let places: HashMap<i64, usize> = found
            .iter()
            .enumerate()
            .filter_map(|(place, series)| series.as_ref().map(|series| (place, series)))
            .filter(|(_, (.., count, tail))| tail.len() < *count)
            .map(|(place, (series, ..))| (*series, place))
            .collect();
        if !places.is_empty() {
            let sql = format!("SELECT series_id, data FROM chunk WHERE series_id {one_of} ORDER BY series_id, number");
            let rows = list(places.keys().copied());
            self.query(&sql, params![rows], |row| {
                let series = places.get(&row.int(0)?).and_then(|place| found[*place].as_mut());
                if let Some((.., points)) = series {
                    decode_blocks(&row.blob(1)?, |_| true, points)
                        .map_err(|error| Error::internal(format!("a metric chunk is damaged: {error}")))?;
                }
                Ok(())
            })?;
        }
        let mut histories: HashMap<RunRow, Histories> = HashMap::with_capacity(runs.len());
        for (_, run, key, count, mut points) in found.into_iter().flatten() {
            if points.len() == count {
                points.sort_by(Point::cmp_by_time);
                histories.entry(run).or_default().insert(key, points);
            }
        }
        Ok(histories)
    }
}
