use stele_app::{NewModel, NewModelVersion, SourceRequest};

use super::*;

async fn new_model(test: &TestApp, name: &str, versions: i64) {
    let new = NewModel { name: name.to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&test.ctx, new).await.unwrap();
    let run = new_run(test, "", &[]).await;
    for number in 1..=versions {
        let source = format!("runs:/{run}/{name}/{number}");
        let request = SourceRequest { source, run: Some(run.clone()), logged_model: None };
        let source = test.app.model_source_check(&test.ctx, request).await.unwrap();
        let new = NewModelVersion {
            model: name.to_owned(),
            source,
            run_link: None,
            description: None,
            tags: vec![Tag { key: "odd".to_owned(), value: (number % 2).to_string() }],
        };
        test.app.model_version_create(&test.ctx, new).await.unwrap();
    }
    test.clock.advance(1);
}

fn names(page: &Value, list: &str, key: &str) -> Vec<Value> {
    page[list].as_array().unwrap().iter().map(|item| item[key].clone()).collect()
}

#[tokio::test]
async fn models_and_their_versions_are_listed() {
    for test in apps().await {
        for name in ["b", "a", "c"] {
            new_model(&test, name, 3).await;
        }
        let first = ok(&test.app, Method::GET, "models?limit=2").await;
        assert_eq!(names(&first, "models", "name"), ["a", "b"]);
        let token = first["next_page_token"].as_str().unwrap();
        let second = ok(&test.app, Method::GET, &format!("models?limit=2&page_token={token}")).await;
        assert_eq!(names(&second, "models", "name"), ["c"]);
        let changed = ok(&test.app, Method::GET, "models?order_by=last_updated_timestamp%20DESC&limit=2").await;
        assert_eq!(names(&changed, "models", "name"), ["c", "a"]);
        let token = changed["next_page_token"].as_str().unwrap();
        let rest =
            ok(&test.app, Method::GET, &format!("models?order_by=last_updated_timestamp%20DESC&page_token={token}"))
                .await;
        assert_eq!(names(&rest, "models", "name"), ["b"]);

        let first = ok(&test.app, Method::GET, "models/b/versions?limit=2").await;
        assert_eq!(names(&first, "versions", "version"), [3, 2]);
        let token = first["next_page_token"].as_str().unwrap();
        let second = ok(&test.app, Method::GET, &format!("models/b/versions?limit=2&page_token={token}")).await;
        assert_eq!(names(&second, "versions", "version"), [1]);
        let odd = ok(&test.app, Method::GET, "models/b/versions?filter=tags.odd%20=%20%271%27").await;
        assert_eq!(names(&odd, "versions", "version"), [3, 1]);
        assert_problem(&send(&test.app, Method::GET, "models/z/versions").await, StatusCode::NOT_FOUND, "not_found");
        for version in ["0", "-1", "x", "1.5"] {
            let odd = send(&test.app, Method::GET, &format!("models/b/versions/{version}")).await;
            assert_problem(&odd, StatusCode::BAD_REQUEST, "invalid");
        }
    }
}

