//! What a verdict rests on: a snapshot that is kept with it, so that it can be reached again.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub type Metrics = BTreeMap<String, f64>;
pub type Slices = BTreeMap<String, Metrics>;

/// All that gates look at. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub at: i64,
    pub model: String,
    pub version: i64,
    /// Who registered the version.
    pub author: String,
    /// Who asks for the move or asked for a review of it; their approvals do not count.
    pub requesters: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub commit: Option<Commit>,
    /// Follows from the bytes of the version's files and of the reports on it, as far as this server knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<String>,
    pub card: Option<Card>,
    /// The newest decision of each person.
    pub decisions: Vec<Decision>,
    /// The newest first.
    pub evaluations: Vec<Evaluation>,
    /// The documents that the version names as reports on it, whether they could be read or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
    /// The other version that is in production, or was there last.
    pub production: Option<Occupant>,
    /// Those whose role lets them decide on the model.
    pub approvers: Vec<Approver>,
    /// What lets the version past its gates, or would if it had not lapsed.
    pub exception: Option<Exception>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub id: String,
    /// Whether files had changed since the commit, if the run says.
    pub dirty: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub by: String,
    pub groups: Vec<String>,
    pub kind: DecisionKind,
    pub reason: String,
    pub at: i64,
    pub expires_at: Option<i64>,
    /// The version has changed since.
    pub stale: bool,
    /// Files of the version have changed since.
    #[serde(default)]
    pub artifacts_changed: bool,
    /// Those of the groups that the person has left since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Why whoever approved could not do so any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Lapse>,
}

/// Why what somebody allowed counts no more: they could not allow it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lapse {
    AccountDeleted,
    AccountDisabled,
    /// They hold no role that lets them, and no rule of the team's permits it.
    NotAllowed,
    /// These rules of the team forbid it.
    Forbidden(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    Approve,
    Reject,
    /// Takes back what the person decided before.
    Withdraw,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Where it comes from, such as `evaluation 7` or `logged model m-..`.
    pub source: String,
    pub dataset: String,
    pub digest: String,
    pub at: i64,
    pub by: String,
    pub metrics: Metrics,
    pub slices: Slices,
    pub report: Option<String>,
    /// Which of the reports that the version names it was read from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportKind>,
    /// Files of the version have changed since.
    #[serde(default)]
    pub artifacts_changed: bool,
}

/// A document that a version names as a report on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub kind: ReportKind,
    /// What the version calls it, such as `ModelMetrics.ModelQuality.Statistics`.
    pub name: String,
    pub uri: String,
    /// Of its bytes.
    pub sha256: Option<String>,
    /// Why it could not be read.
    pub problem: Option<String>,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    ModelQuality,
    DataQuality,
    Bias,
    Explainability,
    /// What later measurements are compared with; it measures nothing of the version.
    Baseline,
}

impl ReportKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ReportKind::ModelQuality => "model_quality",
            ReportKind::DataQuality => "data_quality",
            ReportKind::Bias => "bias",
            ReportKind::Explainability => "explainability",
            ReportKind::Baseline => "baseline",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Occupant {
    pub version: i64,
    #[serde(default, skip_serializing_if = "Standing::is_in_production")]
    pub standing: Standing,
    /// The newest first.
    pub evaluations: Vec<Evaluation>,
}

/// Where the version is that was in production last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    #[default]
    InProduction,
    /// In another stage.
    Left,
    Deleted,
}

impl Standing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_in_production(&self) -> bool {
        *self == Standing::InProduction
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    pub name: String,
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    pub id: i64,
    pub by: String,
    pub reason: String,
    pub until: i64,
    /// Why whoever made it could not do so any more, so that it lets nothing pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Lapse>,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::InProduction => "is in production",
            Standing::Left => "was in production last",
            Standing::Deleted => "was in production last and is deleted",
        })
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lapse::AccountDeleted => f.write_str("the account was deleted"),
            Lapse::AccountDisabled => f.write_str("the account is disabled"),
            Lapse::NotAllowed => f.write_str("no role or rule would allow it now"),
            Lapse::Forbidden(rules) => write!(f, "it is forbidden by {} now", rules.join(", ")),
        }
    }
}

impl DecisionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            DecisionKind::Approve => "approve",
            DecisionKind::Reject => "reject",
            DecisionKind::Withdraw => "withdraw",
        }
    }

    pub fn parse(text: &str) -> Option<DecisionKind> {
        [DecisionKind::Approve, DecisionKind::Reject, DecisionKind::Withdraw]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}
