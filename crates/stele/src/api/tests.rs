use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use stele_app::{NewRun, RunValues};
use stele_domain::Point;
use stele_domain::record::MetricValue;
use stele_testkit::{TestApp, apps};
use tower::ServiceExt;

use super::*;

async fn send(app: &App, method: Method, path: &str) -> (StatusCode, HeaderMap, Value) {
    let request = Request::builder().method(method).uri(format!("{ROOT}/{path}")).body(Body::empty()).unwrap();
    let response = router(app.clone(), "test").oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

#[track_caller]
fn assert_problem((status, headers, body): &(StatusCode, HeaderMap, Value), expected: StatusCode, code: &str) {
    assert_eq!((*status, body["code"].as_str()), (expected, Some(code)), "{body}");
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(body["status"], expected.as_u16());
    assert!(body["title"].is_string() && body["detail"].is_string() && body["type"] == "about:blank", "{body}");
}

/// The table of routes grows by itself, and so does this test.
#[tokio::test]
async fn every_route_answers_a_stranger_with_a_problem() {
    for TestApp { app, .. } in apps().await {
        for route in routes() {
            let path = route.path.replace("{run_id}", "nobody");
            assert!(!path.contains('{'), "{path} has a part that this test does not fill");
            let stranger = send(&app, route.method.clone(), &format!("{path}?key=k")).await;
            assert_problem(&stranger, StatusCode::NOT_FOUND, "not_found");
            let nonsense = send(&app, route.method.clone(), &format!("{path}?nonsense=1")).await;
            assert_problem(&nonsense, StatusCode::BAD_REQUEST, "invalid");
            let wrong_method = send(&app, Method::TRACE, &path).await;
            assert_problem(&wrong_method, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        }
        assert_problem(&send(&app, Method::POST, "no/such/path").await, StatusCode::NOT_FOUND, "not_found");
    }
}

async fn run_with_points(test: &TestApp, points: &[Point]) -> String {
    let experiment = test.app.experiment_get_by_name(&test.ctx, "Default".to_owned()).await.unwrap();
    let new = NewRun {
        experiment: experiment.id,
        parent: None,
        name: String::new(),
        user: String::new(),
        started_at: None,
        tags: Vec::new(),
    };
    let run = test.app.run_create(&test.ctx, new).await.unwrap();
    let metric = |point: &Point| MetricValue { key: "val/loss".to_owned(), point: *point, subject: None };
    let metrics = points.iter().map(metric).collect();
    let values = RunValues { metrics, ..RunValues::default() };
    test.app.run_log(&test.ctx, run.info.id.clone(), values).await.unwrap();
    run.info.id.0
}

#[tokio::test]
async fn an_envelope_has_the_extremes_of_each_bucket() {
    let values = [0.5, f64::NAN, f64::NEG_INFINITY, 2.0, f64::NAN, f64::NAN, 7.0, f64::INFINITY];
    let points: Vec<Point> = (0..).zip(values).map(|(step, value)| Point::new(step, 100 + step, value)).collect();
    for test in apps().await {
        let run = run_with_points(&test, &points).await;
        let path = format!("runs/{run}/metrics/envelope?key=val%2Floss&first_step=0&last_step=15&buckets=8");
        let (status, _, body) = send(&test.app, Method::GET, &path).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let at = |step: i64, value: Value| json!({"step": step, "timestamp": 100 + step, "value": value});
        let bucket = |index: i64, nan: i64, [first, last, min, max]: [Value; 4]| {
            json!({
                "index": index, "first_step": index * 2, "last_step": index * 2 + 1, "points": 2, "nan": nan,
                "first": first, "last": last, "min": min, "max": max,
            })
        };
        let (low, high, nan) = (json!("-Infinity"), json!("Infinity"), json!("NaN"));
        let expected = json!({
            "run_id": run, "key": "val/loss", "first_step": 0, "last_step": 15, "points": 8, "bucket_count": 8,
            "buckets": [
                bucket(0, 1, [at(0, json!(0.5)), at(1, nan.clone()), at(0, json!(0.5)), at(0, json!(0.5))]),
                bucket(1, 0, [at(2, low.clone()), at(3, json!(2.0)), at(2, low), at(3, json!(2.0))]),
                bucket(2, 2, [at(4, nan.clone()), at(5, nan), Value::Null, Value::Null]),
                bucket(3, 0, [at(6, json!(7.0)), at(7, high.clone()), at(6, json!(7.0)), at(7, high)]),
            ],
        });
        assert_eq!(body, expected, "on {}", test.engine);
    }
}

#[tokio::test]
async fn an_envelope_of_what_cannot_be_drawn_is_refused() {
    for test in apps().await {
        let run = run_with_points(&test, &[Point::new(-3, 5, 1.0), Point::new(4, 6, 2.0)]).await;
        let get =
            async |query: &str| send(&test.app, Method::GET, &format!("runs/{run}/metrics/envelope{query}")).await;
        for query in [
            "",
            "?key=",
            "?key=val/loss&buckets=0",
            "?key=val/loss&buckets=-1",
            "?key=val/loss&buckets=10001",
            "?key=val/loss&buckets=ten",
            "?key=val/loss&buckets=99999999999999999999",
            "?key=val/loss&first_step=1.5",
            "?key=val/loss&first_step=5&last_step=4",
            "?key=val/loss&key=other",
            "?key=val/loss&bucket=5",
            "?key=a%00b",
        ] {
            assert_problem(&get(query).await, StatusCode::BAD_REQUEST, "invalid");
        }
        assert_problem(&get("?key=other").await, StatusCode::NOT_FOUND, "not_found");
        let (_, _, whole) = get("?key=val/loss").await;
        let shape = ["first_step", "last_step", "points", "bucket_count"].map(|name| whole[name].as_i64());
        assert_eq!(shape, [Some(-3), Some(4), Some(2), Some(1000)]);
        let (status, _, beyond) = get("?key=val/loss&first_step=100").await;
        assert_eq!((status, &beyond["buckets"]), (StatusCode::OK, &json!([])));
    }
}
