//! Gates in front of every way to move a version, on both engines.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stele_app::{
    App, CheckedSource, Ctx, LoadedModel, LoadedVersion, NewException, NewModel, NewModelEvaluation, NewModelVersion,
    NewPackage, NewReview, ReviewKind, Script, VersionChange,
};
use stele_domain::gate::{DecisionKind, GateDefinition, Outcome, Target, evaluate};
use stele_domain::id::Timestamp;
use stele_domain::identity::Role;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::record::Tag;
use stele_domain::registry::{ModelVersion, Occupants};
use stele_domain::resource::Document;
use stele_domain::workspace::Removal;
use stele_domain::{Error, Result};
use stele_testkit::{TestApp, apps};

use crate::workspaces::workspace;

pub(crate) const APPROVE: ReviewKind = ReviewKind::Decision(DecisionKind::Approve);

/// Somebody in groups, with roles in the whole organisation.
pub(crate) async fn person(test: &TestApp, name: &str, roles: &[Role], groups: &[&str]) -> Ctx {
    test.person(name, roles, groups, Script::Mlflow).await
}

fn definition(value: Value) -> GateDefinition {
    serde_json::from_value(value).unwrap()
}

pub(crate) async fn gate(test: &TestApp, name: &str, models: &str, target: Value, rules: Value) {
    let gate = definition(json!({ "name": name, "models": models, "target": target, "rules": rules }));
    test.app.gate_apply(&test.ctx, gate).await.unwrap();
}

fn new_version(model: &str) -> NewModelVersion {
    NewModelVersion {
        model: model.to_owned(),
        source: CheckedSource::none(),
        run_link: None,
        description: None,
        tags: Vec::new(),
    }
}

