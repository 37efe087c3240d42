//! Decisions on versions, and the registration of versions that come with more than MLflow's clients say.

use serde_json::json;
use stele_domain::authz::{ApproveModel, Intent, Permit, Place, PromoteModel, RegisterModel, Visibility};
use stele_domain::change::Change;
use stele_domain::gate::{DecisionKind, Refusal, Target};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::lifecycle::{ApprovalStatus, Stage, approval_after};
use stele_domain::registry::{ModelVersion, Occupants, version_id};
use stele_domain::resource::Document;
use stele_domain::{Error, Kind, Result};
use stele_store::{Faceted, ModelHead, ReviewKind, Tx};

use super::model::check_description;
use super::promote::promote;
use super::version::{complete, create};
use super::{NewModelVersion, open_version, require_version};
use crate::experiment::check_tags;
use crate::facets::differences;
use crate::governance::{pass, standing, vote_of};
use crate::transact::Changed;
use crate::{App, Ctx};

/// A version that is registered with its facets, and possibly decided on at once.
#[derive(Debug, Clone)]
pub struct NewPackage {
    pub version: NewModelVersion,
    pub approval: ApprovalStatus,
    pub stage: Stage,
    pub facets: Document,
    pub idempotency: Option<Idempotency>,
}

/// The client's token of a request that it may send again, with a digest of the request.
#[derive(Debug, Clone)]
pub struct Idempotency {
    pub token: String,
    pub request: String,
}

impl Idempotency {
    /// What an earlier request with the token made, which must have asked for the same.
    pub(crate) fn made(&self, tx: &mut Tx, visible: &Visibility, operation: &str) -> Result<Option<String>> {
        let Idempotency { token, request } = self;
        match tx.idempotency_find(visible, operation, token)? {
            Some((before, _)) if before != *request => {
                Err(Error::conflict(format!("the client token {token} was used for another request")))
            }
            found => Ok(found.map(|(_, made)| made)),
        }
    }
}

/// What to change of a version; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct VersionChange {
    pub approval: Option<ApprovalStatus>,
    pub stage: Option<Stage>,
    /// The facets that say more of the decision: whoever may decide may write them along.
    pub of_approval: &'static [&'static str],
    /// The same of the move.
    pub of_stage: &'static [&'static str],
}

impl VersionChange {
    /// Asks the permit of what changed facets belong to.
    fn require(
        &self,
        tx: &mut Tx,
        permit: &Permit<RegisterModel>,
        before: &Document,
        after: &Document,
        id: &str,
    ) -> Result<()> {
        let place = id.rsplit_once('/').map_or(id, |(model, _)| model);
        let place = Place::Model(place);
        let is_changed = |key: &&String| before.get(*key) != after.get(*key);
        for key in before.keys().chain(after.keys()).filter(is_changed) {
            if self.approval.is_some() && self.of_approval.contains(&key.as_str()) {
                permit.other::<ApproveModel>().require(tx, place, Kind::ModelVersion, id)?;
            } else if self.stage.is_some() && self.of_stage.contains(&key.as_str()) {
                permit.other::<PromoteModel>().require(tx, place, Kind::ModelVersion, id)?;
            } else {
                permit.require(tx, place, Kind::ModelVersion, id)?;
            }
        }
        Ok(())
    }
}

const REGISTER: &str = "model-version.register";