#[tokio::test]
async fn stages_and_aliases_move_and_production_holds_one() {
    for test in apps().await {
        new_model(&test, "churn", 2).await;
        let stage = async |version: i64, body: Value| {
            send_body(&test.app, Method::PUT, &format!("models/churn/versions/{version}/stage"), Some(body)).await
        };
        let (status, _, moved) = stage(1, json!({ "stage": "production" })).await;
        assert_eq!((status, moved["stage"].as_str()), (StatusCode::OK, Some("production")), "{moved}");
        let refused = stage(2, json!({ "stage": "production" })).await;
        assert_problem(&refused, StatusCode::CONFLICT, "gate_failed");
        let (status, ..) = stage(2, json!({ "stage": "production", "archive_others": true })).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(ok(&test.app, Method::GET, "models/churn/versions/1").await["stage"], "archived");
        assert_problem(&stage(2, json!({ "stage": "Production" })).await, StatusCode::BAD_REQUEST, "invalid");

        let alias = async |alias: &str, version: i64| {
            let body = Some(json!({ "version": version }));
            send_body(&test.app, Method::PUT, &format!("models/churn/aliases/{alias}"), body).await
        };
        let (_, _, pointed) = alias("champion", 1).await;
        assert_eq!(pointed["aliases"], json!(["archived", "champion"]));
        assert_eq!(ok(&test.app, Method::GET, "models/churn/aliases/champion").await["version"], 1);
        assert_eq!(ok(&test.app, Method::GET, "models/churn/aliases/latest").await["version"], 2);
        assert_problem(&alias("latest", 1).await, StatusCode::BAD_REQUEST, "invalid");
        assert_problem(&alias("a%20b", 1).await, StatusCode::BAD_REQUEST, "invalid");
        assert_problem(&alias("champion", 9).await, StatusCode::NOT_FOUND, "not_found");
        let (status, ..) = send(&test.app, Method::DELETE, "models/churn/aliases/champion").await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        let gone = send(&test.app, Method::GET, "models/churn/aliases/champion").await;
        assert_problem(&gone, StatusCode::NOT_FOUND, "not_found");
        let model = ok(&test.app, Method::GET, "models/churn").await;
        assert_eq!(model["aliases"], json!({ "archived": 1, "production": 2 }));
    }
}

#[tokio::test]
async fn files_go_in_and_come_out_whole_and_in_part() {
    for test in apps().await {
        let run = new_run(&test, "", &[]).await;
        new_model(&test, "churn", 1).await;
        for root in [format!("runs/{run}"), "models/churn/versions/1".to_owned()] {
            let file = |method: Method, path: &str, body: &'static [u8]| {
                let uri = format!("{ROOT}/{root}/artifacts/file?path={path}");
                Request::builder().method(method).uri(uri).body(Body::from(body)).unwrap()
            };
            let (status, _, stored) = bytes(&test.app, file(Method::PUT, "a/b%20c.txt", b"0123456789")).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), json!({ "path": "a/b c.txt", "size": 10 }));
            let (_, headers, read) = bytes(&test.app, file(Method::GET, "a/b%20c.txt", b"")).await;
            assert_eq!(
                (read.as_slice(), headers[header::CONTENT_LENGTH].to_str().unwrap()),
                (&b"0123456789"[..], "10")
            );
            let mut part = file(Method::GET, "a/b%20c.txt", b"");
            part.headers_mut().insert(header::RANGE, "bytes=2-4".parse().unwrap());
            let (status, _, read) = bytes(&test.app, part).await;
            assert_eq!((status, read.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));

            let listed = ok(&test.app, Method::GET, &format!("{root}/artifacts")).await;
            let folder = json!({ "name": "a", "path": "a", "kind": "folder", "size": null });
            assert_eq!(listed, json!({ "path": "", "kind": "folder", "size": null, "entries": [folder] }));
            let listed = ok(&test.app, Method::GET, &format!("{root}/artifacts?path=a/b%20c.txt")).await;
            assert_eq!(listed, json!({ "path": "a/b c.txt", "kind": "file", "size": 10, "entries": [] }));
            let missing = send(&test.app, Method::GET, &format!("{root}/artifacts?path=nothing")).await;
            assert_problem(&missing, StatusCode::NOT_FOUND, "not_found");
            for path in ["../x", "a/../../x", "%2Fetc%2Fpasswd", "a%255C..%255Cx", "a%00b"] {
                for method in [Method::GET, Method::PUT] {
                    let (status, ..) = bytes(&test.app, file(method, path, b"x")).await;
                    assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
                }
            }
            let (status, ..) = bytes(&test.app, file(Method::PUT, "a/", b"x")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "a path that ends in a slash names no file");
        }
    }
}
