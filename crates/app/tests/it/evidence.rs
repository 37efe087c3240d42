//! What gates judge by: documents in buckets, what runs say that they evaluated, and files that changed since.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use stele_app::{
    App, ArtifactRoot, CheckedSource, Checksums, Condition, Content, Ctx, Idempotency, NewModel, NewModelEvaluation,
    NewModelVersion, NewObject, NewPackage, NewReview, NewRun, ReviewKind, RunInputs, RunValues, Script, SourceRequest,
    VersionChange,
};
use stele_domain::bucket::ObjectHead;
use stele_domain::gate::{DecisionKind, evaluate};
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::identity::Role;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::record::{Dataset, DatasetInput, MetricValue, Tag};
use stele_domain::registry::{ModelVersion, Occupants};
use stele_domain::{ArtifactPath, Error, Point, Result};
use stele_testkit::{TestApp, apps};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Somebody with roles in the whole organisation.
async fn person(test: &TestApp, name: &str, roles: &[Role]) -> Ctx {
    test.person(name, roles, &[], Script::Sagemaker).await
}

async fn gate(test: &TestApp, rules: Value) {
    let gate = json!({ "name": "g", "target": { "stage": "production" }, "rules": rules });
    test.app.gate_apply(&test.ctx, serde_json::from_value(gate).unwrap()).await.unwrap();
}

async fn with_model(test: &TestApp) -> Ctx {
    let ctx = test.app.local_owner(Script::Sagemaker, "test");
    let new = NewModel { name: "m".to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&ctx, new).await.unwrap();
    test.app.bucket_create(&ctx, "abc".to_owned()).await.unwrap();
    ctx
}

async fn put(test: &TestApp, key: &str, text: &str) {
    let bytes = futures::stream::iter([Ok::<_, Error>(Bytes::copy_from_slice(text.as_bytes()))]);
    let content = Content { length: None, bytes, checksums: Checksums::default() };
    let (bucket, key, head, condition) = ("abc".to_owned(), key.to_owned(), ObjectHead::default(), Condition::None);
    test.app.object_put(&test.ctx, NewObject { bucket, key, head, condition }, content).await.unwrap();
}

fn package(source: CheckedSource, facets: Value) -> NewPackage {
    NewPackage {
        version: NewModelVersion { model: "m".to_owned(), source, run_link: None, description: None, tags: Vec::new() },
        approval: ApprovalStatus::Pending,
        stage: Stage::None,
        facets: facets.as_object().cloned().unwrap(),
        idempotency: None,
    }
}

fn statistics(key: &str) -> Value {
    let source = json!({ "ContentType": "application/json", "S3Uri": format!("s3://abc/{key}") });
    json!({ "ModelMetrics": { "ModelQuality": { "Statistics": source } } })
}

fn auc(value: f64) -> String {
    let dataset = json!({ "name": "holdout", "digest": "d1" });
    json!({ "dataset": dataset, "binary_classification_metrics": { "auc": { "value": value } } }).to_string()
}

async fn produce(app: &App, ctx: &Ctx, number: i64) -> Result<ModelVersion> {
    app.model_version_transition(ctx, "m".to_owned(), number, Stage::Production, Occupants::Archive).await
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::GateFailed { message, refusal: Some(_) }) => message,
        other => panic!("a gate should have refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_gate_judges_by_the_bytes_of_a_report_that_are_there() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, with_model(test).await);
        let threshold = json!({ "metric": "auc", "at_least": 0.8, "at_least_production_plus": 0.0 });
        gate(test, json!([{ "evaluation": { "digest": "d1", "thresholds": [threshold] } }])).await;
        let registered = app.model_version_register(&ctx, package(CheckedSource::none(), statistics("s.json"))).await;
        let first = registered.unwrap().number;
        let message = refused(produce(app, &ctx, first).await);
        let expected = "no evaluation of the version on data set 'd1'; ModelMetrics.ModelQuality.Statistics at \
                        s3://abc/s.json could not be read: there is no such object";
        assert!(message.contains(expected), "{message}");
        put(test, "s.json", "{").await;
        assert!(refused(produce(app, &ctx, first).await).contains("could not be read: it is not JSON"));
        put(test, "s.json", &auc(0.7)).await;
        assert!(refused(produce(app, &ctx, first).await).contains("auc is 0.7 and must be at least 0.8"));
        put(test, "s.json", &auc(0.9)).await;
        produce(app, &ctx, first).await.unwrap();

        // The next one is measured on the same data and compared.
        put(test, "t.json", &auc(0.85)).await;
        let second = app.model_version_register(&ctx, package(CheckedSource::none(), statistics("t.json"))).await;
        let second = second.unwrap().number;
        let message = refused(produce(app, &ctx, second).await);
        assert!(message.contains("auc is 0.85 and must be at least 0.9, by version 1 in production"), "{message}");

        // An answer is reached again from what is kept, whatever became of the document.
        let before = app.verdicts_list(&ctx, "m".to_owned(), first).await.unwrap();
        put(test, "s.json", &auc(0.1)).await;
        let after = app.verdicts_list(&ctx, "m".to_owned(), first).await.unwrap();
        assert_eq!(before, after, "{}", test.engine);
        assert_eq!(after.len(), 4);
        let read: Vec<bool> = after.iter().map(|kept| kept.evidence.reports[0].sha256.is_some()).collect();
        assert_eq!(read, [true, true, true, false]);
        for kept in after {
            assert_eq!(evaluate(&kept.gate, &kept.evidence), kept.verdict);
        }
    }
}

