use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use stele_mlflow::{router, routes, unsupported_paths};
use stele_testkit::apps;
use tower::ServiceExt;

async fn send(router: &Router, method: Method, path: &str, body: &'static str) -> Response {
    let path = path.replace("{*path}", "none").replace(['{', '}'], "");
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
}

/// The table of routes grows by itself, and so does this test.
#[tokio::test]
async fn every_route_answers_and_none_takes_nonsense_for_a_failure_of_its_own() {
    for test in apps().await {
        let router = router(test.app.clone());
        for route in routes() {
            for path in route.paths() {
                for body in ["", "{}", "[1]", "{\"run_id\":[{}],\"name\":{},\"experiment_id\":true}"] {
                    let status = send(&router, route.method.clone(), &path, body).await.status();
                    let known = status != StatusCode::METHOD_NOT_ALLOWED;
                    // Workspaces are a mode that is switched off, which MLflow says with 503.
                    let off = path.contains("/3.0/mlflow/workspaces") && status == StatusCode::SERVICE_UNAVAILABLE;
                    let blamed = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED && !off;
                    assert!(known && !blamed, "{} {path} {body}: {status} on {}", route.method, test.engine);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_known_but_not_there_says_so_whatever_the_method() {
    for test in apps().await {
        let router = router(test.app.clone());
        for path in unsupported_paths() {
            for path in [path.clone(), format!("{path}/deeper/down")] {
                for method in [Method::GET, Method::POST, Method::DELETE] {
                    let status = send(&router, method.clone(), &path, "{}").await.status();
                    assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{method} {path}");
                }
            }
        }
    }
}
