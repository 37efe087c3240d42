//! The files of runs, logged models and versions of registered models: three kinds of root, the same three handlers.

use axum::http::header;
use axum::response::Response;
use serde::Serialize;
use stele_app::blobs::{Entry, EntryKind};
use stele_app::{ArtifactAt, ArtifactRoot};
use stele_domain::ArtifactPath;
use stele_domain::id::{LoggedModelId, RunId};
use stele_mlflow::shared::{file_answer, receive_file};
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, reply};
use super::route::Parameter;

pub(super) const LIST: &[Parameter] =
    &[Parameter::text("path", "Below the root of the artifacts, with slashes; the root itself unless given.")];

pub(super) const FILE: &[Parameter] =
    &[Parameter::text("path", "Below the root of the artifacts, with slashes.").required()];

pub(super) async fn list(call: Call) -> Result<Response> {
    let path = ArtifactPath::parse_directory(call.query.text("path").unwrap_or_default())?;
    let found = call.app.artifact_at(&call.ctx, &root(&call)?, &path).await?;
    reply(&ListingDto::new(&path, found))
}

pub(super) async fn get(call: Call) -> Result<Response> {
    let path = ArtifactPath::parse(call.query.text("path").unwrap_or_default())?;
    Ok(file_answer(&call.app, &call.ctx, &call.method, &call.headers, &root(&call)?, &path).await?)
}

pub(super) async fn put(mut call: Call) -> Result<Response> {
    let path = ArtifactPath::parse_file(call.query.text("path").unwrap_or_default());
    let length = call.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let (root, body) = (root(&call)?, call.take_body());
    let size = receive_file(&call.app, &call.ctx, &root, path.clone(), length, body).await?;
    reply(&StoredDto { path: path?.as_str().to_owned(), size })
}

fn root(call: &Call) -> Result<ArtifactRoot> {
    let (run, logged_model) = (call.path("run_id"), call.path("model_id"));
    if !run.is_empty() {
        return Ok(ArtifactRoot::Run(RunId(run.to_owned())));
    }
    if !logged_model.is_empty() {
        return Ok(ArtifactRoot::LoggedModel(LoggedModelId(logged_model.to_owned())));
    }
    Ok(ArtifactRoot::ModelVersion { model: call.path("model").to_owned(), number: call.path_number("version")? })
}

/// What lies at a path.
#[derive(Serialize, ToSchema)]
#[schema(as = ArtifactListing)]
pub(super) struct ListingDto {
    path: String,
    /// `file` or `folder`.
    kind: &'static str,
    /// Of a file, in bytes.
    size: Option<u64>,
    /// What is directly in a folder, sorted by name.
    entries: Vec<EntryDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ArtifactEntry)]
pub(super) struct EntryDto {
    name: String,
    /// The whole path, as other requests take it.
    path: String,
    /// `file` or `folder`.
    kind: &'static str,
    /// Of a file, in bytes.
    size: Option<u64>,
}

/// A file that has been stored.
#[derive(Serialize, ToSchema)]
#[schema(as = StoredArtifact)]
pub(super) struct StoredDto {
    path: String,
    /// In bytes.
    size: u64,
}

impl ListingDto {
    fn new(path: &ArtifactPath, found: ArtifactAt) -> ListingDto {
        let (kind, size, entries) = match found {
            ArtifactAt::File { size } => ("file", Some(size), Vec::new()),
            ArtifactAt::Folder(entries) => ("folder", None, entries),
        };
        let entry = |Entry { name, kind }| {
            let (kind, size) = match kind {
                EntryKind::File { size } => ("file", Some(size)),
                EntryKind::Directory => ("folder", None),
            };
            let path = if path.is_root() { name.clone() } else { format!("{path}/{name}") };
            EntryDto { name, path, kind, size }
        };
        ListingDto { path: path.to_string(), kind, size, entries: entries.into_iter().map(entry).collect() }
    }
}
