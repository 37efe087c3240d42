//! A team's own rules, beside the roles, on both engines.

use serde_json::json;
use stele_app::{
    App, Asked, AskedThing, AuditFilter, CheckedSource, Ctx, Explained, NewAccount, NewCredential, NewExperiment,
    NewModel, NewModelVersion, NewReview, NewWorkspace, ReviewKind, Script, VersionChange,
};
use stele_domain::authz::{Action, Decision, Intent, Reason, Rule};
use stele_domain::directory::Holder;
use stele_domain::gate::Target;
use stele_domain::identity::{Grant, Role, Scope};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::policy::{Policy, PolicyRecord};
use stele_domain::record::Tag;
use stele_domain::registry::{ModelVersion, Occupants};
use stele_domain::workspace::Removal;
use stele_domain::{Error, Kind, Result};
use stele_testkit::{TestApp, apps};

use crate::visibility::{ATTEMPTS, Things, fill_in, lists, of_the_workspace, somebody};

/// From Tuesday, when tests begin, to Friday.
const TO_FRIDAY: i64 = 3 * 24 * 60 * 60 * 1000;

const LEADS: &str = r#"
    @id("critical")
    @reason("critical models are promoted by ml-leads")
    forbid (principal, action == Action::"model:promote", resource)
    when { resource.model.hasTag("tier") && resource.model.getTag("tier") == "critical" }
    unless { principal in Group::"ml-leads" };
"#;

async fn apply(app: &App, ctx: &Ctx, name: &str, text: &str) -> Result<PolicyRecord> {
    app.policy_apply(ctx, Policy { name: name.to_owned(), text: text.to_owned(), enabled: true }).await
}

