use std::collections::BTreeMap;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_app::NewExperiment;
use stele_domain::id::ExperimentId;
use stele_domain::record::{Experiment, Tag};
use stele_domain::search::{
    Attribute, Comparison, Direction, ExperimentSearch, Field, Filter, Order, Predicate, Query, SortValue,
};
use stele_domain::{Error, Kind};
use stele_mlflow::shared::{experiment_filter, experiment_order};
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, done, reply};
use super::page::{self, FILTER, LIMIT, ORDER_BY, PAGE_TOKEN, PRESENCE, Paging, beyond, by, total};
use super::problem::Problem;
use super::route::Parameter;

/// The longest name of a new experiment, in characters, as MLflow has it.
const LONGEST_NAME: usize = 500;

const NAME: Parameter = Parameter::text("name", "The whole name, in place of a filter.");

pub(super) const LIST: &[Parameter] = &[NAME, FILTER, ORDER_BY, PRESENCE, LIMIT, PAGE_TOKEN];

pub(super) async fn list(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "experiments")?;
    let order_by = total(
        experiment_order(&page::order_clauses(&call)?)?,
        Some(by(Attribute::CreatedAt, Direction::Descending)),
        by(Attribute::ExperimentId, Direction::Descending),
    );
    let mut filters = vec![experiment_filter(call.query.text("filter").unwrap_or_default())?];
    if let Some(name) = call.query.text("name") {
        let named = Predicate::Text(Comparison::Equal, name.to_owned());
        filters.push(Filter::Test(Field::Attribute(Attribute::Name), named));
    }
    if let Some(after) = &paging.after {
        filters.push(beyond(&order_by, after)?);
    }
    let query = Query { filter: Filter::And(filters), order_by: order_by.clone(), window: paging.window() };
    let search = ExperimentSearch { presences: page::presences(&call), query };
    let found = call.app.experiment_search(&call.ctx, search).await?;
    let end = found.items.last().filter(|_| found.more).map(|last| place(last, &order_by)).transpose()?;
    reply(&ExperimentPage {
        experiments: found.items.into_iter().map(ExperimentDto::from).collect(),
        next_page_token: end.map(|end| paging.token(&end)),
    })
}

fn place(experiment: &Experiment, orders: &[Order]) -> Result<Vec<SortValue>> {
    let value = |order: &Order| match &order.field {
        Field::Attribute(Attribute::Name) => Ok(SortValue::Text(experiment.name.clone())),
        Field::Attribute(Attribute::ExperimentId) => Ok(SortValue::Integer(experiment.id.0)),
        Field::Attribute(Attribute::CreatedAt) => Ok(SortValue::Integer(experiment.created_at.0)),
        Field::Attribute(Attribute::UpdatedAt) => Ok(SortValue::Integer(experiment.updated_at.0)),
        other => Err(Error::internal(format!("experiments are not ordered by {other:?}"))),
    };
    Ok(orders.iter().map(value).collect::<Result<_, _>>()?)
}

pub(super) async fn create(mut call: Call) -> Result<Response> {
    let NewExperimentDto { name, artifact_location, tags } = call.json().await?;
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Problem::invalid(format!("the name of an experiment has from 1 to {LONGEST_NAME} characters")));
    }
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    let new = NewExperiment { name, artifact_location: artifact_location.filter(|place| !place.is_empty()), tags };
    let id = call.app.experiment_create(&call.ctx, new).await?;
    reply(&ExperimentDto::from(call.app.experiment_get(&call.ctx, id).await?))
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&ExperimentDto::from(call.app.experiment_get(&call.ctx, id(&call)?).await?))
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.experiment_delete(&call.ctx, id(&call)?).await?;
    done()
}

pub(super) async fn restore(call: Call) -> Result<Response> {
    call.app.experiment_restore(&call.ctx, id(&call)?).await?;
    done()
}

fn id(call: &Call) -> Result<ExperimentId> {
    let text = call.path("experiment_id");
    parse_id(text).ok_or_else(|| Error::not_found(Kind::Experiment, text).into())
}

/// Ids are decimal numbers; other texts are ids of nothing.
pub(super) fn parse_id(text: &str) -> Option<ExperimentId> {
    text.parse().ok().filter(|id| *id >= 0).map(ExperimentId)
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentPage)]
pub(super) struct ExperimentPage {
    experiments: Vec<ExperimentDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExperiment)]
pub(super) struct NewExperimentDto {
    name: String,
    /// Where its artifacts lie; behind this server unless given.
    #[serde(default)]
    artifact_location: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Experiment)]
pub(super) struct ExperimentDto {
    /// A decimal number.
    id: String,
    name: String,
    /// `active`, or `deleted` in the trash.
    presence: &'static str,
    artifact_location: String,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
    tags: BTreeMap<String, String>,
}

impl From<Experiment> for ExperimentDto {
    fn from(experiment: Experiment) -> ExperimentDto {
        let Experiment { id, name, artifact_location, presence, created_at, updated_at, tags } = experiment;
        ExperimentDto {
            id: id.to_string(),
            name,
            presence: presence.as_str(),
            artifact_location,
            created_at: created_at.0,
            updated_at: updated_at.0,
            tags: tag_map(tags),
        }
    }
}

pub(super) fn tag_map(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|Tag { key, value }| (key, value)).collect()
}
