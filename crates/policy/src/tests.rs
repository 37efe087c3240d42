//! Rules as teams write them.

use std::sync::Arc;

use proptest::prelude::*;
use stele_domain::authz::{
    Action, Concern, Decision, Intent, Judge, Judgement, Principal, Question, Reason, Rule, Rules, Subject, Thing,
    explain,
};
use stele_domain::id::{ExperimentId, Timestamp, WorkspaceId};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::policy::Policy;
use stele_domain::record::Tag;

use super::*;

/// Friday, the 27th of November 2026, at 10:30 in UTC.
const FRIDAY: Timestamp = Timestamp(1_795_775_400_000);

fn policy(text: &str) -> Policy {
    Policy { name: "team".to_owned(), text: text.to_owned(), enabled: true }
}

fn set(text: &str) -> PolicySet {
    PolicySet::compile(&[policy(text)]).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn wrong(text: &str) -> String {
    match rules_in(&policy(text)) {
        Ok(rules) => panic!("{text} should have been refused, and has {rules:?}"),
        Err(error) => error.to_string(),
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

fn account(kind: AccountKind, groups: &[&str], grants: Vec<Grant>) -> Principal {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Principal::Account(Arc::new(Account::new("ann", kind, groups, grants)))
}

fn version() -> Thing {
    Thing::ModelVersion {
        model: "credit".to_owned(),
        number: 7,
        stage: Stage::Staging,
        approval: ApprovalStatus::Pending,
        tags: vec![tag("pinned", "yes")],
        model_tags: vec![tag("tier", "critical")],
    }
}

fn experiment() -> Thing {
    Thing::Experiment { id: ExperimentId(12), name: "churn".to_owned(), tags: vec![tag("owner", "ann")] }
}

fn model() -> Thing {
    Thing::Model { name: "credit".to_owned(), tags: vec![tag("tier", "critical")] }
}

/// What the rules say to Ann, a deployer in two groups who asks on a Friday.
fn judged(set: &PolicySet, action: Action, thing: &Thing, intent: &Intent) -> Judgement {
    set.judge(&Question {
        principal: &account(AccountKind::User, &["research", "ml-leads"], Vec::new()),
        roles: &[Role::Viewer, Role::Deployer],
        action,
        workspace: "default",
        thing,
        intent,
        now: FRIDAY,
        script: "mlflow",
    })
}

fn names(rules: &[Rule]) -> Vec<&str> {
    rules.iter().map(|rule| rule.name.as_str()).collect()
}

#[test]
fn rules_go_by_their_ids_or_places() {
    let text = r#"permit (principal, action, resource);
        @id("no-fridays") @reason("nobody is here on Saturday")
        forbid (principal, action == Action::"model:promote", resource) when { context.weekday == "friday" };
        forbid (principal, action == Action::"run:log", resource);"#;
    assert_eq!(rules_in(&policy(text)).unwrap(), ["team/1", "team/no-fridays", "team/3"]);
    let judgement = judged(&set(text), Action::PromoteModel, &version(), &Intent::default());
    let reason = Some("nobody is here on Saturday".to_owned());
    let forbidding = vec![Rule { name: "team/no-fridays".to_owned(), reason }];
    assert_eq!(judgement, Judgement { forbidding, permitting: Vec::new() });
    assert_eq!(names(&judged(&set(text), Action::ApproveModel, &version(), &Intent::default()).permitting), ["team/1"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, place, says) in [
        ("permit (principal, action, resource)\nwhen { true ;", "line 2, column 13", "unexpected token"),
        ("allow (principal, action, resource);", "line 1, column 1", "allow"),
        (
            "permit (principal, action, resource);\n\nforbid (principal, action, resource)\n  when { principal.age > 3 };",
            "line 4, column 10",
            "age",
        ),
        ("// \u{e9}\u{e9}\n forbid (principal == Team::\"x\", action, resource);", "line 2, column", "Team"),
        ("forbid (principal, action, resource) when { context.hour == \"late\" };", "line 1, column", "type"),
        // A tag that may not be there must be looked for first.
        (
            "forbid (principal, action == Action::\"model:promote\", resource) when { resource.getTag(\"a\") == \"b\" };",
            "line 1, column",
            "tag",
        ),
        // It could never apply.
        ("forbid (principal, action, resource) when { false };", "line 1, column 1", "impossible"),
        (
            "forbid (principal, action == Action::\"model:promote\", resource is Experiment);",
            "line 1, column 1",
            "impossible",
        ),
    ] {
        let message = wrong(text);
        assert!(message.starts_with(&format!("policy 'team' {place}")), "{text}: {message}");
        assert!(message.contains(says), "{text}: {message}");
    }
    for (text, says) in [
        ("", "policy 'team' has no rules"),
        ("// only words", "policy 'team' has no rules"),
        ("permit (principal == ?principal, action, resource);", "policy 'team' has a template"),
        (
            "@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid (principal, action, resource);",
            "policy 'team' has two rules with the id 'a'",
        ),
        ("@id(\"a/b\") permit (principal, action, resource);", "policy 'team' has a rule with the id 'a/b'"),
        ("@id(\"\") permit (principal, action, resource);", "policy 'team' has a rule with the id ''"),
    ] {
        let message = wrong(text);
        assert!(message.starts_with(says), "{text}: {message}");
    }
}

/// A rule that nobody would hold to is refused, above all one about reading.
#[test]
fn rules_are_about_the_verbs_that_rules_decide() {
    for name in
        ["model:read", "audit:read", "identity:manage", "policy:manage", "credential:manage", "workspace:manage"]
    {
        for scope in [format!("action == Action::\"{name}\""), format!("action in [Action::\"{name}\"]")] {
            let message = wrong(&format!("forbid (principal, {scope}, resource);"));
            let says =
                format!("rule 'team/1' is about Action::\"{name}\", which rules do not decide: roles alone say who");
            assert!(message.starts_with(&says), "{message}");
        }
        wrong(&format!("forbid (principal, action, resource) when {{ action == Action::\"{name}\" }};"));
    }
    for action in Action::ALL.iter().copied() {
        let text = format!("forbid (principal, action == Action::\"{}\", resource);", action.name());
        if !action.is_judged() {
            wrong(&text);
            continue;
        }
        let set = set(&text);
        let things = match action.is_on_versions() {
            true => vec![version()],
            false => vec![Thing::Workspace, experiment(), model()],
        };
        for thing in things {
            let judgement = judged(&set, action, &thing, &Intent::default());
            assert_eq!(names(&judgement.forbidding), ["team/1"], "{} to {thing}", action.name());
        }
        for other in Action::ALL.iter().copied().filter(|other| *other != action) {
            assert_eq!(set.concern(other), Concern::default(), "{} and {}", action.name(), other.name());
        }
    }
}

#[test]
fn everything_that_rules_can_look_at_is_there() {
    let intent = Intent {
        stage: Some(Stage::Production),
        approval: Some(ApprovalStatus::Approved),
        alias: Some("champion".to_owned()),
        name: Some("new".to_owned()),
        tags: vec!["a".to_owned(), "b".to_owned()],
    };
    let on_version = [
        r#"principal == User::"ann""#,
        r#"principal.name == "ann""#,
        r#"principal is User"#,
        r#"principal in Group::"ml-leads""#,
        r#"principal in Role::"deployer""#,
        r#"resource in Model::"credit""#,
        r#"resource in Workspace::"default""#,
        r#"resource.number == 7"#,
        r#"resource.stage == "staging""#,
        r#"resource.approval == "pending""#,
        r#"resource.model.name == "credit""#,
        r#"resource.hasTag("pinned") && resource.getTag("pinned") == "yes""#,
        r#"resource.model.hasTag("tier") && resource.model.getTag("tier") like "crit*""#,
        r#"context.now > datetime("2026-11-27T10:29:59Z") && context.now < datetime("2026-11-27T10:30:01Z")"#,
        r#"context.weekday == "friday""#,
        r#"context.hour == 10"#,
        r#"context.script == "mlflow""#,
        r#"context has target_stage && context.target_stage == "production""#,
        r#"context has target_approval && context.target_approval == "approved""#,
        r#"context has alias && context.alias == "champion""#,
        r#"context has new_name && context.new_name == "new""#,
        r#"context.changed_tags.containsAll(["a", "b"])"#,
    ];
    let elsewhere = [
        (
            experiment(),
            r#"resource == Experiment::"12" && resource.name == "churn" && resource.getTag("owner") == "ann""#,
        ),
        (experiment(), r#"resource in Workspace::"default""#),
        (model(), r#"resource == Model::"credit" && resource.name == "credit""#),
        (model(), r#"resource in Workspace::"default" && resource.hasTag("tier")"#),
        (Thing::Workspace, r#"resource == Workspace::"default" && resource.name == "default""#),
    ];
    let kind = |thing: &Thing| match thing {
        Thing::Workspace => "Workspace",
        Thing::Experiment { .. } => "Experiment",
        Thing::Model { .. } => "Model",
        Thing::ModelVersion { .. } => "ModelVersion",
    };
    let of_version = on_version.map(|condition| (version(), condition));
    for (thing, condition) in of_version.into_iter().chain(elsewhere) {
        let condition =
            condition.replace(r#"resource.getTag("owner")"#, r#"resource.hasTag("owner") && resource.getTag("owner")"#);
        let action = match thing {
            Thing::ModelVersion { .. } => Action::PromoteModel,
            _ => Action::RegisterModel,
        };
        let scope = format!("(principal, action == Action::\"{}\", resource is {})", action.name(), kind(&thing));
        let holds = set(&format!("forbid {scope} when {{ {condition} }};"));
        assert_eq!(names(&judged(&holds, action, &thing, &intent).forbidding), ["team/1"], "{condition}");
        let not = set(&format!("forbid {scope} unless {{ {condition} }};"));
        assert_eq!(judged(&not, action, &thing, &intent), Judgement::default(), "{condition}");
    }
    // What a change does not want is not there.
    let wants = set(r#"forbid (principal, action, resource) when {
        context has target_stage || context has target_approval || context has alias || context has new_name };"#);
    assert_eq!(judged(&wants, Action::PromoteModel, &version(), &Intent::default()), Judgement::default());
}

#[test]
fn a_rule_that_cannot_be_evaluated_forbids_and_never_permits() {
    const OVERFLOWS: &str = "context.hour + 9223372036854775807 > 0";
    let forbids = set(&format!("forbid (principal, action, resource) when {{ {OVERFLOWS} }};"));
    let judgement = judged(&forbids, Action::PromoteModel, &version(), &Intent::default());
    assert_eq!(names(&judgement.forbidding), ["team/1"]);
    assert!(judgement.forbidding[0].to_string().contains("it cannot be evaluated here"), "{judgement:?}");
    let both = set(&format!(
        "permit (principal, action, resource);
         @id(\"late\") forbid (principal, action, resource) when {{ {OVERFLOWS} }};
         @id(\"all\") forbid (principal, action, resource);"
    ));
    let judgement = judged(&both, Action::PromoteModel, &version(), &Intent::default());
    assert_eq!(names(&judgement.forbidding), ["team/all", "team/late"]);
    let permits = set(&format!("permit (principal, action, resource) when {{ {OVERFLOWS} }};"));
    assert_eq!(judged(&permits, Action::PromoteModel, &version(), &Intent::default()), Judgement::default());
}

#[test]
fn policies_that_are_off_are_not_asked() {
    let off = Policy { enabled: false, ..policy("forbid (principal, action, resource);") };
    assert!(PolicySet::compile(&[off]).unwrap().is_empty());
    let other = Policy { name: "other".to_owned(), ..policy("permit (principal, action, resource);") };
    let both = PolicySet::compile(&[policy("forbid (principal, action == Action::\"run:log\", resource);"), other]);
    let both = both.unwrap();
    assert_eq!(both.concern(Action::LogRun), Concern { forbids: true, permits: true });
    assert_eq!(both.concern(Action::PromoteModel), Concern { forbids: false, permits: true });
}

#[test]
fn policies_that_cannot_be_read_forbid_everything() {
    let unreadable = Unreadable("why".to_owned());
    let rules = Rules::new(Some(Arc::new(unreadable)), FRIDAY, "mlflow");
    let subject =
        Subject { principal: Principal::LocalOwner, workspace: WorkspaceId(1), workspace_name: "default".into() };
    let decision = |action| explain(&subject, &rules, action, &Thing::Workspace, &Intent::default());
    let Decision { is_allowed: false, reason: Reason::Forbidden(by) } = decision(Action::LogRun) else { panic!() };
    assert_eq!(by[0].to_string(), "policies that cannot be read (why)");
    // The one who is to mend them can.
    assert!(decision(Action::ManagePolicy).is_allowed);
}

/// The examples of the documentation, which name the files that they would be in.
#[test]
fn the_examples_of_the_documentation_can_be_held_to() {
    let text = include_str!("../../../docs/POLICY.md");
    let examples: Vec<&str> = text.split("```cedar\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in &examples {
        set(example);
    }
    for action in Action::ALL {
        assert!(text.contains(&format!("`{}`", action.name())), "{} is not explained", action.name());
    }
}

/// Cedar's functions call themselves for each operator in another one; a server has only so much room for that.
#[test]
fn no_depth_of_conditions_is_too_much() {
    let many = |part: &str, times: usize, end: &str| format!("{}true{}", part.repeat(times), end.repeat(times));
    let judged_by = |policy: Policy| {
        let set = PolicySet::compile(&[policy]).map_err(|error| error.to_string())?;
        Ok::<_, String>(names(&judged(&set, Action::PromoteModel, &version(), &Intent::default()).forbidding).len())
    };
    for (condition, applies) in [
        (many("(context has alias && ", 40, ")"), false),
        (many("(context has alias || ", 40, ")"), true),
        (many("(", 90, ")"), true),
        (many("if context has alias then true else ", 80, ""), true),
    ] {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        let rules = judged_by(Policy { name: "deep".to_owned(), text, enabled: true });
        assert_eq!(rules, Ok(usize::from(applies)), "{condition:.100}");
    }
    // It depends on the room that there is whether Cedar evaluates these; where it does not, they forbid.
    for condition in [many("context has alias && ", 450, ""), many("context has alias && ", 1_500, "")] {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        let rules = judged_by(Policy { name: "deep".to_owned(), text, enabled: true });
        assert!(rules.is_ok(), "{rules:?}");
    }
    for condition in [
        many("(", 30_000, ")"),
        many("[[", 10_000, ";"),
        many("if context has alias then true else ", 1_500, ""),
        many("if//\n", 10_000, ""),
    ] {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        assert!(text.len() <= 64 << 10, "{}", text.len());
        let refused = wrong(&text);
        assert!(refused.contains("more than 100 brackets and conditionals in each other"), "{refused}");
    }
}

/// What is in strings and comments is no bracket.
#[test]
fn many_rules_are_not_deep() {
    let rule = "// if (((( \"\nforbid (principal, action, resource)\n\
                when { context has alias && context.alias == \"((\\\";if\" };\n";
    assert_eq!(rules_in(&policy(&rule.repeat(500))).unwrap().len(), 500);
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Organisation),
        "default|other".prop_map(Scope::Workspace),
        "1[12]".prop_map(Scope::Experiment),
        "credit|other/credit|debit".prop_map(Scope::Model),
    ]
}

fn grant() -> impl Strategy<Value = Grant> {
    (proptest::sample::select(Role::ALL.to_vec()), scope()).prop_map(|(role, scope)| Grant { role, scope })
}

proptest! {
    /// Rules that never apply decide nothing, and neither do none.
    #[test]
    fn without_rules_the_roles_decide(
        grants in proptest::collection::vec(grant(), 0..4),
        action in proptest::sample::select(Action::ALL.to_vec()),
        thing in prop_oneof![Just(Thing::Workspace), Just(experiment()), Just(model()), Just(version())],
    ) {
        prop_assume!(action.is_on_versions() == matches!(thing, Thing::ModelVersion { .. }));
        const NEVER: &str = "forbid (principal, action, resource) when { context.hour > 23 };
            permit (principal, action, resource) when { context.hour > 23 };";
        let subject = Subject {
            principal: account(AccountKind::User, &["research"], grants.clone()),
            workspace: WorkspaceId(1),
            workspace_name: "default".into(),
        };
        let decide = |rules: &Rules| explain(&subject, rules, action, &thing, &Intent::default());
        let without = decide(&Rules::none());
        let never = Rules::new(Some(Arc::new(set(NEVER))), FRIDAY, "mlflow");
        prop_assert_eq!(&without, &decide(&never));
        let reaches = |scope: &Scope| match scope {
            Scope::Organisation => true,
            Scope::Workspace(name) => name == "default",
            Scope::Experiment(id) => matches!(thing, Thing::Experiment { .. }) && id == "12",
            Scope::Model(name) => matches!(thing, Thing::Model { .. } | Thing::ModelVersion { .. }) && name == "credit",
        };
        let may = grants.iter().any(|Grant { role, scope }| {
            reaches(scope)
                && (*role == Role::Administrator || *role == action.role())
                && (action.is_judged() || *scope == Scope::Organisation)
        });
        prop_assert_eq!(without.is_allowed, may);

        // With a rule that forbids everything nothing is left but what no rule decides.
        let closed = Rules::new(Some(Arc::new(set("forbid (principal, action, resource);"))), FRIDAY, "mlflow");
        prop_assert_eq!(decide(&closed).is_allowed, may && !action.is_judged());
        // With one that permits everything, those who see a thing may do everything to it.
        let open = Rules::new(Some(Arc::new(set("permit (principal, action, resource);"))), FRIDAY, "mlflow");
        let sees = grants.iter().any(|grant| reaches(&grant.scope));
        prop_assert_eq!(decide(&open).is_allowed, if action.is_judged() { sees } else { may });
    }
}
