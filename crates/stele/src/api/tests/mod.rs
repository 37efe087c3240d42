//! The native API through its router, on both engines.

mod envelope;
mod lists;
mod openapi;
mod registry;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use stele_app::{NewRun, SecretKey, WebhookSettings};
use stele_domain::record::Tag;
use stele_testkit::{TestApp, apps};
use tower::ServiceExt;

use super::route::{Content, Kind};
use super::*;

type Answered = (StatusCode, HeaderMap, Value);

async fn send(app: &App, method: Method, path: &str) -> Answered {
    send_body(app, method, path, None).await
}

/// Sends a JSON document, if there is one.
async fn send_body(app: &App, method: Method, path: &str, document: Option<Value>) -> Answered {
    let request = Request::builder().method(method).uri(format!("{ROOT}/{path}"));
    let request = match document {
        Some(document) => request
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(Body::from(document.to_string())),
        None => request.body(Body::empty()),
    };
    let (status, headers, body) = bytes(app, request.unwrap()).await;
    (status, headers, serde_json::from_slice(&body).unwrap_or_default())
}

async fn bytes(app: &App, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
    app.enable_access_keys(stele_app::SecretKey::from_text("a passphrase of some length").unwrap());
    let routes =
        router(app.clone(), "123456789012", "test").layer(axum::middleware::from_fn(crate::login::as_local_owner));
    let response = routes.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

async fn ok(app: &App, method: Method, path: &str) -> Value {
    let (status, _, body) = send(app, method, path).await;
    assert!(status.is_success(), "{path}: {body}");
    body
}

#[track_caller]
fn assert_problem((status, headers, body): &Answered, expected: StatusCode, code: &str) {
    assert_eq!((*status, body["code"].as_str()), (expected, Some(code)), "{body}");
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(body["status"], expected.as_u16());
    assert!(body["title"].is_string() && body["detail"].is_string() && body["type"] == "about:blank", "{body}");
}

/// A run of the default experiment.
async fn new_run(test: &TestApp, name: &str, tags: &[(&str, &str)]) -> String {
    let experiment = test.app.experiment_get_by_name(&test.ctx, "Default".to_owned()).await.unwrap();
    let tags = tags.iter().map(|(key, value)| Tag { key: (*key).to_owned(), value: (*value).to_owned() }).collect();
    let started_at = Some(test.ctx.now());
    let (name, user) = (name.to_owned(), String::new());
    let new = NewRun { experiment: experiment.id, parent: None, name, user, started_at, tags };
    test.app.run_create(&test.ctx, new).await.unwrap().info.id.0
}

/// A path of the route with ids of nothing, and what it requires.
fn path_of_nothing(route: &Route) -> String {
    let mut path = route.path.to_owned();
    for name in route.path_parameters() {
        let nothing = match name {
            "experiment_id" => "999999",
            "version" => "7",
            // It names what is made.
            "policy" if route.name == "apply_policy" => "not-of-nobody",
            "gate" | "policy" | "webhook_id" | "delivery_id" | "run_id" | "model_id" | "model" | "alias"
            | "account" | "group" | "grant_id" | "token_id" | "key_id" => "nobody",
            other => panic!("this test has nothing for {other}"),
        };
        path = path.replace(&format!("{{{name}}}"), nothing);
    }
    let required = route.query.iter().filter(|parameter| parameter.required);
    let given = required.map(|parameter| match (parameter.name, parameter.kind) {
        ("runs", _) => "runs=nobody,nowhere".to_owned(),
        (name, Kind::Integer { most, .. }) => format!("{name}={most}"),
        (name, Kind::Text) => format!("{name}=something"),
        (name, _) => panic!("this test has nothing for {name}"),
    });
    format!("{path}?{}", given.collect::<Vec<_>>().join("&"))
}

fn body_of(route: &Route) -> Option<Value> {
    match (route.takes, route.name) {
        (Content::Nothing | Content::File, _) => None,
        (Content::Json(_), "create_experiment") => Some(json!({ "name": "from the table of routes" })),
        (Content::Json(_), "set_model_version_stage") => Some(json!({ "stage": "staging" })),
        (Content::Json(_), "set_model_alias") => Some(json!({ "version": 7 })),
        (Content::Json(_), "create_account") => Some(json!({ "name": "table", "password": "of routes" })),
        (Content::Json(_), "update_account") => Some(json!({ "disabled": false })),
        (Content::Json(_), "set_account_password") => Some(json!({ "password": "of routes" })),
        (Content::Json(_), "require_authentication") => Some(json!({ "name": "first", "password": "of routes" })),
        (Content::Json(_), "create_group") => Some(json!({ "name": "tables" })),
        (Content::Json(_), "create_grant") => {
            Some(json!({ "account": "table", "role": "viewer", "scope": "organisation" }))
        }
        (Content::Json(_), "create_token" | "create_access_key") => Some(json!({})),
        (Content::Json(_), "create_webhook") => Some(json!({
            "name": "w", "url": "https://192.0.2.1/", "format": "slack", "events": ["*"],
        })),
        (Content::Json(_), "update_webhook") => Some(json!({ "name": "w" })),
        (Content::Json(_), "verify_audit_log") => Some(json!({ "ends": [] })),
        (Content::Json(_), "apply_gate") => Some(json!({ "name": "from-the-table-of-routes", "models": "none",
            "target": { "stage": "production" }, "rules": [{ "clean_commit": {} }] })),
        (Content::Json(_), "apply_policy") => {
            Some(json!({ "text": "forbid (principal == User::\"table\", action, resource);" }))
        }
        (Content::Json(_), "explain_policy") => Some(json!({ "verb": "run:log", "what": "workspace" })),
        (Content::Json(_), "add_review") => Some(json!({ "review": "comment", "reason": "so" })),
        (Content::Json(_), "record_evaluation") => Some(json!({ "digest": "d", "metrics": { "auc": 0.5 } })),
        (Content::Json(_), "make_gate_exception") => {
            Some(json!({ "target": { "stage": "production" }, "reason": "so", "minutes": 5 }))
        }
        (Content::Json(_), other) => panic!("this test has no body for {other}"),
    }
}

/// The table of routes grows by itself, and so does this test.
#[tokio::test]
async fn every_route_refuses_what_is_not_there_and_what_it_does_not_know() {
    for TestApp { app, .. } in apps().await {
        app.enable_webhooks(WebhookSettings {
            schemes: vec!["https".to_owned()],
            private_addresses: true,
            timeout: Duration::from_secs(1),
            retries: 0,
            key: SecretKey::from_text("a key for tests only").unwrap(),
        });
        for route in routes() {
            let path = path_of_nothing(&route);
            let (method, body) = (route.method.clone(), body_of(&route));
            let nonsense = send_body(&app, method.clone(), &format!("{path}&nonsense=1"), body.clone()).await;
            assert_problem(&nonsense, StatusCode::BAD_REQUEST, "invalid");
            let answer = send_body(&app, method.clone(), &path, body.clone()).await;
            let is_about_nothing = route.path.contains('{') && route.name != "apply_policy";
            if is_about_nothing || matches!(route.name, "compare_runs" | "get_lineage") {
                assert_problem(&answer, StatusCode::NOT_FOUND, "not_found");
            } else {
                assert_eq!(answer.0, StatusCode::OK, "{path}: {}", answer.2);
            }
            let wrong_method = send(&app, Method::TRACE, &path).await;
            assert_problem(&wrong_method, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            for name in route.path_parameters() {
                let odd = path.replacen("nobody", "a%00b", 1);
                let odd = if odd == path { path.replacen("999999", "a%00b", 1) } else { odd };
                assert_problem(
                    &send_body(&app, method.clone(), &odd, body.clone()).await,
                    StatusCode::BAD_REQUEST,
                    "invalid",
                );
                assert!(odd != path, "{name}");
            }
            if body.is_some() {
                let untyped = send(&app, method.clone(), &path).await;
                assert_problem(&untyped, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
                let odd = send_body(&app, method.clone(), &path, Some(json!({ "nonsense": 1 }))).await;
                assert_problem(&odd, StatusCode::BAD_REQUEST, "invalid");
                let large = Some(json!({ "name": "x".repeat(2 << 20) }));
                assert_problem(&send_body(&app, method, &path, large).await, StatusCode::BAD_REQUEST, "invalid");
            }
        }
        assert_problem(&send(&app, Method::POST, "no/such/path").await, StatusCode::NOT_FOUND, "not_found");
    }
}