#[tokio::test]
async fn a_version_can_be_registered_into_production_by_its_reports() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, with_model(test).await);
        let slice = json!({ "metric": "DPPL", "slice": "Sex=0", "at_most": 0.1 });
        gate(test, json!([{ "evaluation": { "report": "bias", "thresholds": [slice] } }])).await;
        let bias = |value: f64| {
            let metrics = json!([{ "name": "DPPL", "value": value }]);
            let facets = json!({ "Sex": [{ "value_or_threshold": "0", "metrics": metrics }] });
            json!({ "post_training_bias_metrics": { "facets": facets } }).to_string()
        };
        let source = json!({ "ContentType": "application/json", "S3Uri": "s3://abc/bias.json" });
        let facets = json!({ "ModelMetrics": { "Bias": { "Report": source } } });
        let register = || {
            let package = NewPackage { stage: Stage::Production, ..package(CheckedSource::none(), facets.clone()) };
            app.model_version_register(&ctx, package)
        };
        put(test, "bias.json", &bias(0.2)).await;
        assert!(refused(register().await).contains("DPPL of slice 'Sex=0' is 0.2 and must be at most 0.1"));
        put(test, "bias.json", &bias(0.05)).await;
        assert_eq!(register().await.unwrap().stage, Stage::Production, "{}", test.engine);

        // One that says other bytes than there are is not believed.
        let digest = format!("sha256:{}", "0".repeat(64));
        let source =
            json!({ "ContentType": "application/json", "S3Uri": "s3://abc/bias.json", "ContentDigest": digest });
        let facets = json!({ "ModelMetrics": { "Bias": { "Report": source } } });
        let other = app.model_version_register(&ctx, package(CheckedSource::none(), facets)).await.unwrap();
        assert!(refused(produce(app, &ctx, other.number).await).contains("not that of its ContentDigest"));
    }
}

#[tokio::test]
async fn a_run_that_says_so_evaluates_a_version() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, with_model(test).await);
        let thresholds = json!([
            { "metric": "accuracy_score", "at_least": 0.8 },
            { "metric": "accuracy_score", "slice": "young", "at_least": 0.7 },
        ]);
        gate(test, json!([{ "evaluation": { "digest": "d1", "thresholds": thresholds } }])).await;
        let logged = json!([
            { "artifact_path": "model", "model_uuid": "old" },
            { "artifact_path": "other", "model_uuid": "other" },
            { "artifact_path": "model", "model_uuid": "u1" },
        ]);
        let trained = run(app, &ctx, "mlflow.log-model.history", &logged.to_string()).await;
        let request = SourceRequest {
            source: format!("mlflow-artifacts:/0/{trained}/artifacts/model"),
            run: Some(trained.as_str().to_owned()),
            logged_model: None,
        };
        let source = app.model_source_check(&ctx, request).await.unwrap();
        let number = app.model_version_register(&ctx, package(source, json!({}))).await.unwrap().number;
        // Of models that nobody asks about, of two models at once, and of a model that was logged over.
        for models in [r#"[{"model":"other"}]"#, r#"[{"model":"u1"},{"model":"u2"}]"#, r#"[{"model":"old"}]"#, "x"] {
            let run = run(app, &ctx, "mlflow.datasets", models).await;
            measure(app, &ctx, &run, &["d1"], 0.99).await;
            assert!(refused(produce(app, &ctx, number).await).contains("there is no evaluation"), "{models}");
        }
        let evaluated = run(app, &ctx, "mlflow.datasets", r#"[{"name":"of d1","model":"u1"}]"#).await;
        measure(app, &ctx, &evaluated, &["d1", "d2"], 0.7).await;
        let message = refused(produce(app, &ctx, number).await);
        assert!(message.contains("accuracy_score is 0.7 and must be at least 0.8"), "{message}");
        assert!(message.contains("accuracy_score of slice 'young' is not measured"), "{message}");
        let evaluated = run(app, &ctx, "mlflow.datasets", r#"[{"name":"of d1","model":"u1"}]"#).await;
        measure(app, &ctx, &evaluated, &["d1"], 0.9).await;
        log(app, &ctx, &evaluated, "slice/young/accuracy_score", 0.75).await;
        test.clock.advance(1);
        produce(app, &ctx, number).await.unwrap();
        let [found, ..] = &app.model_evaluations_list(&ctx, "m".to_owned(), number).await.unwrap()[..] else {
            panic!()
        };
        assert_eq!((found.dataset.as_str(), found.source.clone()), ("of d1", format!("run {evaluated}")));
    }
}

