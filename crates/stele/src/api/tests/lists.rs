use stele_app::RunValues;
use stele_domain::id::RunId;
use stele_domain::record::{MetricValue, Param};
use stele_domain::{MetricValues, Point};

use super::*;

/// Walks a list page by page and gives the field `key` of everything.
async fn walk(app: &App, path: &str, name: &str, key: &str, size: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = ok(app, Method::GET, &format!("{path}limit={size}{token}")).await;
        let items = page[name].as_array().unwrap();
        assert!(items.len() <= size);
        found.extend(items.iter().map(|item| item[key].as_str().unwrap().to_owned()));
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return found,
        }
        assert_eq!(items.len(), size, "only the last page is not full");
    }
}

async fn new_experiment(test: &TestApp, name: &str) -> Value {
    let body = json!({ "name": name, "tags": { "team": "growth" } });
    let (status, _, made) = send_body(&test.app, Method::POST, "experiments", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    made
}

#[tokio::test]
async fn experiments_are_paged_in_any_order_without_gaps() {
    for test in apps().await {
        for number in 0..7 {
            new_experiment(&test, &format!("e{}", number * 5 % 7)).await;
            // Some were made in the same millisecond.
            test.clock.advance(number % 2);
        }
        for order in [
            "",
            "order_by=name&",
            "order_by=name%20DESC&",
            "order_by=creation_time&",
            "order_by=last_update_time%20DESC,name&",
        ] {
            let whole = walk(&test.app, &format!("experiments?{order}"), "experiments", "name", 100).await;
            assert_eq!(whole.len(), 8);
            for size in [1, 2, 3, 7, 8] {
                let walked = walk(&test.app, &format!("experiments?{order}"), "experiments", "name", size).await;
                assert_eq!(walked, whole, "{order} {size} on {}", test.engine);
            }
        }
        let by_name = walk(&test.app, "experiments?order_by=name&", "experiments", "name", 3).await;
        assert_eq!(by_name, ["Default", "e0", "e1", "e2", "e3", "e4", "e5", "e6"]);
        let some =
            walk(&test.app, "experiments?filter=name%20LIKE%20%27e%25%27&order_by=name&", "experiments", "name", 2)
                .await;
        assert_eq!(some.len(), 7);
        assert_eq!(walk(&test.app, "experiments?name=e3&", "experiments", "name", 2).await, ["e3"]);
    }
}

#[tokio::test]
async fn what_is_added_meanwhile_moves_no_page() {
    for test in apps().await {
        for number in 0..4 {
            new_experiment(&test, &format!("e{number}")).await;
            test.clock.advance(1);
        }
        let first = ok(&test.app, Method::GET, "experiments?limit=2").await;
        new_experiment(&test, "newer").await;
        let token = first["next_page_token"].as_str().unwrap();
        let second = ok(&test.app, Method::GET, &format!("experiments?limit=2&page_token={token}")).await;
        let names: Vec<&str> =
            second["experiments"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["e1", "e0"]);
    }
}

#[tokio::test]
async fn tokens_of_other_lists_and_odd_ones_are_refused() {
    for test in apps().await {
        new_experiment(&test, "e").await;
        let first = ok(&test.app, Method::GET, "experiments?limit=1").await;
        let token = first["next_page_token"].as_str().unwrap();
        for path in [
            format!("experiments?limit=1&order_by=name&page_token={token}"),
            format!("experiments?limit=1&presence=all&page_token={token}"),
            format!("models?page_token={token}"),
            format!("runs?page_token={token}"),
            "experiments?page_token=nonsense".to_owned(),
            "experiments?page_token=e30".to_owned(),
            "experiments?limit=0".to_owned(),
            "experiments?limit=1001".to_owned(),
            "experiments?limit=many".to_owned(),
            "experiments?presence=perhaps".to_owned(),
            "experiments?filter=name".to_owned(),
            "experiments?order_by=nothing".to_owned(),
            "runs?filter=metrics.loss%20%3C".to_owned(),
            "runs?order_by=a,b,c,d,e".to_owned(),
            "runs?experiments=one".to_owned(),
            "runs?experiments=0&experiments=1".to_owned(),
            "run-comparison?runs=only".to_owned(),
            "run-comparison?runs=one,one".to_owned(),
        ] {
            assert_problem(&send(&test.app, Method::GET, &path).await, StatusCode::BAD_REQUEST, "invalid");
        }
    }
}

#[tokio::test]
async fn experiments_go_to_the_trash_with_their_runs_and_come_back() {
    for test in apps().await {
        let made = new_experiment(&test, "iris").await;
        let id = made["id"].as_str().unwrap();
        assert_eq!((made["presence"].as_str(), &made["tags"]), (Some("active"), &json!({ "team": "growth" })));
        let taken = send_body(&test.app, Method::POST, "experiments", Some(json!({ "name": "iris" }))).await;
        assert_problem(&taken, StatusCode::CONFLICT, "already_exists");
        for name in ["", " ", &"x".repeat(501), "a\0b"] {
            let odd = send_body(&test.app, Method::POST, "experiments", Some(json!({ "name": name }))).await;
            assert_problem(&odd, StatusCode::BAD_REQUEST, "invalid");
        }
        let (status, ..) = send(&test.app, Method::DELETE, &format!("experiments/{id}")).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        let names = async |presence| {
            walk(&test.app, &format!("experiments?presence={presence}&"), "experiments", "name", 9).await
        };
        assert_eq!(
            (names("active").await, names("deleted").await),
            (vec!["Default".to_owned()], vec!["iris".to_owned()])
        );
        assert_eq!(ok(&test.app, Method::GET, &format!("experiments/{id}")).await["presence"], "deleted");
        ok(&test.app, Method::POST, &format!("experiments/{id}/restore")).await;
        assert_eq!(names("active").await, ["iris", "Default"]);
    }
}

async fn log(test: &TestApp, run: &str, params: &[(&str, &str)], metrics: &[(&str, f64)]) {
    let metric = |(key, value): &(&str, f64)| MetricValue {
        key: (*key).to_owned(),
        point: Point::new(3, 5, *value),
        subject: None,
    };
    let metrics: MetricValues = metrics.iter().map(metric).collect();
    let params =
        params.iter().map(|(key, value)| Param { key: (*key).to_owned(), value: (*value).to_owned() }).collect();
    let values = RunValues { params, metrics, ..RunValues::default() };
    test.app.run_log(&test.ctx, RunId(run.to_owned()), values).await.unwrap();
}

#[tokio::test]
async fn runs_are_searched_sorted_and_paged() {
    for test in apps().await {
        let mut ids = Vec::new();
        for number in 0..6 {
            let id = new_run(&test, &format!("r{number}"), &[("team", "growth")]).await;
            log(&test, &id, &[("lr", &format!("0.{number}"))], &[("loss", f64::from(number * 5 % 6))]).await;
            ids.push(id);
            test.clock.advance(10);
        }
        let newest_first: Vec<String> = (0..6).rev().map(|number| format!("r{number}")).collect();
        for size in [1, 2, 4, 6, 7] {
            assert_eq!(walk(&test.app, "runs?", "runs", "name", size).await, newest_first, "on {}", test.engine);
            let by_loss = walk(&test.app, "runs?experiments=0&order_by=metrics.loss&", "runs", "name", size).await;
            assert_eq!(by_loss, ["r0", "r5", "r4", "r3", "r2", "r1"]);
        }
        let low = walk(&test.app, "runs?filter=metrics.loss%20%3C%202&order_by=run_name&", "runs", "name", 9).await;
        assert_eq!(low, ["r0", "r5"]);
        let running = walk(&test.app, "runs?filter=status%20=%20%27running%27&", "runs", "name", 9).await;
        assert_eq!(running.len(), 6, "statuses have the record's own words");
        assert_eq!(walk(&test.app, "runs?experiments=77&", "runs", "name", 9).await, [] as [&str; 0]);

        let run = ok(&test.app, Method::GET, &format!("runs/{}", ids[1])).await;
        assert_eq!(
            (&run["params"], &run["metrics"], &run["tags"], &run["status"]),
            (
                &json!({ "lr": "0.1" }),
                &json!({ "loss": { "step": 3, "timestamp": 5, "value": 5.0 } }),
                &json!({ "team": "growth" }),
                &json!("running")
            )
        );
        let (status, ..) = send(&test.app, Method::DELETE, &format!("runs/{}", ids[1])).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        assert_eq!(walk(&test.app, "runs?presence=deleted&", "runs", "name", 9).await, ["r1"]);
        ok(&test.app, Method::POST, &format!("runs/{}/restore", ids[1])).await;
        assert_eq!(walk(&test.app, "runs?presence=deleted&", "runs", "name", 9).await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_comparison_has_what_differs_first() {
    for test in apps().await {
        let (one, other) =
            (new_run(&test, "one", &[("a", "x"), ("b", "x")]).await, new_run(&test, "other", &[("a", "x")]).await);
        log(&test, &one, &[("alpha", "1"), ("lr", "0.1")], &[("loss", f64::NAN), ("acc", 0.5)]).await;
        log(&test, &other, &[("alpha", "1"), ("lr", "0.2")], &[("loss", f64::NAN), ("acc", 0.25)]).await;
        // In the order that is asked for.
        let compared = ok(&test.app, Method::GET, &format!("run-comparison?runs={other},{one}")).await;
        let names: Vec<&Value> = compared["runs"].as_array().unwrap().iter().map(|run| &run["name"]).collect();
        assert_eq!(names, ["other", "one"]);
        assert_eq!(
            compared["params"],
            json!([
                { "key": "lr", "differs": true, "values": ["0.2", "0.1"] },
                { "key": "alpha", "differs": false, "values": ["1", "1"] },
            ])
        );
        let metrics = compared["metrics"].as_array().unwrap();
        assert_eq!((&metrics[0]["key"], &metrics[0]["differs"]), (&json!("acc"), &json!(true)));
        assert_eq!(metrics[0]["values"][1]["value"], 0.5);
        assert_eq!((&metrics[1]["differs"], &metrics[1]["values"][0]["value"]), (&json!(false), &json!("NaN")));
        assert_eq!(compared["tags"][0], json!({ "key": "b", "differs": true, "values": [null, "x"] }));
        let missing = send(&test.app, Method::GET, &format!("run-comparison?runs={one},nobody")).await;
        assert_problem(&missing, StatusCode::NOT_FOUND, "not_found");
    }
}
