//! What MLflow's web pages ask about things that this server does not have, so that they leave them out.

use axum::response::Response;
use serde_json::json;

use crate::call::{Call, empty, reply};
use crate::error::Result;

/// Before the pages report to MLflow's makers what people click on. They are told not to.
pub(crate) async fn telemetry(_call: Call) -> Result<Response> {
    reply(&json!({ "disable_ui_telemetry": true, "disable_ui_events": [], "ui_rollout_percentage": 0 }))
}

/// What the pages would report is thrown away, if they do it anyway. It is read first, so that they can hear the answer.
pub(crate) async fn take_telemetry(mut call: Call) -> Result<Response> {
    call.bytes().await?;
    reply(&json!({ "status": "disabled" }))
}

/// The model endpoints of a gateway that is configured nowhere, as MLflow's server lists them.
pub(crate) async fn gateway_endpoints(_call: Call) -> Result<Response> {
    reply(&json!({ "endpoints": [] }))
}

/// The secrets, models and endpoints of that gateway, none of which there are.
pub(crate) async fn gateway_lists(_call: Call) -> Result<Response> {
    empty()
}

pub(crate) async fn gateway_secrets(_call: Call) -> Result<Response> {
    reply(&json!({ "secrets_available": false, "using_default_passphrase": false }))
}

/// Which providers an endpoint can be made for: it can be made for none.
pub(crate) async fn gateway_providers(_call: Call) -> Result<Response> {
    reply(&json!({ "providers": [] }))
}

pub(crate) async fn assistant_settings(_call: Call) -> Result<Response> {
    reply(&json!({ "providers": {}, "projects": {}, "remote_access_allowed": false }))
}

pub(crate) async fn assistant_providers(_call: Call) -> Result<Response> {
    reply(&json!({ "providers": [], "resolved": null, "gateway_vendor_options": {} }))
}
