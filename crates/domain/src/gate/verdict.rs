use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::evidence::{
    Decision, DecisionKind, Evaluation, Evidence, Exception, Occupant, Report, ReportKind, Standing,
};
use super::rule::{Approvals, Bound, CleanCommit, EvaluationRule, ModelCard, Rule, TagRule, Threshold};
use super::{Gate, Target};
use crate::Error;
use crate::identity::Principal;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// How many of those who could approve a message names.
const MOST_NAMED: usize = 10;

/// What a gate answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub gate: String,
    pub gate_version: i64,
    pub outcome: Outcome,
    /// One for each rule, in their order.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// A rule failed, and an exception lets the version pass.
    Excused,
}

/// How one rule came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: String,
    pub passed: bool,
    pub message: String,
    /// Who could give the approvals that are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub could_approve: Vec<String>,
}

/// Why a move was refused, with all that is to be kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub target: Target,
    /// The id that the model keeps when it is renamed.
    pub subject: String,
    /// Of every gate that was asked.
    pub verdicts: Vec<(Gate, Verdict)>,
    pub evidence: Evidence,
    /// The decision of the one who asked, which counts although the move was refused.
    pub vote: Option<Vote>,
}

/// A decision on a version that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    pub kind: DecisionKind,
    pub person: String,
    pub groups: Vec<String>,
    pub reason: String,
    pub fingerprint: String,
    pub expires_at: Option<i64>,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Excused => "excused",
        }
    }
}

impl Refusal {
    /// The refusal as an error that names every failing rule and who could approve.
    pub fn into_error(self) -> Error {
        let mut message =
            format!("version {} of model '{}' cannot get {}", self.evidence.version, self.evidence.model, self.target);
        let failed = self.verdicts.iter().filter(|(_, verdict)| verdict.outcome == Outcome::Failed);
        for (_, Verdict { gate, gate_version, findings, .. }) in failed {
            for Finding { rule, message: found, could_approve, .. } in findings.iter().filter(|found| !found.passed) {
                // Writing to a string cannot fail.
                let _ = write!(message, "; gate '{gate}' (version {gate_version}), rule {rule}: {found}");
                if !could_approve.is_empty() {
                    let named = could_approve[..could_approve.len().min(MOST_NAMED)].join(", ");
                    let more = if could_approve.len() > MOST_NAMED { " and others" } else { "" };
                    let _ = write!(message, " (could approve: {named}{more})");
                }
            }
        }
        if let Some(Exception { by, lapsed: Some(lapse), .. }) = &self.evidence.exception {
            let _ = write!(message, "; the exception of {by} has lapsed: {lapse}");
        }
        if self.vote.is_some() {
            message.push_str("; your decision is recorded and counts");
        }
        Error::GateFailed { message, refusal: Some(Box::new(self)) }
    }
}

/// Says whether a gate lets a version pass. It looks at nothing but the evidence, so that a verdict can be reached again.
pub fn evaluate(gate: &Gate, evidence: &Evidence) -> Verdict {
    let findings: Vec<Finding> = gate.definition.rules.iter().map(|rule| finding(rule, evidence)).collect();
    let outcome = match (findings.iter().all(|finding| finding.passed), &evidence.exception) {
        (true, _) => Outcome::Passed,
        (false, Some(exception)) if exception.lapsed.is_none() && exception.until > evidence.at => Outcome::Excused,
        (false, _) => Outcome::Failed,
    };
    Verdict { gate: gate.definition.name.clone(), gate_version: gate.version, outcome, findings }
}

fn finding(rule: &Rule, evidence: &Evidence) -> Finding {
    let (outcome, could_approve) = match rule {
        Rule::Approvals(rule) => return approvals(rule, evidence),
        Rule::Evaluation(rule) => (evaluation(rule, evidence), Vec::new()),
        Rule::ModelCard(rule) => (model_card(rule, evidence), Vec::new()),
        Rule::Tag(rule) => (tag(rule, evidence), Vec::new()),
        Rule::CleanCommit(rule) => (clean_commit(rule, evidence), Vec::new()),
    };
    let passed = outcome.is_ok();
    let message = outcome.unwrap_or_else(|message| message);
    Finding { rule: rule.name().to_owned(), passed, message, could_approve }
}

/// What was found: what holds, or what is wrong.
type Found = Result<String, String>;

