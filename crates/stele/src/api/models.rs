use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;
use stele_domain::Error;
use stele_domain::registry::{Model, ModelAlias};
use stele_domain::search::{Attribute, Direction, Field, Filter, Order, Query, SortValue};
use stele_mlflow::shared::{model_filter, model_order};
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, reply};
use super::experiments::tag_map;
use super::page::{self, FILTER, LIMIT, ORDER_BY, PAGE_TOKEN, Paging, beyond, by, total};
use super::route::Parameter;
use super::versions::ModelVersionDto;

pub(super) const LIST: &[Parameter] = &[FILTER, ORDER_BY, LIMIT, PAGE_TOKEN];

pub(super) async fn list(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "models")?;
    let by_name = by(Attribute::Name, Direction::Ascending);
    let order_by = total(model_order(&page::order_clauses(&call)?)?, None, by_name);
    let mut filters = vec![model_filter(call.query.text("filter").unwrap_or_default())?];
    if let Some(after) = &paging.after {
        filters.push(beyond(&order_by, after)?);
    }
    let query = Query { filter: Filter::And(filters), order_by: order_by.clone(), window: paging.window() };
    let found = call.app.model_search(&call.ctx, query).await?;
    let end = found.items.last().filter(|_| found.more).map(|last| place(last, &order_by)).transpose()?;
    reply(&ModelPage {
        models: found.items.into_iter().map(ModelDto::from).collect(),
        next_page_token: end.map(|end| paging.token(&end)),
    })
}

fn place(model: &Model, orders: &[Order]) -> Result<Vec<SortValue>> {
    let value = |order: &Order| match &order.field {
        Field::Attribute(Attribute::Name) => Ok(SortValue::Text(model.name.clone())),
        Field::Attribute(Attribute::UpdatedAt) => Ok(SortValue::Integer(model.updated_at.0)),
        other => Err(Error::internal(format!("models are not ordered by {other:?}"))),
    };
    Ok(orders.iter().map(value).collect::<Result<_, _>>()?)
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&ModelDto::from(call.app.model_get(&call.ctx, call.path("model").to_owned()).await?))
}

#[derive(Serialize, ToSchema)]
pub(super) struct ModelPage {
    models: Vec<ModelDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelDto {
    name: String,
    description: Option<String>,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
    tags: BTreeMap<String, String>,
    /// The version that each alias points at.
    aliases: BTreeMap<String, i64>,
    /// The newest version of each stage that has any.
    latest_versions: Vec<ModelVersionDto>,
}

impl From<Model> for ModelDto {
    fn from(model: Model) -> ModelDto {
        let Model { row: _, name, description, created_at, updated_at, tags, aliases, latest_versions } = model;
        ModelDto {
            name,
            description,
            created_at: created_at.0,
            updated_at: updated_at.0,
            tags: tag_map(tags),
            aliases: aliases.into_iter().map(|ModelAlias { alias, version }| (alias, version)).collect(),
            latest_versions: latest_versions.into_iter().map(ModelVersionDto::from).collect(),
        }
    }
}
