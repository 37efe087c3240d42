use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use stele_domain::Result;
use stele_domain::authz::Subject;
use stele_domain::authz::visible;
use stele_domain::gate::{
    Card, Commit, Decision, DecisionKind, Evaluation, Evidence, Occupant, Report, Standing, Target,
};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::identity::Principal;
use stele_domain::registry::ModelVersion;
use stele_domain::resource::Document;
use stele_store::{LastInProduction, ModelHead, Review, ReviewKind, Tx};

use super::artifacts::{Artifacts, artifacts};
use super::fingerprint::{Fingerprint, kept_with};
use super::report::reported;
use crate::registry::complete;

const COMMIT: &str = "mlflow.source.git.commit";
const DIRTY: &str = "mlflow.source.git.dirty";

/// Lists the models that a run logged, as clients older than logged models do.
const LOGGED_MODELS: &str = "mlflow.log-model.history";

/// Takes the snapshot that gates look at, without what may have lapsed and without exceptions. The opened model keeps
/// writers to its versions away until the transaction ends.
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
    let kept = kept_with(tx, &seen, row)?;
    let artifacts = artifacts(tx, &seen, &version, &kept)?;
    let fingerprint = Fingerprint::of(&version, &kept, &artifacts);
    let measured = measured(tx, subject, &version, &kept, &artifacts)?;
    let production = match tx.last_in_production(model.row)?.filter(|last| last.row != Some(row)) {
        Some(last) => Some(occupant(tx, subject, last)?),
        None => None,
    };
    let status = kept.get("ModelCard").and_then(|card| card.get("ModelCardStatus")).and_then(Value::as_str);
    Ok(Evidence {
        at: now.0,
        model: model.name.clone(),
        version: version.number,
        author: tx.model_version_author(row)?,
        requesters: requesters(subject, &reviews, target, now),
        tags: version.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        commit: commit(tx, subject, &version)?,
        artifacts: artifacts.digest,
        card: status.map(|status| Card { status: status.to_owned() }),
        decisions: decisions(&reviews, &fingerprint),
        evaluations: measured.evaluations,
        reports: measured.reports,
        production,
        approvers: tx.approvers(&subject.workspace_name, &model.name)?,
        exception: None,
    })
}

