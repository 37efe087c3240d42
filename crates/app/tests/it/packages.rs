//! Versions with a decision and facets, and resources, on both engines.

use serde_json::{Value, json};
use stele_app::{
    CheckedSource, Ctx, Faceted, Idempotency, NewModel, NewModelVersion, NewPackage, NewResource, Script, VersionChange,
};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::resource::Document;
use stele_domain::search::{Comparison, Direction};
use stele_domain::search::{DocumentPath, Field, Filter, Order, Predicate, Query, ResourceSearch};
use stele_domain::{Error, Kind};
use stele_testkit::{TestApp, apps};

fn document(value: Value) -> Document {
    value.as_object().cloned().expect("documents are objects")
}

fn package(model: &str, approval: ApprovalStatus, token: &str, request: &str) -> NewPackage {
    NewPackage {
        version: NewModelVersion {
            model: model.to_owned(),
            source: CheckedSource::none(),
            run_link: None,
            description: None,
            tags: Vec::new(),
        },
        approval,
        stage: Stage::None,
        facets: document(json!({ "Domain": "VISION" })),
        idempotency: Some(Idempotency { token: token.to_owned(), request: request.to_owned() }),
    }
}

async fn with_model(test: &TestApp) -> Ctx {
    let ctx = test.app.local_owner(Script::Sagemaker, "test");
    let new = NewModel { name: "m".to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&ctx, new).await.unwrap();
    ctx
}

#[tokio::test]
async fn a_request_sent_again_registers_once() {
    for test in &apps().await {
        let ctx = with_model(test).await;
        let first =
            test.app.model_version_register(&ctx, package("m", ApprovalStatus::Approved, "t", "r")).await.unwrap();
        let again =
            test.app.model_version_register(&ctx, package("m", ApprovalStatus::Approved, "t", "r")).await.unwrap();
        assert_eq!((first.number, again.number, again.approval), (1, 1, ApprovalStatus::Approved), "{}", test.engine);
        let other = test.app.model_version_register(&ctx, package("m", ApprovalStatus::Approved, "t", "other")).await;
        assert!(matches!(other, Err(Error::Conflict { .. })), "{other:?}");
    }
}

