//! Every route of every script as every role: who may do what is shown where clients ask, not only where rules are kept.
//!
//! Each script has a table of cases, and a route without a case fails the test. A case says which verb its request needs;
//! what must come of it for a role follows from the policy, and is compared with what does.

mod aws;
mod cases;
mod mlflow;
mod native;
mod sagemaker;
mod things;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use stele_app::{Admission, AuditFilter, NewExperiment, NewModel, Refusal, Script, SecretKey, WebhookSettings};
use stele_domain::audit::AuditEntry;
use stele_domain::authz::{Action, Principal};
use stele_domain::directory::Holder;
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_testkit::{TestApp, apps};

use self::cases::{Answered, Case, Needs, Outcome};
use self::things::Things;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actor {
    /// Brings no credentials.
    Nobody,
    /// Has an account without any role.
    Stranger,
    /// Administers an experiment and a model, which are not those that are asked about.
    Neighbour,
    Holder(Role),
}

/// Who asks one server after another. Those of the first leave what the next of them needs.
const ACTORS: [&[Actor]; 3] = [
    &[
        Actor::Nobody,
        Actor::Stranger,
        Actor::Neighbour,
        Actor::Holder(Role::Viewer),
        Actor::Holder(Role::Approver),
        Actor::Holder(Role::Deployer),
    ],
    &[Actor::Holder(Role::Contributor)],
    &[Actor::Holder(Role::Administrator)],
];

/// The account that all of them are, so that the same requests are about the own account and another one.
const NAME: &str = "ann";

impl Actor {
    fn admission(self, elsewhere: &[Scope]) -> Admission {
        let administers = |scope: &Scope| Grant { role: Role::Administrator, scope: scope.clone() };
        let grants = match self {
            Actor::Nobody => return Admission::Refused(Refusal::Missing),
            Actor::Stranger => Vec::new(),
            Actor::Neighbour => elsewhere.iter().map(administers).collect(),
            Actor::Holder(role) => vec![Grant { role, scope: Scope::Organisation }],
        };
        let account =
            Account { name: NAME.to_owned(), kind: AccountKind::User, groups: Vec::new(), grants, ceiling: None };
        Admission::Admitted(Principal::Account(Arc::new(account)))
    }

    fn name(self) -> &'static str {
        match self {
            Actor::Nobody => "nobody",
            Actor::Stranger => "stranger",
            Actor::Neighbour => "neighbour",
            Actor::Holder(role) => role.as_str(),
        }
    }

    /// Whether this one may not know that there is what is asked about.
    fn sees_nothing(self) -> bool {
        matches!(self, Actor::Nobody | Actor::Stranger | Actor::Neighbour)
    }

    /// Whether the record must be the same after everything that this one asks for.
    fn changes_nothing(self) -> bool {
        self.sees_nothing() || self == Actor::Holder(Role::Viewer)
    }

    /// What may come of a request that needs `needs`.
    fn expects(self, needs: Needs) -> &'static [Outcome] {
        use Outcome::{Absent, Done, Forbidden, Invalid, Mute, Unauthenticated, Unset};
        match (self, needs) {
            (_, Needs::Nothing) => &[Done],
            (_, Needs::Unknown) => &[Invalid],
            (Actor::Nobody, _) => &[Unauthenticated, Mute],
            (_, Needs::Unoffered) => &[Outcome::Unoffered, Absent, Forbidden, Invalid],
            (_, Needs::Account | Needs::Own) | (Actor::Holder(_), Needs::Sight | Needs::Past) => &[Done],
            (Actor::Holder(_), Needs::Lack) => &[Unset],
            (Actor::Stranger | Actor::Neighbour, Needs::Lack) => &[Absent],
            // Lists of what these see are empty, which the marker shows.
            (Actor::Stranger | Actor::Neighbour, Needs::Sight) => &[Absent, Done],
            // The same for every name, whether there is or was such a thing.
            (Actor::Stranger | Actor::Neighbour, Needs::Past) => &[Forbidden],
            (Actor::Stranger | Actor::Neighbour, Needs::Verb(_) | Needs::Power(_)) => &[Absent, Forbidden],
            (Actor::Holder(role), Needs::Verb(action) | Needs::Power(action)) => match action.is_allowed_by(role) {
                true => &[Done],
                false => &[Forbidden],
            },
        }
    }
}

/// What one request did.
struct Effect {
    outcome: Outcome,
    answer: String,
    operation: Option<&'static str>,
    entries: Vec<AuditEntry>,
    /// The secrets in the answer, if this one may see none.
    told: Vec<String>,
    /// Whether the answer is another one for a thing that is not there, which this one may not see either.
    is_told_apart: bool,
}

/// A server with everything on it, which one actor asks.
struct World {
    test: TestApp,
    router: Router,
    things: Things,
    /// What the neighbour administers.
    elsewhere: Vec<Scope>,
    last: i64,
}

