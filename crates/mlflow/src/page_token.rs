//! MLflow's page tokens: base64 of `{"offset": N}`, which its tests look into.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Failure, Result};
use crate::python::{json_dumps, repr};

pub(crate) fn encode(offset: usize) -> String {
    STANDARD.encode(format!("{{\"offset\": {offset}}}"))
}

/// The offset in a token; without a token, or with an empty one, it is 0.
pub(crate) fn offset(token: Option<&str>) -> Result<usize> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
    let bytes = STANDARD.decode(token).map_err(|_| Failure::invalid("Invalid page token, could not base64-decode"))?;
    let decoded: Value = serde_json::from_slice(&bytes).map_err(|_| {
        Failure::invalid(format!("Invalid page token, decoded value=b{}", repr(&String::from_utf8_lossy(&bytes))))
    })?;
    let offset = decoded
        .get("offset")
        .ok_or_else(|| Failure::invalid(format!("Invalid page token, parsed value={}", json_dumps(&decoded))))?;
    offset
        .as_u64()
        .or_else(|| offset.as_str()?.parse().ok())
        .and_then(|offset| usize::try_from(offset).ok())
        .ok_or_else(|| Failure::invalid(format!("Invalid offset in page token: {offset}")))
}