/// Somebody in groups, with roles in the whole organisation.
async fn person(test: &TestApp, name: &str, roles: &[Role], groups: &[&str]) -> Ctx {
    test.person(name, roles, groups, Script::Mlflow).await
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

/// A model with that many versions.
async fn model(app: &App, ctx: &Ctx, name: &str, tags: Vec<Tag>, versions: i64) {
    app.model_create(ctx, NewModel { name: name.to_owned(), description: None, tags }).await.unwrap();
    for _ in 0..versions {
        version(app, ctx, name).await.unwrap();
    }
}

async fn version(app: &App, ctx: &Ctx, model: &str) -> Result<ModelVersion> {
    let new = NewModelVersion {
        model: model.to_owned(),
        source: CheckedSource::none(),
        run_link: None,
        description: None,
        tags: Vec::new(),
    };
    app.model_version_create(ctx, new).await
}

async fn promote(app: &App, ctx: &Ctx, model: &str, number: i64, stage: Stage) -> Result<ModelVersion> {
    app.model_version_transition(ctx, model.to_owned(), number, stage, Occupants::Archive).await
}

#[track_caller]
fn forbidden<T: std::fmt::Debug>(answer: Result<T>) -> String {
    match answer {
        Err(Error::Forbidden { message }) => message,
        other => panic!("it should have been forbidden: {other:?}"),
    }
}

async fn experiment(app: &App, ctx: &Ctx, name: &str) -> Result<()> {
    let new = NewExperiment { name: name.to_owned(), artifact_location: None, tags: Vec::new() };
    app.experiment_create(ctx, new).await.map(|_| ())
}

/// Every verb is asked about, and whoever decides is asked about the thing that changes: a change that rules were not
/// asked about would be refused.
#[tokio::test]
async fn rules_that_never_apply_change_nothing() {
    const NEVER: &str = "forbid (principal, action, resource) when { context.hour > 23 };
        permit (principal, action, resource) when { context.hour > 23 };";
    for test in &apps().await {
        let (app, things) = (&test.app, &fill_in(&test.app, &test.ctx, "seen").await);
        apply(app, &test.ctx, "never", NEVER).await.unwrap();
        for answer in of_the_workspace(app, &test.ctx, &fill_in(app, &test.ctx, "other").await).await {
            assert_eq!(answer, Ok(()), "{}", test.engine);
        }
        for (name, role, attempt) in ATTEMPTS {
            let scopes = [Scope::Experiment(things.experiment.to_string()), Scope::Model(things.model.clone())];
            let ctx = somebody(test, &scopes.map(|scope| (*role, scope)));
            assert_eq!(attempt(app, &ctx, things).await, Ok(()), "{name} on {}", test.engine);
        }
    }
}

#[tokio::test]
async fn what_a_rule_forbids_nobody_does_and_who_administers_takes_the_rule_away() {
    for test in &apps().await {
        let (app, things) = (&test.app, &fill_in(&test.app, &test.ctx, "seen").await);
        let sides = std::slice::from_ref(things);
        let admin = person(test, "root", &[Role::Administrator], &[]).await;
        apply(app, &admin, "closed", "forbid (principal, action, resource);").await.unwrap();
        let before = lists(app, &test.ctx, sides).await;
        for ctx in [&test.ctx, &admin] {
            for (name, _, attempt) in ATTEMPTS {
                match attempt(app, ctx, things).await {
                    // There is no such alias, so that there is nothing to forbid.
                    Ok(()) if *name == "model_alias_delete" => {}
                    answer => assert!(forbidden(answer).contains("forbidden by closed/1"), "{name} on {}", test.engine),
                }
            }
            for answer in of_the_workspace(app, ctx, things).await {
                assert!(forbidden(answer).contains("forbidden by closed/1"), "{}", test.engine);
            }
        }
        assert_eq!(lists(app, &test.ctx, sides).await, before, "on {}", test.engine);

        // It says who was kept from what by which rule.
        let filter = AuditFilter { principal: Some("root".to_owned()), ..AuditFilter::default() };
        let denied = app.audit_list(&test.ctx, filter, None, 1_000).await.unwrap().entries;
        let denied: Vec<_> = denied.into_iter().filter(|entry| entry.outcome == "denied").collect();
        assert!(denied.len() >= ATTEMPTS.len(), "{} on {}", denied.len(), test.engine);
        for entry in denied {
            assert_eq!(entry.after.as_deref(), Some(r#"{"forbidden_by":["closed/1"]}"#), "{}", entry.action);
        }

        app.account_create(&admin, NewAccount::user("ann")).await.unwrap();
        app.policy_delete(&admin, "closed".to_owned()).await.unwrap();
        experiment(app, &admin, "open again").await.unwrap();
    }
}

#[tokio::test]
async fn a_rule_on_tags_groups_and_time_holds_for_every_way_to_promote() {
    const FRIDAY: &str = r#"@id("no-fridays")
        forbid (principal, action == Action::"model:promote", resource)
        when { context has target_stage && context.target_stage == "production" && context.weekday == "friday" };"#;
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        apply(app, ctx, "releases", &format!("{LEADS}{FRIDAY}")).await.unwrap();
        model(app, ctx, "credit", vec![tag("tier", "critical")], 2).await;
        model(app, ctx, "toy", Vec::new(), 1).await;
        let ann = person(test, "ann", &[Role::Administrator], &["research"]).await;
        let lea = person(test, "lea", &[Role::Deployer], &["research", "ml-leads"]).await;
        let refusal = "ann may not do model:promote to model version 'credit/1': forbidden by releases/critical \
             (critical models are promoted by ml-leads)";
        assert_eq!(forbidden(promote(app, &ann, "credit", 1, Stage::Production).await), refusal);
        for alias in ["production", "champion"] {
            assert_eq!(forbidden(app.model_alias_set(&ann, "credit".into(), alias.into(), 1).await), refusal);
        }
        let change = VersionChange { stage: Some(Stage::Staging), ..VersionChange::default() };
        assert_eq!(forbidden(app.model_version_change(&ann, "credit".into(), 1, change, |_| Ok(())).await), refusal);
        promote(app, &ann, "toy", 1, Stage::Production).await.unwrap();
        promote(app, &lea, "credit", 1, Stage::Staging).await.unwrap();

        // Who puts the tag away is another matter, for another rule.
        test.clock.advance(TO_FRIDAY);
        let friday = forbidden(promote(app, &lea, "credit", 1, Stage::Production).await);
        assert!(friday.ends_with("forbidden by releases/no-fridays"), "{friday}");
        promote(app, &lea, "credit", 1, Stage::None).await.unwrap();
        test.clock.advance(24 * 60 * 60 * 1000);
        promote(app, &lea, "credit", 1, Stage::Production).await.unwrap();
        // Taking a place means that the one who is there leaves.
        let stays = r#"forbid (principal, action, resource) when { resource has number && resource.number == 1 };"#;
        apply(app, ctx, "releases", stays).await.unwrap();
        let stays = forbidden(promote(app, &lea, "credit", 2, Stage::Production).await);
        assert!(stays.contains("'credit/1': forbidden by releases/1"), "{stays}");
    }
}

#[tokio::test]
async fn an_alias_moves_with_leave_for_the_version_that_loses_it_too() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        model(app, ctx, "m", Vec::new(), 2).await;
        let set = |alias: &str, number| app.model_alias_set(ctx, "m".to_owned(), alias.to_owned(), number);
        set("champion", 1).await.unwrap();
        let pinned = r#"forbid (principal, action == Action::"model:promote", resource)
            when { resource.hasTag("pinned") && context has alias && context.alias == "champion" };"#;
        apply(app, ctx, "pinned", pinned).await.unwrap();
        app.model_version_tag_set(ctx, "m".to_owned(), 1, tag("pinned", "")).await.unwrap();
        assert!(forbidden(set("champion", 2).await).contains("'m/1': forbidden by pinned/1"));
        assert!(forbidden(app.model_alias_delete(ctx, "m".into(), "champion".into()).await).contains("pinned/1"));
        set("other", 1).await.unwrap();
        set("other", 2).await.unwrap();
        app.model_version_tag_delete(ctx, "m".to_owned(), 1, "pinned".to_owned()).await.unwrap();
        set("champion", 2).await.unwrap();
    }
}

