//! Metric series in SQL: appending batches of points, first to the tail of their series, then as chunks.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use stele_domain::authz::{LogRun, Permit};
use stele_domain::id::{RunRow, SeriesRow};
use stele_domain::record::{LatestMetric, RunInfo};
use stele_domain::{Error, MetricColumn, MetricValues, Point, Result};

use crate::Tx;
use crate::engine::{EngineKind, Row, Value, list, params};
use crate::metric_read::{SUMMARIZED_POINTS, decode};
use crate::series::{self, ChunkSummary};

/// A series as its row has it, between a read and the write of its new state.
struct Series {
    latest: Point,
    points: i64,
    next_chunk: i64,
    unmerged: i64,
    /// Points that are in no chunk yet, in order.
    tail: Vec<Point>,
}

impl Series {
    /// One that is about to get its first points, of which this is the newest.
    fn new(latest: Point) -> Series {
        Series { latest, points: 0, next_chunk: 0, unmerged: 0, tail: Vec::new() }
    }

    /// Takes points that it does not have, in order. Gives back those of a new chunk with its number, once there are
    /// enough for one.
    fn take<'p>(&mut self, points: Cow<'p, [Point]>) -> Option<(i64, Cow<'p, [Point]>)> {
        self.latest = points.iter().copied().fold(self.latest, Point::max);
        self.points += points.len() as i64;
        let chunk = if points.len() < TAIL_POINTS {
            self.tail.extend_from_slice(&points);
            self.tail.sort_unstable();
            if self.tail.len() < TAIL_POINTS {
                return None;
            }
            std::mem::take(&mut self.tail).into()
        } else {
            points
        };
        let number = self.next_chunk;
        self.next_chunk += 1;
        self.unmerged += 1;
        Some((number, chunk))
    }

    /// The columns step, timestamp, points, tail, value, is_nan, next_chunk and unmerged.
    fn values(&self) -> [Value<'static>; 8] {
        let Series { latest, points, next_chunk, unmerged, tail } = self;
        let (value, is_nan) = stored_value(latest.value);
        let Point { step, timestamp, .. } = *latest;
        let tail: Option<Vec<u8>> = stored_tail(tail);
        [
            step.into(),
            timestamp.into(),
            Value::from(*points),
            tail.into(),
            value.into(),
            is_nan.into(),
            Value::from(*next_chunk),
            Value::from(*unmerged),
        ]
    }
}

/// Fewer new points than this wait in the row of their series until they are so many, so that a client that logs one
/// point a request changes one row. The row is written anew each time, and searches read it, so it stays small.
pub(crate) const TAIL_POINTS: usize = 32;

const SERIES: &str = "SELECT key, id, step, timestamp, value, is_nan, points, next_chunk, unmerged, tail FROM series";

