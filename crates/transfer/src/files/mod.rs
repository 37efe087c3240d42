//! Reading an `mlruns` folder, as MLflow's file store keeps it. What is broken in it is counted and passed over.

mod registry;
mod runs;
mod traces;
mod yaml;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use stele_app::{LoadedExperiment, LoadedLoggedModel};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::record::{DatasetKey, MetricSubject, MetricValue, Param, Tag};
use stele_domain::{Error, Point, Result};
use tokio::runtime::Handle;

use self::yaml::Yaml;
use crate::import::{Item, Sink};
use crate::mlflow::{logged_model_status, presence, python_float};

const META: &str = "meta.yaml";

/// Reads all of a folder. Blocks.
pub(crate) fn read(root: &Path, sink: &Sink, runtime: &Handle) -> Result<()> {
    let reader = Reader { root, sink, runtime };
    let mut experiments = Vec::new();
    for parent in [root.to_owned(), root.join(".trash")] {
        for folder in folders(&parent)? {
            // Registered models lie beside the experiments.
            let name = file_name(&folder);
            if name == "models" || name == ".trash" {
                continue;
            }
            match reader.experiment(&folder)? {
                Some(experiment) => experiments.push((folder, experiment)),
                None => reader.not_taken("experiments", "they have no readable meta.yaml", &folder)?,
            }
        }
    }
    if experiments.is_empty() {
        return Err(Error::invalid(format!("{} has no experiments of MLflow's in it", root.display())));
    }
    experiments.sort_by_key(|(_, experiment)| experiment.id);
    let mut total = 0;
    for (folder, _) in &experiments {
        total += folders(folder)?.iter().filter(|folder| folder.join(META).is_file()).count() as u64;
    }
    reader.send(Item::Total(total))?;
    for (_, experiment) in &experiments {
        reader.send(Item::Experiment(experiment.clone()))?;
    }
    for (folder, experiment) in &experiments {
        let of_models = reader.logged_models(folder, experiment.id)?;
        reader.runs(folder, experiment.id, of_models)?;
        reader.traces(folder, experiment.id)?;
        reader.send(Item::ExperimentEnds(experiment.id))?;
    }
    reader.models()
}

struct Reader<'r> {
    root: &'r Path,
    sink: &'r Sink,
    runtime: &'r Handle,
}

