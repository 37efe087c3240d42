//! What the pages show of a trace: its spans as a file, or one of its attachments.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use stele_app::{ArtifactRoot, WholeTrace};
use stele_domain::ArtifactPath;

use super::{known_id, span_dto};
use crate::artifacts::file_answer;
use crate::call::Call;
use crate::error::{Code, Failure, Result, json_response};

/// The file in which clients keep spans that they do not send to the server.
const SPANS_FILE: &str = "traces.json";

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.query()?;
    let id = input
        .text("request_id")?
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Failure::new(Code::BadRequest, "Request must include the \"request_id\" query parameter."))?;
    let id = known_id(&id)?;
    let path = input.text("path")?.filter(|path| !path.is_empty());
    let Call { app, ctx, method, headers, .. } = call;
    let path = match path {
        Some(path) => format!("attachments/{}", ArtifactPath::parse_file(&path)?.as_str()),
        None => {
            let WholeTrace { info: _, spans } = app.trace_whole(&ctx, id.clone()).await?;
            if !spans.is_empty() {
                let spans: Vec<Value> = spans.iter().map(span_dto::file_entry).collect();
                return Ok(attached(json!({ "spans": spans }).to_string()));
            }
            SPANS_FILE.to_owned()
        }
    };
    let root = ArtifactRoot::Trace(id);
    Ok(file_answer(&app, &ctx, &method, &headers, &root, &ArtifactPath::parse_file(&path)?).await?)
}

fn attached(body: String) -> Response {
    let mut response = json_response(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=traces.json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