pub(crate) async fn version(app: &App, ctx: &Ctx, model: &str) -> i64 {
    let new = NewModel { name: model.to_owned(), description: None, tags: Vec::new() };
    match app.model_create(ctx, new).await {
        Ok(_) | Err(Error::AlreadyExists { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    app.model_version_create(ctx, new_version(model)).await.unwrap().number
}

pub(crate) async fn review(app: &App, ctx: &Ctx, model: &str, number: i64, kind: ReviewKind) -> Result<Option<String>> {
    let new = NewReview { model: model.to_owned(), number, kind, reason: "looked".to_owned(), expires_in_days: None };
    app.review_add(ctx, new).await.map(|reviewed| reviewed.missing)
}

pub(crate) async fn produce(app: &App, ctx: &Ctx, model: &str, number: i64) -> Result<ModelVersion> {
    app.model_version_transition(ctx, model.to_owned(), number, Stage::Production, Occupants::Archive).await
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::GateFailed { message, refusal: Some(_) }) => message,
        other => panic!("a gate should have refused: {other:?}"),
    }
}

pub(crate) fn production() -> Value {
    json!({ "stage": "production" })
}

#[tokio::test]
async fn two_people_besides_author_and_asker_let_a_version_into_production() {
    for test in &apps().await {
        let app = &test.app;
        let rules = json!([{ "approvals": { "quorum": 2, "group": "risk" } }, { "tag": { "key": "ticket" } }]);
        gate(test, "prod", "*", production(), rules).await;
        let ann = person(test, "ann", &[Role::Contributor, Role::Approver, Role::Deployer], &["risk"]).await;
        let dan = person(test, "dan", &[Role::Deployer, Role::Approver], &["risk"]).await;
        let (bob, cyd) = (
            person(test, "bob", &[Role::Approver], &["risk"]).await,
            person(test, "cyd", &[Role::Approver], &[]).await,
        );
        let eve = person(test, "eve", &[Role::Approver], &["risk"]).await;
        let number = version(app, &ann, "m").await;
        for approver in [&ann, &bob, &cyd, &dan] {
            assert_eq!(review(app, approver, "m", number, APPROVE).await.unwrap(), None);
        }
        let message = refused(produce(app, &dan, "m", number).await);
        assert!(message.contains("rule approvals: 1 of 2 approvals from group 'risk' (bob), 1 missing"), "{message}");
        assert!(message.contains("rule tag: tag 'ticket' is missing"), "{message}");
        review(app, &eve, "m", number, APPROVE).await.unwrap();
        let tag = Tag { key: "ticket".to_owned(), value: "T-1".to_owned() };
        app.model_version_tag_set(&ann, "m".to_owned(), number, tag).await.unwrap();
        // They approved what had no such tag.
        let message = refused(produce(app, &dan, "m", number).await);
        assert!(message.contains("the approval of eve was given before the version changed"), "{message}");
        for approver in [&bob, &eve] {
            review(app, approver, "m", number, APPROVE).await.unwrap();
        }
        assert_eq!(produce(app, &dan, "m", number).await.unwrap().stage, Stage::Production, "{}", test.engine);

        // Every answer is kept, and is reached again from what is kept with it.
        let verdicts = app.verdicts_list(&bob, "m".to_owned(), number).await.unwrap();
        let outcomes: Vec<Outcome> = verdicts.iter().map(|kept| kept.verdict.outcome).collect();
        assert_eq!(outcomes, [Outcome::Passed, Outcome::Failed, Outcome::Failed]);
        for kept in verdicts {
            assert_eq!(evaluate(&kept.gate, &kept.evidence), kept.verdict);
        }
    }
}

#[tokio::test]
async fn what_moves_from_a_deleted_workspace_comes_under_the_gates() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let team = &workspace(test, "team").await;
        for model in ["m", "free"] {
            let number = version(app, team, model).await;
            produce(app, team, model, number).await.unwrap();
        }
        gate(test, "prod", "m*", production(), json!([{ "tag": { "key": "ticket" } }])).await;
        for asker in [ctx, team] {
            let refused = refused(app.workspace_delete(asker, "team".to_owned(), Removal::SetDefault).await);
            assert!(refused.contains("version 1 of model 'm' cannot get stage production"), "{refused}");
            assert!(app.model_get(ctx, "m".to_owned()).await.is_err(), "on {}", test.engine);
        }
        let tag = Tag { key: "ticket".to_owned(), value: "T-1".to_owned() };
        app.model_version_tag_set(team, "m".to_owned(), 1, tag).await.unwrap();
        app.workspace_delete(ctx, "team".to_owned(), Removal::SetDefault).await.unwrap();
        let [m, free] = ["m", "free"].map(|model| app.model_version_get(ctx, model.to_owned(), 1));
        assert_eq!((m.await.unwrap().stage, free.await.unwrap().stage), (Stage::Production, Stage::Production));
    }
}

#[tokio::test]
async fn an_approval_status_needs_the_quorum_of_its_gate() {
    for test in &apps().await {
        let app = &test.app;
        gate(test, "approval", "*", json!({ "approval": "approved" }), json!([{ "approvals": { "quorum": 2 } }])).await;
        let ann = person(test, "ann", &[Role::Contributor, Role::Approver], &[]).await;
        let (bob, cyd) =
            (person(test, "bob", &[Role::Approver], &[]).await, person(test, "cyd", &[Role::Approver], &[]).await);
        let number = version(app, &ann, "m").await;
        let approve =
            VersionChange { approval: Some(ApprovalStatus::Approved), stage: None, ..VersionChange::default() };
        let change = |ctx: &Ctx| {
            let (app, ctx, approve) = (app.clone(), ctx.clone(), approve.clone());
            async move { app.model_version_change(&ctx, "m".to_owned(), number, approve, |_| Ok(())).await }
        };
        let message = refused(change(&bob).await);
        assert!(message.contains("1 of 2 approvals (bob), 1 missing"), "{message}");
        assert!(message.ends_with("your decision is recorded and counts"), "{message}");
        assert!(refused(change(&bob).await).contains("1 missing"));
        assert!(refused(change(&ann).await).contains("the approval of ann is the author's own"));
        assert_eq!(change(&cyd).await.unwrap().approval, ApprovalStatus::Approved, "{}", test.engine);

        // Who registers a version as approved has nobody's approval.
        let package = NewPackage {
            version: new_version("m"),
            approval: ApprovalStatus::Approved,
            stage: Stage::None,
            facets: Document::default(),
            idempotency: None,
        };
        let message = refused(app.model_version_register(&ann, package).await);
        assert!(!message.contains("your decision is recorded"), "there is nothing to keep it with: {message}");
        assert!(app.model_version_get(&ann, "m".to_owned(), number + 1).await.is_err());
    }
}

