//! What MLflow clients see on the wire, on every engine that the machine offers.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod artifacts;
mod logged_models;
mod registry;
mod routes;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// Sends a call with a JSON body, or a GET with a query in its path.
async fn call(router: &Router, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(format!("/api/2.0/mlflow/{path}"));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn post(router: &Router, path: &str, body: Value) -> (StatusCode, Value) {
    call(router, Method::POST, path, body).await
}
