use stele_domain::authz::{ManageReview, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, RunId, Timestamp, WorkspaceId};
use stele_domain::review::{Issue, IssueStatus, Severity};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, params};

pub(crate) const COLUMNS: &str = "issue.public_id, issue.experiment_id, issue.name, issue.description, issue.status, \
     issue.severity, issue.root_causes, issue.categories, issue.source_run, issue.created_by, issue.created_at, \
     issue.updated_at";

/// The rank of an issue that nobody gave a severity.
const UNKNOWN: i64 = -1;

impl Tx<'_> {
    /// The caller holds the experiment.
    pub fn issue_create(&mut self, permit: &Permit<ManageReview>, issue: &Issue) -> Result<()> {
        self.issue_insert(permit, issue, "").map(|_| ())
    }

    /// Inserts a row, with `tail` after it; says how many rows that were.
    pub(crate) fn issue_insert(&mut self, _permit: &Permit<ManageReview>, issue: &Issue, tail: &str) -> Result<u64> {
        const INSERT: &str = "INSERT INTO issue (public_id, experiment_id, name, description, status, severity,
                 root_causes, categories, source_run, created_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let values = params![
            &issue.id,
            issue.experiment,
            &issue.name,
            &issue.description,
            issue.status.as_str(),
            issue.severity.map_or(UNKNOWN, Severity::rank),
            texts(&issue.root_causes),
            texts(&issue.categories),
            issue.source_run.as_ref().map(RunId::as_str),
            issue.created_by.as_deref(),
            issue.created_at,
            issue.updated_at,
        ];
        self.execute(&format!("{INSERT}{tail}"), values)
    }

    pub fn issue_get(&mut self, visible: &Visibility, id: &str) -> Result<Issue> {
        let issue = self.issue_read(visible.workspace(), id, "")?;
        visible.require(Place::Experiment(issue.experiment), Kind::Issue, id)?;
        Ok(issue)
    }

    /// Reads an issue that this transaction is about to change.
    pub fn issue_open(&mut self, permit: &Permit<ManageReview>, id: &str) -> Result<Issue> {
        let lock = self.for_update_of("issue");
        let issue = self.issue_read(permit.workspace(), id, &lock)?;
        permit.require(self, Place::Experiment(issue.experiment), Kind::Issue, id)?;
        Ok(issue)
    }

    fn issue_read(&mut self, workspace: WorkspaceId, id: &str, lock: &str) -> Result<Issue> {
        let sql = format!(
            "SELECT {COLUMNS} FROM issue
             JOIN experiment ON experiment.id = issue.experiment_id AND experiment.workspace_id = $1
             WHERE issue.public_id = $2{lock}"
        );
        self.query_opt(&sql, params![workspace, id], issue)?.ok_or_else(|| Error::not_found(Kind::Issue, id))
    }

    /// Writes what can change of an issue.
    pub fn issue_update(&mut self, _permit: &Permit<ManageReview>, issue: &Issue) -> Result<()> {
        const UPDATE: &str = "UPDATE issue SET name = $2, description = $3, status = $4, severity = $5, updated_at = $6
             WHERE public_id = $1";
        let values = params![
            &issue.id,
            &issue.name,
            &issue.description,
            issue.status.as_str(),
            issue.severity.map_or(UNKNOWN, Severity::rank),
            issue.updated_at,
        ];
        self.execute(UPDATE, values).map(|_| ())
    }
}

fn texts(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

fn list(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("an issue has a list that is none: {error}")))
}

pub(crate) fn issue(row: &Row) -> Result<Issue> {
    Ok(Issue {
        id: row.text(0)?,
        experiment: ExperimentId(row.int(1)?),
        name: row.text(2)?,
        description: row.text(3)?,
        status: row.parsed(4, IssueStatus::parse)?,
        severity: Severity::of_rank(row.int(5)?),
        root_causes: list(row.str(6)?)?,
        categories: list(row.str(7)?)?,
        source_run: row.opt_text(8)?.map(RunId),
        created_by: row.opt_text(9)?,
        created_at: Timestamp(row.int(10)?),
        updated_at: Timestamp(row.int(11)?),
    })
}
