use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Method};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

/// A folder with pages, and a secret beside it.
fn pages() -> (tempfile::TempDir, PathBuf) {
    let outside = tempfile::tempdir().unwrap();
    let build = outside.path().join("build");
    std::fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    for (name, content) in [
        ("index.html", "<!doctype html>"),
        ("static/js/main.c2f5f8d4.js", "let x = 1;"),
        ("static/js/main.c2f5f8d4.js.gz", "gzipped"),
        ("lib/notebook-trace-renderer/index.html", "<p>"),
        (".hidden", "hidden"),
    ] {
        let path = build.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    (outside, build)
}

async fn ask(router: &Router, path: &str, headers: &[(HeaderName, &str)]) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(Method::GET).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let (head, body) = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn files_come_with_their_kind_and_may_be_kept_if_their_name_says_what_is_in_them() {
    let (_outside, build) = pages();
    let router = router(build, "/prefix");
    let (status, headers, body) = ask(&router, "/mlflow/", &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "<!doctype html>"));
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
    let etag = headers[header::ETAG].to_str().unwrap();
    let (status, _, body) = ask(&router, "/mlflow/", &[(header::IF_NONE_MATCH, etag)]).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));

    let (status, headers, body) = ask(&router, "/static-files/static/js/main.c2f5f8d4.js", &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "let x = 1;"));
    assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(headers[header::CONTENT_LENGTH], "10");
    assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));

    let (status, headers, _) = ask(&router, "/mlflow", &[]).await;
    assert_eq!(
        (status, headers[header::LOCATION].as_bytes()),
        (StatusCode::PERMANENT_REDIRECT, &b"/prefix/mlflow/"[..])
    );
}

#[tokio::test]
async fn a_compressed_twin_is_sent_to_whoever_can_read_it() {
    let (_outside, build) = pages();
    let router = router(build, "");
    let file = "/static-files/static/js/main.c2f5f8d4.js";
    for (accepted, expected) in [("br, gzip", true), ("gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)] {
        let (_, headers, body) = ask(&router, file, &[(header::ACCEPT_ENCODING, accepted)]).await;
        assert_eq!(body == "gzipped", expected, "{accepted}");
        assert_eq!(headers.contains_key(header::CONTENT_ENCODING), expected, "{accepted}");
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }
}

#[tokio::test]
async fn nothing_outside_and_nothing_hidden_is_read() {
    let (_outside, build) = pages();
    let router = router(build, "");
    for name in [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "static/../../secret.txt",
        "static/%2e%2e/%2e%2e/secret.txt",
        "%2fetc/passwd",
        "/etc/passwd",
        "static//js/main.c2f5f8d4.js",
        "static%5cjs",
        "index.html%00",
        ".hidden",
        "static",
        "static/js/",
        "index.html/more",
        "missing.js",
    ] {
        let (status, _, body) = ask(&router, &format!("/static-files/{name}"), &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}: {body}");
    }
    let long = "a/".repeat(30_000);
    assert_eq!(ask(&router, &format!("/static-files/{long}"), &[]).await.0, StatusCode::NOT_FOUND);
}

#[test]
fn calls_of_the_pages_are_answered_at_the_root() {
    assert_eq!(at_the_root("/mlflow/ajax-api/2.0/mlflow/runs/get"), Some("/ajax-api/2.0/mlflow/runs/get"));
    assert_eq!(at_the_root("/mlflow/graphql"), Some("/graphql"));
    for own in ["/mlflow/", "/mlflow", "/mlflowish/x", "/ajax-api/2.0/mlflow/runs/get"] {
        assert_eq!(at_the_root(own), None, "{own}");
    }
}

#[test]
fn a_named_folder_must_have_pages() {
    let (outside, build) = pages();
    assert_eq!(Choice::Folder(build.clone()).folder().unwrap(), Some(build.clone()));
    let package = outside.path().join("mlflow");
    std::fs::create_dir_all(package.join("server/js")).unwrap();
    std::fs::rename(&build, package.join("server/js/build")).unwrap();
    assert_eq!(Choice::Folder(package.clone()).folder().unwrap(), Some(package.join("server/js/build")));
    let error = Choice::Folder(outside.path().to_owned()).folder().unwrap_err().to_string();
    assert!(error.contains("hint:"), "{error}");
    assert_eq!(Choice::parse("none").folder().unwrap(), None);
}
