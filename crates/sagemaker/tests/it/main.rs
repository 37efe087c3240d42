//! The script as its router answers, on both engines.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stele_app::NewResource;
use stele_testkit::{TestApp, apps};
use tower::ServiceExt;

const ACCOUNT: &str = "123456789012";

async fn send(router: &Router, operation: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let (method, path) = match operation {
        "BatchPutMetrics" => ("PUT", "/BatchPutMetrics"),
        "BatchGetMetrics" => ("POST", "/BatchGetMetrics"),
        _ => ("POST", "/"),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-amz-target", format!("SageMaker.{operation}"))
        .body(body.into())
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn ok(router: &Router, operation: &str, body: Value) -> Value {
    let (status, answer) = send(router, operation, body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{operation}: {answer}");
    answer
}

async fn refusal(router: &Router, operation: &str, body: Value) -> String {
    let (status, answer) = send(router, operation, body.to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{operation}: {answer}");
    answer["__type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_package_is_registered_decided_on_and_found() {
    for TestApp { app, clock, engine, .. } in &apps().await {
        let router = stele_sagemaker::router(app.clone(), ACCOUNT);
        ok(&router, "CreateModelPackageGroup", json!({ "ModelPackageGroupName": "g" })).await;
        let made = ok(&router, "CreateModelPackage", json!({ "ModelPackageGroupName": "g", "Task": "OTHER" })).await;
        let arn = format!("arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/g/1");
        assert_eq!(made["ModelPackageArn"], arn, "{engine}");
        clock.advance(1_500);
        let change = json!({ "ModelPackageArn": arn, "ModelApprovalStatus": "Approved" });
        ok(&router, "UpdateModelPackage", change).await;
        let found = ok(&router, "DescribeModelPackage", json!({ "ModelPackageName": arn })).await;
        assert_eq!(found["ModelApprovalStatus"], "Approved");
        assert_eq!(found["CreationTime"], 1_700_000_000.0);
        assert_eq!(found["LastModifiedTime"], 1_700_000_001.5);
        let filters = json!([{ "Name": "Task", "Operator": "Equals", "Value": "OTHER" }]);
        let search = json!({ "Resource": "ModelPackage", "SearchExpression": { "Filters": filters } });
        assert_eq!(ok(&router, "Search", search).await["Results"].as_array().map(Vec::len), Some(1), "{engine}");
    }
}

#[tokio::test]
async fn no_operation_serves_an_empty_request_with_a_failure_of_its_own() {
    let test = apps().await.remove(0);
    let router = stele_sagemaker::router(test.app, ACCOUNT);
    for operation in stele_sagemaker::operation_names() {
        let (status, answer) = send(&router, operation, "").await;
        assert!(matches!(status, StatusCode::OK | StatusCode::BAD_REQUEST), "{operation}: {answer}");
    }
    assert_eq!(refusal(&router, "CreateEndpoint", json!({})).await, "UnknownOperationException");
}

#[tokio::test]
async fn a_trial_holds_what_is_in_it() {
    for TestApp { app, engine, .. } in &apps().await {
        let router = stele_sagemaker::router(app.clone(), ACCOUNT);
        ok(&router, "CreateExperiment", json!({ "ExperimentName": "e" })).await;
        ok(&router, "CreateTrial", json!({ "TrialName": "t", "ExperimentName": "e" })).await;
        ok(&router, "CreateTrialComponent", json!({ "TrialComponentName": "c" })).await;
        let both = json!({ "TrialName": "t", "TrialComponentName": "c" });
        ok(&router, "AssociateTrialComponent", both.clone()).await;
        ok(&router, "AssociateTrialComponent", both.clone()).await;
        for (operation, name) in [
            ("DeleteExperiment", json!({ "ExperimentName": "e" })),
            ("DeleteTrial", json!({ "TrialName": "t" })),
            ("DeleteTrialComponent", json!({ "TrialComponentName": "c" })),
        ] {
            assert_eq!(refusal(&router, operation, name).await, "ValidationException", "{operation} {engine}");
        }
        ok(&router, "DisassociateTrialComponent", both).await;
        ok(&router, "DeleteTrialComponent", json!({ "TrialComponentName": "c" })).await;
        ok(&router, "DeleteTrial", json!({ "TrialName": "t" })).await;
        ok(&router, "DeleteExperiment", json!({ "ExperimentName": "e" })).await;
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("(Key|Value|Source|[a-z]{1,3})", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every list of this script, which together show whatever there is.
async fn everything(router: &Router) -> Vec<Value> {
    let mut lists = Vec::new();
    for operation in stele_sagemaker::operation_names() {
        let is_whole = !matches!(operation, "ListTags" | "ListModelCardVersions" | "ListModelCardExportJobs");
        if operation.starts_with("List") && is_whole {
            lists.push(ok(router, operation, json!({})).await);
        }
    }
    lists
}

#[test]
fn garbage_is_refused_and_changes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let test = runtime.block_on(apps()).remove(0);
    let router = stele_sagemaker::router(test.app.clone(), ACCOUNT);
    let operations: Vec<&str> = stele_sagemaker::operation_names().collect();
    let before = runtime.block_on(everything(&router));
    let members = "(ModelPackageArn|ModelPackageGroupName|Tags|ResourceArn|Source|MaxResults|NextToken|SearchExpression|Resource|Content)";
    let strategy = (prop::sample::select(operations), prop::collection::vec((members, json_value()), 0..6));
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&strategy, |(operation, members)| {
            // Without a name that fits, nothing can be made.
            let body: Map<String, Value> =
                members.into_iter().filter(|(name, value)| !(name.ends_with("Name") && value.is_string())).collect();
            let (status, answer) = runtime.block_on(send(&router, operation, Value::Object(body).to_string()));
            prop_assert!(
                matches!(status, StatusCode::OK | StatusCode::BAD_REQUEST),
                "{}: {} {}",
                operation,
                status,
                answer
            );
            Ok(())
        })
        .unwrap();
    for body in ["{", "[]", "\u{0}", &"[".repeat(100_000), &format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20))] {
        let (status, _) = runtime.block_on(send(&router, "CreateModelPackageGroup", body.to_owned()));
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(runtime.block_on(everything(&router)), before);
}

/// Clients write members in any order, and say the same.
#[tokio::test]
async fn the_order_of_members_means_nothing() {
    let test = apps().await.remove(0);
    let router = &stele_sagemaker::router(test.app, ACCOUNT);
    let both = async |operation: &str, one: &str, other: &str| {
        let first = send(router, operation, one.to_owned()).await;
        (first, send(router, operation, other.to_owned()).await)
    };
    ok(router, "CreateModelPackageGroup", json!({ "ModelPackageGroupName": "g" })).await;
    let (first, again) = both(
        "CreateModelPackage",
        r#"{"ModelPackageGroupName": "g", "ClientToken": "t", "Task": "OTHER", "SkipModelValidation": "All"}"#,
        r#"{"SkipModelValidation": "All", "Task": "OTHER", "ClientToken": "t", "ModelPackageGroupName": "g"}"#,
    )
    .await;
    assert_eq!((first.0, &first.1), (StatusCode::OK, &again.1));

    // Ids of artifacts are what they were when objects were sorted.
    let made = send(
        router,
        "CreateArtifact",
        r#"{"Source": {"SourceUri": "s3://b/k", "SourceTypes": [{"Value": "x", "SourceIdType": "MD5Hash"}]},
            "ArtifactType": "dataset"}"#,
    );
    let (_, made) = made.await;
    assert_eq!(
        made["ArtifactArn"],
        format!("arn:aws:sagemaker:us-east-1:{ACCOUNT}:artifact/44bcb3725e74ebd65a3910f6b73e38c4")
    );

    for name in ["h", "i"] {
        ok(router, "CreateModelPackageGroup", json!({ "ModelPackageGroupName": name })).await;
    }
    let list = r#"{"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 1}"#;
    let (_, page) = send(router, "ListModelPackageGroups", list).await;
    let token = page["NextToken"].as_str().unwrap();
    let list = format!(r#"{{"NextToken": "{token}", "SortOrder": "Ascending", "SortBy": "Name"}}"#);
    let (status, page) = send(router, "ListModelPackageGroups", list).await;
    assert_eq!(
        (status, &page["ModelPackageGroupSummaryList"][0]["ModelPackageGroupName"]),
        (StatusCode::OK, &json!("h"))
    );

    let (first, other) = both(
        "CreateModelPackageGroup",
        r#"{"ModelPackageGroupName": "-", "ModelPackageGroupDescription": "", "Tags": [{"Value": "\u0001", "Key": ""}]}"#,
        r#"{"Tags": [{"Key": "", "Value": "\u0001"}], "ModelPackageGroupName": "-", "ModelPackageGroupDescription": ""}"#,
    )
    .await;
    assert_eq!(first, other);
    assert_eq!(first.0, StatusCode::BAD_REQUEST, "{}", first.1);
}

#[tokio::test]
async fn a_job_whose_server_stopped_has_failed_after_a_while() {
    for TestApp { app, ctx, clock, engine, .. } in &apps().await {
        let router = stele_sagemaker::router(app.clone(), ACCOUNT);
        let card = json!({ "ModelCardName": "c", "Content": "{}", "ModelCardStatus": "Draft" });
        ok(&router, "CreateModelCard", card).await;
        let document = json!({
            "ModelCardExportJobName": "j", "ModelCardName": "c", "ModelCardVersion": 1,
            "OutputConfig": { "S3OutputPath": "s3://b" }, "Status": "InProgress",
        });
        let document = document.as_object().cloned().unwrap();
        let (kind, name) = ("model-card-export-job", Some("c/export-job/j".to_owned()));
        let new = NewResource { kind, name, experiment: None, document, tags: Vec::new() };
        app.resource_create(ctx, new).await.unwrap();
        let arn = format!("arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-card/c/export-job/j");
        let told = async |expected: &str| {
            let job = ok(&router, "DescribeModelCardExportJob", json!({ "ModelCardExportJobArn": arn })).await;
            assert_eq!(job["Status"], expected, "{engine}");
            for status in ["InProgress", "Failed", "Completed"] {
                let list = json!({ "ModelCardName": "c", "StatusEquals": status });
                let found = ok(&router, "ListModelCardExportJobs", list).await;
                let found = found["ModelCardExportJobSummaries"].as_array().unwrap().len();
                assert_eq!(found, usize::from(status == expected), "{engine} {status}");
            }
            job["FailureReason"].as_str().map(str::to_owned)
        };
        assert_eq!(told("InProgress").await, None);
        clock.advance(600_001);
        assert!(told("Failed").await.unwrap().contains("The server stopped"), "{engine}");
    }
}
