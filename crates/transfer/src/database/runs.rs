use std::collections::HashMap;

use stele_app::{LoadedLineage, LoadedMetric, LoadedReading, LoadedRun};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::lifecycle::RunKind;
use stele_domain::record::{Dataset, DatasetKey, MetricSubject, MetricValue, ModelOutput, Param, Tag};
use stele_domain::{Point, Result};

use super::connection::{Cell, Row};
use super::{PAGE, Reader, placeholders};
use crate::import::Item;
use crate::mlflow::{presence, run_status, stored_value, was_nan};

/// Runs with more points than this send their metrics after themselves, part by part.
const MOST_POINTS: i64 = 200_000;
/// Rows that are read at a time.
const ROWS: usize = 4096;
/// The points of one part of a long history: whole chunks of the record.
const PART: usize = 16 * 4096;

impl Reader<'_> {
    /// All runs of an experiment. The parents that come after their children are seen to when all are in.
    pub(super) fn runs(&self, experiment: ExperimentId) -> Result<()> {
        const RUNS: &str =
            "SELECT run_uuid, name, user_id, status, lifecycle_stage, start_time, end_time, deleted_time,
                 artifact_uri
             FROM runs WHERE experiment_id = $1 ORDER BY start_time, run_uuid";
        self.database.pages(RUNS, &[Cell::Int(experiment.0)], PAGE, |rows| {
            let mut runs = rows.into_iter().map(head).collect::<Result<Vec<_>>>()?;
            let ids = runs.iter().map(|run| run.id.clone()).collect();
            let known = self.runtime.block_on(self.sink.known(ids))?;
            let counts = self.point_counts(&runs)?;
            let is_long = |run: &LoadedRun| counts.get(run.id.as_str()).is_some_and(|count| *count > MOST_POINTS);
            // A load that was killed may have left a run without all of its long histories.
            let long: Vec<RunId> = runs.iter().filter(|run| is_long(run)).map(|run| run.id.clone()).collect();
            if !known.is_empty() {
                self.send(Item::Known(known.len() as u64))?;
            }
            runs.retain(|run| !known.contains(&run.id));
            let mut part: Vec<LoadedRun> = Vec::with_capacity(runs.len());
            let mut points = 0;
            for run in runs {
                let count = if is_long(&run) { 0 } else { counts.get(run.id.as_str()).copied().unwrap_or_default() };
                if points + count > MOST_POINTS && !part.is_empty() {
                    self.send_runs(experiment, std::mem::take(&mut part), &long)?;
                    points = 0;
                }
                points += count;
                part.push(run);
            }
            if !part.is_empty() {
                self.send_runs(experiment, part, &long)?;
            }
            long.iter().try_for_each(|run| self.send_points(run))
        })
    }

    fn point_counts(&self, runs: &[LoadedRun]) -> Result<HashMap<String, i64>> {
        let sql = format!(
            "SELECT run_uuid, COUNT(*) FROM metrics WHERE run_uuid IN ({}) GROUP BY run_uuid",
            placeholders(runs.len())
        );
        let rows = self.database.query(&sql, &ids(runs))?;
        rows.into_iter().map(|mut row| Ok((row.text(0)?, row.int(1)?))).collect()
    }

    /// Sends runs with all that belongs to them; the metrics of the `long` ones come later.
    fn send_runs(&self, experiment: ExperimentId, mut runs: Vec<LoadedRun>, long: &[RunId]) -> Result<()> {
        self.each("SELECT run_uuid, key, value FROM tags WHERE run_uuid IN (..)", &mut runs, |run, row| {
            run.tags.push(Tag { key: row.text(1)?, value: row.text(2)? });
            Ok(())
        })?;
        self.each("SELECT run_uuid, key, value FROM params WHERE run_uuid IN (..)", &mut runs, |run, row| {
            run.params.push(Param { key: row.text(1)?, value: row.text(2)? });
            Ok(())
        })?;
        self.each(
            "SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid IN (..)
             ORDER BY run_uuid, key, step, timestamp, value",
            &mut runs,
            |run, row| {
                if !long.contains(&run.id) {
                    let key = row.text(1)?;
                    let point = point(row, 2)?;
                    match run.metrics.last_mut().filter(|metric| metric.key == key) {
                        Some(metric) => metric.points.push(point),
                        None => run.metrics.push(LoadedMetric { key, points: vec![point] }),
                    }
                }
                Ok(())
            },
        )?;
        self.each(
            "SELECT inputs.destination_id, datasets.dataset_uuid, datasets.name, datasets.digest,
                 datasets.dataset_source_type, datasets.dataset_source, datasets.dataset_schema,
                 datasets.dataset_profile, input_tags.name, input_tags.value
             FROM inputs JOIN datasets ON datasets.dataset_uuid = inputs.source_id
             LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid
             WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN'
                 AND inputs.destination_id IN (..)
             ORDER BY inputs.destination_id, inputs.input_uuid, input_tags.name",
            &mut runs,
            take_reading,
        )?;
        if self.schema.has_table("logged_models") {
            self.each(
                "SELECT source_id, destination_id FROM inputs WHERE source_type = 'RUN_INPUT'
                     AND destination_type = 'MODEL_INPUT' AND source_id IN (..)",
                &mut runs,
                |run, row| {
                    run.lineage.model_inputs.push(LoggedModelId(row.text(1)?));
                    Ok(())
                },
            )?;
            let outputs = format!(
                "SELECT source_id, destination_id, {} FROM inputs WHERE source_type = 'RUN_OUTPUT'
                     AND destination_type = 'MODEL_OUTPUT' AND source_id IN (..)",
                self.schema.column("inputs", "step")
            );
            self.each(&outputs, &mut runs, |run, row| {
                let output =
                    ModelOutput { model: LoggedModelId(row.text(1)?), step: row.opt_int(2)?.unwrap_or_default() };
                run.lineage.model_outputs.push(output);
                Ok(())
            })?;
            self.each(
                "SELECT run_id, metric_name, metric_value, metric_timestamp_ms, metric_step, model_id, dataset_name,
                     dataset_digest
                 FROM logged_model_metrics WHERE run_id IN (..)",
                &mut runs,
                take_model_metric,
            )?;
        }
        self.send(Item::Runs { experiment, runs })
    }

    /// Asks something about all of the runs, whose ids stand for `(..)` in `sql` and come first in its rows.
    fn each(
        &self,
        sql: &str,
        runs: &mut [LoadedRun],
        mut take: impl FnMut(&mut LoadedRun, &mut Row) -> Result<()>,
    ) -> Result<()> {
        let positions: HashMap<String, usize> =
            runs.iter().enumerate().map(|(position, run)| (run.id.as_str().to_owned(), position)).collect();
        let sql = sql.replace("(..)", &format!("({})", placeholders(runs.len())));
        self.database.pages(&sql, &ids(runs), ROWS, |rows| {
            for mut row in rows {
                if let Some(position) = positions.get(&row.text(0)?) {
                    take(&mut runs[*position], &mut row)?;
                }
            }
            Ok(())
        })
    }

    /// Sends the metrics of a run with a long history, part by part.
    fn send_points(&self, run: &RunId) -> Result<()> {
        const POINTS: &str = "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = $1
             ORDER BY key, step, timestamp, value";
        let mut pending: Option<(String, Vec<Point>)> = None;
        let send = |(key, points)| self.send(Item::Points { run: run.clone(), key, points });
        self.database.pages(POINTS, &[Cell::Text(run.as_str().to_owned())], ROWS, |rows| {
            for mut row in rows {
                let key = row.text(0)?;
                let point = point(&mut row, 1)?;
                match &mut pending {
                    Some((current, points)) if *current == key && points.len() < PART => points.push(point),
                    other => {
                        if let Some(done) = other.replace((key, vec![point])) {
                            send(done)?;
                        }
                    }
                }
            }
            Ok(())
        })?;
        pending.map_or(Ok(()), send)
    }
}