#[tokio::test]
async fn a_change_decides_moves_and_keeps_in_one_go_or_not_at_all() {
    for test in &apps().await {
        let ctx = with_model(test).await;
        test.app.model_version_register(&ctx, package("m", ApprovalStatus::Pending, "t", "r")).await.unwrap();
        let wanted = VersionChange {
            approval: Some(ApprovalStatus::Approved),
            stage: Some(Stage::Production),
            ..VersionChange::default()
        };
        let failed =
            test.app.model_version_change(&ctx, "m".to_owned(), 1, wanted.clone(), |_| Err(Error::invalid("no"))).await;
        assert!(failed.is_err());
        let version = test.app.model_version_get(&ctx, "m".to_owned(), 1).await.unwrap();
        assert_eq!((version.approval, version.stage), (ApprovalStatus::Pending, Stage::None), "{}", test.engine);
        let version = test
            .app
            .model_version_change(&ctx, "m".to_owned(), 1, wanted, |facets| {
                facets.insert("Task".to_owned(), "OTHER".into());
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!((version.approval, version.stage), (ApprovalStatus::Approved, Stage::Production));
        let facets = test.app.facets(&ctx, Faceted::ModelVersion, vec![version.row.0]).await.unwrap();
        let kept = &facets[&version.row.0].document;
        assert_eq!(Value::Object(kept.clone()), json!({ "Domain": "VISION", "Task": "OTHER" }));
        // Facets are a script's own.
        let mlflow = test.app.local_owner(Script::Mlflow, "test");
        let facets = test.app.facets(&mlflow, Faceted::ModelVersion, vec![version.row.0]).await.unwrap();
        assert!(facets[&version.row.0].document.is_empty());
    }
}

#[tokio::test]
async fn resources_are_found_by_what_is_in_their_documents() {
    for test in &apps().await {
        let ctx = test.app.local_owner(Script::Sagemaker, "test");
        let documents = [
            ("a", json!({ "Source": { "Uri": "s3://A_b" }, "n": 2 })),
            ("b", json!({ "Source": { "Uri": "s3://c" }, "n": 10 })),
            ("c", json!({ "odd \" key": "x" })),
        ];
        for (name, value) in documents {
            let name = Some(name.to_owned());
            let document = document(value);
            let new = NewResource { kind: "thing", name, experiment: None, document, tags: Vec::new() };
            test.app.resource_create(&ctx, new).await.unwrap();
        }
        let path =
            |names: &[&str]| Field::Document(DocumentPath(names.iter().map(|name| (*name).to_owned()).collect()));
        let found = async |filter: Filter, order_by: Vec<Order>| {
            let query = Query { filter, order_by, ..Query::default() };
            let page =
                test.app.resource_search(&ctx, ResourceSearch { kind: "thing".to_owned(), query }).await.unwrap();
            page.items.into_iter().map(|found| found.name).collect::<String>()
        };
        let uri = || path(&["Source", "Uri"]);
        let equal = |value: &str| Predicate::Text(Comparison::Equal, value.to_owned());
        assert_eq!(found(Filter::Test(uri(), equal("s3://c")), vec![]).await, "b", "{}", test.engine);
        assert_eq!(found(Filter::Test(uri(), Predicate::Contains("a_B".to_owned())), vec![]).await, "a");
        assert_eq!(found(Filter::Test(uri(), Predicate::Contains("%".to_owned())), vec![]).await, "");
        assert_eq!(found(Filter::Test(uri(), Predicate::IsNull), vec![]).await, "c");
        assert_eq!(found(Filter::Test(uri(), Predicate::IsNotNull), vec![]).await, "ab");
        assert_eq!(found(Filter::Test(path(&["n"]), equal("10")), vec![]).await, "b");
        assert_eq!(found(Filter::Test(path(&["Source.Uri"]), Predicate::IsNotNull), vec![]).await, "");
        let backwards = Order { field: uri(), direction: Direction::Descending };
        assert_eq!(found(Filter::All, vec![backwards]).await, "bac");
    }
}

#[tokio::test]
async fn a_resource_keeps_its_versions_and_goes_only_without_edges() {
    for test in &apps().await {
        let ctx = test.app.local_owner(Script::Sagemaker, "test");
        let name = || "one".to_owned();
        let new = NewResource {
            kind: "action",
            name: Some(name()),
            experiment: None,
            document: document(json!({ "v": 1 })),
            tags: Vec::new(),
        };
        test.app.resource_create(&ctx, new.clone()).await.unwrap();
        let taken = test.app.resource_create(&ctx, new).await;
        assert_eq!(taken, Err(Error::already_exists(Kind::Resource, "one")), "{}", test.engine);
        let rewrite = |resource: &mut stele_domain::resource::Resource| {
            resource.version += 1;
            resource.document.insert("v".to_owned(), 2.into());
            Ok(())
        };
        test.app.resource_rewrite(&ctx, "action", name(), rewrite).await.unwrap();
        let (_, versions) = test.app.resource_history(&ctx, "action", name()).await.unwrap();
        let kept: Vec<(i64, Value)> =
            versions.into_iter().map(|version| (version.number, version.document["v"].clone())).collect();
        assert_eq!(kept, [(1, json!(1)), (2, json!(2))]);
        let (source, target) = ("action/one".to_owned(), "action/two".to_owned());
        test.app.association_add(&ctx, source.clone(), target.clone(), "Produced".to_owned()).await.unwrap();
        let held = test.app.resource_delete(&ctx, "action", name()).await;
        assert!(matches!(held, Err(Error::WrongState { .. })), "{held:?}");
        test.app.association_delete(&ctx, source, target).await.unwrap();
        test.app.resource_delete(&ctx, "action", name()).await.unwrap();
    }
}
