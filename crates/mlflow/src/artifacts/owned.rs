//! The files of one run, logged model or model version.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use futures::StreamExt;
use serde_json::json;
use stele_app::ArtifactRoot;
use stele_domain::ArtifactPath;
use stele_domain::artifact_path::MISSING_FILE_NAME;
use stele_domain::id::{LoggedModelId, RunId};

use super::{file_answer, file_dtos};
use crate::call::{Call, reply};
use crate::error::{Code, Failure, Result, json_response};
use crate::registry::rules::{model_name, version_number};

/// What the UI may upload in one request, in bytes.
const MOST_UPLOAD: usize = 10 * 1024 * 1024;

pub(crate) async fn list_of_run(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = input.run_id()?;
    let path = input.text("path")?.unwrap_or_default();
    listing(call, &ArtifactRoot::Run(RunId(run)), &path).await
}

pub(crate) async fn list_of_logged_model(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let path = input.text("artifact_directory_path")?.unwrap_or_default();
    listing(call, &logged_model(input.path("model_id")), &path).await
}

async fn listing(call: Call, root: &ArtifactRoot, path: &str) -> Result<Response> {
    let path = ArtifactPath::parse_directory(path)?;
    let listing = call.app.artifact_list(&call.ctx, root, &path).await?;
    let mut body = json!({ "root_uri": listing.root_uri });
    let files = file_dtos(path.as_str(), listing.entries);
    if !files.is_empty() {
        body["files"] = json!(files);
    }
    reply(&body)
}

pub(crate) async fn file_of_run(mut call: Call) -> Result<Response> {
    let input = call.query()?;
    let path = ArtifactPath::parse(&input.required_text("path")?)?;
    // MLflow looks for the run that nobody named, under the name that nothing has in Python.
    let run = input.run_id().unwrap_or_else(|_| "None".to_owned());
    file(call, &ArtifactRoot::Run(RunId(run)), &path).await
}

pub(crate) async fn file_of_model_version(mut call: Call) -> Result<Response> {
    let input = call.query()?;
    let path = ArtifactPath::parse(&input.required_text("path")?)?;
    let model = input.text("name")?.unwrap_or_default();
    let version = input.required_text("version")?;
    model_name(&model)?;
    let root = ArtifactRoot::ModelVersion { model, number: version_number(&version)? };
    file(call, &root, &path).await
}

pub(crate) async fn file_of_logged_model(mut call: Call) -> Result<Response> {
    const PARAMETER: &str = "artifact_file_path";
    let input = call.query()?;
    let path = input.text(PARAMETER)?.filter(|path| !path.is_empty()).ok_or_else(|| {
        Failure::new(Code::BadRequest, format!("Request must include the \"{PARAMETER}\" query parameter."))
    })?;
    let root = logged_model(input.path("model_id"));
    file(call, &root, &ArtifactPath::parse(&path)?).await
}

async fn file(call: Call, root: &ArtifactRoot, path: &ArtifactPath) -> Result<Response> {
    let Call { app, ctx, method, headers, .. } = call;
    Ok(file_answer(&app, &ctx, &method, &headers, root, path).await?)
}

fn logged_model(id: &str) -> ArtifactRoot {
    ArtifactRoot::LoggedModel(LoggedModelId(id.to_owned()))
}

/// The upload of the UI: a small file as the whole body.
pub(crate) async fn upload_to_run(mut call: Call) -> Result<Response> {
    // It is read first, so that a refusal reaches the browser.
    let content = small_body(&mut call).await;
    let input = call.query()?;
    let given = |name: &str| {
        let value = input.text(name)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| Failure::invalid(format!("Request must specify {name}.")))
    };
    let run = given("run_uuid")?;
    let path = given("path")?;
    ArtifactPath::parse(&path)?;
    let content = content?;
    if content.is_empty() {
        return Err(Failure::invalid("Request must specify data."));
    }
    if path.ends_with('/') {
        return Err(Failure::invalid(MISSING_FILE_NAME));
    }
    let root = ArtifactRoot::Run(RunId(run));
    let length = content.len() as u64;
    let content = futures::stream::iter([Ok::<Bytes, stele_domain::Error>(content)]);
    let path = ArtifactPath::parse_file(&path)?;
    call.app.artifact_put(&call.ctx, &root, &path, Some(length), content).await?;
    Ok(json_response(StatusCode::OK, ""))
}

async fn small_body(call: &mut Call) -> Result<Bytes> {
    let mut content = std::mem::take(&mut call.body).into_data_stream();
    let mut gathered = Vec::new();
    let mut size: usize = 0;
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|error| Failure::invalid(format!("The upload broke off: {error}")))?;
        size += chunk.len();
        if size <= MOST_UPLOAD {
            gathered.extend_from_slice(&chunk);
        } else if size > 2 * MOST_UPLOAD {
            break;
        }
    }
    if size > MOST_UPLOAD {
        return Err(Failure::invalid("Artifact size is too large. Max size is 10MB."));
    }
    Ok(gathered.into())
}
