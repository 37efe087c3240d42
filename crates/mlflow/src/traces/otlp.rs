//! `POST /v1/traces`, where OpenTelemetry's exporters and MLflow's own clients send spans.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde_json::json;
use stele_app::{App, Ctx, LoggedSpans};
use stele_domain::id::RunId;
use stele_domain::otlp::{ExportRequest, ResourceSpans};

use super::decompress::decompress;
use super::otlp_json;
use crate::MOST_JSON;
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::validate;

const EXPERIMENT: &str = "x-mlflow-experiment-id";
const RUN: &str = "x-mlflow-run-id";
const PROTOBUF: &str = "application/x-protobuf";

/// How a request is written, and so its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

/// `ExportTraceServiceResponse`: with nothing in it all is well.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, the body of a refusal.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

pub(crate) async fn export(mut call: Call) -> Result<Response> {
    let encoding = match call.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?")) {
        Some(given) => match given.split(';').next().unwrap_or("").trim() {
            PROTOBUF => Encoding::Protobuf,
            "application/json" => Encoding::Json,
            _ => {
                let text = "Invalid Content-Type. Expected: application/x-protobuf or application/json";
                return Ok(refusal(Encoding::Json, StatusCode::BAD_REQUEST, text));
            }
        },
        None => {
            let text = "Content-Type is missing. Expected: application/x-protobuf or application/json";
            return Ok(refusal(Encoding::Json, StatusCode::BAD_REQUEST, text));
        }
    };
    let Some(experiment) = text(&call.headers, EXPERIMENT) else {
        return Ok(refusal(encoding, StatusCode::UNPROCESSABLE_ENTITY, &format!("Header {EXPERIMENT} is required")));
    };
    let resources = match resources(&mut call, encoding).await {
        Ok(resources) => resources,
        Err(failure) => return Ok(refused(encoding, failure.status(), failure)),
    };
    let run = text(&call.headers, RUN).filter(|run| !run.is_empty()).map(RunId);
    match log(&call.app, &call.ctx, &experiment, run, resources).await {
        Ok(logged) => Ok(success(encoding, &logged)),
        // As MLflow's: what could be read and is wrong is apart from what could not be read.
        Err(failure) if failure.status() == StatusCode::BAD_REQUEST => {
            Ok(refused(encoding, StatusCode::UNPROCESSABLE_ENTITY, failure))
        }
        Err(failure) => Ok(refused(encoding, failure.status(), failure)),
    }
}

fn refused(encoding: Encoding, status: StatusCode, failure: Failure) -> Response {
    match failure.undisclosed() {
        Some(_) => failure.into_response(),
        None => refusal(encoding, status, failure.message()),
    }
}

async fn log(
    app: &App,
    ctx: &Ctx,
    experiment: &str,
    run: Option<RunId>,
    resources: Vec<ResourceSpans>,
) -> Result<LoggedSpans> {
    Ok(app.spans_log(ctx, validate::experiment_id(experiment)?, run, resources).await?)
}

/// What the body holds.
async fn resources(call: &mut Call, encoding: Encoding) -> Result<Vec<ResourceSpans>> {
    let body = call.bytes().await?;
    let compressed = text(&call.headers, header::CONTENT_ENCODING.as_str());
    tokio::task::spawn_blocking(move || {
        let body = decompress(body, compressed.as_deref(), MOST_JSON)?;
        read(&body, encoding)
    })
    .await
    .map_err(|error| stele_domain::Error::internal(format!("a body could not be read: {error}")))?
}

fn read(body: &[u8], encoding: Encoding) -> Result<Vec<ResourceSpans>> {
    let invalid = |error: String| Failure::invalid(format!("Invalid OpenTelemetry format: {error}"));
    let resources = match encoding {
        Encoding::Protobuf => ExportRequest::decode(body).map_err(|error| invalid(error.to_string()))?.resource_spans,
        Encoding::Json => {
            let value = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
            otlp_json::resource_spans(&value).map_err(invalid)?
        }
    };
    if resources.is_empty() {
        return Err(Failure::invalid("Invalid OpenTelemetry format - no spans found"));
    }
    Ok(resources)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn success(encoding: Encoding, logged: &LoggedSpans) -> Response {
    let warning = logged.run_is_missing.then_some("the run that the traces were to be linked to does not exist");
    let response = ExportResponse {
        partial_success: warning.map(|warning| PartialSuccess { rejected_spans: 0, error_message: warning.to_owned() }),
    };
    match encoding {
        Encoding::Protobuf => answer(StatusCode::OK, PROTOBUF, response.encode_to_vec()),
        Encoding::Json => {
            let body = match warning {
                None => json!({}),
                Some(warning) => json!({ "partialSuccess": { "rejectedSpans": "0", "errorMessage": warning } }),
            };
            answer(StatusCode::OK, "application/json", body.to_string())
        }
    }
}

fn refusal(encoding: Encoding, status: StatusCode, message: &str) -> Response {
    // The codes of gRPC, whose names MLflow's clients and others show.
    let code = match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 5,
        StatusCode::NOT_IMPLEMENTED => 12,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        status if status.is_server_error() => 13,
        _ => 3,
    };
    match encoding {
        Encoding::Protobuf => answer(status, PROTOBUF, RpcStatus { code, message: message.to_owned() }.encode_to_vec()),
        Encoding::Json => answer(status, "application/json", json!({ "code": code, "message": message }).to_string()),
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
