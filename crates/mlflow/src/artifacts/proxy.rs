//! The server's own artifact destination, which clients see as `mlflow-artifacts:`.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stele_app::ArtifactRoot;
use stele_domain::artifact_path::MISSING_FILE_NAME;
use stele_domain::{ArtifactPath, Error};

use super::{file_answer, file_dtos, receive_file};
use crate::call::{Call, empty, reply};
use crate::error::{Result, json_response};

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let path = ArtifactPath::parse_directory(&input.text("path")?.unwrap_or_default())?;
    let listing = call.app.artifact_list(&call.ctx, &ArtifactRoot::Server, &path).await?;
    let files = file_dtos("", listing.entries);
    if files.is_empty() { empty() } else { reply(&json!({ "files": files })) }
}

pub(crate) async fn download(call: Call) -> Result<Response> {
    let path = ArtifactPath::parse_directory(call.path("path"))?;
    let Call { app, ctx, method, headers, .. } = call;
    match file_answer(&app, &ctx, &method, &headers, &ArtifactRoot::Server, &path).await {
        // The path is fine by now, so this says that it is a folder, which MLflow tells in another shape.
        Err(Error::Invalid { message }) => Ok(detail(&message)),
        answer => Ok(answer?),
    }
}

/// The path that ends after `artifacts/` names the root, which is no file.
pub(crate) async fn download_root(_call: Call) -> Result<Response> {
    Ok(detail("Artifact path refers to a directory, not a file: ''"))
}

pub(crate) async fn upload(mut call: Call) -> Result<Response> {
    let length = announced_length(&call.headers);
    let path = match ArtifactPath::parse_file(call.path("path")) {
        Err(Error::Invalid { message }) if message == MISSING_FILE_NAME => return Ok(detail(&message)),
        path => path,
    };
    let body = std::mem::take(&mut call.body);
    receive_file(&call.app, &call.ctx, &ArtifactRoot::Server, path, length, body).await?;
    Ok((StatusCode::OK, Body::empty()).into_response())
}

pub(crate) async fn upload_root(_call: Call) -> Result<Response> {
    Ok(detail(MISSING_FILE_NAME))
}

pub(crate) async fn delete(call: Call) -> Result<Response> {
    let path = ArtifactPath::parse(call.path("path"))?;
    call.app.artifact_delete(&call.ctx, &ArtifactRoot::Server, &path).await?;
    empty()
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn detail(message: &str) -> Response {
    json_response(StatusCode::BAD_REQUEST, json!({ "detail": message }).to_string())
}
