use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stele_app::{NewReview, ReviewKind};
use stele_domain::gate::DecisionKind;
use stele_mlflow::router;
use stele_testkit::apps;

use super::{call, post};

async fn routers() -> Vec<(Router, stele_testkit::TestApp)> {
    let mut routers = Vec::new();
    for test in apps().await {
        let router = router(test.app.clone());
        let (status, _) = post(&router, "registered-models/create", json!({ "name": "m" })).await;
        assert_eq!(status, StatusCode::OK);
        for _ in 0..2 {
            let version = json!({ "name": "m", "source": "s3://bucket/m" });
            assert_eq!(post(&router, "model-versions/create", version).await.0, StatusCode::OK);
        }
        routers.push((router, test));
    }
    routers
}

async fn get(router: &Router, path: &str) -> Value {
    call(router, Method::GET, path, Value::Null).await.1
}

#[tokio::test]
async fn a_version_has_the_fields_of_mlflow() {
    for (router, _test) in routers().await {
        let mut version = get(&router, "model-versions/get?name=m&version=1").await;
        version.sort_all_objects();
        insta::allow_duplicates! {
            insta::assert_json_snapshot!(version, @r#"
            {
              "model_version": {
                "creation_timestamp": 1700000000000,
                "current_stage": "None",
                "description": "",
                "last_updated_timestamp": 1700000000000,
                "name": "m",
                "run_id": "",
                "run_link": "",
                "source": "s3://bucket/m",
                "status": "READY",
                "version": "1"
              }
            }
            "#);
        }
    }
}

#[tokio::test]
async fn a_second_version_in_production_is_refused_with_the_rule() {
    for (router, _test) in routers().await {
        let into_production = |version: &str| json!({ "name": "m", "version": version, "stage": "production" });
        assert_eq!(post(&router, "model-versions/transition-stage", into_production("1")).await.0, StatusCode::OK);
        let (status, refused) = post(&router, "model-versions/transition-stage", into_production("2")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                refused["message"].as_str().unwrap(),
                @"version 2 of model 'm' cannot enter stage production while version 1 is there: a model has one version in production at a time. To archive the existing one, pass archive_existing_versions=True."
            );
        }
        let (status, moved) =
            post(&router, "registered-models/alias", json!({ "name": "m", "version": "2", "alias": "production" }))
                .await;
        assert_eq!((status, moved), (StatusCode::OK, json!({})));
        let found = get(&router, "registered-models/alias?name=m&alias=production").await;
        assert_eq!(found["model_version"]["current_stage"], "Production");
        assert_eq!(found["model_version"]["aliases"], json!(["production"]));
        let model = get(&router, "registered-models/get?name=m").await;
        assert_eq!(
            model["registered_model"]["aliases"],
            json!([{ "alias": "archived", "version": "1" }, { "alias": "production", "version": "2" }])
        );
    }
}

#[tokio::test]
async fn the_tag_that_shows_the_approval_cannot_be_written() {
    for (router, _test) in routers().await {
        let tag = json!({ "name": "m", "version": "1", "key": "stele.approval", "value": "approved" });
        let create =
            json!({ "name": "m", "source": "s3://b/m", "tags": [{ "key": "stele.approval", "value": "approved" }] });
        for (method, path, body) in [
            (Method::POST, "model-versions/set-tag", tag.clone()),
            (Method::DELETE, "model-versions/delete-tag", tag),
            (Method::POST, "model-versions/create", create),
        ] {
            let (status, refused) = call(&router, method, path, body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
            assert!(refused["message"].as_str().unwrap().contains("stele.approval"), "{refused}");
        }
    }
}

/// MLflow's client copies a version with the tags that it was shown.
#[tokio::test]
async fn a_copy_of_a_decided_version_is_undecided() {
    for (router, test) in routers().await {
        let kind = ReviewKind::Decision(DecisionKind::Approve);
        let review = NewReview { model: "m".into(), number: 1, kind, reason: String::new(), expires_in_days: None };
        test.app.review_add(&test.ctx, review).await.unwrap();
        let shown = get(&router, "model-versions/get?name=m&version=1").await;
        let tags = &shown["model_version"]["tags"];
        assert_eq!(*tags, json!([{ "key": "stele.approval", "value": "approved" }]));
        let copy = json!({ "name": "m", "source": "models:/m/1", "tags": tags });
        let (status, copied) = post(&router, "model-versions/create", copy).await;
        assert_eq!(status, StatusCode::OK, "{copied}");
        assert_eq!(copied["model_version"].get("tags"), None, "{copied}");
    }
}

#[tokio::test]
async fn prompts_are_models_with_a_placeholder_for_a_source() {
    for (router, _test) in routers().await {
        let tags = json!([{ "key": "mlflow.prompt.is_prompt", "value": "true" }]);
        let (status, _) = post(&router, "registered-models/create", json!({ "name": "p", "tags": tags })).await;
        assert_eq!(status, StatusCode::OK);
        let version = |source: &str| json!({ "name": "p", "source": source, "tags": tags });
        assert_eq!(post(&router, "model-versions/create", version("dummy-source")).await.0, StatusCode::OK);
        assert_eq!(post(&router, "model-versions/create", version("/etc")).await.0, StatusCode::BAD_REQUEST);
        let (_, taken) = post(&router, "registered-models/create", json!({ "name": "p" })).await;
        assert_eq!(taken["error_code"], "RESOURCE_ALREADY_EXISTS");
        assert!(taken["message"].as_str().unwrap().contains("taken by a prompt"), "{taken}");
    }
}
