use super::{check_length, check_most};
use crate::id::{ExperimentId, RunId, Timestamp};
use crate::search::Query;
use crate::{Error, Result};

const MOST_NAME: usize = 250;
const MOST_DESCRIPTION: usize = 65_535;
const MOST_CREATOR: usize = 255;
const MOST_ENTRIES: usize = 100;
const MOST_ENTRY: usize = 10_000;

/// Something that goes wrong in an application, as its traces show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub id: String,
    pub experiment: ExperimentId,
    pub name: String,
    pub description: String,
    pub status: IssueStatus,
    /// None when nobody said how bad it is.
    pub severity: Option<Severity>,
    pub root_causes: Vec<String>,
    pub categories: Vec<String>,
    /// The run that found it.
    pub source_run: Option<RunId>,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueStatus {
    Pending,
    Rejected,
    Resolved,
}

/// How bad an issue is, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    NotAnIssue,
    Low,
    Medium,
    High,
}

/// What of an issue becomes another; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssueChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub status: Option<IssueStatus>,
    pub severity: Option<Severity>,
}

/// A search of issues, the worst first, then by the number of traces when these are counted, then the newest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IssueSearch {
    /// Of all experiments when there is none.
    pub experiment: Option<ExperimentId>,
    /// Whether to count the traces that show each issue.
    pub with_traces: bool,
    /// Without an order of its own.
    pub query: Query,
}

impl Issue {
    /// Refuses texts that are missing or too long.
    pub fn check(&self) -> Result<()> {
        check_length("name", &self.name, MOST_NAME)?;
        check_length("description", &self.description, MOST_DESCRIPTION)?;
        check_most("created_by", self.created_by.as_deref().unwrap_or(""), MOST_CREATOR)?;
        for (what, entries) in [("root_causes", &self.root_causes), ("categories", &self.categories)] {
            if entries.len() > MOST_ENTRIES {
                let length = entries.len();
                return Err(Error::invalid(format!(
                    "`{what}` must have at most {MOST_ENTRIES} entries; got {length}."
                )));
            }
            entries.iter().try_for_each(|entry| check_most(what, entry, MOST_ENTRY))?;
        }
        Ok(())
    }

    /// Makes a change, at a time.
    pub fn apply(&mut self, change: IssueChange, now: Timestamp) {
        let IssueChange { name, description, status, severity } = change;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.description = description.unwrap_or_else(|| std::mem::take(&mut self.description));
        self.status = status.unwrap_or(self.status);
        self.severity = severity.or(self.severity);
        self.updated_at = now.after(self.updated_at);
    }
}

impl IssueStatus {
    pub const ALL: [IssueStatus; 3] = [IssueStatus::Pending, IssueStatus::Rejected, IssueStatus::Resolved];

    pub fn as_str(self) -> &'static str {
        match self {
            IssueStatus::Pending => "pending",
            IssueStatus::Rejected => "rejected",
            IssueStatus::Resolved => "resolved",
        }
    }

    pub fn parse(name: &str) -> Option<IssueStatus> {
        IssueStatus::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl Severity {
    /// By rank.
    pub const ALL: [Severity; 4] = [Severity::NotAnIssue, Severity::Low, Severity::Medium, Severity::High];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::NotAnIssue => "not_an_issue",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }

    pub fn parse(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.as_str() == name)
    }

    /// Where it stands among all severities, from 0.
    pub fn rank(self) -> i64 {
        match self {
            Severity::NotAnIssue => 0,
            Severity::Low => 1,
            Severity::Medium => 2,
            Severity::High => 3,
        }
    }

    pub fn of_rank(rank: i64) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.rank() == rank)
    }
}