/// What a version is compared with.
fn occupant(tx: &mut Tx, subject: &Subject, last: LastInProduction) -> Result<Occupant> {
    let LastInProduction { number, row, is_there } = last;
    let evaluations = match row {
        Some(row) => {
            let version = complete(tx, row)?;
            measured_now(tx, subject, &version)?
        }
        None => Vec::new(),
    };
    let standing = match (row, is_there) {
        (None, _) => Standing::Deleted,
        (Some(_), true) => Standing::InProduction,
        (Some(_), false) => Standing::Left,
    };
    Ok(Occupant { version: number, standing, evaluations })
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
pub(super) fn decisions(reviews: &[Review], now: &Fingerprint) -> Vec<Decision> {
    let mut newest: BTreeMap<&str, Decision> = BTreeMap::new();
    for review in reviews {
        let ReviewKind::Decision(kind) = review.kind else { continue };
        let then = Fingerprint::parse(&review.fingerprint);
        newest.insert(
            &review.person,
            Decision {
                by: review.person.clone(),
                groups: review.groups.clone(),
                kind,
                reason: review.reason.clone(),
                at: review.at.0,
                expires_at: review.expires_at.map(|at| at.0),
                stale: now.says_other(&then),
                artifacts_changed: now.has_other_files(&then),
                left: Vec::new(),
                lapsed: None,
            },
        );
    }
    newest.into_values().filter(|decision| decision.kind != DecisionKind::Withdraw).collect()
}

/// How good a version is, and what it names as reports on that.
pub(super) struct MeasuredVersion {
    /// The newest first.
    pub(super) evaluations: Vec<Evaluation>,
    pub(super) reports: Vec<Report>,
}

pub(super) fn measured_now(tx: &mut Tx, subject: &Subject, version: &ModelVersion) -> Result<Vec<Evaluation>> {
    let seen = visible(subject);
    let kept = kept_with(tx, &seen, version.row)?;
    let artifacts = artifacts(tx, &seen, version, &kept)?;
    Ok(measured(tx, subject, version, &kept, &artifacts)?.evaluations)
}

/// What was recorded of a version, what the reports say that it names, and what runs measured: about its logged model,
/// about the model that they say they evaluated, or about the data set that the run of the version read.
fn measured(
    tx: &mut Tx,
    subject: &Subject,
    version: &ModelVersion,
    kept: &Document,
    artifacts: &Artifacts,
) -> Result<MeasuredVersion> {
    let mut by_runs = Vec::new();
    if let Some(model) = &version.logged_model {
        by_runs.extend(tx.logged_model_evaluations(subject.workspace, model)?);
    }
    for model in called(tx, subject, version)? {
        by_runs.extend(tx.evaluations_by_runs(subject.workspace, &model)?);
    }
    if let Some(run) = &version.run {
        by_runs.extend(tx.run_evaluation(subject.workspace, run)?);
    }
    // What a run says in several ways is one evaluation.
    let mut known = BTreeSet::new();
    by_runs.retain(|found| known.insert((found.source.clone(), found.dataset.clone(), found.digest.clone())));
    let author = tx.model_version_author(version.row)?;
    let reported = reported(tx, subject.workspace, kept, &author)?;
    let mut evaluations = by_runs;
    evaluations.extend(reported.evaluations);
    for evaluation in &mut evaluations {
        evaluation.artifacts_changed = artifacts.replaced_at.is_some_and(|at| at.0 > evaluation.at);
    }
    evaluations.extend(tx.model_evaluations(version.row, artifacts.digest.as_deref())?);
    evaluations.sort_by_key(|evaluation| std::cmp::Reverse(evaluation.at));
    Ok(MeasuredVersion { evaluations, reports: reported.reports })
}

/// What runs that evaluated a version call its model: the id of its logged model, or else the one that the model file
/// gives itself, which the run that logged it lists.
fn called(tx: &mut Tx, subject: &Subject, version: &ModelVersion) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Logged {
        artifact_path: Option<String>,
        model_uuid: Option<String>,
    }
    if let Some(model) = &version.logged_model {
        return Ok(vec![model.as_str().to_owned()]);
    }
    let Some(run) = &version.run else { return Ok(Vec::new()) };
    let tag = tx.run_tags_among(subject.workspace, run, &[LOGGED_MODELS])?.remove(LOGGED_MODELS);
    let logged: Vec<Logged> = tag.and_then(|tag| serde_json::from_str(&tag).ok()).unwrap_or_default();
    let is_at = |path: &str| {
        let place = version.storage_uri.trim_end_matches('/').strip_suffix(path.trim_end_matches('/'));
        !path.is_empty() && place.is_some_and(|place| place.ends_with('/'))
    };
    let here = logged.into_iter().rev().filter(|logged| logged.artifact_path.as_deref().is_some_and(is_at));
    // A model that was logged again at the same place took the place of the one before.
    Ok(here.filter_map(|logged| logged.model_uuid).filter(|uuid| !uuid.is_empty()).take(1).collect())
}

fn commit(tx: &mut Tx, subject: &Subject, version: &ModelVersion) -> Result<Option<Commit>> {
    let Some(run) = &version.run else { return Ok(None) };
    let mut tags = tx.run_tags_among(subject.workspace, run, &[COMMIT, DIRTY])?;
    let dirty = tags.remove(DIRTY).map(|dirty| !dirty.eq_ignore_ascii_case("false"));
    Ok(tags.remove(COMMIT).filter(|id| !id.is_empty()).map(|id| Commit { id, dirty }))
}