async fn run(app: &App, ctx: &Ctx, key: &str, value: &str) -> RunId {
    let new = NewRun {
        experiment: ExperimentId(0),
        parent: None,
        name: String::new(),
        user: "ada".to_owned(),
        started_at: None,
        tags: vec![Tag { key: key.to_owned(), value: value.to_owned() }],
    };
    app.run_create(ctx, new).await.unwrap().info.id
}

async fn log(app: &App, ctx: &Ctx, run: &RunId, key: &str, value: f64) {
    let metric = MetricValue { key: key.to_owned(), point: Point::new(0, ctx.now().0, value), subject: None };
    let values = RunValues { metrics: [metric].into_iter().collect(), ..RunValues::default() };
    app.run_log(ctx, run.clone(), values).await.unwrap();
}

async fn measure(app: &App, ctx: &Ctx, run: &RunId, digests: &[&str], accuracy: f64) {
    let read = |digest: &&str| DatasetInput {
        dataset: Dataset {
            name: format!("of {digest}"),
            digest: (*digest).to_owned(),
            source_type: "local".to_owned(),
            source: "{}".to_owned(),
            schema: None,
            profile: None,
        },
        tags: Vec::new(),
    };
    let inputs = RunInputs { datasets: digests.iter().map(read).collect(), models: Vec::new() };
    app.run_inputs_log(ctx, run.clone(), inputs).await.unwrap();
    log(app, ctx, run, "accuracy_score", accuracy).await;
}

