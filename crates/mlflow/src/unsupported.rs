//! What MLflow has and this server does not: it says so, instead of looking as if the path were wrong.

use axum::response::Response;

use crate::call::Call;
use crate::error::{Failure, Result};

/// Paths below `/api` and `/ajax-api`, each with everything below it.
pub(crate) const PREFIXES: &[&str] = &[
    "2.0/mlflow/gateway",
    "2.0/mlflow/roles",
    "2.0/mlflow/runs/create-promptlab-run",
    "2.0/mlflow/users",
    "3.0/mlflow/assistant",
    "3.0/mlflow/demo",
    "3.0/mlflow/gateway",
    "3.0/mlflow/genai",
    "3.0/mlflow/jobs",
    "3.0/mlflow/mcp-servers",
    "3.0/mlflow/prompt-optimization",
    "3.0/mlflow/roles",
    "3.0/mlflow/scorer",
    "3.0/mlflow/scorers/permissions",
    "3.0/mlflow/users",
];

pub(crate) async fn refuse(_call: Call) -> Result<Response> {
    Err(Failure::not_implemented("This server does not support this call; docs/COMPATIBILITY.md lists what it does."))
}