#[tokio::test]
async fn a_rule_permits_what_no_role_does_but_not_what_is_hidden_or_above_a_token() {
    const PERMIT: &str = r#"
        permit (principal in Group::"team", action in [Action::"model:promote", Action::"experiment:manage"], resource);
        permit (principal, action == Action::"model:approve", resource) when { resource.stage == "staging" };"#;
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        model(app, ctx, "mine", Vec::new(), 1).await;
        model(app, ctx, "hidden", Vec::new(), 1).await;
        app.account_create(ctx, NewAccount::user("ann")).await.unwrap();
        app.group_create(ctx, "team".to_owned(), String::new()).await.unwrap();
        app.group_member_add(ctx, "team".to_owned(), "ann".to_owned()).await.unwrap();
        let mine = Scope::Model("mine".to_owned());
        app.grant_create(ctx, Holder::Account("ann".to_owned()), Role::Viewer, mine).await.unwrap();
        let token = |roles: Option<Vec<Role>>| async move {
            let new = NewCredential { account: "ann".to_owned(), name: "t".to_owned(), roles, expires_at: None };
            let token = app.token_create(ctx, new).await.unwrap().token;
            app.context_of(app.login_token(&token, None, None).await.unwrap(), Script::Mlflow, "test")
        };
        let (ann, reads) = (&token(None).await, &token(Some(vec![Role::Viewer])).await);
        let deploys = &token(Some(vec![Role::Deployer])).await;
        forbidden(promote(app, ann, "mine", 1, Stage::Staging).await);
        apply(app, ctx, "team", PERMIT).await.unwrap();
        promote(app, ann, "mine", 1, Stage::Staging).await.unwrap();
        // Rules give a token no more than it was narrowed to.
        let above = forbidden(promote(app, reads, "mine", 1, Stage::Production).await);
        assert_eq!(above, "ann may not do model:promote to model version 'mine/1'");
        promote(app, deploys, "mine", 1, Stage::Staging).await.unwrap();
        for hidden in ["hidden", "no-such"] {
            let answer = promote(app, ann, hidden, 1, Stage::Staging).await;
            let absent = Error::not_found(Kind::ModelVersion, format!("{hidden}/1"));
            assert_eq!(answer.err(), Some(absent), "{}", test.engine);
        }
        // Nobody makes things where they see nothing but a part.
        forbidden(experiment(app, ann, "new").await);
        let workspace = Scope::Workspace("default".to_owned());
        app.grant_create(ctx, Holder::Account("ann".to_owned()), Role::Viewer, workspace).await.unwrap();
        let ann = &token(None).await;
        experiment(app, ann, "new").await.unwrap();
        promote(app, ann, "hidden", 1, Stage::Staging).await.unwrap();

        let review = |number| NewReview {
            model: "mine".to_owned(),
            number,
            kind: ReviewKind::Decision(stele_domain::gate::DecisionKind::Approve),
            reason: "looked".to_owned(),
            expires_in_days: None,
        };
        version(app, ctx, "mine").await.unwrap();
        app.review_add(ann, review(1)).await.unwrap();
        forbidden(app.review_add(ann, review(2)).await);
        assert_eq!(app.model_version_get(ctx, "mine".into(), 1).await.unwrap().approval, ApprovalStatus::Approved);
    }
}

