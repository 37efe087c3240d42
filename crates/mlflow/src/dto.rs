//! Experiments and runs as MLflow's JSON has them. A field that MLflow leaves out when unset is an option or an
//! empty list here.

use serde::{Serialize, Serializer};
use stele_domain::lifecycle::RunStatus;
use stele_domain::record::{DatasetInput, Experiment, LatestMetric, ModelOutput, Param, Run, RunInfo, Tag};
use stele_domain::{Point, id::LoggedModelId};

/// The tag that MLflow keeps a run's name in. The record has the name itself; the tag is how it reads here.
pub(crate) const RUN_NAME_TAG: &str = "mlflow.runName";
/// The tag that nests a run in another.
pub(crate) const PARENT_RUN_TAG: &str = "mlflow.parentRunId";

#[derive(Serialize)]
pub(crate) struct ExperimentDto {
    experiment_id: String,
    name: String,
    artifact_location: String,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDto>,
    workspace: String,
}

impl ExperimentDto {
    pub(crate) fn new(experiment: Experiment, workspace: &str) -> ExperimentDto {
        let Experiment { id, name, artifact_location, presence, created_at, updated_at, tags } = experiment;
        ExperimentDto {
            experiment_id: id.to_string(),
            name,
            artifact_location,
            lifecycle_stage: presence.as_str(),
            last_update_time: updated_at.0,
            creation_time: created_at.0,
            tags: tag_dtos(tags),
            workspace: workspace.to_owned(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct TagDto {
    pub(crate) key: String,
    pub(crate) value: String,
}

pub(crate) fn tag_dtos(tags: Vec<Tag>) -> Vec<TagDto> {
    tags.into_iter().map(|Tag { key, value }| TagDto { key, value }).collect()
}

#[derive(Serialize)]
pub(crate) struct ParamDto {
    key: String,
    value: String,
}

pub(crate) fn param_dtos(params: Vec<Param>) -> Vec<ParamDto> {
    params.into_iter().map(|Param { key, value }| ParamDto { key, value }).collect()
}

#[derive(Serialize)]
pub(crate) struct RunDto {
    info: RunInfoDto,
    data: RunDataDto,
    inputs: RunInputsDto,
    /// A run that was just created has none, not even an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<RunOutputsDto>,
}

#[derive(Serialize)]
pub(crate) struct RunInfoDto {
    run_uuid: String,
    experiment_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    run_name: String,
    user_id: String,
    status: &'static str,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
    run_id: String,
}

#[derive(Serialize)]
struct RunDataDto {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricDto>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<ParamDto>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDto>,
}

#[derive(Serialize)]
struct RunInputsDto {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInputDto>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInputDto>,
}

#[derive(Serialize)]
struct RunOutputsDto {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutputDto>,
}

#[derive(Serialize)]
struct DatasetInputDto {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagDto>,
    dataset: DatasetDto,
}

#[derive(Serialize)]
struct DatasetDto {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

#[derive(Serialize)]
struct ModelInputDto {
    model_id: String,
}

#[derive(Serialize)]
struct ModelOutputDto {
    model_id: String,
    step: i64,
}

#[derive(Serialize)]
pub(crate) struct MetricDto {
    pub(crate) key: String,
    #[serde(serialize_with = "double")]
    pub(crate) value: f64,
    pub(crate) timestamp: i64,
    pub(crate) step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<String>,
}

impl MetricDto {
    pub(crate) fn new(key: impl Into<String>, point: Point) -> MetricDto {
        MetricDto { key: key.into(), value: point.value, timestamp: point.timestamp, step: point.step, run_id: None }
    }
}

/// How a run reads in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunView {
    /// The answer of runs/create.
    Created,
    /// The answer of runs/get.
    Whole,
    /// A row of runs/search, which leaves out the models that a run read.
    Row,
}

pub(crate) fn run_dto(run: Run, view: RunView) -> RunDto {
    let Run { info, tags, params, metrics, dataset_inputs, model_inputs, model_outputs } = run;
    let mut tags = tag_dtos(tags);
    if !info.name.is_empty() {
        tags.push(TagDto { key: RUN_NAME_TAG.to_owned(), value: info.name.clone() });
    }
    let model_inputs = if view == RunView::Row { Vec::new() } else { model_inputs };
    RunDto {
        info: run_info_dto(info),
        data: RunDataDto { metrics: metrics.into_iter().map(metric_dto).collect(), params: param_dtos(params), tags },
        inputs: RunInputsDto {
            dataset_inputs: dataset_inputs.into_iter().map(dataset_input_dto).collect(),
            model_inputs: model_inputs.into_iter().map(|LoggedModelId(model_id)| ModelInputDto { model_id }).collect(),
        },
        outputs: (view != RunView::Created)
            .then(|| RunOutputsDto { model_outputs: model_outputs.into_iter().map(model_output_dto).collect() }),
    }
}

pub(crate) fn run_info_dto(info: RunInfo) -> RunInfoDto {
    let RunInfo {
        row: _,
        id,
        experiment,
        // MLflow has one kind of run.
        kind: _,
        name,
        status,
        presence,
        user,
        artifact_uri,
        started_at,
        ended_at,
    } = info;
    RunInfoDto {
        run_uuid: id.0.clone(),
        experiment_id: experiment.to_string(),
        run_name: name,
        user_id: user,
        status: status_name(status),
        start_time: started_at.map_or(0, |time| time.0),
        // Zero is how clients say that a run has no end.
        end_time: ended_at.map(|time| time.0).filter(|time| *time != 0),
        artifact_uri,
        lifecycle_stage: presence.as_str(),
        run_id: id.0,
    }
}

fn metric_dto(metric: LatestMetric) -> MetricDto {
    MetricDto::new(metric.key, metric.point)
}

fn dataset_input_dto(input: DatasetInput) -> DatasetInputDto {
    let DatasetInput { dataset, tags } = input;
    let stele_domain::record::Dataset { name, digest, source_type, source, schema, profile } = dataset;
    DatasetInputDto { tags: tag_dtos(tags), dataset: DatasetDto { name, digest, source_type, source, schema, profile } }
}

fn model_output_dto(output: ModelOutput) -> ModelOutputDto {
    let ModelOutput { model: LoggedModelId(model_id), step } = output;
    ModelOutputDto { model_id, step }
}

/// MLflow's run states with their numbers on the wire.
pub(crate) const STATUSES: &[(&str, i64, RunStatus)] = &[
    ("RUNNING", 1, RunStatus::Running),
    ("SCHEDULED", 2, RunStatus::Scheduled),
    ("FINISHED", 3, RunStatus::Completed),
    ("FAILED", 4, RunStatus::Failed),
    ("KILLED", 5, RunStatus::Stopped),
];

/// Folds the record's states into the five of MLflow.
pub(crate) fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Initializing | RunStatus::Scheduled | RunStatus::Queued | RunStatus::Provisioning => "SCHEDULED",
        RunStatus::Running | RunStatus::Paused | RunStatus::Retrying | RunStatus::Stopping => "RUNNING",
        RunStatus::Completed | RunStatus::Cached | RunStatus::Skipped => "FINISHED",
        RunStatus::Failed => "FAILED",
        RunStatus::Stopped => "KILLED",
    }
}

/// A double as MLflow's server prints it: infinities as the largest doubles, NaN as a text.
pub(crate) fn double<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_f64(value.clamp(f64::MIN, f64::MAX))
    }
}
