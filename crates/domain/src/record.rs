//! The entities of tracking as the record knows them: experiments, runs, values, datasets and logged models.

use crate::id::{ArtifactRow, ExperimentId, LoggedModelId, RunId, RunRow, Timestamp};
use crate::lifecycle::{LoggedModelStatus, Presence, RunKind, RunStatus};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    pub id: ExperimentId,
    pub name: String,
    pub artifact_location: String,
    pub presence: Presence,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub tags: Vec<Tag>,
}

/// A key with a value, on any kind of thing. A tag without a value has the empty one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// An input value of a run, immutable once set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    pub key: String,
    pub value: String,
}

/// The columns of a run itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    pub row: RunRow,
    pub id: RunId,
    pub experiment: ExperimentId,
    pub kind: RunKind,
    pub name: String,
    pub status: RunStatus,
    pub presence: Presence,
    pub user: String,
    pub artifact_uri: String,
    /// Absent when the client did not say.
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

/// A run with everything that a reader of one run wants, except metric histories and artifacts.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub info: RunInfo,
    pub tags: Vec<Tag>,
    pub params: Vec<Param>,
    pub metrics: Vec<LatestMetric>,
    pub dataset_inputs: Vec<DatasetInput>,
    pub model_inputs: Vec<LoggedModelId>,
    pub model_outputs: Vec<ModelOutput>,
}

/// The newest value of one metric of a run, by (step, timestamp, value).
#[derive(Debug, Clone, PartialEq)]
pub struct LatestMetric {
    pub key: String,
    pub point: crate::metric::Point,
}

/// A metric value as logged, with what it measures where the client says so.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    pub key: String,
    pub point: crate::metric::Point,
    pub subject: Option<MetricSubject>,
}

/// The model, and possibly the dataset, that a metric value is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSubject {
    pub model: LoggedModelId,
    pub dataset: Option<DatasetKey>,
}

/// How a dataset is told from another inside an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatasetKey {
    pub name: String,
    pub digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    /// The client's own description of the columns, kept as text.
    pub schema: Option<String>,
    /// The client's own statistics, kept as text.
    pub profile: Option<String>,
}

/// A dataset that a run read, with tags about the reading (its context: training, validation, ..).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInput {
    pub dataset: Dataset,
    pub tags: Vec<Tag>,
}

/// One dataset of an experiment as its runs used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSummary {
    pub experiment: ExperimentId,
    pub name: String,
    pub digest: String,
    pub context: Option<String>,
}

/// A logged model that a run produced, at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOutput {
    pub model: LoggedModelId,
    pub step: i64,
}

/// A model as a run or a person logged it, before anybody registers it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModel {
    pub row: ArtifactRow,
    pub id: LoggedModelId,
    pub experiment: ExperimentId,
    pub name: String,
    pub artifact_uri: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub status: LoggedModelStatus,
    pub status_message: Option<String>,
    pub model_type: Option<String>,
    pub source_run: Option<RunId>,
    pub presence: Presence,
    pub tags: Vec<Tag>,
    pub params: Vec<Param>,
    pub metrics: Vec<ModelMetric>,
}

/// A metric value about a logged model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelMetric {
    pub key: String,
    pub point: crate::metric::Point,
    pub run: RunId,
    pub dataset: Option<DatasetKey>,
}