impl World {
    async fn new(test: TestApp) -> World {
        test.app.authentication_require(&test.ctx, "root".to_owned(), "correct horse".to_owned()).await.unwrap();
        test.app.enable_webhooks(WebhookSettings {
            schemes: vec!["http".to_owned()],
            private_addresses: true,
            timeout: Duration::from_secs(1),
            retries: 0,
            key: SecretKey::from_text("a key for tests only").unwrap(),
        });
        test.app.enable_workspaces();
        test.app.enable_access_keys(SecretKey::from_text("a passphrase of some length").unwrap());
        let account = stele_sagemaker::DEFAULT_ACCOUNT;
        let router = stele_mlflow::router(test.app.clone())
            .merge(stele_sagemaker::router(test.app.clone(), account))
            .merge(stele_aws::router(test.app.clone(), account))
            .merge(crate::api::router(test.app.clone(), account, "test"));
        let things = things::made(&test.app, &router).await;
        let new = NewExperiment { name: "elsewhere".to_owned(), artifact_location: None, tags: Vec::new() };
        let experiment = test.app.experiment_create(&test.ctx, new).await.unwrap();
        let new = NewModel { name: "elsewhere".to_owned(), description: None, tags: Vec::new() };
        test.app.model_create(&test.ctx, new).await.unwrap();
        let elsewhere = vec![Scope::Experiment(experiment.to_string()), Scope::Model("elsewhere".to_owned())];
        let mut world = World { test, router, things, elsewhere, last: 0 };
        world.entries().await;
        world
    }

    /// What the audit log got since the last time.
    async fn entries(&mut self) -> Vec<AuditEntry> {
        let page = self.test.app.audit_list(&self.test.ctx, AuditFilter::default(), None, 100).await.unwrap();
        let new: Vec<_> = page.entries.into_iter().filter(|entry| entry.id > self.last).collect();
        self.last = new.iter().map(|entry| entry.id).fold(self.last, i64::max);
        new
    }

    /// Gives the account the role in the record too, which is what its own credentials are made by.
    async fn admit(&mut self, actor: Actor) {
        let (app, ctx) = (&self.test.app, &self.test.ctx);
        let (holder, scope) = (Holder::Account(NAME.to_owned()), Scope::Organisation);
        match actor {
            Actor::Nobody | Actor::Stranger => {}
            Actor::Neighbour => {
                for scope in &self.elsewhere {
                    app.grant_create(ctx, holder.clone(), Role::Administrator, scope.clone()).await.unwrap();
                }
            }
            Actor::Holder(role) => {
                for of_neighbour in &self.elsewhere {
                    app.grants_revoke(ctx, holder.clone(), of_neighbour.clone(), None).await.unwrap();
                }
                app.grant_replace(ctx, holder, role, scope).await.unwrap();
            }
        }
        self.entries().await;
    }

    async fn run(&mut self, case: &Case, actor: Actor) -> Effect {
        let request = cases::request(case.script, case.route, case.with, &mut self.things);
        let sent = format!("{} {:?} {}", request.uri(), request.headers(), request.body());
        let answered = cases::ask(&self.router, request, actor.admission(&self.elsewhere)).await;
        let Answered { outcome: answered, text: answer, operation } = answered;
        let entries = self.entries().await;
        let is_only_denied = !entries.is_empty() && entries.iter().all(|entry| entry.outcome != "done");
        let outcome = if answered == Outcome::Done && is_only_denied { Outcome::Nothing } else { answered };
        // What is not seen is told from what is not there by nothing.
        let is_told_apart = matches!(actor, Actor::Stranger | Actor::Neighbour) && {
            let request = cases::request(case.script, case.route, case.with, &mut self.things.ghosts());
            let of_ghosts = cases::ask(&self.router, request, actor.admission(&self.elsewhere)).await;
            self.entries().await;
            of_ghosts.outcome != answered
        };
        let told = match actor.sees_nothing() {
            true => veiled(&answer).difference(&veiled(&sent)).cloned().collect(),
            false => Vec::new(),
        };
        Effect { outcome, answer, operation, entries, told, is_told_apart }
    }

    /// Everything that can be read, as the administrator reads it, by route.
    async fn dump(&mut self) -> BTreeMap<&'static str, String> {
        let mut dump = BTreeMap::new();
        for case in cases::all().filter(|case| case.needs == Needs::Sight) {
            let request = cases::request(case.script, case.route, case.with, &mut self.things);
            let admission = Actor::Holder(Role::Administrator).admission(&[]);
            let answered = cases::ask(&self.router, request, admission).await;
            dump.insert(case.route, cases::without_ids_of_requests(&answered.text));
        }
        self.entries().await;
        dump
    }
}

