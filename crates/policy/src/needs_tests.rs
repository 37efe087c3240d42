//! Rules are passed over exactly where Cedar, asked for all of them at once, finds that they do not apply.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, Effect, PolicyId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use stele_domain::authz::{Action, Intent, Judge, Judgement, Principal, Question, Rule, Thing};
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::identity::{Account, AccountKind, Role};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::policy::Policy;
use stele_domain::record::Tag;

use crate::PolicySet;
use crate::ask::asked;
use crate::needs::Facts;

/// What Cedar alone says, asked for every rule about the verb at once.
fn judged_by_cedar(set: &PolicySet, question: &Question) -> Judgement {
    let rules = set.about(question.action);
    let told: HashMap<PolicyId, (Effect, Rule)> =
        rules.iter().map(|rule| (PolicyId::new(&rule.told.name), (rule.effect, rule.told.clone()))).collect();
    let policies = rules.iter().flat_map(|rule| rule.alone.policies().cloned());
    let policies = cedar_policy::PolicySet::from_policies(policies).unwrap();
    let (request, entities) = asked(&Facts::of(question)).unwrap();
    let response = Authorizer::new().is_authorized(&request, &policies, &entities);
    let of = |id: &PolicyId, effect: Effect| told.get(id).filter(|told| told.0 == effect).map(|told| told.1.clone());
    let diagnostics = response.diagnostics();
    let failed = diagnostics.errors().filter_map(|AuthorizationError::PolicyEvaluationError(error)| {
        let rule = of(error.policy_id(), Effect::Forbid)?;
        Some(Rule { reason: Some("it cannot be evaluated here, which counts as forbidding".to_owned()), ..rule })
    });
    let forbidding = diagnostics.reason().filter_map(|id| of(id, Effect::Forbid));
    let mut judgement = Judgement {
        forbidding: failed.chain(forbidding).collect(),
        permitting: diagnostics.reason().filter_map(|id| of(id, Effect::Permit)).collect(),
    };
    judgement.forbidding.sort_unstable();
    judgement.permitting.sort_unstable();
    judgement
}

/// What may be said of every resource, and only of versions. Some of it this crate leaves to Cedar, and some fails.
const OF_ALL: &[&str] = &[
    "principal in Group::\"research\"",
    "principal in [Group::\"leads\", Group::\"other\"]",
    "principal is Service",
    "principal == User::\"ann\"",
    "principal.name == \"ann\"",
    "principal.name like \"b*\"",
    "resource in Workspace::\"default\"",
    "resource in [Workspace::\"new\", Workspace::\"other\"]",
    "context.weekday == \"friday\"",
    "\"mlflow\" == context.script",
    "context.script != \"aws\"",
    "context.hour < 11",
    "context.hour <= 10",
    "context.hour > 10",
    "10 < context.hour",
    "context.hour >= 10",
    "context.hour == 23",
    "context.hour + 9223372036854775807 > 0",
    "context.now < datetime(\"2026-12-01\")",
    "context has alias",
    "(context has alias && context.alias == \"champion\")",
    "(context has target_stage && context.target_stage == \"production\")",
    "(context has target_approval && context.target_approval != \"approved\")",
    "(context has new_name && context.new_name like \"c*\")",
    "context.changed_tags.contains(\"tier\")",
    "context.changed_tags == [\"tier\"]",
];
const OF_VERSIONS: &[&str] = &[
    "resource == ModelVersion::\"credit/7\"",
    "resource in Model::\"credit\"",
    "resource.model == Model::\"credit\"",
    "resource.model.name == \"credit\"",
    "resource.number == 7",
    "resource.number > 7",
    "resource.stage == \"staging\"",
    "resource.approval != \"approved\"",
    "resource.hasTag(\"tier\")",
    "(resource.hasTag(\"tier\") && resource.getTag(\"tier\") == \"critical\")",
    "(resource.model.hasTag(\"tier\") && resource.model.getTag(\"tier\") == \"critical\")",
    "(resource.model.hasTag(\"tier\") && resource.model.getTag(\"tier\") like \"c*\")",
];
const OF_OTHERS: &[&str] = &[
    "resource is Model",
    "resource is Experiment in Workspace::\"default\"",
    "resource == Experiment::\"12\"",
    "resource == Model::\"credit\"",
    "resource.name == \"credit\"",
    "resource.name like \"c*\"",
    "(resource is Model && resource.hasTag(\"tier\") && resource.getTag(\"tier\") == \"critical\")",
];

