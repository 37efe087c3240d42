//! Gates, what they answer about a version, and what they rest on: reviews, evaluations and exceptions.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stele_app::{
    Checked, GateRecord, NewException, NewModelEvaluation, NewReview, Review, ReviewKind, Reviewed, VerdictRecord,
};
use stele_domain::Error;
use stele_domain::gate::{
    DecisionKind, Evaluation, Exception, Finding, GateDefinition, GatedStage, ReportKind, Target, Verdict,
};
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, done, reply};
use super::problem::Problem;
use super::route::Parameter;
use super::versions::{ModelVersionDto, version_of};

/// What a version may be on its way to: one of these.
pub(super) const CHECK: &[Parameter] = &[
    Parameter::text("stage", "The stage that it is to be in: `production` (what is meant without any) or `staging`."),
    Parameter::text("alias", "The alias that is to point at it."),
    Parameter::text("approval", "`approved`, if it is to be approved."),
];

pub(super) async fn list(call: Call) -> Result<Response> {
    let gates = call.app.gates_list(&call.ctx).await?;
    reply(&GateList { gates: gates.into_iter().map(GateDto::of).collect::<Result<_>>()? })
}

pub(super) async fn apply(mut call: Call) -> Result<Response> {
    let GateBody(definition) = call.json().await?;
    reply(&GateDto::of(call.app.gate_apply(&call.ctx, definition).await?)?)
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&GateDto::of(call.app.gate_get(&call.ctx, call.path("gate").to_owned()).await?)?)
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.gate_delete(&call.ctx, call.path("gate").to_owned()).await?;
    done()
}

pub(super) async fn versions(call: Call) -> Result<Response> {
    let gates = call.app.gate_versions(&call.ctx, call.path("gate").to_owned()).await?;
    reply(&GateList { gates: gates.into_iter().map(GateDto::of).collect::<Result<_>>()? })
}

pub(super) async fn check(call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    let given = |name: &str| call.query.text(name).map(str::to_owned);
    let target = TargetDto { stage: given("stage"), alias: given("alias"), approval: given("approval") };
    let target = target.read(Some(Target::Stage(GatedStage::Production)))?;
    let checked = call.app.gate_check(&call.ctx, model.clone(), version, target).await?;
    let Checked { target, passed, verdicts, evidence } = checked;
    let verdicts = verdicts.into_iter().map(VerdictDto::from).collect();
    reply(&CheckDto { model, version, target: target.to_string(), passed, verdicts, evidence: json!(evidence) })
}

pub(super) async fn verdicts(call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    let kept = call.app.verdicts_list(&call.ctx, model, version).await?;
    reply(&KeptVerdicts { verdicts: kept.into_iter().map(KeptVerdictDto::from).collect() })
}

pub(super) async fn reviews(call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    let reviews = call.app.reviews_list(&call.ctx, model, version).await?;
    reply(&ReviewList { reviews: reviews.into_iter().map(ReviewDto::from).collect() })
}

pub(super) async fn review(mut call: Call) -> Result<Response> {
    let (model, number) = version_of(&call)?;
    let NewReviewDto { review, reason, expires_in_days } = call.json().await?;
    let kind = match review.as_str() {
        "request" => ReviewKind::Request,
        "comment" => ReviewKind::Comment,
        other => ReviewKind::Decision(DecisionKind::parse(other).ok_or_else(|| {
            Problem::invalid(format!(
                "there is no review '{other}'; there are: request, comment, approve, reject, withdraw"
            ))
        })?),
    };
    let new = NewReview { model, number, kind, reason, expires_in_days };
    let Reviewed { version, missing } = call.app.review_add(&call.ctx, new).await?;
    reply(&ReviewedDto { version: ModelVersionDto::from(version), missing })
}

pub(super) async fn evaluations(call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    let found = call.app.model_evaluations_list(&call.ctx, model, version).await?;
    reply(&EvaluationList { evaluations: found.into_iter().map(EvaluationDto::from).collect() })
}

