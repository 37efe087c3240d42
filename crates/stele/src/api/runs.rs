use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::lifecycle::RunStatus;
use stele_domain::record::{DatasetInput, LatestMetric, ModelOutput, Param, Run, RunInfo};
use stele_domain::search::{
    Attribute, Comparison, ExperimentSearch, Field, Filter, Predicate, Presences, Query, RunSearch, SortPosition,
    Window,
};
use stele_mlflow::shared::{run_filter, run_order};
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, done, reply};
use super::experiments::{parse_id, tag_map};
use super::metrics::PointDto;
use super::page::{self, FILTER, LIMIT, ORDER_BY, PAGE_TOKEN, PRESENCE, Paging};
use super::problem::Problem;
use super::route::Parameter;

/// The most experiments that one search goes through.
const MOST_EXPERIMENTS: i64 = 10_000;

const EXPERIMENTS: Parameter =
    Parameter::text("experiments", "Ids of experiments, with commas between them; all that there are unless given.");

pub(super) const LIST: &[Parameter] = &[EXPERIMENTS, FILTER, ORDER_BY, PRESENCE, LIMIT, PAGE_TOKEN];

pub(super) async fn list(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "runs")?;
    let filter = run_filter(call.query.text("filter").unwrap_or_default())?;
    check_statuses(&filter)?;
    let order_by = run_order(&page::order_clauses(&call)?)?;
    let presences = page::presences(&call);
    let experiments = match call.query.list("experiments") {
        ids if ids.is_empty() => all_experiments(&call, presences).await?,
        ids => ids.iter().map(|id| experiment_id(id)).collect::<Result<_>>()?,
    };
    let query = Query { filter, order_by, window: paging.window() };
    let after = paging.after.clone().map(SortPosition);
    let found =
        call.app.run_search(&call.ctx, RunSearch { experiments: experiments.into(), presences, query, after }).await?;
    let end = found.end.filter(|_| found.more);
    reply(&RunPage {
        runs: found.items.into_iter().map(RunDto::from).collect(),
        next_page_token: end.map(|SortPosition(end)| paging.token(&end)),
    })
}