#[tokio::test]
async fn rules_are_told_what_a_change_wants() {
    const WANTS: &str = r#"
        @id("names") forbid (principal, action in [Action::"model:register", Action::"experiment:manage"], resource)
        when { context has new_name && !(context.new_name like "team-*") };
        @id("tags") forbid (principal, action in [Action::"model:register", Action::"experiment:manage"], resource)
        when { context.changed_tags.contains("tier") } unless { principal == User::"lea" };
        @id("twice") forbid (principal, action == Action::"model:approve", resource)
        when { context has target_approval && context.target_approval == "approved" && resource.approval == "rejected" };
        @id("scripts") forbid (principal, action == Action::"model:register", resource)
        when { context.script == "sagemaker" };"#;
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        apply(app, ctx, "wants", WANTS).await.unwrap();
        let new = |name: &str, tags| NewModel { name: name.to_owned(), description: None, tags };
        let by = |rule: &str, answer: Result<()>| {
            let message = forbidden(answer);
            assert!(message.ends_with(&format!("forbidden by wants/{rule}")), "{message}");
        };
        by("names", app.model_create(ctx, new("mine", Vec::new())).await.map(|_| ()));
        by("tags", app.model_create(ctx, new("team-m", vec![tag("tier", "1")])).await.map(|_| ()));
        by("names", experiment(app, ctx, "mine").await);
        model(app, ctx, "team-m", Vec::new(), 1).await;
        by("names", app.model_rename(ctx, "team-m".into(), "mine".into()).await.map(|_| ()));
        by("tags", app.model_tag_set(ctx, "team-m".into(), tag("tier", "1")).await);
        by("tags", app.model_version_tag_set(ctx, "team-m".into(), 1, tag("tier", "1")).await);
        let lea = person(test, "lea", &[Role::Administrator], &[]).await;
        app.model_tag_set(&lea, "team-m".into(), tag("tier", "1")).await.unwrap();
        by("tags", app.model_tag_delete(ctx, "team-m".into(), "tier".into()).await);
        let decide = async |approval| {
            let change = VersionChange { approval: Some(approval), ..VersionChange::default() };
            app.model_version_change(ctx, "team-m".into(), 1, change, |_| Ok(())).await.map(|_| ())
        };
        decide(ApprovalStatus::Rejected).await.unwrap();
        by("twice", decide(ApprovalStatus::Approved).await);
        decide(ApprovalStatus::Pending).await.unwrap();
        decide(ApprovalStatus::Approved).await.unwrap();
        let other = app.local_owner(Script::Sagemaker, "test");
        by("scripts", app.model_describe(&other, "team-m".into(), None).await.map(|_| ()));
    }
}

#[tokio::test]
async fn a_new_name_is_no_way_out_of_a_rule_and_none_into_one() {
    const BY_NAME: &str = r#"
        @id("credit") forbid (principal, action == Action::"model:promote", resource)
        when { resource.model.name like "credit*" } unless { principal in Group::"leads" };
        @id("frozen") forbid (principal, action == Action::"run:log", resource)
        when { resource.name == "frozen" };"#;
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        apply(app, ctx, "p", BY_NAME).await.unwrap();
        let ann = person(test, "ann", &[Role::Contributor, Role::Deployer], &[]).await;
        let root = person(test, "root", &[Role::Administrator], &[]).await;
        model(app, &ann, "credit", Vec::new(), 1).await;
        model(app, &ann, "toy", Vec::new(), 1).await;
        promote(app, &ann, "toy", 1, Stage::Production).await.unwrap();
        let rename = |ctx, old: &str, new: &str| app.model_rename(ctx, old.to_owned(), new.to_owned());
        for (old, new) in [("credit", "other"), ("toy", "credit-toy")] {
            let refused = forbidden(rename(&ann, old, new).await);
            let says = format!(
                "ann may not rename model '{old}' to '{new}', which rule p/credit goes by: that takes policy:manage"
            );
            assert_eq!(refused, says, "{}", test.engine);
        }
        rename(&ann, "credit", "credit-2").await.unwrap();
        rename(&ann, "toy", "plaything").await.unwrap();
        rename(&root, "credit-2", "other").await.unwrap();

        let new = NewExperiment { name: "frozen".to_owned(), artifact_location: None, tags: Vec::new() };
        let frozen = app.experiment_create(&ann, new).await.unwrap();
        let refused = forbidden(app.experiment_rename(&ann, frozen, "thawed".to_owned()).await);
        assert!(refused.contains("which rule p/frozen goes by"), "{refused}");
        app.experiment_rename(&root, frozen, "thawed".to_owned()).await.unwrap();
    }
}