impl Tx<'_> {
    /// Appends metric values to the series of a run. Points that a series has already are left out, so that a
    /// batch sent twice counts once. Values about a logged model are kept beside it as well.
    pub fn run_metrics_append(&mut self, permit: &Permit<LogRun>, run: &RunInfo, values: &MetricValues) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.logged_model_metrics_append(permit, run, values.about())?;
        let columns = values.columns();
        let mut stored = self.series_of_keys(run.row, columns.iter().map(|column| column.key.as_str()))?;
        let mut series_rows: Vec<Value> = Vec::new();
        let mut chunks: Vec<NewChunk> = Vec::new();
        for MetricColumn { key, points } in columns {
            let (first, last) = (points[0], points[points.len() - 1]);
            let mut points = Cow::from(points);
            let (id, mut series) = match stored.remove(key.as_str()) {
                None => (None, Series::new(last)),
                Some((id, series)) => {
                    if first <= series.latest {
                        self.remove_stored(id, &series.tail, points.to_mut())?;
                    }
                    (Some(id), series)
                }
            };
            if points.is_empty() {
                continue;
            }
            let before = (series.latest.value, series.next_chunk);
            if let Some((number, points)) = series.take(points) {
                chunks.push(NewChunk { series: id, key, number, points });
            }
            match id {
                // A statement is no round trip there, and this one is the cheaper.
                Some(id) if self.engine() == EngineKind::Sqlite => self.series_update(id, before, &series)?,
                _ => series_rows
                    .extend([run.row.into(), key.into(), run.experiment.into()].into_iter().chain(series.values())),
            }
        }
        self.insert_rows(
            "INSERT INTO series (run_id, key, experiment_id, step, timestamp, points, tail, value, is_nan, next_chunk,
                 unmerged)",
            11,
            "ON CONFLICT (run_id, key) DO UPDATE SET step = excluded.step, timestamp = excluded.timestamp,
                 points = excluded.points, tail = excluded.tail, value = excluded.value, is_nan = excluded.is_nan,
                 next_chunk = excluded.next_chunk, unmerged = excluded.unmerged",
            &series_rows,
        )?;
        self.chunks_add(run.row, &chunks)
    }

    /// Writes chunks, also of series that this transaction has made.
    fn chunks_add(&mut self, run: RunRow, chunks: &[NewChunk]) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        let of_new: Vec<&str> = chunks.iter().filter(|chunk| chunk.series.is_none()).map(|chunk| chunk.key).collect();
        let made = if of_new.is_empty() { HashMap::new() } else { self.series_of_keys(run, of_new.into_iter())? };
        let mut chunk_rows: Vec<Value> = Vec::with_capacity(chunks.len() * 6);
        let mut ids = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let id = chunk.series.or_else(|| made.get(chunk.key).map(|(id, _)| *id));
            let id = id.ok_or_else(|| Error::internal("a series vanished while it was written"))?;
            chunk_rows.extend(chunk_row(id, chunk.number, &chunk.points));
            ids.push(id);
        }
        self.chunks_insert(&chunk_rows)?;
        self.summaries_insert(ids.into_iter().zip(chunks).map(|(id, chunk)| (id, chunk.number, &*chunk.points)))
    }

    fn series_of_keys<'k>(
        &mut self,
        run: RunRow,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<HashMap<String, (SeriesRow, Series)>> {
        // Locked, since the merger numbers chunks too, and does not ask for the run.
        let lock = self.for_update();
        let keys: Vec<&str> = keys.collect();
        if keys.len() == 1 || self.engine() == EngineKind::Sqlite {
            let sql = format!("{SERIES} WHERE run_id = $1 AND key = $2{lock}");
            let rows = keys.into_iter().map(|key| self.query_opt(&sql, params![run, key], series));
            return rows.filter_map(Result::transpose).collect();
        }
        let sql = format!("{SERIES} WHERE run_id = $1 AND key {}{lock}", self.is_one_of_texts(2));
        Ok(self.query(&sql, params![run, list(keys)], series)?.into_iter().collect())
    }

    /// Stores a new state of a series, whose newest value and next chunk were `before`. A statement that names a column
    /// of an index writes the index, whether the column changes or not, so that each names what changes alone.
    fn series_update(&mut self, id: SeriesRow, before: (f64, i64), series: &Series) -> Result<()> {
        const TAIL: &str = "UPDATE series SET step = $1, timestamp = $2, points = $3, tail = $4 WHERE id = $9";
        const VALUE: &str =
            "UPDATE series SET step = $1, timestamp = $2, points = $3, tail = $4, value = $5, is_nan = $6
             WHERE id = $9";
        const CHUNK: &str =
            "UPDATE series SET step = $1, timestamp = $2, points = $3, tail = $4, value = $5, is_nan = $6,
                 next_chunk = $7, unmerged = $8
             WHERE id = $9";
        let (value, next_chunk) = before;
        let update = if next_chunk != series.next_chunk {
            CHUNK
        } else if value.to_bits() != series.latest.value.to_bits() {
            VALUE
        } else {
            TAIL
        };
        let [step, timestamp, points, tail, value, is_nan, next_chunk, unmerged] = series.values();
        let values = [step, timestamp, points, tail, value, is_nan, next_chunk, unmerged, id.into()];
        self.execute(update, &values).map(|_| ())
    }

    /// Takes out of `points` those that the series has, be it in chunks or in its tail.
    fn remove_stored(&mut self, series: SeriesRow, tail: &[Point], points: &mut Vec<Point>) -> Result<()> {
        const OVERLAPPING: &str = "SELECT data FROM chunk WHERE series_id = $1 AND max_step >= $2 AND min_step <= $3";
        let (first, last) = (points[0].step, points[points.len() - 1].step);
        let chunks = self.query(OVERLAPPING, params![series, first, last], |row| row.blob(0))?;
        let wanted: HashSet<Point> = points.iter().copied().collect();
        let mut found: HashSet<Point> = tail.iter().copied().filter(|point| wanted.contains(point)).collect();
        for chunk in chunks {
            found.extend(decode(&chunk)?.into_iter().filter(|point| wanted.contains(point)));
        }
        points.retain(|point| !found.contains(point));
        Ok(())
    }

    pub(crate) fn chunks_insert(&mut self, rows: &[Value]) -> Result<()> {
        let head = format!("INSERT INTO chunk ({CHUNK_COLUMNS})");
        self.insert_rows(&head, 6, "", rows).map(|_| ())
    }

    /// Keeps summaries beside the chunks that are large enough for it to pay.
    pub(crate) fn summaries_insert<'p>(
        &mut self,
        chunks: impl Iterator<Item = (SeriesRow, i64, &'p [Point])>,
    ) -> Result<()> {
        let mut rows: Vec<Value> = Vec::new();
        for (series, number, points) in chunks.filter(|(.., points)| points.len() >= SUMMARIZED_POINTS) {
            if let Some(summary) = ChunkSummary::of(points) {
                rows.extend([series.into(), number.into(), summary.encode().into()]);
            }
        }
        self.insert_rows("INSERT INTO chunk_summary (series_id, number, summary)", 3, "", &rows).map(|_| ())
    }
}