fn ids(runs: &[LoadedRun]) -> Vec<Cell> {
    runs.iter().map(|run| Cell::Text(run.id.as_str().to_owned())).collect()
}

fn head(mut row: Row) -> Result<LoadedRun> {
    let started_at = row.opt_int(5)?.map(Timestamp);
    Ok(LoadedRun {
        id: RunId(row.text(0)?),
        kind: RunKind::Training,
        parent: None,
        name: row.text(1)?,
        user: row.text(2)?,
        status: run_status(&row.text(3)?),
        presence: presence(&row.text(4)?),
        started_at,
        ended_at: row.opt_int(6)?.map(Timestamp),
        deleted_at: row.opt_int(7)?.map(Timestamp),
        artifact_uri: row.opt_text(8)?,
        created_at: started_at.unwrap_or(Timestamp(0)),
        tags: Vec::new(),
        params: Vec::new(),
        metrics: Vec::new(),
        lineage: LoadedLineage::default(),
    })
}

/// Reads value, timestamp, step and flag from `column` on.
fn point(row: &mut Row, column: usize) -> Result<Point> {
    let is_nan = row.opt_int(column + 3)?.unwrap_or_default() != 0;
    Ok(Point::new(row.int(column + 2)?, row.int(column + 1)?, stored_value(row.real(column)?, is_nan)))
}

/// A row is one tag of one reading.
fn take_reading(run: &mut LoadedRun, row: &mut Row) -> Result<()> {
    let public_id = row.text(1)?;
    let datasets = &mut run.lineage.datasets;
    if datasets.last().is_none_or(|reading| reading.public_id != public_id) {
        let dataset = Dataset {
            name: row.text(2)?,
            digest: row.text(3)?,
            source_type: row.text(4)?,
            source: row.text(5)?,
            schema: row.opt_text(6)?,
            profile: row.opt_text(7)?,
        };
        datasets.push(LoadedReading { public_id, dataset, tags: Vec::new() });
    }
    if let (Some(key), Some(reading)) = (row.opt_text(8)?, datasets.last_mut()) {
        reading.tags.push(Tag { key, value: row.text(9)? });
    }
    Ok(())
}

fn take_model_metric(run: &mut LoadedRun, row: &mut Row) -> Result<()> {
    let key = row.text(1)?;
    let mut point = Point::new(row.int(4)?, row.int(3)?, stored_value(row.real(2)?, false));
    let of_run = run.metrics.iter().find(|metric| metric.key == key);
    if of_run.is_some_and(|metric| was_nan(&point, &metric.points)) {
        point.value = f64::NAN;
    }
    let dataset = match (row.opt_text(6)?, row.opt_text(7)?) {
        (Some(name), Some(digest)) => Some(DatasetKey { name, digest }),
        _ => None,
    };
    let subject = Some(MetricSubject { model: LoggedModelId(row.text(5)?), dataset });
    run.lineage.model_metrics.push(MetricValue { key, point, subject });
    Ok(())
}