fn condition(on_versions: bool) -> impl Strategy<Value = String> {
    let own = if on_versions { OF_VERSIONS } else { OF_OTHERS };
    let atom = select([OF_ALL, own].concat()).prop_map(str::to_owned);
    atom.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

fn rule(on_versions: bool) -> impl Strategy<Value = String> {
    let resources: &[&str] = if on_versions {
        &[
            "resource",
            "resource is ModelVersion",
            "resource in Model::\"credit\"",
            "resource == ModelVersion::\"credit/7\"",
        ]
    } else {
        &["resource", "resource == Model::\"credit\"", "resource in Workspace::\"default\"", "resource is Model"]
    };
    let principals =
        &["principal", "principal is User", "principal in Group::\"leads\"", "principal is User in Role::\"deployer\""];
    let clause =
        (select(&["when", "unless"]), condition(on_versions)).prop_map(|(kind, it)| format!("{kind} {{ {it} }}"));
    let action = if on_versions { "model:promote" } else { "model:register" };
    (
        select(&["forbid", "forbid", "permit"]),
        select(principals),
        select(resources),
        prop::collection::vec(clause, 0..3),
    )
        .prop_map(move |(effect, principal, resource, clauses)| {
            format!("{effect} ({principal}, action == Action::\"{action}\", {resource}) {};", clauses.join(" "))
        })
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    let values = select(&["critical", "low"]).prop_map(move |value| vec![tag("tier", value), tag("owner", "ann")]);
    prop_oneof![Just(Vec::new()), values]
}

fn thing(on_versions: bool) -> BoxedStrategy<Thing> {
    let name = || select(&["credit", "churn"]).prop_map(str::to_owned);
    if on_versions {
        let stage = select(&[Stage::Staging, Stage::None]);
        let approval = select(&[ApprovalStatus::Approved, ApprovalStatus::Pending]);
        return (name(), 6..9_i64, stage, approval, tags(), tags())
            .prop_map(|(model, number, stage, approval, tags, model_tags)| Thing::ModelVersion {
                model,
                number,
                stage,
                approval,
                tags,
                model_tags,
            })
            .boxed();
    }
    prop_oneof![
        Just(Thing::Workspace),
        (name(), tags()).prop_map(|(name, tags)| Thing::Model { name, tags }),
        (11..13_i64, name(), tags()).prop_map(|(id, name, tags)| Thing::Experiment {
            id: ExperimentId(id),
            name,
            tags
        }),
    ]
    .boxed()
}

fn intent() -> impl Strategy<Value = Intent> {
    let name = || prop::option::of(select(&["champion", "credit"]).prop_map(str::to_owned));
    let stage = prop::option::of(select(&[Stage::Production, Stage::Staging]));
    let approval = prop::option::of(select(&[ApprovalStatus::Approved, ApprovalStatus::Rejected]));
    let tags = subsequence(vec!["tier".to_owned(), "owner".to_owned()], 0..=2);
    (stage, approval, name(), name(), tags).prop_map(|(stage, approval, alias, name, tags)| Intent {
        stage,
        approval,
        alias,
        name,
        tags,
    })
}

fn principal() -> impl Strategy<Value = Principal> {
    let groups = subsequence(vec!["research".to_owned(), "leads".to_owned()], 0..=2);
    let kind = select(&[AccountKind::User, AccountKind::Service]);
    let account = (select(&["ann", "bob"]), kind, groups)
        .prop_map(|(name, kind, groups)| Principal::Account(Arc::new(Account::new(name, kind, groups, Vec::new()))));
    prop_oneof![1 => Just(Principal::LocalOwner), 6 => account]
}

fn case() -> impl Strategy<Value = (Vec<String>, Thing, bool)> {
    any::<bool>().prop_flat_map(|on_versions| {
        (prop::collection::vec(rule(on_versions), 1..6), thing(on_versions), Just(on_versions))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn what_is_passed_over_would_not_apply(
        (rules, thing, on_versions) in case(),
        principal in principal(),
        roles in subsequence(vec![Role::Viewer, Role::Deployer], 0..=2),
        intent in intent(),
        workspace in select(&["default", "other"]),
        now in select(&[1_795_775_400_000_i64, 1_795_818_600_000, 1_796_000_000_000]),
        script in select(&["mlflow", "aws"]),
    ) {
        // Some can never be true, and are refused.
        let policies: Vec<Policy> = rules
            .iter()
            .enumerate()
            .map(|(number, text)| Policy { name: format!("p{number}"), text: text.clone(), enabled: true })
            .filter(|policy| crate::rules_in(policy).is_ok())
            .collect();
        let set = PolicySet::compile(&policies).unwrap();
        let question = Question {
            principal: &principal,
            roles: &roles,
            action: if on_versions { Action::PromoteModel } else { Action::RegisterModel },
            workspace,
            thing: &thing,
            intent: &intent,
            now: Timestamp(now),
            script,
        };
        prop_assert_eq!(set.judge(&question), judged_by_cedar(&set, &question), "{:#?}", policies);
    }
}

#[test]
fn the_needs_of_a_rule_are_found() {
    let unmet = |text: &str| {
        let policy = Policy { name: "team".to_owned(), text: text.to_owned(), enabled: true };
        let set = PolicySet::compile(&[policy]).unwrap();
        let thing = Thing::ModelVersion {
            model: "credit".to_owned(),
            number: 7,
            stage: Stage::Staging,
            approval: ApprovalStatus::Pending,
            tags: Vec::new(),
            model_tags: vec![Tag { key: "tier".to_owned(), value: "low".to_owned() }],
        };
        let question = Question {
            principal: &Principal::LocalOwner,
            roles: &[],
            action: Action::PromoteModel,
            workspace: "default",
            thing: &thing,
            intent: &Intent::stage(Stage::Production),
            now: Timestamp(1_795_775_400_000),
            script: "mlflow",
        };
        let rules = set.about(Action::PromoteModel);
        rules.iter().filter(|rule| !rule.needs.may_be_met(&Facts::of(&question))).count()
    };
    let forbid = |rest: &str| format!("forbid (principal, action == Action::\"model:promote\", resource) {rest};");
    for condition in OF_VERSIONS.iter().chain(OF_ALL).filter(|it| !it.contains("like") && !it.contains("now")) {
        let understood = !["model ==", "model.name", "+ 92", "10 < context", "== [\"tier\"]"]
            .iter()
            .any(|it| condition.contains(it));
        if understood {
            let either = unmet(&forbid(&format!("when {{ {condition} }}")))
                + unmet(&forbid(&format!("unless {{ {condition} }}")));
            assert_eq!(either, 1, "{condition}");
        }
    }
    assert_eq!(unmet("forbid (principal in Group::\"leads\", action, resource);"), 1);
    assert_eq!(unmet("forbid (principal, action == Action::\"model:promote\", resource in Model::\"churn\");"), 1);
    // An error comes before what is not met behind it.
    let text = forbid(
        "when { resource.hasTag(\"tier\") || context.hour + 9223372036854775807 > 0 } when { resource.number == 8 }",
    );
    assert_eq!(unmet(&text), 0);
}
