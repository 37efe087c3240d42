//! MLflow's workspaces, as its server answers about them when it runs without: this server has one, which everything
//! is in and nobody needs to name.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::call::Call;
use crate::error::{Code, Failure, Result};

/// In which workspace a client wants to be.
const HEADER: &str = "x-mlflow-workspace";
/// Clients ask here whether there are workspaces at all, whatever they send along.
const ALWAYS_ANSWERED: &str = "/mlflow/server-info";

/// Refuses a request for a workspace: answering it from the only one would show a client the wrong things.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let wanted = headers.get(HEADER).is_some_and(|value| !value.as_bytes().trim_ascii().is_empty());
    if wanted && !uri.path().trim_end_matches('/').ends_with(ALWAYS_ANSWERED) {
        return Err(Failure::new(
            Code::FeatureDisabled,
            "Workspace APIs are not available: workspaces are not enabled on this server",
        ));
    }
    Ok(())
}

pub(crate) async fn all(_call: Call) -> Result<Response> {
    disabled("")
}

pub(crate) async fn one(_call: Call) -> Result<Response> {
    disabled("/<workspace_name>")
}

fn disabled(below: &str) -> Result<Response> {
    let text = format!(
        "Endpoint: /api/3.0/mlflow/workspaces{below} disabled because the server is running without workspaces support."
    );
    Ok((StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
}
