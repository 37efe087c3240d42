//! MLflow's workspaces. A server that runs without answers about them as MLflow's does.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use stele_app::{NewWorkspace, WorkspaceChange};
use stele_domain::Error;
use stele_domain::artifact_uri::{LocationPolicy, is_plainly_absolute, local_path};
use stele_domain::workspace::{Removal, Workspace};

use crate::call::{Call, reply};
use crate::error::{Code, Failure, Result};
use crate::input::Input;

/// In which workspace a client wants to be.
const HEADER: &str = "x-mlflow-workspace";
/// Clients ask here whether there are workspaces at all, whatever they send along.
const ALWAYS_ANSWERED: &str = "/mlflow/server-info";

#[derive(Serialize)]
struct WorkspaceDto {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_artifact_root: Option<String>,
}

impl From<Workspace> for WorkspaceDto {
    fn from(workspace: Workspace) -> WorkspaceDto {
        let Workspace { row: _, name, description, artifact_root, created_at: _ } = workspace;
        WorkspaceDto { name, description, default_artifact_root: artifact_root }
    }
}

/// The workspace that a request names. A server without refuses it: answering from the only one would show a client the
/// wrong things.
pub(crate) fn wanted(uri: &Uri, headers: &HeaderMap, enabled: bool) -> Result<Option<String>> {
    let named = headers.get(HEADER).map(|value| value.as_bytes().trim_ascii()).filter(|value| !value.is_empty());
    let Some(named) = named else { return Ok(None) };
    if uri.path().trim_end_matches('/').ends_with(ALWAYS_ANSWERED) {
        return Ok(None);
    }
    if !enabled {
        return Err(Failure::new(
            Code::FeatureDisabled,
            "Workspace APIs are not available: workspaces are not enabled on this server",
        ));
    }
    let name = str::from_utf8(named).map_err(|_| Failure::invalid("The header X-MLFLOW-WORKSPACE is not UTF-8."))?;
    Ok(Some(name.to_owned()))
}

pub(crate) async fn list(call: Call) -> Result<Response> {
    if !call.app.workspaces_enabled() {
        return Ok(disabled(""));
    }
    let found = call.app.workspaces_list(&call.ctx).await?;
    let workspaces: Vec<WorkspaceDto> = found.into_iter().map(WorkspaceDto::from).collect();
    reply(&json!({ "workspaces": workspaces }))
}

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    if !call.app.workspaces_enabled() {
        return Ok(disabled(""));
    }
    let input = call.input().await?;
    refuse_archival(&input)?;
    let new = NewWorkspace {
        name: input.required_text("name")?,
        description: input.text("description")?,
        artifact_root: artifact_root(&input)?,
    };
    let made = call.app.workspace_create(&call.ctx, new).await?;
    let mut answer = reply(&json!({ "workspace": WorkspaceDto::from(made) }))?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

pub(crate) async fn get(call: Call) -> Result<Response> {
    if !call.app.workspaces_enabled() {
        return Ok(disabled("/<workspace_name>"));
    }
    let found = call.app.workspace_get(&call.ctx, call.path("workspace_name")).await?;
    reply(&json!({ "workspace": WorkspaceDto::from(found) }))
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    if !call.app.workspaces_enabled() {
        return Ok(disabled("/<workspace_name>"));
    }
    let name = call.path("workspace_name").to_owned();
    let input = call.input().await?;
    refuse_archival(&input)?;
    let change = WorkspaceChange { description: input.text("description")?, artifact_root: artifact_root(&input)? };
    if change.description.is_none() && change.artifact_root.is_none() && !input.has("trace_archival_config")? {
        return Err(Failure::invalid("Workspace update must have at least one key"));
    }
    let changed = call.app.workspace_update(&call.ctx, name, change).await?;
    reply(&json!({ "workspace": WorkspaceDto::from(changed) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    if !call.app.workspaces_enabled() {
        return Ok(disabled("/<workspace_name>"));
    }
    let name = call.path("workspace_name").to_owned();
    let mode = call.query()?.text("mode")?.unwrap_or_else(|| Removal::Restrict.as_str().to_owned());
    let removal = Removal::parse(&mode).ok_or_else(|| {
        let known = Removal::ALL.map(Removal::as_str).join(", ");
        Failure::invalid(format!("Invalid deletion mode '{mode}'. Must be one of: {known}"))
    })?;
    call.app.workspace_delete(&call.ctx, name, removal).await.map_err(|error| match error {
        Error::Conflict { message } => Failure::new(Code::InvalidState, message),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The root that a request gives, which clients of any working directory must find; the empty text clears it.
fn artifact_root(input: &Input) -> Result<Option<String>> {
    const FIELD: &str = "default_artifact_root";
    let Some(root) = input.text(FIELD)?.map(|root| root.trim().to_owned()) else { return Ok(None) };
    if root.is_empty() {
        return Ok(Some(root));
    }
    LocationPolicy::default().validate_location(&root, FIELD)?;
    let is_folder = local_path(&root)?.is_some_and(|path| path.starts_with('/'));
    if !is_folder && !is_plainly_absolute(&root) {
        return Err(Failure::invalid(format!(
            "Invalid value for '{FIELD}'. Expected a URI or an absolute path, got '{root}'."
        )));
    }
    Ok(Some(root))
}

/// Traces are not archived here. A setting that is cleared was never there.
fn refuse_archival(input: &Input) -> Result<()> {
    let Some(archival) = input.message("trace_archival_config")? else { return Ok(()) };
    for name in ["location", "retention"] {
        if archival.text(name)?.is_some_and(|value| !value.trim().is_empty()) {
            return Err(Failure::not_implemented(format!(
                "This server does not archive traces, so 'trace_archival_config.{name}' cannot be set."
            )));
        }
    }
    Ok(())
}

fn disabled(below: &str) -> Response {
    let text = format!(
        "Endpoint: /api/3.0/mlflow/workspaces{below} disabled because the server is running without workspaces support."
    );
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}
