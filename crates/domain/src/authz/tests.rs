use std::fmt::Write;
use std::sync::Arc;

use super::*;
use crate::id::ExperimentId;
use crate::identity::{Account, AccountKind, Grant, Role, Scope};
use crate::{Error, Kind};

fn subject(grants: &[(Role, Scope)]) -> Subject {
    let grants = grants.iter().map(|(role, scope)| Grant { role: *role, scope: scope.clone() }).collect();
    let account = Account::new("ann", AccountKind::User, Vec::new(), grants);
    Subject {
        principal: Principal::Account(Arc::new(account)),
        workspace: WorkspaceId(1),
        workspace_name: "default".into(),
    }
}

/// A record in which no rule looks at anything.
struct Nothing;

impl Described for Nothing {
    fn describe(&mut self, _: WorkspaceId, _: Place) -> crate::Result<Thing> {
        panic!("only rules look at things")
    }
}

/// The reviewed table of who may do what: a change of it is a change of the policy.
#[test]
fn the_policy_matrix() {
    let mut matrix = format!("{:<27}{:<20}", "verb", "kind");
    for role in Role::ALL {
        write!(matrix, "{:<15}", role.as_str()).unwrap();
    }
    for action in Action::ALL {
        write!(matrix, "\n{:<27}{:<20}", action.name(), action.kind().as_str()).unwrap();
        for role in Role::ALL {
            write!(matrix, "{:<15}", if action.is_allowed_by(role) { "yes" } else { "-" }).unwrap();
        }
    }
    let matrix = matrix.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(matrix, @r"
    verb                       kind                viewer         contributor    approver       deployer       administrator
    experiment:manage          experiment          -              yes            -              -              yes
    run:log                    run                 -              yes            -              -              yes
    logged-model:log           logged model        -              yes            -              -              yes
    model:register             model               -              yes            -              -              yes
    model:promote              model version       -              -              -              yes            yes
    model:approve              model version       -              -              yes            -              yes
    gate:manage                gate                -              -              -              -              yes
    policy:manage              policy              -              -              -              -              yes
    evaluation:record          evaluation          -              yes            -              -              yes
    resource:manage            resource            -              yes            -              -              yes
    lineage:manage             association         -              yes            -              -              yes
    evaluation-dataset:manage  evaluation dataset  -              yes            -              -              yes
    scorer:manage              scorer              -              yes            -              -              yes
    trace:log                  trace               -              yes            -              -              yes
    review:manage              review queue        -              yes            -              -              yes
    webhook:manage             webhook             -              -              -              -              yes
    artifact:write             artifact            -              yes            -              -              yes
    bucket:manage              bucket              -              yes            -              -              yes
    object:write               object              -              yes            -              -              yes
    record:load                workspace           -              -              -              -              yes
    audit:read                 workspace           -              -              -              -              yes
    record:purge               workspace           -              -              -              -              yes
    identity:manage            account             -              -              -              -              yes
    workspace:manage           workspace           -              -              -              -              yes
    credential:manage          credential          -              -              -              -              yes
    ");
}

#[test]
fn a_role_reaches_as_far_as_its_scope() {
    let (own, other) = (Place::Experiment(ExperimentId(7)), Place::Experiment(ExperimentId(8)));
    let all = [Place::Workspace, own, other, Place::Model("m"), Place::Model("n")];
    let seen = |scope: Scope| all.map(|place| visible(&subject(&[(Role::Viewer, scope.clone())])).sees(place));
    assert_eq!(seen(Scope::Organisation), [true; 5]);
    assert_eq!(seen(Scope::Workspace("default".to_owned())), [true; 5]);
    assert_eq!(seen(Scope::Workspace("elsewhere".to_owned())), [false; 5]);
    assert_eq!(seen(Scope::Experiment("7".to_owned())), [false, true, false, false, false]);
    assert_eq!(seen(Scope::Experiment("seven".to_owned())), [false; 5]);
    assert_eq!(seen(Scope::Model("m".to_owned())), [false, false, false, true, false]);
    assert_eq!(seen(Scope::model_in("default", "m")), [false, false, false, true, false]);
    assert_eq!(seen(Scope::model_in("elsewhere", "m")), [false; 5]);
}

#[test]
fn a_permit_forbids_what_is_seen_and_denies_the_rest_exists() {
    let (logs, reads) = (Scope::Experiment("7".to_owned()), Scope::Experiment("8".to_owned()));
    let permit = authorize::<LogRun>(&subject(&[(Role::Contributor, logs), (Role::Viewer, reads)]), Rules::none());
    let ask = |id: i64| permit.require(&mut Nothing, Place::Experiment(ExperimentId(id)), Kind::Run, format!("r{id}"));
    assert!(permit.settle().is_err(), "nobody asked yet");
    assert!(matches!(ask(8), Err(Error::Forbidden { message }) if message == "ann may not do run:log to run 'r8'"));
    assert_eq!(ask(9), Err(Error::not_found(Kind::Run, "r9")));
    assert_eq!(permit.refusal(), Some(&Denial { action: Action::LogRun, rules: Vec::new() }));
    assert_eq!(ask(7), Ok(()));
    assert_eq!(permit.settle(), Ok(()));
    assert!(matches!(permit.require_workspace(), Err(Error::Forbidden { .. })));
}

#[test]
fn a_permit_for_everything_need_not_be_asked() {
    let permit = authorize::<PurgeRecord>(&subject(&[(Role::Administrator, Scope::Organisation)]), Rules::none());
    assert_eq!(permit.settle(), Ok(()));
    let permit = authorize::<PurgeRecord>(&subject(&[(Role::Contributor, Scope::Organisation)]), Rules::none());
    assert!(permit.settle().is_err());
}
