//! What clients ask of the server itself.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::MLFLOW_VERSION;
use crate::call::{Call, reply};
use crate::error::Result;

pub(crate) async fn health(_call: Call) -> Result<Response> {
    Ok("OK".into_response())
}

pub(crate) async fn version(_call: Call) -> Result<Response> {
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], MLFLOW_VERSION).into_response())
}

/// Tells clients since 3.11 which ways of uploading and which features they may use.
pub(crate) async fn server_info(call: Call) -> Result<Response> {
    let artifacts_move_directly = call.app.artifacts_move_directly();
    reply(&json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": artifacts_move_directly,
        "multipart_downloads_enabled": artifacts_move_directly,
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        "features_enabled": { "gateway": false },
    }))
}

/// MLflow's web pages ask before they report to MLflow's makers what people click on. They are told not to.
pub(crate) async fn ui_telemetry(_call: Call) -> Result<Response> {
    reply(&json!({ "disable_ui_telemetry": true, "disable_ui_events": [], "ui_rollout_percentage": 0 }))
}

/// What the pages would report is thrown away, if they do it anyway.
pub(crate) async fn take_ui_telemetry(_call: Call) -> Result<Response> {
    reply(&json!({ "status": "disabled" }))
}

/// The model endpoints of a gateway that is configured nowhere, as MLflow's server lists them.
pub(crate) async fn gateway_endpoints(_call: Call) -> Result<Response> {
    reply(&json!({ "endpoints": [] }))
}
