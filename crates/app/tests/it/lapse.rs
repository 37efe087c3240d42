//! Approvals and exceptions of people who could not give them any more, on both engines.

use serde_json::json;
use stele_app::{AccountChange, App, Ctx, NewException, ReviewKind, Script, VersionChange};
use stele_domain::directory::Holder;
use stele_domain::gate::{DecisionKind, Outcome, Target, evaluate};
use stele_domain::id::GrantRow;
use stele_domain::identity::{Role, Scope};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::policy::Policy;
use stele_domain::record::Tag;
use stele_domain::workspace::Removal;
use stele_domain::{Error, Result};
use stele_testkit::{TestApp, apps};

use crate::governance::{APPROVE, gate, person, produce, production, refused, review, version};
use crate::workspaces::workspace;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// What the gate of production finds of the approvals of a version.
async fn found(app: &App, ctx: &Ctx, model: &str, number: i64) -> Result<(), String> {
    let target = Target::parse("stage production").unwrap();
    let checked = app.gate_check(ctx, model.to_owned(), number, target).await.unwrap();
    let finding = checked.verdicts[0].findings[0].clone();
    if finding.passed { Ok(()) } else { Err(finding.message) }
}

async fn approved_by_status(app: &App, ctx: &Ctx, model: &str, number: i64) {
    let approve = VersionChange { approval: Some(ApprovalStatus::Approved), ..VersionChange::default() };
    app.model_version_change(ctx, model.to_owned(), number, approve, |_| Ok(())).await.unwrap();
}

async fn disable(test: &TestApp, name: &str, disabled: bool) {
    let change = AccountChange { disabled: Some(disabled), ..AccountChange::default() };
    test.app.account_update(&test.ctx, name.to_owned(), change).await.unwrap();
}

/// Takes all roles from an account.
async fn strip(test: &TestApp, name: &str) {
    let holder = Some(Holder::Account(name.to_owned()));
    for grant in test.app.grants_list(&test.ctx, holder, GrantRow(0), 100).await.unwrap().items {
        test.app.grant_delete(&test.ctx, grant.row).await.unwrap();
    }
}

async fn apply(test: &TestApp, text: &str) {
    let policy = Policy { name: "p".to_owned(), text: text.to_owned(), enabled: true };
    test.app.policy_apply(&test.ctx, policy).await.unwrap();
}