impl Reader<'_> {
    fn send(&self, item: Item) -> Result<()> {
        self.runtime.block_on(self.sink.send(item))
    }

    fn not_taken(&self, what: &str, why: &str, example: &Path) -> Result<()> {
        self.runtime.block_on(self.sink.not_taken(what, why, 1, Some(example.display().to_string())))
    }

    fn experiment(&self, folder: &Path) -> Result<Option<LoadedExperiment>> {
        let Some(meta) = Yaml::read(&folder.join(META)).ok().flatten() else { return Ok(None) };
        let Some(id) = meta.int("experiment_id") else { return Ok(None) };
        let created_at = meta.int("creation_time");
        Ok(Some(LoadedExperiment {
            id: ExperimentId(id),
            name: meta.text("name"),
            artifact_location: meta.text("artifact_location"),
            presence: presence(&meta.text("lifecycle_stage")),
            created_at: Timestamp(created_at.unwrap_or_default()),
            updated_at: Timestamp(meta.int("last_update_time").or(created_at).unwrap_or_default()),
            tags: tags(&folder.join("tags"))?,
        }))
    }

    /// Reads the logged models of an experiment; gives what runs measured of them.
    fn logged_models(
        &self,
        experiment_folder: &Path,
        experiment: ExperimentId,
    ) -> Result<HashMap<RunId, Vec<MetricValue>>> {
        let mut measured: HashMap<RunId, Vec<MetricValue>> = HashMap::new();
        let mut models = Vec::new();
        for folder in folders(&experiment_folder.join("models"))? {
            let Some(meta) = Yaml::read(&folder.join(META)).ok().flatten() else {
                self.not_taken("logged models", "they have no readable meta.yaml", &folder)?;
                continue;
            };
            let created_at = meta.int("creation_timestamp").unwrap_or_default();
            let id = LoggedModelId(meta.text("model_id"));
            for (key, path) in values(&folder.join("metrics"))? {
                for line in read_text(&path)?.lines().filter(|line| !line.trim().is_empty()) {
                    match model_metric(&key, line, &id) {
                        Some((run, metric)) => measured.entry(run).or_default().push(metric),
                        None => self.not_taken("metric values", "the line cannot be read", &path)?,
                    }
                }
            }
            let params = tags(&folder.join("params"))?;
            models.push(LoadedLoggedModel {
                name: meta.text("name"),
                artifact_uri: artifacts_of(&folder, meta.text("artifact_location")),
                status: logged_model_status(meta.int("status").unwrap_or_default()),
                status_message: meta.opt_text("status_message"),
                model_type: meta.opt_text("model_type"),
                source_run: meta.opt_text("source_run_id").map(RunId),
                presence: presence(&meta.text("lifecycle_stage")),
                created_at: Timestamp(created_at),
                updated_at: Timestamp(meta.int("last_updated_timestamp").unwrap_or(created_at)),
                tags: tags(&folder.join("tags"))?,
                params: params.into_iter().map(|Tag { key, value }| Param { key, value }).collect(),
                id,
            });
        }
        if !models.is_empty() {
            self.send(Item::LoggedModels { experiment, models })?;
        }
        Ok(measured)
    }
}

/// A line is time, value, step and run, and perhaps the dataset.
fn model_metric(key: &str, line: &str, model: &LoggedModelId) -> Option<(RunId, MetricValue)> {
    let mut parts = line.split_whitespace();
    let (timestamp, value, step) =
        (parts.next()?.parse().ok()?, python_float(parts.next()?)?, parts.next()?.parse().ok()?);
    let run = RunId(parts.next()?.to_owned());
    let dataset = parts.next().zip(parts.next());
    let dataset = dataset.map(|(name, digest)| DatasetKey { name: name.to_owned(), digest: digest.to_owned() });
    let subject = Some(MetricSubject { model: model.clone(), dataset });
    Some((run, MetricValue { key: key.to_owned(), point: Point::new(step, timestamp, value), subject }))
}

/// Where the artifacts of a run or logged model are. A folder that was moved, as deleted experiments are and folders from
/// other machines, has them beside its own files, and not where it says.
fn artifacts_of(folder: &Path, recorded: String) -> String {
    let beside = folder.join("artifacts");
    match stele_domain::artifact_uri::local_path(&recorded) {
        Ok(Some(path)) if !Path::new(&path).is_dir() && beside.is_dir() => beside.display().to_string(),
        _ => recorded,
    }
}

/// The folders directly in one, sorted; none when there is no such folder.
fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut found = entries(parent)?;
    found.retain(|path| path.is_dir());
    Ok(found)
}

fn entries(parent: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(parent, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(|error| unreadable(parent, &error))?.path());
    }
    found.sort();
    Ok(found)
}

/// The files below a folder by their keys: a slash in a key is a folder.
fn values(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), root.to_owned())];
    while let Some((prefix, folder)) = open.pop() {
        for path in entries(&folder)? {
            let key = format!("{prefix}{}", file_name(&path));
            if path.is_dir() { open.push((format!("{key}/"), path)) } else { found.push((key, path)) }
        }
    }
    found.sort();
    Ok(found)
}

/// Tags or params: a file each, whose content is the value.
fn tags(folder: &Path) -> Result<Vec<Tag>> {
    values(folder)?.into_iter().map(|(key, path)| Ok(Tag { key, value: read_text(&path)? })).collect()
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable { message: format!("cannot read {}: {error}", path.display()) }
}