fn approvals(rule: &Approvals, evidence: &Evidence) -> Finding {
    let Approvals { quorum, group, not_older_than_days } = rule;
    let is_in_group = |groups: &[String]| group.as_ref().is_none_or(|group| groups.contains(group));
    let may_count = |name: &str| {
        name != evidence.author
            && name != Principal::LocalOwner.name()
            && !evidence.requesters.iter().any(|requester| requester == name)
    };
    let stands = |decision: &&Decision| {
        let expired = decision.expires_at.is_some_and(|until| until <= evidence.at);
        !decision.stale && !decision.artifacts_changed && !expired
    };
    // What follows is asked of approvals only: who rejects says no, whoever it is and became, and however long ago.
    let has_left = |decision: &Decision| group.as_ref().is_some_and(|group| decision.left.contains(group));
    let is_wanted = |decision: &&&Decision| {
        let too_old = not_older_than_days.is_some_and(|days| evidence.at - decision.at > i64::from(days) * DAY);
        let lapsed = decision.lapsed.is_some() || has_left(decision);
        !too_old && !lapsed && is_in_group(&decision.groups) && may_count(&decision.by)
    };
    let standing: Vec<&Decision> = evidence.decisions.iter().filter(stands).collect();
    let mut given: Vec<&str> = standing
        .iter()
        .filter(|decision| decision.kind == DecisionKind::Approve)
        .filter(is_wanted)
        .map(|decision| decision.by.as_str())
        .collect();
    given.sort_unstable();
    given.dedup();
    let from = group.as_ref().map(|group| format!(" from group '{group}'")).unwrap_or_default();
    let count = u32::try_from(given.len()).unwrap_or(u32::MAX);
    let done =
        |passed, message, could_approve| Finding { rule: "approvals".to_owned(), passed, message, could_approve };
    if let Some(Decision { by, reason, .. }) = standing.iter().find(|found| found.kind == DecisionKind::Reject) {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        return done(false, format!("{by} rejected it{reason}"), Vec::new());
    }
    let names = if given.is_empty() { String::new() } else { format!(" ({})", given.join(", ")) };
    if count >= *quorum {
        let by = if given.is_empty() { String::new() } else { format!(" by {}", given.join(", ")) };
        return done(true, format!("approved{by}; {quorum} needed{from}"), Vec::new());
    }
    let could: Vec<String> = evidence
        .approvers
        .iter()
        .filter(|approver| {
            may_count(&approver.name) && is_in_group(&approver.groups) && !given.contains(&approver.name.as_str())
        })
        .map(|approver| approver.name.clone())
        .collect();
    let mut message = format!("{count} of {quorum} approvals{from}{names}, {} missing", quorum - count);
    let not_counted = evidence.decisions.iter().filter(|decision| decision.kind == DecisionKind::Approve);
    for decision in not_counted.filter(|decision| !given.contains(&decision.by.as_str())) {
        let why = match decision {
            Decision { by, .. } if *by == Principal::LocalOwner.name() => {
                "was given without authentication, so that nobody can tell who it was".to_owned()
            }
            Decision { by, .. } if *by == evidence.author => "is the author's own".to_owned(),
            Decision { by, .. } if evidence.requesters.contains(by) => "is of the one who asks".to_owned(),
            Decision { lapsed: Some(lapse), .. } => format!("has lapsed: {lapse}"),
            Decision { artifacts_changed: true, .. } => "was given before artifacts of the version changed".to_owned(),
            Decision { stale: true, .. } => "was given before the version changed".to_owned(),
            Decision { groups, .. } if !is_in_group(groups) => "is of somebody outside of the group".to_owned(),
            decision if has_left(decision) => "has lapsed: they have left the group since".to_owned(),
            _ => "has expired".to_owned(),
        };
        let _ = write!(message, ", the approval of {} {why}", decision.by);
    }
    if could.is_empty() {
        message.push_str(match evidence.requesters.iter().any(|name| name == Principal::LocalOwner.name()) {
            true if evidence.approvers.is_empty() => {
                ", and nobody could give them: without authentication nobody can be told from the author"
            }
            _ => ", and nobody else may give them",
        });
    }
    done(false, message, could)
}

fn evaluation(rule: &EvaluationRule, evidence: &Evidence) -> Found {
    let EvaluationRule { digest: _, report: _, dataset: _, not_older_than_days, thresholds } = rule;
    let on = wanted(rule);
    let newest = newest(&evidence.evaluations, rule).ok_or_else(|| nothing_found(rule, &on, evidence))?;
    if newest.at > evidence.at {
        return Err(format!("{}{on} is dated in the future", newest.source));
    }
    if newest.artifacts_changed {
        return Err(format!("artifacts of the version changed since {}{on}", newest.source));
    }
    if let Some(days) = not_older_than_days
        && evidence.at - newest.at > i64::from(*days) * DAY
    {
        let age = (evidence.at - newest.at) / DAY;
        return Err(format!("{}{on} is {age} days old and must be at most {days}", newest.source));
    }
    let mut wrong = Vec::new();
    for threshold in thresholds {
        wrong.extend(
            threshold
                .bounds()
                .filter_map(|(bound, value)| reached(threshold, bound, value, newest, rule, evidence).err()),
        );
    }
    if wrong.is_empty() {
        Ok(format!("{}{on} meets {} thresholds", newest.source, thresholds.len()))
    } else {
        Err(format!("{}{on}: {}", newest.source, wrong.join(", ")))
    }
}

/// What evaluation a rule looks for, as messages say it.
fn wanted(EvaluationRule { digest, report, dataset, .. }: &EvaluationRule) -> String {
    let mut on = match (dataset, digest) {
        (Some(name), Some(digest)) => format!(" on data set '{name}' ('{digest}')"),
        (Some(name), None) => format!(" on data set '{name}'"),
        (None, Some(digest)) => format!(" on data set '{digest}'"),
        (None, None) => String::new(),
    };
    if let Some(kind) = report {
        // Writing to a string cannot fail.
        let _ = write!(on, " in the {} report", kind.as_str());
    }
    on
}