/// A tag that only a few may take away is not taken away with its thing.
#[tokio::test]
async fn deleting_a_thing_takes_its_tags_away() {
    const TIER: &str = r#"@id("tier") forbid (principal, action == Action::"model:register", resource)
        when { context.changed_tags.contains("tier") } unless { principal in Group::"leads" };"#;
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        model(app, ctx, "m", vec![tag("tier", "1")], 1).await;
        model(app, ctx, "free", Vec::new(), 1).await;
        app.model_version_tag_set(ctx, "free".into(), 1, tag("tier", "1")).await.unwrap();
        apply(app, ctx, "p", TIER).await.unwrap();
        let ann = person(test, "ann", &[Role::Contributor], &[]).await;
        let lea = person(test, "lea", &[Role::Contributor], &["leads"]).await;
        for refused in
            [app.model_delete(&ann, "m".into()).await, app.model_version_delete(&ann, "free".into(), 1).await]
        {
            assert!(forbidden(refused).ends_with("forbidden by p/tier"), "{}", test.engine);
        }
        app.model_version_delete(&ann, "m".into(), 1).await.unwrap();
        app.model_delete(&lea, "m".into()).await.unwrap();
        app.model_version_delete(&lea, "free".into(), 1).await.unwrap();
        app.model_delete(&ann, "free".into()).await.unwrap();
    }
}

/// Whoever is told whom to ask is told of nobody who would be refused.
#[tokio::test]
async fn a_gate_names_nobody_whom_a_rule_forbids_to_approve() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let gate = json!({ "name": "g", "target": { "stage": "production" },
            "rules": [{ "approvals": { "quorum": 1 } }] });
        app.gate_apply(ctx, serde_json::from_value(gate).unwrap()).await.unwrap();
        for name in ["bob", "cyd", "eve"] {
            app.account_create(ctx, NewAccount::user(name)).await.unwrap();
            let holder = Holder::Account(name.to_owned());
            app.grant_create(ctx, holder, Role::Approver, Scope::Organisation).await.unwrap();
        }
        let ann = person(test, "ann", &[Role::Contributor, Role::Deployer], &[]).await;
        model(app, &ann, "credit", vec![tag("team", "risk")], 1).await;
        let could = || async {
            let target: Target = serde_json::from_value(json!({ "stage": "production" })).unwrap();
            let checked = app.gate_check(&ann, "credit".to_owned(), 1, target).await.unwrap();
            let refused = match promote(app, &ann, "credit", 1, Stage::Production).await {
                Err(Error::GateFailed { message, .. }) => message,
                other => panic!("a gate should have refused: {other:?}"),
            };
            (checked.verdicts[0].findings[0].could_approve.clone(), refused)
        };
        let (names, refused) = could().await;
        assert_eq!(names, ["bob", "cyd", "eve"], "{}", test.engine);
        assert!(refused.contains("(could approve: bob, cyd, eve)"), "{refused}");

        let not_bob = r#"forbid (principal == User::"bob", action == Action::"model:approve", resource)
            when { resource.model.hasTag("team") && resource.model.getTag("team") == "risk" &&
                context has target_approval && context.target_approval == "approved" };"#;
        apply(app, ctx, "bob", not_bob).await.unwrap();
        let (names, refused) = could().await;
        assert_eq!(names, ["cyd", "eve"], "{}", test.engine);
        assert!(refused.contains("(could approve: cyd, eve)"), "{refused}");

        apply(app, ctx, "all", r#"forbid (principal, action == Action::"model:approve", resource);"#).await.unwrap();
        let (names, refused) = could().await;
        assert_eq!(names, Vec::<String>::new(), "{}", test.engine);
        assert!(refused.contains("and nobody else may give them"), "{refused}");
    }
}