pub(super) async fn evaluate(mut call: Call) -> Result<Response> {
    let (model, version) = version_of(&call)?;
    let NewEvaluationDto { dataset, digest, metrics, slices, report } = call.json().await?;
    let new = NewModelEvaluation { dataset, digest, metrics, slices, report };
    let evaluation = call.app.model_evaluation_record(&call.ctx, model, version, new).await?;
    reply(&EvaluationRef { evaluation })
}

pub(super) async fn except(mut call: Call) -> Result<Response> {
    let (model, number) = version_of(&call)?;
    let NewExceptionDto { target, reason, minutes } = call.json().await?;
    let new = NewException { model, number, target: target.read(None)?, reason, minutes };
    let Exception { id, by, reason, until, lapsed: _ } = call.app.gate_exception_make(&call.ctx, new).await?;
    reply(&ExceptionDto { exception: id, by, reason, until })
}

/// What gates guard, as a gate's own file says it: one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GateTarget)]
pub(super) struct TargetDto {
    /// `production` or `staging`.
    stage: Option<String>,
    /// The name of an alias that means no stage.
    alias: Option<String>,
    /// `approved`.
    approval: Option<String>,
}

impl TargetDto {
    /// `usual` is what is meant when none is given.
    fn read(self, usual: Option<Target>) -> Result<Target> {
        let TargetDto { stage, alias, approval } = self;
        let given: Vec<String> = [("stage", stage), ("alias", alias), ("approval", approval)]
            .into_iter()
            .filter_map(|(kind, value)| Some(format!("{kind} {}", value?)))
            .collect();
        let target = match given.as_slice() {
            [] => usual,
            [one] => Target::parse(one),
            _ => None,
        };
        target.ok_or_else(|| {
            let given = if given.is_empty() { "nothing".to_owned() } else { format!("'{}'", given.join(", ")) };
            Problem::invalid(format!(
                "gates guard one of stage (staging or production), alias (one that means no stage) and approval \
                 (approved), not {given}"
            ))
        })
    }
}

/// A gate, as its file says it; `docs/GOVERNANCE.md` describes it.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = GateDefinition, value_type = Object)]
pub(super) struct GateBody(GateDefinition);

/// A version of a gate.
#[derive(Serialize, ToSchema)]
#[schema(as = Gate)]
pub(super) struct GateDto {
    name: String,
    /// Counts from 1.
    version: i64,
    #[schema(value_type = Object)]
    definition: Value,
    applied_by: String,
    /// Milliseconds since 1970.
    applied_at: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct GateList {
    gates: Vec<GateDto>,
}

impl GateDto {
    fn of(record: GateRecord) -> Result<GateDto> {
        let GateRecord { gate, applied_by, applied_at } = record;
        let definition = serde_json::to_value(&gate.definition);
        let definition = definition.map_err(|error| Error::internal(format!("a gate cannot be written: {error}")))?;
        let name = gate.definition.name;
        Ok(GateDto { name, version: gate.version, definition, applied_by, applied_at: applied_at.0 })
    }
}

/// What the gates would answer now.
#[derive(Serialize, ToSchema)]
#[schema(as = GateCheck)]
pub(super) struct CheckDto {
    model: String,
    version: i64,
    target: String,
    passed: bool,
    verdicts: Vec<VerdictDto>,
    /// All that was looked at.
    #[schema(value_type = Object)]
    evidence: Value,
}

/// What one gate answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(super) struct VerdictDto {
    gate: String,
    gate_version: i64,
    /// `passed`, `failed`, or `excused` by an exception.
    outcome: &'static str,
    findings: Vec<FindingDto>,
}

impl From<Verdict> for VerdictDto {
    fn from(verdict: Verdict) -> VerdictDto {
        let Verdict { gate, gate_version, outcome, findings } = verdict;
        let findings = findings.into_iter().map(FindingDto::from).collect();
        VerdictDto { gate, gate_version, outcome: outcome.as_str(), findings }
    }
}

/// How one rule came out.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
pub(super) struct FindingDto {
    rule: String,
    passed: bool,
    message: String,
    /// Who could give the approvals that are missing.
    could_approve: Vec<String>,
}

