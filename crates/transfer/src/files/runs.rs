use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use stele_app::{LoadedLineage, LoadedMetric, LoadedReading, LoadedRun};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::lifecycle::RunKind;
use stele_domain::record::{Dataset, MetricValue, ModelOutput, Param, Tag};
use stele_domain::{Point, Result};

use super::yaml::Yaml;
use super::{META, Reader, artifacts_of, folders, tags, unreadable, values};
use crate::import::Item;
use crate::mlflow::{presence, python_float, run_status};

/// How many runs come in one part.
const RUNS: usize = 200;
/// The points of one part.
const MOST_POINTS: usize = 200_000;
/// A file of a metric that is larger than this comes after its run, part by part. A line has some 20 to 40 bytes.
const LONG_BYTES: u64 = 8 << 20;
/// The points of one part of a long history: whole chunks of the record.
const PART: usize = 16 * 4096;

impl Reader<'_> {
    /// Reads the runs of an experiment. `of_models` has what they measured of logged models.
    pub(super) fn runs(
        &self,
        experiment_folder: &Path,
        experiment: ExperimentId,
        mut of_models: HashMap<RunId, Vec<MetricValue>>,
    ) -> Result<()> {
        let mut candidates = folders(experiment_folder)?;
        candidates.retain(|folder| folder.join(META).is_file());
        for candidates in candidates.chunks(RUNS) {
            let ids = candidates.iter().map(|folder| RunId(super::file_name(folder))).collect();
            let known = self.runtime.block_on(self.sink.known(ids))?;
            if !known.is_empty() {
                self.send(Item::Known(known.len() as u64))?;
            }
            let (mut runs, mut points, mut long) = (Vec::new(), 0, Vec::new());
            for folder in candidates {
                let Some(meta) = Yaml::read(&folder.join(META)).ok().flatten() else {
                    self.not_taken("runs", "they have no readable meta.yaml", folder)?;
                    continue;
                };
                let id = RunId(meta.opt_text("run_id").unwrap_or_else(|| meta.text("run_uuid")));
                let (short_metrics, long_metrics) = metric_files(folder)?;
                // A load that was killed may have left a run without all of its long histories.
                long.extend(long_metrics.into_iter().map(|(key, path)| (id.clone(), key, path)));
                if known.contains(&id) {
                    continue;
                }
                let mut run = head(&meta, id);
                run.artifact_uri = run.artifact_uri.map(|recorded| artifacts_of(folder, recorded));
                run.tags = tags(&folder.join("tags"))?;
                run.params = params(folder)?;
                run.lineage = lineage(experiment_folder, folder)?;
                run.lineage.model_metrics = of_models.remove(&run.id).unwrap_or_default();
                for (key, path) in short_metrics {
                    let mut metric = LoadedMetric { key, points: Vec::new() };
                    self.lines(&path, |point| {
                        metric.points.push(point);
                        Ok(())
                    })?;
                    points += metric.points.len();
                    run.metrics.push(metric);
                }
                runs.push(run);
                if points > MOST_POINTS {
                    self.send(Item::Runs { experiment, runs: std::mem::take(&mut runs) })?;
                    points = 0;
                }
            }
            if !runs.is_empty() {
                self.send(Item::Runs { experiment, runs })?;
            }
            for (run, key, path) in long {
                self.long_history(&run, &key, &path)?;
            }
        }
        Ok(())
    }

    fn long_history(&self, run: &RunId, key: &str, path: &Path) -> Result<()> {
        let send = |points| self.send(Item::Points { run: run.clone(), key: key.to_owned(), points });
        let mut part = Vec::with_capacity(PART);
        self.lines(path, |point| {
            part.push(point);
            if part.len() == PART { send(std::mem::take(&mut part)) } else { Ok(()) }
        })?;
        if part.is_empty() { Ok(()) } else { send(part) }
    }

    /// Visits the points in the file of a metric.
    fn lines(&self, path: &Path, mut visit: impl FnMut(Point) -> Result<()>) -> Result<()> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|error| unreadable(path, &error))?;
            if line.trim().is_empty() {
                continue;
            }
            match point(&line) {
                Some(point) => visit(point)?,
                None => self.not_taken("metric values", "the line cannot be read", path)?,
            }
        }
        Ok(())
    }
}