#[tokio::test]
async fn a_policy_has_versions_and_another_server_learns_of_them() {
    for test in &apps().await {
        let (app, ctx, other) = (&test.app, &test.ctx, &test.another_server().await);
        experiment(other, ctx, "before").await.unwrap();
        let closed = r#"forbid (principal, action == Action::"experiment:manage", resource);"#;
        let first = apply(app, ctx, "closed", closed).await.unwrap();
        assert_eq!((first.version, first.rules, first.applied_by.as_str()), (1, 1, "local-owner"));
        forbidden(experiment(app, ctx, "here").await);
        test.clock.advance(2_000);
        forbidden(experiment(other, ctx, "there").await);
        assert_eq!(apply(app, ctx, "closed", closed).await.unwrap(), first, "the same again is no change");
        let kept = Policy { enabled: false, ..first.policy.clone() };
        let second = app.policy_apply(ctx, kept).await.unwrap();
        assert_eq!(second.version, 2);
        experiment(app, ctx, "here").await.unwrap();
        test.clock.advance(2_000);
        experiment(other, ctx, "there").await.unwrap();
        app.policy_delete(ctx, "closed".to_owned()).await.unwrap();
        assert_eq!(app.policies_list(ctx).await.unwrap(), []);
        let gone = Error::not_found(Kind::Policy, "closed");
        assert_eq!(app.policy_get(ctx, "closed".to_owned()).await, Err(gone.clone()));
        assert_eq!(app.policy_delete(ctx, "closed".to_owned()).await, Err(gone));
        assert_eq!(apply(app, ctx, "closed", closed).await.unwrap().version, 4);
        let versions = app.policy_versions(ctx, "closed".to_owned()).await.unwrap();
        assert_eq!(versions.iter().map(|kept| kept.version).collect::<Vec<_>>(), [4, 2, 1]);
        assert_eq!(versions[2], first);
        test.clock.advance(2_000);
        forbidden(experiment(other, ctx, "elsewhere").await);
    }
}

#[tokio::test]
async fn only_who_administers_the_organisation_changes_policies_and_wrong_ones_change_nothing() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let text = "permit (principal, action, resource);";
        let wide = [(Role::Administrator, Scope::Workspace("default".to_owned()))];
        let ann = somebody(test, &wide);
        let message = forbidden(apply(app, &ann, "mine", text).await);
        assert_eq!(message, "ann may not do policy:manage to the workspace");
        let long = format!("{text} // {}", "x".repeat(64 * 1024));
        for (name, text, says) in [
            ("a/b", text, "is not a name of a policy"),
            ("p", "permit (principal, action);", "policy 'p' line 1, column"),
            ("p", "", "has no rules"),
            ("p", &long, "bytes, and at most 65536 are allowed"),
        ] {
            let refused = apply(app, ctx, name, text).await.unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
        let many = |count: usize| text.repeat(count);
        apply(app, ctx, "many", &many(900)).await.unwrap();
        apply(app, ctx, "more", &many(100)).await.unwrap();
        let refused = apply(app, ctx, "more", &many(101)).await.unwrap_err();
        assert_eq!(refused.to_string(), "the policies of a workspace have at most 1000 rules together");
        let rules: Vec<i64> = app.policies_list(ctx).await.unwrap().iter().map(|policy| policy.rules).collect();
        assert_eq!(rules, [900, 100]);
        // Rules are told to those who see the whole workspace.
        assert_eq!(app.policies_list(&ann).await.unwrap().len(), 2);
        let part = somebody(test, &[(Role::Viewer, Scope::Model("m".to_owned()))]);
        assert_eq!(app.policies_list(&part).await.unwrap(), []);
        let hidden = app.policy_get(&part, "many".to_owned()).await;
        assert_eq!(hidden, Err(Error::not_found(Kind::Policy, "many")));
    }
}

