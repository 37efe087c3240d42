use std::collections::BTreeMap;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_domain::lifecycle::Stage;
use stele_domain::registry::{ModelVersion, Occupants};
use stele_domain::search::{Attribute, Comparison, Direction, Field, Filter, Predicate, Query, SortValue};
use stele_mlflow::shared::version_filter;
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, done, reply};
use super::experiments::tag_map;
use super::page::{FILTER, LIMIT, PAGE_TOKEN, Paging, beyond, by};
use super::problem::Problem;
use super::route::Parameter;

pub(super) const LIST: &[Parameter] = &[FILTER, LIMIT, PAGE_TOKEN];

/// The longest alias, in characters, as MLflow has it.
const LONGEST_ALIAS: usize = 255;

pub(super) async fn list(call: Call) -> Result<Response> {
    let model = call.path("model").to_owned();
    let paging = Paging::read(&call, &format!("models/{model}/versions"))?;
    // A search would find no versions of a model that is not there.
    call.app.model_get(&call.ctx, model.clone()).await?;
    let order_by = vec![by(Attribute::VersionNumber, Direction::Descending)];
    let of_model = Filter::Test(Field::Attribute(Attribute::Name), Predicate::Text(Comparison::Equal, model));
    let mut filters = vec![of_model, version_filter(call.query.text("filter").unwrap_or_default())?];
    if let Some(after) = &paging.after {
        filters.push(beyond(&order_by, after)?);
    }
    let query = Query { filter: Filter::And(filters), order_by, window: paging.window() };
    let found = call.app.model_version_search(&call.ctx, query).await?;
    let end = found.items.last().filter(|_| found.more).map(|last| SortValue::Integer(last.number));
    reply(&ModelVersionPage {
        versions: found.items.into_iter().map(ModelVersionDto::from).collect(),
        next_page_token: end.map(|end| paging.token(&[end])),
    })
}

pub(super) async fn get(call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    reply(&ModelVersionDto::from(call.app.model_version_get(&call.ctx, model, version).await?))
}

pub(super) async fn set_stage(mut call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    let StageDto { stage, archive_others } = call.json().await?;
    let stage = Stage::parse(&stage).ok_or_else(|| {
        let known: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
        Problem::invalid(format!("there is no stage '{stage}'; there are: {}", known.join(", ")))
    })?;
    let occupants = if archive_others { Occupants::Archive } else { Occupants::Stay };
    let moved = call.app.model_version_transition(&call.ctx, model, version, stage, occupants).await?;
    reply(&ModelVersionDto::from(moved))
}

pub(super) async fn of_alias(call: Call) -> Result<Response> {
    let (model, alias) = (call.path("model").to_owned(), call.path("alias").to_owned());
    reply(&ModelVersionDto::from(call.app.model_version_by_alias(&call.ctx, model, alias).await?))
}

pub(super) async fn set_alias(mut call: Call) -> Result<Response> {
    let AliasDto { version } = call.json().await?;
    let (model, alias) = (call.path("model").to_owned(), call.path("alias").to_owned());
    if alias.chars().count() > LONGEST_ALIAS || !alias.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Err(Problem::invalid(format!(
            "'{alias}' cannot be an alias: it has up to {LONGEST_ALIAS} letters, digits, underscores and hyphens"
        )));
    }
    call.app.model_alias_set(&call.ctx, model.clone(), alias, version).await?;
    reply(&ModelVersionDto::from(call.app.model_version_get(&call.ctx, model, version).await?))
}

pub(super) async fn delete_alias(call: Call) -> Result<Response> {
    let (model, alias) = (call.path("model").to_owned(), call.path("alias").to_owned());
    call.app.model_alias_delete(&call.ctx, model, alias).await?;
    done()
}

pub(super) fn version_of(call: &Call) -> Result<(String, i64)> {
    Ok((call.path("model").to_owned(), call.path_number("version")?))
}

#[derive(Serialize, ToSchema)]
pub(super) struct ModelVersionPage {
    versions: Vec<ModelVersionDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The stage to move a version to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StageChange)]
pub(super) struct StageDto {
    /// `none`, `staging`, `production` or `archived`.
    stage: String,
    /// Whether the other versions in that stage are archived. Without it a version cannot enter production while
    /// another is there.
    #[serde(default)]
    archive_others: bool,
}

/// The version to point an alias at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AliasTarget)]
pub(super) struct AliasDto {
    version: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ModelVersion)]
pub(super) struct ModelVersionDto {
    model: String,
    version: i64,
    /// `none`, `staging`, `production` or `archived`.
    stage: &'static str,
    /// `pending`, `approved` or `rejected`.
    approval: &'static str,
    aliases: Vec<String>,
    description: Option<String>,
    user: Option<String>,
    /// Where the client says the files are.
    source: String,
    /// Where the files are.
    storage_uri: String,
    run_id: Option<String>,
    run_link: Option<String>,
    logged_model_id: Option<String>,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
    tags: BTreeMap<String, String>,
}

impl From<ModelVersion> for ModelVersionDto {
    fn from(version: ModelVersion) -> ModelVersionDto {
        let ModelVersion {
            row: _,
            model,
            number,
            description,
            user,
            stage,
            approval,
            source,
            storage_uri,
            run,
            run_link,
            logged_model,
            created_at,
            updated_at,
            tags,
            aliases,
        } = version;
        ModelVersionDto {
            model,
            version: number,
            stage: stage.as_str(),
            approval: approval.as_str(),
            aliases,
            description,
            user,
            source,
            storage_uri,
            run_id: run.map(|run| run.0),
            run_link,
            logged_model_id: logged_model.map(|model| model.0),
            created_at: created_at.0,
            updated_at: updated_at.0,
            tags: tag_map(tags),
        }
    }
}