#[tokio::test]
async fn nobody_has_approved_bytes_that_came_later() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, with_model(test).await);
        gate(test, json!([{ "approvals": { "quorum": 1 } }, { "evaluation": { "digest": "d1" } }])).await;
        let bob = person(test, "bob", &[Role::Approver]).await;
        let dan = person(test, "dan", &[Role::Deployer]).await;
        let approve = || async {
            let kind = ReviewKind::Decision(DecisionKind::Approve);
            let new =
                NewReview { model: "m".to_owned(), number: 1, kind, reason: String::new(), expires_in_days: None };
            app.review_add(&bob, new).await.unwrap();
            let new = NewModelEvaluation {
                dataset: String::new(),
                digest: "d1".to_owned(),
                metrics: BTreeMap::from([("auc".to_owned(), 0.9)]),
                slices: BTreeMap::new(),
                report: None,
            };
            app.model_evaluation_record(&ctx, "m".to_owned(), 1, new).await.unwrap();
            test.clock.advance(DAY);
        };
        let passes = || async {
            let target = stele_domain::gate::Target::parse("stage production").unwrap();
            let checked = app.gate_check(&dan, "m".to_owned(), 1, target).await.unwrap();
            let findings = checked.verdicts.into_iter().flat_map(|verdict| verdict.findings);
            let wrong: Vec<String> = findings.filter(|found| !found.passed).map(|found| found.message).collect();
            if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
        };
        let trained = run(app, &ctx, "k", "v").await;
        let root = ArtifactRoot::Run(trained.clone());
        let server = ArtifactRoot::Server;
        let write = |root: ArtifactRoot, path: String, text: &'static str| {
            let ctx = ctx.clone();
            async move {
                let content = futures::stream::iter([Ok::<_, Error>(Bytes::from_static(text.as_bytes()))]);
                let path = ArtifactPath::parse_file(&path).unwrap();
                app.artifact_put(&ctx, &root, &path, None, content).await.unwrap();
            }
        };
        let below = |name: &str| format!("0/{trained}/artifacts/{name}");
        write(root.clone(), "model/weights".to_owned(), "one").await;
        write(root.clone(), "model/MLmodel".to_owned(), "flavors").await;
        let request = SourceRequest {
            source: format!("runs:/{trained}/model"),
            run: Some(trained.as_str().to_owned()),
            logged_model: None,
        };
        let source = app.model_source_check(&ctx, request).await.unwrap();
        app.model_version_register(&ctx, package(source, statistics("s.json"))).await.unwrap();
        put(test, "s.json", "{}").await;
        assert!(passes().await.unwrap_err().contains("0 of 1 approvals"));
        approve().await;
        passes().await.unwrap();
        // The same bytes again, and files that are not of the version, are no change.
        write(server.clone(), below("model/weights"), "one").await;
        write(root.clone(), "models/weights".to_owned(), "other").await;
        passes().await.unwrap();
        for other in ["two", "one"] {
            write(server.clone(), below("model/weights"), other).await;
            let wrong = passes().await;
            if other == "one" {
                wrong.unwrap();
            } else {
                let wrong = wrong.unwrap_err();
                let expected = "the approval of bob was given before artifacts of the version changed";
                assert!(wrong.contains(expected), "{wrong}");
                assert!(wrong.contains("artifacts of the version changed since"), "{wrong}");
            }
        }
        let path = ArtifactPath::parse_file(&below("model")).unwrap();
        app.artifact_delete(&ctx, &server, &path).await.unwrap();
        assert!(passes().await.unwrap_err().contains("artifacts of the version changed"));
        approve().await;
        passes().await.unwrap();
        // So are the documents that it names.
        put(test, "s.json", "{ }").await;
        assert!(passes().await.unwrap_err().contains("artifacts of the version changed"), "{}", test.engine);
        approve().await;
        passes().await.unwrap();
    }
}

#[tokio::test]
async fn objects_of_a_bucket_are_files_of_a_version() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, with_model(test).await);
        gate(test, json!([{ "approvals": { "quorum": 1 } }])).await;
        put(test, "m/model.tar.gz", "one").await;
        let source = "s3://abc/m/model.tar.gz".to_owned();
        let request = SourceRequest { source, run: None, logged_model: None };
        let source = app.model_source_check(&ctx, request).await.unwrap();
        app.model_version_register(&ctx, package(source, json!({}))).await.unwrap();
        let bob = person(test, "bob", &[Role::Approver]).await;
        let dan = person(test, "dan", &[Role::Deployer]).await;
        let approve =
            VersionChange { approval: Some(ApprovalStatus::Approved), stage: None, ..VersionChange::default() };
        let approved = || app.model_version_change(&bob, "m".to_owned(), 1, approve.clone(), |_| Ok(()));
        approved().await.unwrap();
        put(test, "m/model.tar.gz.sig", "beside").await;
        put(test, "m/model.tar.gz", "two").await;
        let message = refused(produce(app, &dan, 1).await);
        assert!(message.contains("bob was given before artifacts of the version changed"), "{message}");
        approved().await.unwrap();
        produce(app, &dan, 1).await.unwrap();
    }
}

#[tokio::test]
async fn client_tokens_are_forgotten_after_a_month() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, with_model(test).await);
        let register = |token: &str| {
            let idempotency = Some(Idempotency { token: token.to_owned(), request: "r".to_owned() });
            let package = NewPackage { idempotency, ..package(CheckedSource::none(), json!({})) };
            app.model_version_register(&ctx, package)
        };
        for token in ["a", "b"] {
            register(token).await.unwrap();
        }
        test.clock.advance(29 * DAY);
        register("c").await.unwrap();
        assert_eq!(app.tokens_prune().await.unwrap(), 0);
        assert_eq!(register("a").await.unwrap().number, 1);
        test.clock.advance(2 * DAY);
        assert_eq!(app.tokens_prune().await.unwrap(), 2, "{}", test.engine);
        assert_eq!(register("a").await.unwrap().number, 4);
        assert_eq!(register("c").await.unwrap().number, 3);
    }
}
