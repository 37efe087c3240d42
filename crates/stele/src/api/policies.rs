//! A team's own rules, and what they and the roles decide.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_app::{Asked, Explained};
use stele_domain::id::Timestamp;
use stele_domain::policy::{Policy, PolicyRecord};
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, done, reply};
use super::problem::Problem;
use crate::decision::{self, DecisionDto, IntentDto};

pub(super) async fn list(call: Call) -> Result<Response> {
    let policies = call.app.policies_list(&call.ctx).await?;
    reply(&PolicyList { policies: policies.into_iter().map(PolicyDto::from).collect() })
}

pub(super) async fn apply(mut call: Call) -> Result<Response> {
    let PolicyBody { text, enabled } = call.json().await?;
    let policy = Policy { name: call.path("policy").to_owned(), text, enabled };
    reply(&PolicyDto::from(call.app.policy_apply(&call.ctx, policy).await?))
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&PolicyDto::from(call.app.policy_get(&call.ctx, call.path("policy").to_owned()).await?))
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.policy_delete(&call.ctx, call.path("policy").to_owned()).await?;
    done()
}

pub(super) async fn versions(call: Call) -> Result<Response> {
    let policies = call.app.policy_versions(&call.ctx, call.path("policy").to_owned()).await?;
    reply(&PolicyList { policies: policies.into_iter().map(PolicyDto::from).collect() })
}

pub(super) async fn schema(_: Call) -> Result<Response> {
    reply(&PolicySchemaDto { text: stele_policy::SCHEMA })
}

pub(super) async fn explain(mut call: Call) -> Result<Response> {
    let QuestionDto { account, verb, what, tags, model_tags, change, at, script } = call.json().await?;
    let asked = Asked {
        account,
        action: decision::verb(&verb).map_err(Problem::invalid)?,
        thing: decision::thing(&what).map_err(Problem::invalid)?,
        tags: decision::tags(tags).map_err(Problem::invalid)?,
        model_tags: decision::tags(model_tags).map_err(Problem::invalid)?,
        intent: change.read().map_err(Problem::invalid)?,
        at: at.map(Timestamp),
        script: script.map(|name| decision::script(&name)).transpose().map_err(Problem::invalid)?,
    };
    let Explained { principal, thing, decision } = call.app.policy_explain(&call.ctx, asked).await?;
    let decision = DecisionDto::from(decision);
    reply(&ExplainedDto { account: principal, verb, what: thing.to_string(), says: decision.says(), decision })
}

/// What a policy is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPolicy)]
pub(super) struct PolicyBody {
    /// Rules in Cedar; `docs/POLICY.md` says what they can speak of.
    text: String,
    /// Otherwise it is kept and not asked.
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// A version of a policy.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
pub(super) struct PolicyDto {
    name: String,
    /// Counts from 1.
    version: i64,
    enabled: bool,
    /// How many rules are in the text.
    rules: i64,
    text: String,
    applied_by: String,
    /// Milliseconds since 1970.
    applied_at: i64,
}

impl From<PolicyRecord> for PolicyDto {
    fn from(record: PolicyRecord) -> PolicyDto {
        let PolicyRecord { policy: Policy { name, text, enabled }, version, rules, applied_by, applied_at } = record;
        PolicyDto { name, version, enabled, rules, text, applied_by, applied_at: applied_at.0 }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct PolicyList {
    policies: Vec<PolicyDto>,
}

/// What rules can speak of, in Cedar's language for schemas.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicySchema)]
pub(super) struct PolicySchemaDto {
    text: &'static str,
}

/// Whether somebody may do something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyQuestion)]
pub(super) struct QuestionDto {
    /// Who would do it; whoever asks unless given.
    account: Option<String>,
    /// Such as `model:promote`.
    verb: String,
    /// `workspace`, `experiment:ID`, `model:NAME` or `model:NAME/VERSION`.
    what: String,
    /// Tags that are put over those of the experiment or the version.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Tags that are put over those of the model.
    #[serde(default)]
    model_tags: BTreeMap<String, String>,
    #[serde(default)]
    change: IntentDto,
    /// When, in milliseconds since 1970; now unless given.
    at: Option<i64>,
    /// `mlflow`, `sagemaker`, `aws` or `native`, which is what is meant unless given.
    script: Option<String>,
}

/// The answer of the code that decides about changes.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyAnswer)]
pub(super) struct ExplainedDto {
    account: String,
    verb: String,
    what: String,
    #[serde(flatten)]
    decision: DecisionDto,
    /// What decided, for people.
    says: String,
}