/// The words of a text that hold the marker, which every name and value of the record does. An answer may only repeat
/// those that the request brought.
fn veiled(text: &str) -> BTreeSet<String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let is_end = |c: char| !(c.is_alphanumeric() || "-_".contains(c));
    text.split(is_end).filter(|word| word.contains(things::MARKER)).map(str::to_owned).collect()
}

/// What is wrong with an effect, if anything is.
fn fault(case: &Case, actor: Actor, effect: &Effect) -> Option<String> {
    let Effect { outcome, answer, operation, entries, told, is_told_apart } = effect;
    let answer: String = answer.chars().take(500).collect();
    let says = |what: &str| {
        let route = format!("{actor:?} {} {}", case.script.as_str(), case.route);
        Some(format!("{route}: {what}: {outcome:?} {answer}\n    {}", described(entries)))
    };
    if operation.is_some_and(|operation| operation != case.route) {
        return says(&format!("answered by {operation:?}"));
    }
    if !told.is_empty() {
        return says(&format!("tells {told:?}"));
    }
    if *is_told_apart {
        return says("answered otherwise for what is not there");
    }
    if !actor.expects(case.needs).contains(outcome) {
        return says(&format!("not {:?}", actor.expects(case.needs)));
    }
    if entries.iter().any(|entry| entry.principal != NAME || entry.script != case.script.as_str()) {
        return says("an entry of somebody else");
    }
    let (done, denied): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.outcome == "done");
    let is_change = matches!(case.needs, Needs::Verb(_) | Needs::Own) && *outcome == Outcome::Done;
    let is_named = |action: Action| denied.iter().all(|entry| entry.action == action.name());
    match (case.needs, *outcome) {
        _ if is_change && done.is_empty() => says("a change without an entry"),
        _ if is_change && !denied.is_empty() => says("denied what was done"),
        _ if !is_change && !done.is_empty() => says("an entry of no change"),
        (_, Outcome::Forbidden | Outcome::Nothing) if denied.is_empty() => says("a refusal without an entry"),
        (Needs::Verb(action) | Needs::Power(action), _) if !is_named(action) => says("denied something else"),
        _ => None,
    }
}

fn described(entries: &[AuditEntry]) -> String {
    let told = entries.iter().map(|entry| {
        format!(
            "{} {} {} '{}' by {} through {}",
            entry.outcome, entry.action, entry.kind, entry.object, entry.principal, entry.script
        )
    });
    told.collect::<Vec<_>>().join("; ")
}

#[test]
fn every_route_has_a_case() {
    let cased: BTreeSet<String> = cases::all()
        // What AWS has besides is no route here, though it must be refused.
        .filter(|case| case.script != Script::Aws || !matches!(case.needs, Needs::Unoffered | Needs::Unknown))
        .map(|case| format!("{} {}", case.script.as_str(), case.route))
        .collect();
    let offered = cases::offered();
    let without: Vec<_> = offered.difference(&cased).collect();
    assert!(without.is_empty(), "routes without a case: {without:#?}");
    let gone: Vec<_> = cased.difference(&offered).collect();
    assert!(gone.is_empty(), "cases of routes that are not there: {gone:#?}");
}

/// The table is to be reviewed: a change of it is a change of who may do what.
#[tokio::test]
async fn every_route_does_what_the_role_allows_and_nothing_else() {
    let mut tables = BTreeSet::new();
    let mut faults = Vec::new();
    for engine in 0..apps().await.len() {
        let mut rows: Vec<String> =
            cases::all().map(|case| format!("{:<10}{:<27}", case.script.as_str(), case.needs.name())).collect();
        for actors in ACTORS {
            let mut world = World::new(apps().await.swap_remove(engine)).await;
            let before = world.dump().await;
            for actor in actors {
                world.admit(*actor).await;
                for (case, row) in cases::all().zip(&mut rows) {
                    let effect = world.run(case, *actor).await;
                    write!(row, "{:<13}", effect.outcome.name()).unwrap();
                    faults.extend(fault(case, *actor, &effect));
                }
                if actor.changes_nothing() {
                    let after = world.dump().await;
                    let changed = before.iter().filter(|(route, answer)| after[*route] != **answer);
                    faults.extend(changed.map(|(route, answer)| {
                        format!("{actor:?} changed {route}:\n    {answer}\n    {}", after[route])
                    }));
                }
            }
        }
        let names: String = ACTORS.concat().into_iter().map(|actor| format!("{:<13}", actor.name())).collect();
        let heading = format!("{:<10}{:<27}{names}", "script", "needs");
        let rows = cases::all().zip(&rows).map(|(case, row)| format!("\n{row}{}", case.route));
        tables.insert(heading + &rows.collect::<String>());
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(tables.len(), 1, "the engines differ: {tables:#?}");
    insta::assert_snapshot!(tables.pop_first().unwrap());
}
