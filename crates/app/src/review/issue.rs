use serde_json::json;
use stele_domain::authz::ManageReview;
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::review::{Issue, IssueChange, IssueSearch, IssueStatus, Severity};
use stele_domain::search::Page;
use stele_domain::{Kind, Result};

use crate::experiment::open_active;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// An issue to be reported.
#[derive(Debug, Clone)]
pub struct NewIssue {
    pub experiment: ExperimentId,
    pub name: String,
    pub description: String,
    pub status: IssueStatus,
    pub severity: Option<Severity>,
    pub root_causes: Vec<String>,
    pub categories: Vec<String>,
    /// A run that must be there.
    pub source_run: Option<RunId>,
    pub created_by: Option<String>,
}

impl App {
    pub async fn issue_create(&self, ctx: &Ctx, new: NewIssue) -> Result<Issue> {
        let NewIssue {
            experiment,
            name,
            description,
            status,
            severity,
            root_causes,
            categories,
            source_run,
            created_by,
        } = new;
        let now = ctx.now();
        let issue = Issue {
            id: format!("iss-{}", ctx.new_id().simple()),
            experiment,
            name,
            description,
            status,
            severity,
            root_causes,
            categories,
            source_run,
            created_by,
            created_at: now,
            updated_at: now,
        };
        check(&issue)?;
        let visible = ctx.visible();
        self.change::<ManageReview, _>(ctx, &issue.name.clone(), move |tx, permit| {
            open_active(tx, permit, experiment)?;
            if let Some(run) = &issue.source_run {
                tx.run_get(&visible, run)?;
            }
            tx.issue_create(permit, &issue)?;
            let change = Change::event("issue.create", Kind::Issue, &issue.id);
            let after = json!({ "experiment": experiment.0, "name": issue.name, "status": issue.status.as_str() });
            Ok(Changed::one(issue.clone(), change.after(after)))
        })
        .await
    }

    pub async fn issue_get(&self, ctx: &Ctx, id: String) -> Result<Issue> {
        let visible = ctx.visible();
        self.read(move |tx| tx.issue_get(&visible, &id)).await
    }

    pub async fn issue_update(&self, ctx: &Ctx, id: String, change: IssueChange) -> Result<Issue> {
        let now = ctx.now();
        self.change::<ManageReview, _>(ctx, &id.clone(), move |tx, permit| {
            let mut issue = tx.issue_open(permit, &id)?;
            let before = told(&issue);
            issue.apply(change.clone(), now);
            check(&issue)?;
            tx.issue_update(permit, &issue)?;
            let change = Change::event("issue.update", Kind::Issue, &id).before(before).after(told(&issue));
            Ok(Changed::one(issue, change))
        })
        .await
    }

    /// Issues with the number of traces that show each, if the search asks for it.
    pub async fn issue_search(&self, ctx: &Ctx, search: IssueSearch) -> Result<Page<(Issue, Option<i64>)>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.issues_search(&visible, &search)).await
    }
}

pub(crate) fn check(issue: &Issue) -> Result<()> {
    issue.check()?;
    check_text("name", &issue.name)?;
    check_text("description", &issue.description)?;
    check_text("created_by", issue.created_by.as_deref().unwrap_or(""))?;
    issue.root_causes.iter().try_for_each(|cause| check_text("root_causes", cause))?;
    issue.categories.iter().try_for_each(|category| check_text("categories", category))
}

fn told(issue: &Issue) -> serde_json::Value {
    json!({
        "name": issue.name,
        "status": issue.status.as_str(),
        "severity": issue.severity.map(Severity::as_str),
    })
}
