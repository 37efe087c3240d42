use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, reply};

/// Which server this is.
#[derive(Serialize, ToSchema)]
#[schema(as = Server)]
pub(super) struct ServerDto<'a> {
    /// Always `stele`.
    name: &'static str,
    version: &'static str,
    /// Another one whenever a server is started.
    instance: &'a str,
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&ServerDto { name: "stele", version: env!("CARGO_PKG_VERSION"), instance: &call.instance })
}