/// A status that no run can have is refused: whoever is used to another script's words would find nothing, and believe it.
fn check_statuses(filter: &Filter) -> Result<()> {
    let predicate = match filter {
        Filter::Test(Field::Attribute(Attribute::Status), predicate) => predicate,
        Filter::All | Filter::Test(..) => return Ok(()),
        Filter::And(parts) | Filter::Or(parts) => return parts.iter().try_for_each(check_statuses),
        Filter::Not(part) => return check_statuses(part),
    };
    let named = match predicate {
        Predicate::Text(Comparison::Equal | Comparison::NotEqual, status) => std::slice::from_ref(status),
        Predicate::In(statuses) | Predicate::NotIn(statuses) => statuses,
        _ => return Ok(()),
    };
    match named.iter().find(|status| RunStatus::parse(status).is_none()) {
        Some(unknown) => {
            let known: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
            Err(Problem::invalid(format!("no run has the status '{unknown}' in 'filter': it is {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

fn experiment_id(text: &str) -> Result<ExperimentId> {
    parse_id(text).ok_or_else(|| Problem::invalid(format!("'{text}' in 'experiments' is not the id of an experiment")))
}

/// The runs of a deleted experiment are deleted as well, so they are looked for when deleted runs are wanted.
async fn all_experiments(call: &Call, wanted: Presences) -> Result<Vec<ExperimentId>> {
    let presences = if wanted == Presences::Active { Presences::Active } else { Presences::All };
    let window = Window { offset: 0, limit: MOST_EXPERIMENTS };
    let query = Query { filter: Filter::All, order_by: Vec::new(), window };
    let found = call.app.experiment_search(&call.ctx, ExperimentSearch { presences, query }).await?;
    if found.more {
        let detail = format!("there are more than {MOST_EXPERIMENTS} experiments; name some in 'experiments'");
        return Err(Problem::invalid(detail));
    }
    Ok(found.items.into_iter().map(|experiment| experiment.id).collect())
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&RunDto::from(call.app.run_get(&call.ctx, id(&call)).await?))
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.run_delete(&call.ctx, id(&call)).await?;
    done()
}

pub(super) async fn restore(call: Call) -> Result<Response> {
    call.app.run_restore(&call.ctx, id(&call)).await?;
    done()
}

fn id(call: &Call) -> RunId {
    RunId(call.path("run_id").to_owned())
}

#[derive(Serialize, ToSchema)]
pub(super) struct RunPage {
    runs: Vec<RunDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A run without its values.
#[derive(Serialize, ToSchema)]
#[schema(as = RunInfo)]
pub(super) struct RunInfoDto {
    id: String,
    experiment_id: String,
    name: String,
    /// `training`, `pipeline`, `step`, `evaluation` or `job`.
    kind: &'static str,
    /// Such as `running`, `completed`, `failed` or `stopped`.
    status: &'static str,
    /// `active`, or `deleted` in the trash.
    presence: &'static str,
    user: String,
    artifact_uri: String,
    /// Milliseconds since 1970; null when the client did not say.
    started_at: Option<i64>,
    /// Milliseconds since 1970; null until the client says.
    ended_at: Option<i64>,
}

impl From<RunInfo> for RunInfoDto {
    fn from(info: RunInfo) -> RunInfoDto {
        let RunInfo { row: _, id, experiment, kind, name, status, presence, user, artifact_uri, started_at, ended_at } =
            info;
        RunInfoDto {
            id: id.0,
            experiment_id: experiment.to_string(),
            name,
            kind: kind.as_str(),
            status: status.as_str(),
            presence: presence.as_str(),
            user,
            artifact_uri,
            started_at: started_at.map(|time| time.0),
            ended_at: ended_at.map(|time| time.0),
        }
    }
}

/// A run with its values; metrics with their newest point.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub(super) struct RunDto {
    #[serde(flatten)]
    info: RunInfoDto,
    params: BTreeMap<String, String>,
    metrics: BTreeMap<String, PointDto>,
    tags: BTreeMap<String, String>,
    datasets: Vec<DatasetInputDto>,
    /// Ids of logged models that it read.
    model_inputs: Vec<String>,
    model_outputs: Vec<ModelOutputDto>,
}

impl From<Run> for RunDto {
    fn from(run: Run) -> RunDto {
        let Run { info, tags, params, metrics, dataset_inputs, model_inputs, model_outputs } = run;
        RunDto {
            info: info.into(),
            params: params.into_iter().map(|Param { key, value }| (key, value)).collect(),
            metrics: metrics.into_iter().map(|LatestMetric { key, point }| (key, point.into())).collect(),
            tags: tag_map(tags),
            datasets: dataset_inputs.into_iter().map(DatasetInputDto::from).collect(),
            model_inputs: model_inputs.into_iter().map(|model| model.0).collect(),
            model_outputs: model_outputs.into_iter().map(ModelOutputDto::from).collect(),
        }
    }
}

/// A dataset that a run read.
#[derive(Serialize, ToSchema)]
#[schema(as = DatasetInput)]
pub(super) struct DatasetInputDto {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    tags: BTreeMap<String, String>,
}

impl From<DatasetInput> for DatasetInputDto {
    fn from(DatasetInput { dataset, tags }: DatasetInput) -> DatasetInputDto {
        // The schema and profile are the client's own texts, and large.
        let stele_domain::record::Dataset { name, digest, source_type, source, schema: _, profile: _ } = dataset;
        DatasetInputDto { name, digest, source_type, source, tags: tag_map(tags) }
    }
}

/// A logged model that a run made, at a step.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelOutput)]
pub(super) struct ModelOutputDto {
    model_id: String,
    step: i64,
}

impl From<ModelOutput> for ModelOutputDto {
    fn from(ModelOutput { model, step }: ModelOutput) -> ModelOutputDto {
        ModelOutputDto { model_id: model.0, step }
    }
}
