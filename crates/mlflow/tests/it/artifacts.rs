use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stele_mlflow::router;
use stele_testkit::apps;
use tower::ServiceExt;

use super::post;

const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";

async fn send(router: &Router, method: Method, path: &str, body: Body) -> (StatusCode, HeaderMap, Bytes) {
    let request = Request::builder().method(method).uri(path).body(body).unwrap();
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    (head.status, head.headers, body.collect().await.unwrap().to_bytes())
}

async fn get(router: &Router, path: &str) -> (StatusCode, HeaderMap, Bytes) {
    send(router, Method::GET, path, Body::empty()).await
}

#[tokio::test]
async fn a_file_of_a_run_comes_back_by_every_way() {
    for test in apps().await {
        let router = router(test.app.clone());
        let (_, run) = post(&router, "runs/create", json!({ "experiment_id": "0" })).await;
        let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        let file = format!("{PROXY}/0/{run}/artifacts/d/two%20words.txt");
        let (status, headers, body) = send(&router, Method::PUT, &file, Body::from("hello")).await;
        assert_eq!((status, body.is_empty()), (StatusCode::OK, true));
        assert!(!headers.contains_key(header::CONTENT_TYPE));
        assert!(test.artifacts.path().join(format!("0/{run}/artifacts/d/two words.txt")).is_file());
        for path in [&file, &format!("/get-artifact?run_id={run}&path=d/two%20words.txt")] {
            let (status, headers, body) = get(&router, path).await;
            assert_eq!((status, &body[..]), (StatusCode::OK, &b"hello"[..]));
            assert_eq!(headers[header::CONTENT_TYPE], "text/plain");
            assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename=\"two words.txt\"");
            let (status, headers, body) = send(&router, Method::HEAD, path, Body::empty()).await;
            assert_eq!((status, body.is_empty()), (StatusCode::OK, true));
            assert_eq!(headers[header::CONTENT_LENGTH], "5");
        }
        let (_, _, listing) = get(&router, &format!("/api/2.0/mlflow/artifacts/list?run_id={run}&path=d")).await;
        let listing: Value = serde_json::from_slice(&listing).unwrap();
        let files = json!([{ "path": "d/two words.txt", "is_dir": false, "file_size": 5 }]);
        assert_eq!(listing, json!({ "root_uri": format!("mlflow-artifacts:/0/{run}/artifacts"), "files": files }));
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    for test in apps().await {
        let router = router(test.app.clone());
        let path = format!("{PROXY}/0/a.bin");
        let request = Request::put(&path).header(header::CONTENT_LENGTH, "100").body(Body::from("short")).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), StatusCode::BAD_REQUEST);
        let torn = futures::stream::iter([Ok("some"), Err(std::io::Error::other("gone"))]);
        let (status, ..) = send(&router, Method::PUT, &path, Body::from_stream(torn)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(get(&router, &path).await.0, StatusCode::NOT_FOUND);
        assert_eq!(get(&router, &format!("{PROXY}?path=0")).await.2, "{}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_reaches_a_handler_unchecked() {
    for test in apps().await {
        let router = router(test.app.clone());
        for path in ["..", "../x", "%2e%2e/x", "a/%252e%252e/b", "/etc/x", "%2fetc", "a%23b", "a%5c..%5cb", "a%00b"] {
            for route in ["mlflow-artifacts/artifacts", "mlflow-artifacts/presigned"] {
                let (status, _, body) = get(&router, &format!("/ajax-api/2.0/{route}/{path}")).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{route} {path}");
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body["message"], "Invalid path", "{route} {path}");
            }
            for method in [Method::PUT, Method::DELETE] {
                let (status, ..) = send(&router, method, &format!("{PROXY}/{path}"), Body::from("x")).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn folders_of_the_machine_are_not_read_for_clients() {
    for test in apps().await {
        let router = router(test.app.clone());
        let outside = tempfile::tempdir().unwrap();
        let inside = test.artifacts.path().join("inside");
        for (location, expected) in [(outside.path(), StatusCode::FORBIDDEN), (&inside, StatusCode::OK)] {
            let new = json!({ "name": location.to_str(), "artifact_location": location.to_str() });
            let (_, experiment) = post(&router, "experiments/create", new).await;
            let (_, run) = post(&router, "runs/create", experiment).await;
            let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
            let upload = format!("/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=a.txt");
            assert_eq!(send(&router, Method::POST, &upload, Body::from("x")).await.0, expected);
            let file = format!("/get-artifact?run_id={run}&path=a.txt");
            assert_eq!(get(&router, &file).await.0, expected);
        }
        assert_eq!(outside.path().read_dir().unwrap().count(), 0);
    }
}
