use std::collections::BTreeMap;

use serde_json::Value;
use stele_domain::Result;
use stele_domain::authz::Subject;
use stele_domain::authz::visible;
use stele_domain::gate::{Card, Commit, Decision, DecisionKind, Evaluation, Evidence, Occupant, Target};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::identity::Principal;
use stele_domain::registry::ModelVersion;
use stele_store::{Faceted, ModelHead, Review, ReviewKind, Tx};

use super::fingerprint::fingerprint;
use crate::Script;
use crate::registry::complete;

const COMMIT: &str = "mlflow.source.git.commit";
const DIRTY: &str = "mlflow.source.git.dirty";

/// Takes the snapshot that gates look at. The opened model keeps writers to its versions away until the transaction ends.
pub(super) fn gather(
    tx: &mut Tx,
    subject: &Subject,
    model: &ModelHead,
    row: ModelVersionRow,
    target: &Target,
    now: Timestamp,
) -> Result<Evidence> {
    let seen = visible(subject);
    let version = complete(tx, row)?;
    let reviews = tx.reviews(row)?;
    let fingerprint = fingerprint(tx, &seen, &version)?;
    let production = tx.model_version_in_production(model.row)?.filter(|other| *other != row);
    let production = match production {
        Some(other) => {
            let other = complete(tx, other)?;
            Some(Occupant { version: other.number, evaluations: evaluations(tx, subject, &other)? })
        }
        None => None,
    };
    let mut facets = tx.facets(&seen, Faceted::ModelVersion, Script::Sagemaker.as_str(), &[row.0])?;
    let card = facets.remove(&row.0).and_then(|facets| {
        let status = facets.document.get("ModelCard")?.get("ModelCardStatus").and_then(Value::as_str)?;
        Some(Card { status: status.to_owned() })
    });
    Ok(Evidence {
        at: now.0,
        model: model.name.clone(),
        version: version.number,
        author: tx.model_version_author(row)?,
        requesters: requesters(subject, &reviews, target, now),
        tags: version.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        commit: commit(tx, subject, &version)?,
        card,
        decisions: decisions(&reviews, &fingerprint),
        evaluations: evaluations(tx, subject, &version)?,
        production,
        approvers: tx.approvers(&subject.workspace_name, &model.name)?,
        exception: tx.gate_exception_now(row, target, now)?,
    })
}

/// Whoever asks for the move and whoever asked for a review. Whoever decides asks for nothing: approving is no request.
fn requesters(subject: &Subject, reviews: &[Review], target: &Target, now: Timestamp) -> Vec<String> {
    let is_open = |review: &&Review| {
        review.kind == ReviewKind::Request && review.expires_at.is_none_or(|expires_at| expires_at > now)
    };
    let mut names: Vec<String> = reviews.iter().filter(is_open).map(|review| review.person.clone()).collect();
    if *target != Target::APPROVAL || subject.principal == Principal::LocalOwner {
        names.push(subject.principal.name().to_owned());
    }
    names.sort();
    names.dedup();
    names
}

/// The newest decision of each person, but for those that were taken back.
pub(super) fn decisions(reviews: &[Review], fingerprint: &str) -> Vec<Decision> {
    let mut newest: BTreeMap<&str, Decision> = BTreeMap::new();
    for review in reviews {
        let ReviewKind::Decision(kind) = review.kind else { continue };
        newest.insert(
            &review.person,
            Decision {
                by: review.person.clone(),
                groups: review.groups.clone(),
                kind,
                reason: review.reason.clone(),
                at: review.at.0,
                expires_at: review.expires_at.map(|at| at.0),
                stale: review.fingerprint != fingerprint,
            },
        );
    }
    newest.into_values().filter(|decision| decision.kind != DecisionKind::Withdraw).collect()
}

/// What was recorded of a version, what clients measured of its logged model, and what its run measured.
pub(super) fn evaluations(tx: &mut Tx, subject: &Subject, version: &ModelVersion) -> Result<Vec<Evaluation>> {
    let mut found = tx.model_evaluations(version.row)?;
    if let Some(model) = &version.logged_model {
        found.extend(tx.logged_model_evaluations(subject.workspace, model)?);
    }
    if let Some(run) = &version.run {
        found.extend(tx.run_evaluation(subject.workspace, run)?);
    }
    found.sort_by_key(|evaluation| std::cmp::Reverse(evaluation.at));
    Ok(found)
}

fn commit(tx: &mut Tx, subject: &Subject, version: &ModelVersion) -> Result<Option<Commit>> {
    let Some(run) = &version.run else { return Ok(None) };
    let mut tags = tx.run_tags_among(subject.workspace, run, &[COMMIT, DIRTY])?;
    let dirty = tags.remove(DIRTY).map(|dirty| !dirty.eq_ignore_ascii_case("false"));
    Ok(tags.remove(COMMIT).filter(|id| !id.is_empty()).map(|id| Commit { id, dirty }))
}
