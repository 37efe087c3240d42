use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stele_app::NewIssue;
use stele_domain::id::RunId;
use stele_domain::review::{Issue, IssueChange, IssueSearch, IssueStatus, Severity};
use stele_domain::search::Query;

use super::token;
use crate::call::{Call, reply};
use crate::error::{Failure, Result};
use crate::filter::issues::parse_filter;
use crate::input::Input;
use crate::search::{max_results_at_most, window};
use crate::validate::experiment_id;

const DEFAULT: i64 = 100;

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let description = input.required_text("description")?;
    let experiment = input.required_text("experiment_id")?;
    let new = NewIssue {
        experiment: experiment_id(&experiment)?,
        name,
        description,
        status: status(&input)?.unwrap_or(IssueStatus::Pending),
        severity: severity(&input)?,
        root_causes: input.texts("root_causes")?,
        categories: input.texts("categories")?,
        source_run: said(&input, "source_run_id")?.map(RunId),
        created_by: said(&input, "created_by")?,
    };
    let issue = call.app.issue_create(&call.ctx, new).await?;
    reply(&json!({ "issue": IssueDto::of(issue, None) }))
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.path("issue_id").to_owned();
    let change = IssueChange {
        name: said(&input, "name")?,
        description: said(&input, "description")?,
        status: status(&input)?,
        severity: severity(&input)?,
    };
    let issue = call.app.issue_update(&call.ctx, id, change).await?;
    reply(&json!({ "issue": IssueDto::of(issue, None) }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = call.input().await?.path("issue_id").to_owned();
    let issue = call.app.issue_get(&call.ctx, id).await?;
    reply(&json!({ "issue": IssueDto::of(issue, None) }))
}

pub(crate) async fn search(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = said(&input, "experiment_id")?.map(|id| experiment_id(&id)).transpose()?;
    let filter = parse_filter(&input.text("filter_string")?.unwrap_or_default())?;
    let limit = max_results_at_most(input.int("max_results")?.unwrap_or(DEFAULT), super::MOST)?;
    let with_traces = input.bool("include_trace_count")?.unwrap_or(false);
    let window = window(&input, limit)?;
    let query = Query { filter, order_by: Vec::new(), window };
    let page = call.app.issue_search(&call.ctx, IssueSearch { experiment, with_traces, query }).await?;
    let issues: Vec<IssueDto> = page.items.into_iter().map(|(issue, traces)| IssueDto::of(issue, traces)).collect();
    let mut answer = json!({ "next_page_token": token(window, page.more) });
    if !issues.is_empty() {
        answer["issues"] = json!(issues);
    }
    reply(&answer)
}

/// A text; the empty one says nothing.
fn said(input: &Input, name: &str) -> Result<Option<String>> {
    Ok(input.text(name)?.filter(|text| !text.is_empty()))
}

fn status(input: &Input) -> Result<Option<IssueStatus>> {
    named(input, "status", IssueStatus::parse, &IssueStatus::ALL.map(IssueStatus::as_str))
}

fn severity(input: &Input) -> Result<Option<Severity>> {
    named(input, "severity", Severity::parse, &Severity::ALL.map(Severity::as_str))
}

fn named<T>(input: &Input, name: &str, parse: fn(&str) -> Option<T>, known: &[&str]) -> Result<Option<T>> {
    let Some(text) = input.text(name)? else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        Failure::invalid(format!("Invalid {name} '{shown}'. It must be one of {}.", known.join(", ")))
    })
}

#[derive(Serialize)]
struct IssueDto {
    issue_id: String,
    experiment_id: String,
    name: String,
    description: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    root_causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_run_id: Option<String>,
    created_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_count: Option<i64>,
}

impl IssueDto {
    fn of(issue: Issue, traces: Option<i64>) -> IssueDto {
        let Issue {
            id,
            experiment,
            name,
            description,
            status,
            severity,
            root_causes,
            categories,
            source_run,
            created_by,
            created_at,
            updated_at,
        } = issue;
        IssueDto {
            issue_id: id,
            experiment_id: experiment.to_string(),
            name,
            description,
            status: status.as_str(),
            severity: severity.map(Severity::as_str),
            root_causes,
            source_run_id: source_run.map(|RunId(id)| id),
            created_timestamp: created_at.0,
            last_updated_timestamp: updated_at.0,
            created_by,
            categories,
            trace_count: traces,
        }
    }
}