#[tokio::test]
async fn every_way_into_production_meets_the_gate() {
    for test in &apps().await {
        let (app, owner) = (&test.app, &test.ctx);
        gate(test, "prod", "m*", production(), json!([{ "tag": { "key": "ok" } }])).await;
        gate(test, "champ", "m*", json!({ "alias": "champion" }), json!([{ "tag": { "key": "ok" } }])).await;
        let number = version(app, owner, "m").await;
        refused(produce(app, owner, "m", number).await);
        refused(app.model_alias_set(owner, "m".to_owned(), "production".to_owned(), number).await);
        refused(app.model_alias_set(owner, "m".to_owned(), "champion".to_owned(), number).await);
        let stage = VersionChange { approval: None, stage: Some(Stage::Production), ..VersionChange::default() };
        refused(app.model_version_change(owner, "m".to_owned(), number, stage, |_| Ok(())).await);
        let package = NewPackage {
            version: new_version("m"),
            approval: ApprovalStatus::Pending,
            stage: Stage::Production,
            facets: Document::default(),
            idempotency: None,
        };
        refused(app.model_version_register(owner, package).await);

        // A model that is free of gates does not bring what it got so under a name that has some.
        let other = version(app, owner, "free").await;
        produce(app, owner, "free", other).await.unwrap();
        refused(app.model_rename(owner, "free".to_owned(), "m-free".to_owned()).await);
        app.model_rename(owner, "free".to_owned(), "still-free".to_owned()).await.unwrap();

        let at = Timestamp(1);
        let loaded = LoadedModel {
            name: "m-loaded".to_owned(),
            description: None,
            last_number: 1,
            created_at: at,
            updated_at: at,
            tags: Vec::new(),
            aliases: Vec::new(),
        };
        let version = LoadedVersion {
            number: 1,
            description: None,
            user: None,
            stage: Stage::Production,
            source: String::new(),
            storage_uri: String::new(),
            run: None,
            run_link: None,
            logged_model: None,
            created_at: at,
            updated_at: at,
            tags: Vec::new(),
        };
        refused(app.model_load(owner, loaded, vec![version]).await);
        assert!(app.model_get(owner, "m-loaded".to_owned()).await.is_err());
        assert_eq!(app.model_version_get(owner, "m".to_owned(), number).await.unwrap().stage, Stage::None);
    }
}

#[tokio::test]
async fn an_evaluation_is_compared_with_the_version_in_production() {
    for test in &apps().await {
        let (app, owner) = (&test.app, &test.ctx);
        let threshold = json!({ "metric": "auc", "at_least": 0.7, "at_least_production_plus": 0.01 });
        let rule = json!({ "digest": "d1", "not_older_than_days": 7, "thresholds": [threshold] });
        gate(test, "prod", "*", production(), json!([{ "evaluation": rule }])).await;
        let record = |number, auc: f64| async move {
            let new = NewModelEvaluation {
                dataset: "holdout".to_owned(),
                digest: "d1".to_owned(),
                metrics: BTreeMap::from([("auc".to_owned(), auc)]),
                slices: BTreeMap::new(),
                report: None,
            };
            app.model_evaluation_record(owner, "m".to_owned(), number, new).await.unwrap();
        };
        let first = version(app, owner, "m").await;
        assert!(refused(produce(app, owner, "m", first).await).contains("there is no evaluation"));
        record(first, 0.8).await;
        produce(app, owner, "m", first).await.unwrap();
        let second = version(app, owner, "m").await;
        record(second, 0.805).await;
        let message = refused(produce(app, owner, "m", second).await);
        assert!(message.contains("by version 1 in production"), "{message}");
        record(second, 0.85).await;
        test.clock.advance(8 * 24 * 60 * 60 * 1000);
        assert!(refused(produce(app, owner, "m", second).await).contains("8 days old"));
        record(second, 0.85).await;
        produce(app, owner, "m", second).await.unwrap();
    }
}

