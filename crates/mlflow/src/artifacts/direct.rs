//! Uploads and downloads past the server: in parts, or by URLs that the storage has signed.

use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use stele_app::blobs::{MultipartUpload, PartUrl, PresignedUrl, UploadedPart};
use stele_app::{App, ArtifactRoot, Ctx};
use stele_domain::artifact_uri::UriParts;
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::{ArtifactPath, Error};

use super::content_type::registered_type;
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::input::{Input, missing};

/// In seconds.
const DOWNLOAD_URL_LIFETIME: u64 = 300;
const UPLOAD_URL_LIFETIME: i64 = 900;
/// The clouds sign for a week at most.
const LONGEST_LIFETIME: i64 = 604_800;

pub(crate) async fn multipart_create(mut call: Call) -> Result<Response> {
    let (input, path) = multipart(&mut call).await?;
    let parts = input.int("num_parts")?.unwrap_or(0);
    let parts = u32::try_from(parts).unwrap_or(0);
    let upload = call.app.artifact_multipart_create(&call.ctx, &ArtifactRoot::Server, &path, parts).await?;
    let MultipartUpload { upload_id, parts } = upload;
    let credentials: Vec<Value> = parts.into_iter().map(credential).collect();
    let mut body = json!({ "credentials": credentials });
    if let Some(upload_id) = upload_id {
        body["upload_id"] = upload_id.into();
    }
    reply(&body)
}

fn credential(part: PartUrl) -> Value {
    let PartUrl { part_number, url, headers } = part;
    let mut credential = json!({ "url": url, "part_number": part_number });
    if !headers.is_empty() {
        credential["headers"] = json!(headers);
    }
    credential
}

pub(crate) async fn multipart_complete(mut call: Call) -> Result<Response> {
    let (input, path) = multipart(&mut call).await?;
    let upload_id = input.text("upload_id")?.unwrap_or_default();
    let parts = input.messages("parts")?.iter().map(uploaded_part).collect::<Result<Vec<_>>>()?;
    if parts.is_empty() {
        return Err(missing("parts"));
    }
    call.app.artifact_multipart_complete(&call.ctx, &ArtifactRoot::Server, &path, &upload_id, &parts).await?;
    empty()
}

fn uploaded_part(part: &Input) -> Result<UploadedPart> {
    let part_number = part.int("part_number")?.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    Ok(UploadedPart { part_number, etag: part.text("etag")?, url: part.text("url")? })
}

pub(crate) async fn multipart_abort(mut call: Call) -> Result<Response> {
    let (input, path) = multipart(&mut call).await?;
    let upload_id = input.text("upload_id")?.unwrap_or_default();
    call.app.artifact_multipart_abort(&call.ctx, &ArtifactRoot::Server, &path, &upload_id).await?;
    empty()
}

/// The folder comes in the URL. The field `path` is where the file lies on the disk of the client, of which only the
/// name counts.
async fn multipart(call: &mut Call) -> Result<(Input, ArtifactPath)> {
    let folder = ArtifactPath::parse_directory(call.path("path"))?;
    let input = call.input().await?;
    let local = input.required_text("path")?;
    let name = local.rsplit(['/', '\\']).next().unwrap_or_default();
    let path = folder.join(&ArtifactPath::parse_file(name)?);
    Ok((input, path))
}

pub(crate) async fn presigned_download(call: Call) -> Result<Response> {
    let path = ArtifactPath::parse(call.path("path"))?;
    let lifetime = Duration::from_secs(DOWNLOAD_URL_LIFETIME);
    let url = call.app.artifact_download_url(&call.ctx, &ArtifactRoot::Server, &path, lifetime).await;
    let PresignedUrl { url, headers, size } = url.map_err(|error| match error {
        // The client recognises the case by this sentence and downloads through the server.
        Error::Unsupported { .. } => {
            Failure::not_implemented("Multipart download is not supported for the current artifact repository")
        }
        other => other.into(),
    })?;
    let mut body = json!({ "url": url, "headers": headers });
    if let Some(size) = size {
        body["file_size"] = size.into();
    }
    reply(&body)
}

pub(crate) async fn presigned_upload_url(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = input.text("run_id")?.filter(|id| !id.is_empty());
    let model = input.text("model_id")?.filter(|id| !id.is_empty());
    let path = input.required_text("path")?;
    let lifetime = input.int("expiration")?.unwrap_or(UPLOAD_URL_LIFETIME);
    let root = match (run, model) {
        (Some(run), None) => ArtifactRoot::Run(RunId(run)),
        (None, Some(model)) => ArtifactRoot::LoggedModel(LoggedModelId(model)),
        _ => return Err(Failure::invalid("Exactly one of run_id and model_id must be provided.")),
    };
    let path = ArtifactPath::parse(&path)?;
    let lifetime = signed_lifetime(lifetime)?;
    if let Some(scheme) = proxied_scheme(&call.app, &call.ctx, &root).await? {
        return Err(Failure::invalid(format!(
            "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: {scheme}). \
             This endpoint requires a direct cloud storage artifact URI."
        )));
    }
    let content_type = registered_type(path.file_name().unwrap_or_default());
    let url = call.app.artifact_upload_url(&call.ctx, &root, &path, &content_type, lifetime).await?;
    reply(&url_dto(url))
}

pub(crate) async fn presigned_download_url(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let root = ArtifactRoot::Run(RunId(input.required_text("run_id")?));
    let path = ArtifactPath::parse(&input.required_text("path")?)?;
    let lifetime = signed_lifetime(input.int("expiration")?.unwrap_or(DOWNLOAD_URL_LIFETIME.cast_signed()))?;
    if let Some(scheme) = proxied_scheme(&call.app, &call.ctx, &root).await? {
        return Err(Failure::invalid(format!(
            "Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: \
             {scheme}). This endpoint requires a run with a direct cloud storage artifact URI."
        )));
    }
    let url = call.app.artifact_download_url(&call.ctx, &root, &path, lifetime).await?;
    reply(&url_dto(url))
}

fn url_dto(url: PresignedUrl) -> Value {
    let PresignedUrl { url, headers, size } = url;
    let mut body = json!({ "presigned_url": url });
    if !headers.is_empty() {
        body["headers"] = json!(headers);
    }
    if let Some(size) = size {
        body["file_size"] = size.into();
    }
    body
}

fn signed_lifetime(seconds: i64) -> Result<Duration> {
    if !(1..=LONGEST_LIFETIME).contains(&seconds) {
        return Err(Failure::invalid(format!(
            "expiration must be between 1 and {LONGEST_LIFETIME} seconds (got {seconds})."
        )));
    }
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

/// The scheme of a root that clients reach through this server only.
async fn proxied_scheme(app: &App, ctx: &Ctx, root: &ArtifactRoot) -> Result<Option<String>> {
    let uri = app.artifact_root_uri(ctx, root).await?;
    let scheme = UriParts::split(&uri).scheme;
    Ok(Some(scheme).filter(|scheme| matches!(scheme.as_str(), "http" | "https" | "mlflow-artifacts")))
}