#[tokio::test]
async fn a_workspace_has_rules_of_its_own() {
    for test in &apps().await {
        let app = &test.app;
        app.enable_workspaces();
        let new = NewWorkspace { name: "team-b".to_owned(), ..NewWorkspace::default() };
        app.workspace_create(&test.ctx, new).await.unwrap();
        let b = &app.enter(test.ctx.clone(), "team-b").await.unwrap();
        let closed = r#"forbid (principal, action == Action::"experiment:manage", resource in Workspace::"team-b");"#;
        apply(app, b, "closed", closed).await.unwrap();
        let message = forbidden(experiment(app, b, "new").await);
        assert!(message.ends_with("to the workspace: forbidden by closed/1"), "{message}");
        experiment(app, &test.ctx, "new").await.unwrap();
        assert_eq!(app.policies_list(&test.ctx).await.unwrap(), []);
        // A model there goes by its own name, in roles as in rules.
        model(app, b, "m", Vec::new(), 1).await;
        let explained = explain(app, b, "model:m", "model:register", &[(Role::Contributor, "m")]).await;
        assert!(explained.decision.is_allowed, "{explained:?}");
        // With the workspace its rules are gone, and hold for nothing that moves out of it.
        app.workspace_delete(&test.ctx, "team-b".to_owned(), Removal::SetDefault).await.unwrap();
        assert_eq!(app.policies_list(&test.ctx).await.unwrap(), []);
        experiment(app, &test.ctx, "newer").await.unwrap();
        version(app, &test.ctx, "m").await.unwrap();
    }
}