/// A line is time, value, and perhaps step, and perhaps the dataset.
fn point(line: &str) -> Option<Point> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let step = match parts.len() {
        2 => 0,
        3 | 5 => parts[2].parse().ok()?,
        _ => return None,
    };
    Some(Point::new(step, parts[0].parse().ok()?, python_float(parts[1])?))
}

type MetricFiles = Vec<(String, PathBuf)>;

/// The files of metrics: those that come with the run, and those that are too long.
fn metric_files(run: &Path) -> Result<(MetricFiles, MetricFiles)> {
    let mut files = (Vec::new(), Vec::new());
    for (key, path) in values(&run.join("metrics"))? {
        let bytes = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?.len();
        if bytes > LONG_BYTES { files.1.push((key, path)) } else { files.0.push((key, path)) }
    }
    Ok(files)
}

fn params(run: &Path) -> Result<Vec<Param>> {
    Ok(tags(&run.join("params"))?.into_iter().map(|Tag { key, value }| Param { key, value }).collect())
}

fn head(meta: &Yaml, id: RunId) -> LoadedRun {
    let started_at = meta.int("start_time").map(Timestamp);
    LoadedRun {
        id,
        kind: RunKind::Training,
        parent: None,
        name: meta.opt_text("run_name").unwrap_or_else(|| meta.text("name")),
        status: run_status(&meta.text("status")),
        presence: presence(&meta.text("lifecycle_stage")),
        deleted_at: meta.int("deleted_time").map(Timestamp),
        user: meta.text("user_id"),
        artifact_uri: meta.opt_text("artifact_uri"),
        started_at,
        ended_at: meta.int("end_time").map(Timestamp),
        created_at: started_at.unwrap_or(Timestamp(0)),
        tags: Vec::new(),
        params: Vec::new(),
        metrics: Vec::new(),
        lineage: LoadedLineage::default(),
    }
}

fn lineage(experiment: &Path, run: &Path) -> Result<LoadedLineage> {
    let mut lineage = LoadedLineage::default();
    for folder in folders(&run.join("inputs"))? {
        let Some(input) = Yaml::read(&folder.join(META))? else { continue };
        let source = input.text("source_id");
        match input.text("source_type").as_str() {
            "MODEL" => lineage.model_inputs.push(LoggedModelId(source)),
            _ => {
                let Some(dataset) = Yaml::read(&experiment.join("datasets").join(&source).join(META))? else {
                    continue;
                };
                let tags = input.texts("tags");
                lineage.datasets.push(LoadedReading {
                    // The folder of a dataset is named after its content, and other experiments may have it too.
                    public_id: String::new(),
                    dataset: Dataset {
                        name: dataset.text("name"),
                        digest: dataset.text("digest"),
                        source_type: dataset.text("source_type"),
                        source: dataset.text("source"),
                        schema: dataset.opt_text("schema"),
                        profile: dataset.opt_text("profile"),
                    },
                    tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
                });
            }
        }
    }
    for folder in folders(&run.join("outputs"))? {
        let Some(output) = Yaml::read(&folder.join(META))? else { continue };
        let model = LoggedModelId(output.text("source_id"));
        lineage.model_outputs.push(ModelOutput { model, step: output.int("step").unwrap_or_default() });
    }
    Ok(lineage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_age_are_read() {
        assert_eq!(point("17 0.5"), Some(Point::new(0, 17, 0.5)));
        assert_eq!(point("17 inf 3"), Some(Point::new(3, 17, f64::INFINITY)));
        assert_eq!(point("17 nan 3 data digest"), Some(Point::new(3, 17, f64::NAN)));
        assert_eq!(point("17 lots 3"), None);
        assert_eq!(point("17 1 3 4"), None);
    }
}