impl App {
    /// Makes the next version of a model with everything that belongs to it. The same request, sent again with the same
    /// token, gives the same version.
    pub async fn model_version_register(&self, ctx: &Ctx, new: NewPackage) -> Result<ModelVersion> {
        let NewPackage { version, approval, stage, facets, idempotency } = new;
        let NewModelVersion { model: name, source, run_link, description, tags } = version;
        check_description(description.as_deref())?;
        check_tags(&tags)?;
        self.reports_read_of(ctx, facets.clone()).await?;
        let (now, visible, script) = (ctx.now(), ctx.visible(), ctx.script());
        let new = source.into_new_version(ctx.new_id().simple().to_string(), run_link, description, tags);
        self.change::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(&permit.intending(Intent::tags(&new.tags)), &name)?;
            if let Some(idempotency) = &idempotency
                && let Some(made) = idempotency.made(tx, &visible, REGISTER)?
            {
                let number = made.rsplit_once('/').and_then(|(_, number)| number.parse().ok()).unwrap_or_default();
                return Ok(Changed::nothing(tx.model_version_get(&visible, &name, number)?));
            }
            let (row, number, mut changes) = create(tx, permit, &model, &new, now)?;
            tx.facets_set(permit, Faceted::ModelVersion, script, row.0, facets.clone())?;
            if let Some(Idempotency { token, request }) = &idempotency {
                tx.idempotency_keep(&visible, REGISTER, token, request, &version_id(&name, number), now)?;
            }
            let version = tx.model_version_open(permit, &model, number)?;
            if approval != ApprovalStatus::Pending {
                let decided = decide(tx, &permit.other(), &model, row, approval, now).map_err(without_vote);
                changes.extend(decided?);
            }
            if stage != Stage::None {
                changes.extend(promote(tx, &permit.other(), &model, &version, stage, Occupants::Archive, now)?);
            }
            Ok(Changed::many(complete(tx, row)?, changes))
        })
        .await
    }

    /// Decides on a version, moves it, and rewrites its facets, all or nothing. `rewrite` may be called more than once.
    pub async fn model_version_change(
        &self,
        ctx: &Ctx,
        model: String,
        number: i64,
        wanted: VersionChange,
        mut rewrite: impl FnMut(&mut Document) -> Result<()> + Send + 'static,
    ) -> Result<ModelVersion> {
        let mut told = self.model_version_kept(ctx, &model, number).await?;
        // What is wrong with it is said below, to those who may change the version.
        if rewrite(&mut told).is_ok() {
            self.reports_read_of(ctx, told).await?;
        }
        let (now, visible, script) = (ctx.now(), ctx.visible(), ctx.script());
        let id = version_id(&model, number);
        self.change::<RegisterModel, _>(ctx, &id.clone(), move |tx, permit| {
            // Whoever decides on versions or moves them need not be able to change them.
            let (head, version) = match wanted {
                VersionChange { approval: Some(_), .. } => {
                    open_version(tx, &permit.other::<ApproveModel>(), &model, number)?
                }
                VersionChange { stage: Some(_), .. } => {
                    open_version(tx, &permit.other::<PromoteModel>(), &model, number)?
                }
                VersionChange { approval: None, stage: None, .. } => open_version(tx, permit, &model, number)?,
            };
            let row = version.row;
            let mut changes = Vec::new();
            let found = tx.facets(&visible, Faceted::ModelVersion, script, &[row.0])?.remove(&row.0);
            let before = found.map(|facets| facets.document).unwrap_or_default();
            let mut after = before.clone();
            rewrite(&mut after)?;
            let is_told_of_stage = wanted.of_stage.iter().any(|key| before.get(*key) != after.get(*key));
            if after != before {
                let kept = after.clone();
                wanted.require(tx, permit, &before, &after, &id)?;
                tx.facets_set(permit, Faceted::ModelVersion, script, row.0, after)?;
                tx.model_version_describe(permit, row, version.description.as_deref(), now)?;
                let (before, after) = differences(&before, &kept);
                let change = Change::event("model-version.update", Kind::ModelVersion, &id).of_model(&head.id);
                changes.push(change.before(before).after(after));
            }
            if let Some(approval) = wanted.approval {
                changes.extend(decide(tx, &permit.other(), &head, row, approval, now)?);
            }
            match wanted.stage {
                Some(stage) if stage != version.stage => {
                    changes.extend(promote(tx, &permit.other(), &head, &version, stage, Occupants::Archive, now)?);
                }
                Some(stage) if wanted.approval.is_none() || is_told_of_stage => {
                    require_version(tx, &permit.other::<PromoteModel>(), &head, row, Intent::stage(stage))?;
                }
                _ => {}
            }
            if !changes.is_empty() {
                tx.model_touch(permit, head.row, now)?;
            }
            Ok(Changed::many(complete(tx, row)?, changes))
        })
        .await
    }
}

/// A refusal of a version that is not made: there is nothing that a decision could be kept with.
fn without_vote(error: Error) -> Error {
    match error {
        Error::GateFailed { refusal: Some(refusal), .. } => Refusal { vote: None, ..*refusal }.into_error(),
        other => other,
    }
}

/// The only place where the approval of a version changes. It is the decision of the one who asks, which is kept with the
/// others'; the version becomes approved when the gates of its approval let it.
pub(crate) fn decide(
    tx: &mut Tx,
    permit: &Permit<ApproveModel>,
    model: &ModelHead,
    row: ModelVersionRow,
    decided: ApprovalStatus,
    now: Timestamp,
) -> Result<Vec<Change>> {
    require_version(tx, permit, model, row, Intent::approval(decided))?;
    let version = complete(tx, row)?;
    let after = approval_after(version.approval, decided);
    let id = version_id(&model.name, version.number);
    let decision = match decided {
        ApprovalStatus::Approved => DecisionKind::Approve,
        ApprovalStatus::Rejected => DecisionKind::Reject,
        ApprovalStatus::Pending => DecisionKind::Withdraw,
    };
    let vote = vote_of(tx, permit, row, ReviewKind::Decision(decision), "", None)?;
    let mut changes: Vec<Change> =
        standing(tx, permit, &id, row, &vote, now)?.map(|change| change.of_model(&model.id)).into_iter().collect();
    if after == version.approval {
        return Ok(changes);
    }
    if after == ApprovalStatus::Approved {
        let vote = (!changes.is_empty()).then_some(vote);
        changes.extend(pass(tx, permit, model, row, &Target::APPROVAL, vote, now)?);
    }
    tx.model_version_decide(permit, version.row, after, now)?;
    changes.push(
        Change::event("model-version.approval", Kind::ModelVersion, id)
            .of_model(&model.id)
            .before(json!({ "approval": version.approval.as_str() }))
            .after(json!({ "approval": after.as_str() })),
    );
    Ok(changes)
}
