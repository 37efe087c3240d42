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
        "workspaces_enabled": call.app.workspaces_enabled(),
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": artifacts_move_directly,
        "multipart_downloads_enabled": artifacts_move_directly,
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        "features_enabled": { "gateway": false },
    }))
}