/// Says that there is no evaluation, and what there is that might have been one.
fn nothing_found(rule: &EvaluationRule, on: &str, evidence: &Evidence) -> String {
    let mut message = format!("there is no evaluation of the version{on}");
    for Report { kind, name, uri, problem, .. } in &evidence.reports {
        if let Some(problem) = problem
            && rule.report.is_none_or(|wanted| wanted == *kind)
            && *kind != ReportKind::Baseline
        {
            let _ = write!(message, "; {name} at {uri} could not be read: {problem}");
        }
    }
    for Evaluation { source, .. } in evidence.evaluations.iter().filter(|found| found.digest.is_empty()) {
        if rule.digest.is_some() {
            let _ = write!(message, "; {source} does not name its data set by digest");
        }
    }
    message
}

/// The newest evaluation that a rule means; of those of one time the first, since they are listed so.
fn newest<'a>(evaluations: &'a [Evaluation], rule: &EvaluationRule) -> Option<&'a Evaluation> {
    evaluations
        .iter()
        .filter(|found| rule.digest.as_ref().is_none_or(|digest| *digest == found.digest))
        .filter(|found| rule.report.is_none_or(|kind| found.reports.contains(&kind)))
        .filter(|found| rule.dataset.as_ref().is_none_or(|name| *name == found.dataset))
        .rev()
        .max_by_key(|found| found.at)
}

fn reached(
    threshold: &Threshold,
    bound: Bound,
    value: f64,
    newest_found: &Evaluation,
    rule: &EvaluationRule,
    evidence: &Evidence,
) -> Result<(), String> {
    let what = match &threshold.slice {
        Some(slice) => format!("{} of slice '{slice}'", threshold.metric),
        None => threshold.metric.clone(),
    };
    let found = metric(newest_found, threshold).ok_or_else(|| format!("{what} is not measured"))?;
    let limit = match bound {
        Bound::Least | Bound::Most => value,
        Bound::LeastBesideProduction | Bound::MostBesideProduction => {
            // The first version in production has nothing to be compared with.
            let Some(production) = &evidence.production else { return Ok(()) };
            let theirs = newest(&production.evaluations, rule).and_then(|theirs| metric(theirs, threshold));
            let Occupant { version, standing, .. } = production;
            value
                + theirs.ok_or_else(|| {
                    format!("{what} is not measured on this data set for version {version}, which {standing}")
                })?
        }
    };
    let (holds, must) = match bound {
        Bound::Least | Bound::LeastBesideProduction => (found >= limit, "at least"),
        Bound::Most | Bound::MostBesideProduction => (found <= limit, "at most"),
    };
    let than = match (bound, &evidence.production) {
        (Bound::LeastBesideProduction | Bound::MostBesideProduction, Some(production)) => match production.standing {
            Standing::InProduction => format!(", by version {} in production", production.version),
            standing => format!(", by version {}, which {standing}", production.version),
        },
        _ => String::new(),
    };
    if holds { Ok(()) } else { Err(format!("{what} is {found} and must be {must} {limit}{than}")) }
}

fn metric(evaluation: &Evaluation, Threshold { metric, slice, .. }: &Threshold) -> Option<f64> {
    let metrics = match slice {
        Some(slice) => evaluation.slices.get(slice)?,
        None => &evaluation.metrics,
    };
    metrics.get(metric).copied()
}

fn model_card(ModelCard { status: wanted }: &ModelCard, evidence: &Evidence) -> Found {
    match &evidence.card {
        Some(card) if card.status == *wanted => Ok(format!("the model card is {wanted}")),
        Some(card) => Err(format!("the model card is {} and must be {wanted}", card.status)),
        None => Err(format!("the version has no model card; one must be {wanted}")),
    }
}

fn tag(TagRule { key, value }: &TagRule, evidence: &Evidence) -> Found {
    match (evidence.tags.get(key), value) {
        (Some(found), Some(wanted)) if found != wanted => {
            Err(format!("tag '{key}' is '{found}' and must be '{wanted}'"))
        }
        (Some(_), _) => Ok(format!("tag '{key}' is there")),
        (None, Some(wanted)) => Err(format!("tag '{key}' is missing and must be '{wanted}'")),
        (None, None) => Err(format!("tag '{key}' is missing")),
    }
}

fn clean_commit(CleanCommit { proven }: &CleanCommit, evidence: &Evidence) -> Found {
    match &evidence.commit {
        None => Err("no run of the version names a git commit".to_owned()),
        Some(commit) if commit.dirty == Some(true) => Err(format!("files had changed since git commit {}", commit.id)),
        Some(commit) if commit.dirty.is_none() && *proven => {
            Err(format!("the run does not say whether files had changed since git commit {}", commit.id))
        }
        Some(commit) => Ok(format!("git commit {} is clean", commit.id)),
    }
}
