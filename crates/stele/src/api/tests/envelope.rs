use serde_json::{Value, json};
use stele_app::RunValues;
use stele_domain::Point;
use stele_domain::id::RunId;
use stele_domain::record::MetricValue;

use super::*;

async fn run_with_points(test: &TestApp, points: &[Point]) -> String {
    let run = new_run(test, "", &[]).await;
    let metric = |point: &Point| MetricValue { key: "val/loss".to_owned(), point: *point, subject: None };
    let metrics = points.iter().map(metric).collect();
    let values = RunValues { metrics, ..RunValues::default() };
    test.app.run_log(&test.ctx, RunId(run.clone()), values).await.unwrap();
    run
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