/// A model that takes the name of another has none of its answers, and one that is renamed keeps its own.
#[tokio::test]
async fn answers_are_about_a_model_and_not_about_its_name() {
    for test in &apps().await {
        let (app, owner) = (&test.app, &test.ctx);
        gate(test, "prod", "m*", production(), json!([{ "tag": { "key": "ok" } }])).await;
        let kept = async |model: &str| {
            let kept = app.verdicts_list(owner, model.to_owned(), 1).await.unwrap();
            kept.iter().map(|kept| kept.verdict.outcome).collect::<Vec<_>>()
        };
        version(app, owner, "m").await;
        let tag = Tag { key: "ok".to_owned(), value: String::new() };
        app.model_version_tag_set(owner, "m".to_owned(), 1, tag).await.unwrap();
        produce(app, owner, "m", 1).await.unwrap();
        app.model_rename(owner, "m".to_owned(), "m2".to_owned()).await.unwrap();
        version(app, owner, "m").await;
        assert_eq!((kept("m").await, kept("m2").await), (vec![], vec![Outcome::Passed]), "{}", test.engine);
        app.model_delete(owner, "m2".to_owned()).await.unwrap();
        assert_eq!(kept("m").await, []);
        app.model_delete(owner, "m".to_owned()).await.unwrap();
        assert_eq!(kept("m").await, [Outcome::Passed], "nobody has the name now");
        version(app, owner, "m").await;
        refused(produce(app, owner, "m", 1).await);
        assert_eq!(kept("m").await, [Outcome::Failed], "{}", test.engine);
    }
}

/// Emptying production first is no way around a comparison with what is there.
#[tokio::test]
async fn a_version_that_left_production_is_still_what_the_next_one_is_compared_with() {
    for test in &apps().await {
        let (app, owner) = (&test.app, &test.ctx);
        let threshold = json!({ "metric": "auc", "at_least_production_plus": 0.0 });
        gate(test, "prod", "*", production(), json!([{ "evaluation": { "digest": "d", "thresholds": [threshold] } }]))
            .await;
        for (number, auc) in [(1, 0.8), (2, 0.7), (3, 0.9)] {
            assert_eq!(version(app, owner, "m").await, number);
            let new = NewModelEvaluation {
                dataset: "d".to_owned(),
                digest: "d".to_owned(),
                metrics: BTreeMap::from([("auc".to_owned(), auc)]),
                slices: BTreeMap::new(),
                report: None,
            };
            app.model_evaluation_record(owner, "m".to_owned(), number, new).await.unwrap();
        }
        let says = |message: String, which: &str| assert!(message.contains(which), "{message} on {}", test.engine);
        produce(app, owner, "m", 1).await.unwrap();
        says(
            refused(produce(app, owner, "m", 2).await),
            "auc is 0.7 and must be at least 0.8, by version 1 in production",
        );
        let leave = |stage| app.model_version_transition(owner, "m".to_owned(), 1, stage, Occupants::Stay);
        for stage in [Stage::Archived, Stage::None, Stage::Staging] {
            leave(stage).await.unwrap();
            let message = refused(produce(app, owner, "m", 2).await);
            says(message, "auc is 0.7 and must be at least 0.8, by version 1, which was in production last");
        }
        // The one that was there may come back, and a better one may come.
        produce(app, owner, "m", 1).await.unwrap();
        leave(Stage::Archived).await.unwrap();
        produce(app, owner, "m", 3).await.unwrap();
        app.model_version_delete(owner, "m".to_owned(), 3).await.unwrap();
        let message = refused(produce(app, owner, "m", 1).await);
        says(
            message,
            "auc is not measured on this data set for version 3, which was in production last and is deleted",
        );
    }
}

