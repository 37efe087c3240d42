use serde::{Deserialize, Serialize};

use super::definition::check_text;
use super::evidence::ReportKind;
use crate::{Error, Result};

const MOST_QUORUM: u32 = 100;
const MOST_DAYS: u32 = 10_000;
const MOST_THRESHOLDS: usize = 100;

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Approvals(Approvals),
    Evaluation(EvaluationRule),
    ModelCard(ModelCard),
    Tag(TagRule),
    CleanCommit(CleanCommit),
}

/// So many people agree, none of whom is the author of the version or the one who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    pub quorum: u32,
    /// Only members of this group count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// After so many days an approval counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_older_than_days: Option<u32>,
}

/// The newest evaluation on a data set, or that a report of the version says, is recent and good enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationRule {
    /// The digest of the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The report that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportKind>,
    /// Its name, for people; where it is given the evaluation must give it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_older_than_days: Option<u32>,
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
}

/// A bound of one metric, of a slice of the data set or of all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    pub metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// At least the value of the version now in production, on the same data set, plus this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_production_plus: Option<f64>,
    /// At most the value of the version now in production, on the same data set, plus this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_production_plus: Option<f64>,
}

/// The version has a model card in this status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    #[serde(default = "approved")]
    pub status: String,
}

fn approved() -> String {
    "Approved".to_owned()
}

/// The version has a tag, with this value where one is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagRule {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The run that made the version names a git commit, and does not say that files had changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanCommit {
    /// The run must say that no files had changed.
    #[serde(default)]
    pub proven: bool,
}

impl Rule {
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Approvals(_) => "approvals",
            Rule::Evaluation(_) => "evaluation",
            Rule::ModelCard(_) => "model_card",
            Rule::Tag(_) => "tag",
            Rule::CleanCommit(_) => "clean_commit",
        }
    }

    pub(super) fn check(&self, gate: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::invalid(format!("rule {} of gate '{gate}': {what}", self.name())));
        match self {
            Rule::Approvals(Approvals { quorum, group, not_older_than_days }) => {
                if *quorum == 0 || *quorum > MOST_QUORUM {
                    return wrong(format!("quorum is {quorum} and must be 1 to {MOST_QUORUM}"));
                }
                check_text(gate, "group", group.as_deref().unwrap_or_default())?;
                if let Err(what) = check_days(*not_older_than_days) {
                    return wrong(what);
                }
            }
            Rule::Evaluation(EvaluationRule { digest, report, dataset, not_older_than_days, thresholds }) => {
                check_text(gate, "digest", digest.as_deref().unwrap_or_default())?;
                check_text(gate, "dataset", dataset.as_deref().unwrap_or_default())?;
                if digest.as_ref().is_some_and(String::is_empty) {
                    return wrong("digest is empty".to_owned());
                }
                if *report == Some(ReportKind::Baseline) {
                    return wrong("a baseline measures nothing of the version".to_owned());
                }
                if digest.is_none() && report.is_none() {
                    return wrong("it needs the digest of a data set or the report to look at".to_owned());
                }
                if let Err(what) = check_days(*not_older_than_days) {
                    return wrong(what);
                }
                if thresholds.len() > MOST_THRESHOLDS {
                    return wrong(format!("{} thresholds are more than {MOST_THRESHOLDS}", thresholds.len()));
                }
                for threshold in thresholds {
                    check_text(gate, "metric", &threshold.metric)?;
                    check_text(gate, "slice", threshold.slice.as_deref().unwrap_or_default())?;
                    let bounds: Vec<f64> = threshold.bounds().map(|(_, bound)| bound).collect();
                    if bounds.is_empty() || bounds.iter().any(|bound| !bound.is_finite()) {
                        return wrong(format!("metric '{}' needs a finite bound", threshold.metric));
                    }
                }
            }
            Rule::ModelCard(ModelCard { status }) => check_text(gate, "status", status)?,
            Rule::Tag(TagRule { key, value }) => {
                check_text(gate, "key", key)?;
                check_text(gate, "value", value.as_deref().unwrap_or_default())?;
                if key.is_empty() {
                    return wrong("key is empty".to_owned());
                }
            }
            Rule::CleanCommit(CleanCommit { proven: _ }) => {}
        }
        Ok(())
    }
}

/// How a threshold bounds its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Least,
    Most,
    LeastBesideProduction,
    MostBesideProduction,
}

impl Threshold {
    pub(super) fn bounds(&self) -> impl Iterator<Item = (Bound, f64)> {
        let Threshold { metric: _, slice: _, at_least, at_most, at_least_production_plus, at_most_production_plus } =
            self;
        [
            (Bound::Least, *at_least),
            (Bound::Most, *at_most),
            (Bound::LeastBesideProduction, *at_least_production_plus),
            (Bound::MostBesideProduction, *at_most_production_plus),
        ]
        .into_iter()
        .filter_map(|(bound, value)| Some((bound, value?)))
    }
}

fn check_days(days: Option<u32>) -> Result<(), String> {
    match days {
        Some(days) if days == 0 || days > MOST_DAYS => {
            Err(format!("not_older_than_days is {days} and must be 1 to {MOST_DAYS}"))
        }
        _ => Ok(()),
    }
}