#[tokio::test]
async fn an_approval_counts_while_whoever_gave_it_could_give_it_again() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        gate(test, "prod", "*", production(), json!([{ "approvals": { "quorum": 1, "group": "risk" } }])).await;
        let ann = person(test, "ann", &[Role::Contributor], &[]).await;
        let bob = person(test, "bob", &[Role::Approver], &["risk", "other"]).await;
        let dan = person(test, "dan", &[Role::Deployer], &[]).await;
        let number = version(app, &ann, "m").await;
        approved_by_status(app, &bob, "m", number).await;
        let found = || found(app, &dan, "m", number);
        found().await.unwrap();
        let lapsed = |found: Result<(), String>, why: &str| {
            let message = found.unwrap_err();
            assert!(message.contains("0 of 1 approvals from group 'risk', 1 missing"), "{message}");
            assert!(message.contains(&format!("the approval of bob has lapsed: {why}")), "{message}");
        };

        disable(test, "bob", true).await;
        lapsed(found().await, "the account is disabled");
        disable(test, "bob", false).await;
        found().await.unwrap();

        for group in ["other", "risk"] {
            app.group_member_remove(ctx, group.to_owned(), "bob".to_owned()).await.unwrap();
        }
        lapsed(found().await, "they have left the group since");
        app.group_member_add(ctx, "risk".to_owned(), "bob".to_owned()).await.unwrap();
        found().await.unwrap();

        strip(test, "bob").await;
        lapsed(found().await, "no role or rule would allow it now");
        let grant = |holder, role, scope| app.grant_create(ctx, holder, role, scope);
        let bob_is = |role, scope| grant(Holder::Account("bob".to_owned()), role, scope);
        // Neither another role, nor one on another model; by their group or on this model it is all the same.
        bob_is(Role::Deployer, Scope::Organisation).await.unwrap();
        version(app, &ann, "n").await;
        bob_is(Role::Approver, Scope::Model("n".to_owned())).await.unwrap();
        lapsed(found().await, "no role or rule would allow it now");
        let by_group = grant(Holder::Group("risk".to_owned()), Role::Administrator, Scope::Model("m".to_owned()));
        by_group.await.unwrap();
        found().await.unwrap();

        app.account_delete(ctx, "bob".to_owned()).await.unwrap();
        lapsed(found().await, "the account was deleted");
        let message = refused(produce(app, &dan, "m", number).await);
        assert!(message.contains("the approval of bob has lapsed: the account was deleted"), "{message}");

        // The answer is reached again from what is kept with it.
        for kept in app.verdicts_list(&ann, "m".to_owned(), number).await.unwrap() {
            assert_eq!(evaluate(&kept.gate, &kept.evidence), kept.verdict);
        }
        let cyd = person(test, "cyd", &[Role::Approver], &["risk"]).await;
        review(app, &cyd, "m", number, APPROVE).await.unwrap();
        assert_eq!(produce(app, &dan, "m", number).await.unwrap().stage, Stage::Production, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_rejection_outlasts_whoever_gave_it() {
    for test in &apps().await {
        let app = &test.app;
        gate(test, "prod", "*", production(), json!([{ "approvals": { "quorum": 1 } }])).await;
        let ann = person(test, "ann", &[Role::Contributor], &[]).await;
        let (bob, cyd) =
            (person(test, "bob", &[Role::Approver], &[]).await, person(test, "cyd", &[Role::Approver], &[]).await);
        let number = version(app, &ann, "m").await;
        review(app, &bob, "m", number, APPROVE).await.unwrap();
        review(app, &cyd, "m", number, ReviewKind::Decision(DecisionKind::Reject)).await.unwrap();
        app.account_delete(&test.ctx, "cyd".to_owned()).await.unwrap();
        assert_eq!(
            found(app, &test.ctx, "m", number).await,
            Err("cyd rejected it: looked".to_owned()),
            "{}",
            test.engine
        );
    }
}

/// Rules are asked as they are, about the time of the approval, and about any state that the version may have been in.
#[tokio::test]
async fn an_approval_that_a_rule_permitted_lapses_with_the_rule_and_not_with_its_hour_or_state() {
    const PERMIT: &str = r#"permit (principal in Group::"team", action == Action::"model:approve", resource)
        when { context.weekday == "tuesday" && resource.approval == "pending" && context.script == "mlflow" };"#;
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        gate(test, "prod", "*", production(), json!([{ "approvals": { "quorum": 1 } }])).await;
        apply(test, PERMIT).await;
        let ann = person(test, "ann", &[Role::Contributor], &[]).await;
        let bob = person(test, "bob", &[Role::Viewer], &["team"]).await;
        let dan = person(test, "dan", &[Role::Deployer], &[]).await;
        let number = version(app, &ann, "m").await;
        review(app, &bob, "m", number, APPROVE).await.unwrap();
        test.clock.advance(3 * DAY);
        let again = review(app, &bob, "m", number, APPROVE).await;
        assert!(matches!(again, Err(Error::Forbidden { .. })), "{again:?}");
        let found = || found(app, &dan, "m", number);
        found().await.unwrap();
        app.group_member_remove(ctx, "team".to_owned(), "bob".to_owned()).await.unwrap();
        assert!(found().await.unwrap_err().contains("the approval of bob has lapsed: no role or rule"));
        app.group_member_add(ctx, "team".to_owned(), "bob".to_owned()).await.unwrap();
        found().await.unwrap();

        // What forbids it now counts too, if it forbids it whatever the version was.
        let then = format!(
            r#"{PERMIT} @id("friday") forbid (principal, action == Action::"model:approve", resource)
            when {{ context.weekday == "friday" || resource.stage == "production" }};"#
        );
        apply(test, &then).await;
        found().await.unwrap();
        let credit = format!(
            r#"{PERMIT} @id("credit") forbid (principal, action == Action::"model:approve", resource)
            when {{ resource.model.hasTag("team") }} unless {{ principal in Group::"risk" }};"#
        );
        apply(test, &credit).await;
        found().await.unwrap();
        let tag = Tag { key: "team".to_owned(), value: "credit".to_owned() };
        app.model_tag_set(&ann, "m".to_owned(), tag).await.unwrap();
        let message = refused(produce(app, &dan, "m", number).await);
        assert!(message.contains("the approval of bob has lapsed: it is forbidden by p/credit now"), "{message}");
        app.model_tag_delete(&ann, "m".to_owned(), "team".to_owned()).await.unwrap();

        // Who holds the role needs no rule.
        app.policy_delete(ctx, "p".to_owned()).await.unwrap();
        assert!(found().await.unwrap_err().contains("lapsed"), "{}", test.engine);
        let bob = Holder::Account("bob".to_owned());
        app.grant_create(ctx, bob, Role::Approver, Scope::Organisation).await.unwrap();
        produce(app, &dan, "m", number).await.unwrap();
    }
}