#[tokio::test]
async fn broken_glass_lets_one_version_pass_for_a_while() {
    for test in &apps().await {
        let (app, owner) = (&test.app, &test.ctx);
        gate(test, "prod", "*", production(), json!([{ "approvals": { "quorum": 1 } }])).await;
        let number = version(app, owner, "m").await;
        review(app, owner, "m", number, APPROVE).await.unwrap();
        let message = refused(produce(app, owner, "m", number).await);
        assert!(message.contains("without authentication"), "{message}");
        let glass = |minutes| NewException {
            model: "m".to_owned(),
            number,
            target: Target::parse("stage production").unwrap(),
            reason: "outage".to_owned(),
            minutes,
        };
        let deployer = person(test, "dan", &[Role::Deployer, Role::Approver], &[]).await;
        assert!(matches!(app.gate_exception_make(&deployer, glass(5)).await, Err(Error::Forbidden { .. })));
        assert!(app.gate_exception_make(owner, glass(0)).await.is_err());
        app.gate_exception_make(owner, glass(5)).await.unwrap();
        test.clock.advance(5 * 60 * 1000);
        refused(produce(app, owner, "m", number).await);
        app.gate_exception_make(owner, glass(5)).await.unwrap();
        produce(app, &deployer, "m", number).await.unwrap();
        let verdicts = app.verdicts_list(owner, "m".to_owned(), number).await.unwrap();
        assert_eq!(verdicts[0].verdict.outcome, Outcome::Excused);
    }
}

#[tokio::test]
async fn a_gate_has_versions_and_only_administrators_change_it() {
    for test in &apps().await {
        let app = &test.app;
        let rules = json!([{ "tag": { "key": "a" } }]);
        gate(test, "g", "*", production(), rules.clone()).await;
        gate(test, "g", "*", production(), rules).await;
        gate(test, "g", "x*", production(), json!([{ "tag": { "key": "b" } }])).await;
        app.gate_delete(&test.ctx, "g".to_owned()).await.unwrap();
        assert!(app.gate_get(&test.ctx, "g".to_owned()).await.is_err());
        gate(test, "g", "*", production(), json!([{ "tag": { "key": "c" } }])).await;
        let versions = app.gate_versions(&test.ctx, "g".to_owned()).await.unwrap();
        assert_eq!(versions.iter().map(|kept| kept.gate.version).collect::<Vec<_>>(), [3, 2, 1], "{}", test.engine);
        let dan = person(test, "dan", &[Role::Deployer, Role::Approver, Role::Contributor], &[]).await;
        assert!(matches!(app.gate_delete(&dan, "g".to_owned()).await, Err(Error::Forbidden { .. })));
    }
}

#[tokio::test]
async fn many_askers_at_once_find_one_gate() {
    for test in &apps().await {
        let (app, owner) = (&test.app, &test.ctx);
        let threshold = json!({ "metric": "auc", "at_least_production_plus": 0.5 });
        let rule = json!({ "digest": "d", "thresholds": [threshold] });
        gate(test, "prod", "*", production(), json!([{ "evaluation": rule }])).await;
        // Each is good enough for an empty production, and none is better than another.
        for number in 1..=8 {
            assert_eq!(version(app, owner, "m").await, number);
            let new = NewModelEvaluation {
                dataset: "d".to_owned(),
                digest: "d".to_owned(),
                metrics: BTreeMap::from([("auc".to_owned(), 0.5)]),
                slices: BTreeMap::new(),
                report: None,
            };
            app.model_evaluation_record(owner, "m".to_owned(), number, new).await.unwrap();
        }
        let asked: Vec<_> = (1..=8)
            .map(|number| {
                let (app, owner) = (app.clone(), owner.clone());
                tokio::spawn(async move { produce(&app, &owner, "m", number).await.is_ok() })
            })
            .collect();
        let mut moved = 0;
        for asked in asked {
            moved += usize::from(asked.await.unwrap());
        }
        assert_eq!(moved, 1, "{}", test.engine);
    }
}
