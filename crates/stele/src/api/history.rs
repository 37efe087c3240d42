use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;
use stele_domain::Error;
use stele_domain::id::Timestamp;
use stele_domain::lifecycle::Stage;
use stele_domain::model_history::{Deed, ModelThen, VersionThen};
use utoipa::ToSchema;

use super::Result;
use super::audit::{AuditPageDto, window};
use super::call::{Call, reply};
use super::page::{LIMIT, PAGE_TOKEN};
use super::route::Parameter;

pub(super) const HISTORY: &[Parameter] = &[LIMIT, PAGE_TOKEN];
pub(super) const AT: &[Parameter] = &[
    Parameter::integer("time", 0, i64::MAX, "The time, in milliseconds since 1970.").required(),
    Parameter::one_of("stage", &["none", "staging", "production", "archived"], "Only the versions that were in it."),
];

pub(super) async fn history(call: Call) -> Result<Response> {
    let (before, limit) = window(&call)?;
    let page = call.app.model_history(&call.ctx, call.path("model").to_owned(), before, limit).await?;
    reply(&AuditPageDto::from(page))
}

pub(super) async fn at(call: Call) -> Result<Response> {
    let time = call.query.int("time").ok_or_else(|| Error::invalid("the query parameter 'time' is required"))?;
    let stage = call.query.text("stage").and_then(Stage::parse);
    let then = call.app.model_at(&call.ctx, call.path("model").to_owned(), Timestamp(time)).await?;
    reply(&ModelThenDto::new(then, time, stage))
}

/// A model as it was at a time.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelThen)]
pub(super) struct ModelThenDto {
    /// What it was called.
    name: String,
    /// Milliseconds since 1970.
    time: i64,
    /// The newest first.
    versions: Vec<VersionThenDto>,
    /// None that means a stage.
    aliases: BTreeMap<String, AliasThenDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = VersionThen)]
pub(super) struct VersionThenDto {
    version: i64,
    /// `none`, `staging`, `production` or `archived`.
    stage: &'static str,
    /// How it came into its stage.
    moved: DeedDto,
    /// `pending`, `approved` or `rejected`.
    approval: &'static str,
    /// How it was decided on, if it was.
    decided: Option<DeedDto>,
    registered: DeedDto,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AliasThen)]
pub(super) struct AliasThenDto {
    version: i64,
    set: DeedDto,
}

/// Who did something when, and the audit entry that says so.
#[derive(Serialize, ToSchema)]
#[schema(as = Deed)]
pub(super) struct DeedDto {
    by: String,
    /// Milliseconds since 1970.
    at: i64,
    script: String,
    chain: i64,
    seq: i64,
}

impl From<Deed> for DeedDto {
    fn from(Deed { by, at, script, chain, seq }: Deed) -> DeedDto {
        DeedDto { by, at: at.0, script, chain, seq }
    }
}

impl ModelThenDto {
    fn new(then: ModelThen, time: i64, stage: Option<Stage>) -> ModelThenDto {
        let ModelThen { name, exists: _, versions, aliases } = then;
        let versions =
            versions.into_iter().rev().filter(|(_, version)| stage.is_none_or(|stage| version.stage == stage));
        let aliases = aliases.into_iter();
        ModelThenDto {
            name,
            time,
            versions: versions.map(|(number, version)| VersionThenDto::new(number, version)).collect(),
            aliases: aliases
                .map(|(alias, (version, set))| (alias, AliasThenDto { version, set: set.into() }))
                .collect(),
        }
    }
}

impl VersionThenDto {
    fn new(number: i64, version: VersionThen) -> VersionThenDto {
        let VersionThen { stage, moved, approval, decided, registered } = version;
        VersionThenDto {
            version: number,
            stage: stage.as_str(),
            moved: moved.into(),
            approval: approval.as_str(),
            decided: decided.map(DeedDto::from),
            registered: registered.into(),
        }
    }
}