impl From<Finding> for FindingDto {
    fn from(finding: Finding) -> FindingDto {
        let Finding { rule, passed, message, could_approve } = finding;
        FindingDto { rule, passed, message, could_approve }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct KeptVerdicts {
    /// The newest first.
    verdicts: Vec<KeptVerdictDto>,
}

/// A verdict with everything that it rests on.
#[derive(Serialize, ToSchema)]
#[schema(as = KeptVerdict)]
pub(super) struct KeptVerdictDto {
    id: i64,
    target: String,
    /// Who asked.
    person: String,
    /// Milliseconds since 1970.
    at: i64,
    #[serde(flatten)]
    verdict: VerdictDto,
    #[schema(value_type = Object)]
    definition: Value,
    #[schema(value_type = Object)]
    evidence: Value,
}

impl From<VerdictRecord> for KeptVerdictDto {
    fn from(record: VerdictRecord) -> KeptVerdictDto {
        let VerdictRecord { id, target, gate, evidence, verdict, person, at } = record;
        KeptVerdictDto {
            id,
            target: target.to_string(),
            person,
            at: at.0,
            verdict: verdict.into(),
            definition: json!(gate.definition),
            evidence: json!(evidence),
        }
    }
}

/// What to say of a version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReview)]
pub(super) struct NewReviewDto {
    /// `request`, `comment`, `approve`, `reject` or `withdraw`.
    review: String,
    /// Needed for a comment and a rejection.
    #[serde(default)]
    reason: String,
    /// After how many days it counts no more.
    expires_in_days: Option<u32>,
}

/// What became of the version.
#[derive(Serialize, ToSchema)]
#[schema(as = Reviewed)]
pub(super) struct ReviewedDto {
    version: ModelVersionDto,
    /// What the gates of its approval still miss.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ReviewList {
    /// The oldest first.
    reviews: Vec<ReviewDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Review)]
pub(super) struct ReviewDto {
    id: i64,
    review: &'static str,
    person: String,
    groups: Vec<String>,
    reason: String,
    /// Milliseconds since 1970.
    at: i64,
    /// Milliseconds since 1970.
    expires_at: Option<i64>,
}

impl From<Review> for ReviewDto {
    fn from(review: Review) -> ReviewDto {
        let Review { id, kind, person, groups, reason, fingerprint: _, at, expires_at } = review;
        let expires_at = expires_at.map(|at| at.0);
        ReviewDto { id, review: kind.as_str(), person, groups, reason, at: at.0, expires_at }
    }
}

/// How good a version is on a data set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEvaluation)]
pub(super) struct NewEvaluationDto {
    /// The name of the data set.
    #[serde(default)]
    dataset: String,
    /// The digest of the data set.
    digest: String,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    /// Metrics of parts of the data set.
    #[serde(default)]
    slices: BTreeMap<String, BTreeMap<String, f64>>,
    /// Where the report is.
    report: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct EvaluationRef {
    evaluation: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct EvaluationList {
    /// The newest first.
    evaluations: Vec<EvaluationDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Evaluation)]
pub(super) struct EvaluationDto {
    /// `evaluation ID`, or the run that measured it.
    source: String,
    dataset: String,
    digest: String,
    /// Milliseconds since 1970.
    at: i64,
    by: String,
    metrics: BTreeMap<String, f64>,
    slices: BTreeMap<String, BTreeMap<String, f64>>,
    report: Option<String>,
    /// The kinds of the version's reports that it was read from.
    reports: Vec<&'static str>,
    /// Files of the version have changed since, so that it counts no more.
    artifacts_changed: bool,
}

impl From<Evaluation> for EvaluationDto {
    fn from(evaluation: Evaluation) -> EvaluationDto {
        let Evaluation { source, dataset, digest, at, by, metrics, slices, report, reports, artifacts_changed } =
            evaluation;
        let reports = reports.into_iter().map(ReportKind::as_str).collect();
        EvaluationDto { source, dataset, digest, at, by, metrics, slices, report, reports, artifacts_changed }
    }
}

/// What lets a version past its gates for a while.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGateException)]
pub(super) struct NewExceptionDto {
    target: TargetDto,
    reason: String,
    /// At most a day's.
    minutes: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = GateException)]
pub(super) struct ExceptionDto {
    exception: i64,
    by: String,
    reason: String,
    /// Milliseconds since 1970.
    until: i64,
}
