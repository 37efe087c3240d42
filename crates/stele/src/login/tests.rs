//! Every route, without credentials.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use serde_json::Value;
use stele_testkit::{TestApp, apps};
use tower::ServiceExt;

use super::*;

/// What anybody may ask.
const OPEN: [&str; 4] = ["/health", "/version", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"];

async fn ask(router: &Router, method: &Method, path: &str, target: Option<&str>) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(target) = target {
        request = request.header("x-amz-target", target);
    }
    let response = router.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// A path of a route, with something in the place of each name.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The tables of routes grow by themselves, and so does this test. With the login and without it, since a router that
/// somebody forgets to put behind it must not be open.
#[tokio::test]
async fn every_route_is_closed_to_who_does_not_say_who_they_are() {
    for TestApp { app, ctx, .. } in apps().await {
        app.authentication_require(&ctx, "ann".to_owned(), "correct horse".to_owned()).await.unwrap();
        let bare = stele_mlflow::router(app.clone())
            .merge(stele_sagemaker::router(app.clone(), stele_sagemaker::DEFAULT_ACCOUNT))
            .merge(crate::api::router(app.clone(), stele_sagemaker::DEFAULT_ACCOUNT, "test"));
        let behind = bare.clone().layer(from_fn_with_state(app.clone(), identify));
        for router in [&bare, &behind] {
            for route in stele_mlflow::routes() {
                for path in route.paths() {
                    let (status, body) = ask(router, &route.method, &filled(&path), None).await;
                    if OPEN.contains(&path.as_str()) {
                        assert_eq!(status, StatusCode::OK, "{path}");
                        continue;
                    }
                    assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {path}: {body}", route.method);
                    assert!(route.method == Method::HEAD || body["error_code"] == "UNAUTHENTICATED", "{path}: {body}");
                }
            }
            for path in stele_mlflow::unsupported_paths() {
                assert_eq!(ask(router, &Method::GET, &path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
            }
            for operation in stele_sagemaker::operation_names() {
                let (method, path) = match operation {
                    "BatchPutMetrics" => (Method::PUT, "/BatchPutMetrics"),
                    "BatchGetMetrics" => (Method::POST, "/BatchGetMetrics"),
                    _ => (Method::POST, "/"),
                };
                let (status, body) = ask(router, &method, path, Some(&format!("SageMaker.{operation}"))).await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{operation}: {body}");
                assert_eq!(body["__type"], "MissingAuthenticationTokenException", "{operation}");
            }
            for (method, path, name) in crate::api::paths() {
                let (status, body) = ask(router, &method, &filled(&path), None).await;
                if name == "get_server" {
                    assert_eq!(status, StatusCode::OK, "{path}");
                    continue;
                }
                assert_eq!((status, &body["code"]), (StatusCode::UNAUTHORIZED, &"unauthenticated".into()), "{name}");
            }
        }
    }
}