/// SageMaker's clients say `Approved` again, and mean it.
#[tokio::test]
async fn the_same_status_of_a_new_member_or_another_day_is_a_decision_anew() {
    for test in &apps().await {
        let app = &test.app;
        let rule = json!([{ "approvals": { "quorum": 1, "group": "risk", "not_older_than_days": 7 } }]);
        gate(test, "prod", "*", production(), rule).await;
        let ann = person(test, "ann", &[Role::Contributor], &[]).await;
        let bob = person(test, "bob", &[Role::Approver], &[]).await;
        let number = version(app, &ann, "m").await;
        let count = || async { app.reviews_list(&ann, "m".to_owned(), number).await.unwrap().len() };
        approved_by_status(app, &bob, "m", number).await;
        approved_by_status(app, &bob, "m", number).await;
        assert_eq!(count().await, 1);
        assert!(found(app, &test.ctx, "m", number).await.unwrap_err().contains("of somebody outside of the group"));
        app.group_create(&test.ctx, "risk".to_owned(), String::new()).await.unwrap();
        app.group_member_add(&test.ctx, "risk".to_owned(), "bob".to_owned()).await.unwrap();
        let member = test.requests_of("bob", Script::Sagemaker).await;
        approved_by_status(app, &member, "m", number).await;
        found(app, &test.ctx, "m", number).await.unwrap();
        test.clock.advance(8 * DAY);
        assert!(found(app, &test.ctx, "m", number).await.unwrap_err().contains("the approval of bob has expired"));
        approved_by_status(app, &member, "m", number).await;
        found(app, &test.ctx, "m", number).await.unwrap();
        assert_eq!(count().await, 3, "{}", test.engine);
    }
}

#[tokio::test]
async fn an_exception_lapses_with_whoever_made_it() {
    for test in &apps().await {
        let app = &test.app;
        gate(test, "prod", "*", production(), json!([{ "tag": { "key": "ticket" } }])).await;
        let root = person(test, "root", &[Role::Administrator], &[]).await;
        let dan = person(test, "dan", &[Role::Deployer], &[]).await;
        let number = version(app, &test.ctx, "m").await;
        let glass = |minutes| NewException {
            model: "m".to_owned(),
            number,
            target: Target::parse("stage production").unwrap(),
            reason: "outage".to_owned(),
            minutes,
        };
        app.gate_exception_make(&root, glass(10)).await.unwrap();
        disable(test, "root", true).await;
        let message = refused(produce(app, &dan, "m", number).await);
        assert!(message.ends_with("the exception of root has lapsed: the account is disabled"), "{message}");
        disable(test, "root", false).await;
        strip(test, "root").await;
        let message = refused(produce(app, &dan, "m", number).await);
        assert!(message.ends_with("the exception of root has lapsed: no role or rule would allow it now"), "{message}");
        // One of somebody else lets it pass, though it ends sooner.
        app.gate_exception_make(&test.ctx, glass(5)).await.unwrap();
        produce(app, &dan, "m", number).await.unwrap();
        let verdicts = app.verdicts_list(&test.ctx, "m".to_owned(), number).await.unwrap();
        assert_eq!(verdicts[0].verdict.outcome, Outcome::Excused, "{}", test.engine);
        assert_eq!(verdicts[0].evidence.exception.as_ref().map(|found| found.by.as_str()), Some("local-owner"));
        for kept in verdicts {
            assert_eq!(evaluate(&kept.gate, &kept.evidence), kept.verdict);
        }
    }
}

/// Roles on a model follow it from a deleted workspace, and roles on the workspace end with it.
#[tokio::test]
async fn approvals_move_with_the_roles_that_are_held_in_default() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let team = &workspace(test, "team").await;
        gate(test, "prod", "*", production(), json!([{ "approvals": { "quorum": 1 } }])).await;
        person(test, "bob", &[], &[]).await;
        let on = |scope| app.grant_create(team, Holder::Account("bob".to_owned()), Role::Approver, scope);
        on(Scope::Workspace("team".to_owned())).await.unwrap();
        let bob = app.enter(test.requests_of("bob", Script::Mlflow).await, "team").await.unwrap();
        let ann = person(test, "ann", &[Role::Contributor, Role::Deployer], &[]).await;
        let ann = app.enter(ann, "team").await.unwrap();
        let number = version(app, &ann, "m").await;
        review(app, &bob, "m", number, APPROVE).await.unwrap();
        produce(app, &ann, "m", number).await.unwrap();
        let delete = || app.workspace_delete(ctx, "team".to_owned(), Removal::SetDefault);
        let message = refused(delete().await);
        assert!(message.contains("the approval of bob has lapsed: no role or rule would allow it now"), "{message}");
        assert!(app.model_get(team, "m".to_owned()).await.is_ok(), "nothing has moved on {}", test.engine);
        on(Scope::Model("m".to_owned())).await.unwrap();
        delete().await.unwrap();
        assert_eq!(app.model_version_get(ctx, "m".to_owned(), number).await.unwrap().stage, Stage::Production);
    }
}
