use serde_json::json;
use stele_domain::authz::{ApproveModel, Intent, Permit, RegisterModel, Verb};
use stele_domain::change::Change;
use stele_domain::gate::{DecisionKind, Refusal, Vote};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::lifecycle::ApprovalStatus;
use stele_domain::registry::{ModelVersion, version_id};
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, ModelVersionHead, Review, ReviewKind, Tx};

use super::artifacts::artifacts;
use super::check_reason;
use super::evidence::decisions;
use super::fingerprint::{Fingerprint, kept_with};
use crate::registry::{complete, decide, open_version, require_version};
use crate::transact::Changed;
use crate::{App, Ctx};

const MOST_DAYS: u32 = 3_650;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// What somebody says of a version.
#[derive(Debug, Clone)]
pub struct NewReview {
    pub model: String,
    pub number: i64,
    pub kind: ReviewKind,
    pub reason: String,
    /// After how many days it counts no more.
    pub expires_in_days: Option<u32>,
}

/// What became of a version by a review.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    pub version: ModelVersion,
    /// What the gates of its approval still miss.
    pub missing: Option<String>,
}

impl App {
    /// Requests a review, comments, or decides. An approval makes the version approved as soon as the gates of its
    /// approval let it; until then it is kept and counts. A rejection makes it rejected at once and needs a reason.
    pub async fn review_add(&self, ctx: &Ctx, new: NewReview) -> Result<Reviewed> {
        let NewReview { model, number, kind, reason, expires_in_days } = new;
        check_reason("reason", &reason)?;
        if matches!(kind, ReviewKind::Comment | ReviewKind::Decision(DecisionKind::Reject)) && reason.trim().is_empty()
        {
            return Err(Error::invalid("a comment or a rejection says why: its reason is empty"));
        }
        if expires_in_days.is_some_and(|days| days == 0 || days > MOST_DAYS) {
            return Err(Error::invalid(format!("a review expires in 1 to {MOST_DAYS} days")));
        }
        self.reports_read(ctx, &model, number).await?;
        let now = ctx.now();
        let expires_at = expires_in_days.map(|days| Timestamp(now.0 + i64::from(days) * DAY));
        let id = version_id(&model, number);
        self.change::<ApproveModel, _>(ctx, &id.clone(), move |tx, permit| {
            let (head, version) = match kind {
                ReviewKind::Decision(_) => open_version(tx, permit, &model, number)?,
                // Those who make versions ask for reviews and answer comments.
                ReviewKind::Request | ReviewKind::Comment => match open_decided(tx, permit, &model, number) {
                    Err(Error::Forbidden { .. }) => open_version(tx, &permit.other::<RegisterModel>(), &model, number)?,
                    opened => opened?,
                },
            };
            let vote = vote_of(tx, permit, version.row, kind, &reason, expires_at)?;
            let mut changes = vec![keep(tx, permit, &id, version.row, kind, &vote, now)?.of_model(&head.id)];
            let ReviewKind::Decision(decision) = kind else {
                return Ok(Changed::many(Reviewed { version: complete(tx, version.row)?, missing: None }, changes));
            };
            let wanted = match decision {
                DecisionKind::Approve => ApprovalStatus::Approved,
                DecisionKind::Reject => ApprovalStatus::Rejected,
                DecisionKind::Withdraw => ApprovalStatus::Pending,
            };
            let mut missing = None;
            match decide(tx, permit, &head, version.row, wanted, now) {
                Ok(decided) => changes.extend(decided),
                // The vote stays, and the verdicts that it was not enough with it.
                Err(Error::GateFailed { message, refusal: Some(refusal) }) => {
                    let refusal = Refusal { vote: None, ..*refusal };
                    changes.extend(super::refusal_kept(tx, permit, &refusal, now)?.denials);
                    missing = Some(message);
                }
                Err(error) => return Err(error),
            }
            Ok(Changed::many(Reviewed { version: complete(tx, version.row)?, missing }, changes))
        })
        .await
    }

    /// What was said of a version, the oldest first.
    pub async fn reviews_list(&self, ctx: &Ctx, model: String, number: i64) -> Result<Vec<Review>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let version = tx.model_version_get(&visible, &model, number)?;
            tx.reviews(version.row)
        })
        .await
    }
}

/// Opens a version for somebody who may decide on it, without a decision.
fn open_decided(
    tx: &mut Tx,
    permit: &Permit<ApproveModel>,
    model: &str,
    number: i64,
) -> Result<(ModelHead, ModelVersionHead)> {
    let (head, version) = open_version(tx, permit, model, number)?;
    require_version(tx, permit, &head, version.row, Intent::default())?;
    Ok((head, version))
}

/// The decision of the one who asks, on the version as it is now.
pub(crate) fn vote_of<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    row: ModelVersionRow,
    kind: ReviewKind,
    reason: &str,
    expires_at: Option<Timestamp>,
) -> Result<Vote> {
    let version = complete(tx, row)?;
    let kept = kept_with(tx, permit.visible(), row)?;
    let files = artifacts(tx, permit.visible(), &version, &kept)?;
    let principal = &permit.subject().principal;
    Ok(Vote {
        kind: match kind {
            ReviewKind::Decision(kind) => kind,
            ReviewKind::Request | ReviewKind::Comment => DecisionKind::Withdraw,
        },
        person: principal.name().to_owned(),
        groups: principal.groups().to_vec(),
        reason: reason.to_owned(),
        fingerprint: Fingerprint::of(&version, &kept, &files).text(),
        expires_at: expires_at.map(|at| at.0),
    })
}

/// Keeps a decision of the one who asks, unless the same one stands, of the same groups and of this day: gates ask for
/// groups, and for an age in days. Gives back what is told of it.
pub(crate) fn standing(
    tx: &mut Tx,
    permit: &Permit<ApproveModel>,
    id: &str,
    row: ModelVersionRow,
    vote: &Vote,
    now: Timestamp,
) -> Result<Option<Change>> {
    let reviews = tx.reviews(row)?;
    let now_is = Fingerprint::parse(&vote.fingerprint);
    let stands = decisions(&reviews, &now_is).into_iter().find(|decision| decision.by == vote.person);
    let is_same = match stands {
        Some(stands) => {
            stands.kind == vote.kind
                && stands.groups == vote.groups
                && now.0 - stands.at < DAY
                && !stands.stale
                && !stands.artifacts_changed
                && stands.expires_at.is_none_or(|expires_at| expires_at > now.0)
        }
        None => vote.kind == DecisionKind::Withdraw,
    };
    if is_same {
        return Ok(None);
    }
    keep(tx, permit, id, row, ReviewKind::Decision(vote.kind), vote, now).map(Some)
}

fn keep(
    tx: &mut Tx,
    permit: &Permit<ApproveModel>,
    id: &str,
    row: ModelVersionRow,
    kind: ReviewKind,
    vote: &Vote,
    now: Timestamp,
) -> Result<Change> {
    let Vote { kind: _, person, groups, reason, fingerprint, expires_at } = vote.clone();
    let expires_at = expires_at.map(Timestamp);
    tx.review_add(permit, row, &Review { id: 0, kind, person, groups, reason, fingerprint, at: now, expires_at })?;
    Ok(told(id, kind.as_str(), &vote.reason))
}

pub(super) fn told(id: &str, kind: &str, reason: &str) -> Change {
    Change::event("model-version.review", Kind::ModelVersion, id).after(json!({ "review": kind, "reason": reason }))
}