/// A chunk that is about to be written.
struct NewChunk<'a> {
    /// None when this transaction makes the series.
    series: Option<SeriesRow>,
    key: &'a str,
    number: i64,
    points: Cow<'a, [Point]>,
}

/// The column of points that are in no chunk: encoded as a chunk is, or NULL when there are none.
pub(crate) fn stored_tail(points: &[Point]) -> Option<Vec<u8>> {
    (!points.is_empty()).then(|| series::encode(points))
}

pub(crate) fn read_tail(row: &Row, column: usize) -> Result<Vec<Point>> {
    row.opt_bytes(column)?.map_or(Ok(Vec::new()), decode)
}

fn series(row: &Row) -> Result<(String, (SeriesRow, Series))> {
    let series = Series {
        latest: Point::new(row.int(2)?, row.int(3)?, read_value(row, 4)?),
        points: row.int(6)?,
        next_chunk: row.int(7)?,
        unmerged: row.int(8)?,
        tail: read_tail(row, 9)?,
    };
    Ok((row.text(0)?, (SeriesRow(row.int(1)?), series)))
}

/// The columns of the values that [`chunk_row`] gives.
pub(crate) const CHUNK_COLUMNS: &str = "series_id, number, points, min_step, max_step, data";

pub(crate) fn chunk_row(series: SeriesRow, number: i64, points: &[Point]) -> [Value<'static>; 6] {
    // Points are sorted, so the steps at the ends bound the rest.
    let (first, last) = (points[0].step, points[points.len() - 1].step);
    [
        series.into(),
        number.into(),
        Value::from(points.len() as i64),
        first.into(),
        last.into(),
        series::encode(points).into(),
    ]
}

/// A value as SQL can compare it, and whether it is not a number.
pub(crate) fn stored_value(value: f64) -> (f64, bool) {
    if value.is_nan() { (0.0, true) } else { (value, false) }
}

/// Reads a value and the flag in the column after it.
pub(crate) fn read_value(row: &Row, column: usize) -> Result<f64> {
    Ok(if row.bool(column + 1)? { f64::NAN } else { row.real(column)? })
}

/// Reads key, step, timestamp, value and flag from `column` on.
pub(crate) fn latest_metric(row: &Row, column: usize) -> Result<LatestMetric> {
    let point = Point::new(row.int(column + 1)?, row.int(column + 2)?, read_value(row, column + 3)?);
    Ok(LatestMetric { key: row.text(column)?, point })
}