/// Asks about somebody with roles on models of the workspace.
async fn explain(app: &App, ctx: &Ctx, what: &str, verb: &str, roles: &[(Role, &str)]) -> Explained {
    let name = "asked";
    match app.account_create(ctx, NewAccount::user(name)).await {
        Ok(_) | Err(Error::AlreadyExists { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    for (role, model) in roles {
        let scope = Scope::Model((*model).to_owned());
        app.grant_create(ctx, Holder::Account(name.to_owned()), *role, scope).await.unwrap();
    }
    let thing = match what.split_once(':').unwrap() {
        ("model", name) => match name.split_once('/') {
            None => AskedThing::Model(name.to_owned()),
            Some((model, number)) => {
                AskedThing::ModelVersion { model: model.to_owned(), number: number.parse().unwrap() }
            }
        },
        other => panic!("{other:?}"),
    };
    app.policy_explain(ctx, asked(Some(name), verb, thing)).await.unwrap()
}

fn asked(account: Option<&str>, verb: &str, thing: AskedThing) -> Asked {
    Asked {
        account: account.map(str::to_owned),
        action: Action::parse(verb).unwrap(),
        thing,
        tags: Vec::new(),
        model_tags: Vec::new(),
        intent: Intent::default(),
        at: None,
        script: None,
    }
}

#[tokio::test]
async fn what_decides_is_told() {
    for test in &apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let permit = r#"@id("team") permit (principal, action == Action::"model:promote", resource)
            when { context.script == "native" && context.hour == 3 };"#;
        apply(app, ctx, "releases", &format!("{LEADS}{permit}")).await.unwrap();
        model(app, ctx, "m", Vec::new(), 1).await;
        let hidden = explain(app, ctx, "model:m/1", "model:promote", &[]).await;
        assert_eq!(hidden.decision, Decision { is_allowed: false, reason: Reason::Hidden });
        let nothing = explain(app, ctx, "model:m/1", "model:promote", &[(Role::Viewer, "m")]).await;
        assert_eq!(nothing.decision, Decision { is_allowed: false, reason: Reason::Nothing });
        let what = || AskedThing::ModelVersion { model: "m".to_owned(), number: 1 };
        let ask = || asked(Some("asked"), "model:promote", what());
        // At three in the morning, through another script.
        let three = Some(stele_domain::id::Timestamp(1_700_017_200_000));
        let told = app.policy_explain(ctx, Asked { at: three, script: Some("native"), ..ask() }).await.unwrap();
        let team = Rule { name: "releases/team".to_owned(), reason: None };
        assert_eq!(told.decision, Decision { is_allowed: true, reason: Reason::Permitted(vec![team]) });
        let deployer = Grant { role: Role::Deployer, scope: Scope::Model("m".to_owned()) };
        app.grant_create(ctx, Holder::Account("asked".to_owned()), Role::Deployer, deployer.scope.clone())
            .await
            .unwrap();
        let told = app.policy_explain(ctx, ask()).await.unwrap();
        assert_eq!(told.decision, Decision { is_allowed: true, reason: Reason::Granted(vec![deployer]) });
        let told = app.policy_explain(ctx, Asked { model_tags: vec![tag("tier", "critical")], ..ask() }).await.unwrap();
        let Reason::Forbidden(rules) = told.decision.reason else { panic!("{told:?}") };
        assert_eq!(rules[0].to_string(), "releases/critical (critical models are promoted by ml-leads)");
        let told = app.policy_explain(ctx, Asked { account: None, ..ask() }).await.unwrap();
        assert_eq!((told.principal.as_str(), told.decision.reason), ("local-owner", Reason::LocalOwner));

        // About others only who manages policies may ask, and about things that they see.
        let viewer = somebody(test, &[(Role::Viewer, Scope::Model("m".to_owned()))]);
        forbidden(app.policy_explain(&viewer, ask()).await);
        let own = app.policy_explain(&viewer, Asked { account: Some("ann".to_owned()), ..ask() }).await.unwrap();
        assert_eq!(own.decision.reason, Reason::Nothing);
        let other = AskedThing::Model("no-such".to_owned());
        let missing = app.policy_explain(&viewer, asked(None, "model:register", other)).await;
        assert_eq!(missing.err(), Some(Error::not_found(Kind::Model, "no-such")));
        let nobody = app.policy_explain(ctx, asked(Some("nobody"), "model:register", AskedThing::Workspace)).await;
        assert_eq!(nobody.err(), Some(Error::not_found(Kind::Account, "nobody")));
        let odd = app.policy_explain(ctx, asked(None, "model:promote", AskedThing::Workspace)).await.unwrap_err();
        assert_eq!(odd.to_string(), "model:promote is done to a version of a model, such as MODEL/1");
    }
}

/// What is explained is what happens: for every change of the list that the roles are tested with.
#[tokio::test]
async fn explanations_and_changes_agree() {
    const MIXED: &str = r#"
        forbid (principal, action in [Action::"run:log", Action::"scorer:manage"], resource is Experiment)
        when { resource.name like "seen*" };
        forbid (principal, action == Action::"model:promote", resource) when { resource.stage == "none" };
        permit (principal, action == Action::"model:register", resource is Model);"#;
    let test = &apps().await[0];
    let things: &Things = &fill_in(&test.app, &test.ctx, "seen").await;
    apply(&test.app, &test.ctx, "mixed", MIXED).await.unwrap();
    let allowed = async |role: Role, verb: &str, thing: AskedThing| {
        let scopes = [Scope::Experiment(things.experiment.to_string()), Scope::Model(things.model.clone())];
        let ctx = somebody(test, &scopes.map(|scope| (role, scope)));
        test.app.policy_explain(&ctx, asked(None, verb, thing)).await.unwrap().decision.is_allowed
    };
    let experiment = || AskedThing::Experiment(things.experiment);
    let model = || AskedThing::Model(things.model.clone());
    let version = || AskedThing::ModelVersion { model: things.model.clone(), number: 1 };
    let cases: [(&str, &str, AskedThing); 7] = [
        ("experiment_tag_set", "experiment:manage", experiment()),
        ("run_log", "run:log", experiment()),
        ("scorer_register", "scorer:manage", experiment()),
        ("logged_model_tags_set", "logged-model:log", experiment()),
        ("model_describe", "model:register", model()),
        ("model_version_tag_set", "model:register", version()),
        ("model_alias_set", "model:promote", version()),
    ];
    for role in Role::ALL {
        for (name, verb, thing) in &cases {
            let explained = allowed(role, verb, thing.clone()).await;
            let (_, _, attempt) = ATTEMPTS.iter().find(|(known, ..)| known == name).unwrap();
            let scopes = [Scope::Experiment(things.experiment.to_string()), Scope::Model(things.model.clone())];
            let ctx = somebody(test, &scopes.map(|scope| (role, scope)));
            let done = attempt(&test.app, &ctx, things).await;
            assert_eq!(explained, done.is_ok(), "{role:?} {name}: {done:?}");
        }
    }
}
