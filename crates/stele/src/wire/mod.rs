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

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use stele_app::{Admission, AuditFilter, Refusal, Script, SecretKey, WebhookSettings};
use stele_domain::audit::AuditEntry;
use stele_domain::authz::Principal;
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_testkit::{TestApp, apps};

use self::cases::{Case, Needs, Outcome};
use self::things::Things;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actor {
    /// Brings no credentials.
    Nobody,
    /// Has an account without any role.
    Stranger,
    Holder(Role),
}

const ACTORS: [Actor; 7] = [
    Actor::Nobody,
    Actor::Stranger,
    Actor::Holder(Role::Viewer),
    Actor::Holder(Role::Contributor),
    Actor::Holder(Role::Approver),
    Actor::Holder(Role::Deployer),
    Actor::Holder(Role::Administrator),
];

/// The account that all of them are, so that the same requests are about the own account and another one.
const NAME: &str = "ann";

impl Actor {
    fn admission(self) -> Admission {
        let grants = match self {
            Actor::Nobody => return Admission::Refused(Refusal::Missing),
            Actor::Stranger => Vec::new(),
            Actor::Holder(role) => vec![Grant { role, scope: Scope::Organisation }],
        };
        let account = Account { name: NAME.to_owned(), kind: AccountKind::User, groups: Vec::new(), grants };
        Admission::Admitted(Principal::Account(Arc::new(account)))
    }

    /// What must come of a request that needs `needs`, if its outcome is the policy's to say.
    fn expects(self, needs: Needs) -> &'static [Outcome] {
        use Outcome::{Absent, Done, Forbidden, Unauthenticated};
        match (self, needs) {
            (_, Needs::Nothing) => &[Done],
            (Actor::Nobody, _) => &[Unauthenticated],
            (_, Needs::Account) | (Actor::Holder(_), Needs::Sight) => &[Done],
            // Lists of what a stranger sees are empty, which the marker shows.
            (Actor::Stranger, Needs::Sight) => &[Absent, Done],
            (Actor::Stranger, Needs::Verb(_) | Needs::Power(_)) => &[Absent, Forbidden],
            (Actor::Holder(role), Needs::Verb(action) | Needs::Power(action)) => {
                if action.is_allowed_by(role) {
                    &[Done]
                } else {
                    &[Forbidden]
                }
            }
            (_, Needs::Unoffered) => &[Outcome::Unoffered, Absent, Forbidden],
        }
    }
}

/// What one request did.
struct Effect {
    outcome: Outcome,
    answer: String,
    entries: Vec<AuditEntry>,
}

/// A server with everything on it, which one actor asks.
struct World {
    test: TestApp,
    router: Router,
    things: Things,
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
        test.app.enable_access_keys(SecretKey::from_text("a passphrase of some length").unwrap());
        let account = stele_sagemaker::DEFAULT_ACCOUNT;
        let router = stele_mlflow::router(test.app.clone())
            .merge(stele_sagemaker::router(test.app.clone(), account))
            .merge(stele_aws::router(test.app.clone(), account))
            .merge(crate::api::router(test.app.clone(), "test"));
        let things = things::made(&router).await;
        let mut world = World { test, router, things, last: 0 };
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

    async fn run(&mut self, case: &Case, actor: Actor) -> Effect {
        let request = case.request(&mut self.things);
        let sent = format!("{} {}", request.uri(), request.body());
        let (outcome, answer) = cases::ask(&self.router, request, actor.admission()).await;
        if matches!(actor, Actor::Nobody | Actor::Stranger) {
            let secrets = veiled(&answer).difference(&veiled(&sent)).cloned().collect::<Vec<_>>();
            assert!(secrets.is_empty(), "{} tells {actor:?} {secrets:?}: {answer}", case.route);
        }
        Effect { outcome, answer, entries: self.entries().await }
    }

    /// Everything that can be read, as the administrator reads it.
    async fn dump(&mut self) -> Vec<String> {
        let mut dump = Vec::new();
        for case in cases::all().filter(|case| case.needs == Needs::Sight) {
            let request = case.request(&mut self.things);
            let admission = Actor::Holder(Role::Administrator).admission();
            let (_, answer) = cases::ask(&self.router, request, admission).await;
            dump.push(format!("{}: {}", case.route, cases::without_ids_of_requests(&answer)));
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
    let Effect { outcome, answer, entries } = effect;
    let says =
        |what: &str| Some(format!("{actor:?} {}: {what}: {outcome:?} {answer}\n    {}", case.route, told(entries)));
    if !actor.expects(case.needs).contains(outcome) {
        return says(&format!("not {:?}", actor.expects(case.needs)));
    }
    let done = entries.iter().filter(|entry| entry.outcome == "done").count();
    let denied = entries.len() - done;
    if entries.iter().any(|entry| entry.principal != NAME || entry.script != case.script.as_str()) {
        return says("an entry of somebody else");
    }
    let is_change = matches!(case.needs, Needs::Verb(_)) && *outcome == Outcome::Done;
    match (is_change, *outcome) {
        (true, _) if done == 0 => says("a change without an entry"),
        (true, _) if denied > 0 => says("denied what was done"),
        (false, _) if done > 0 => says("an entry of no change"),
        (false, Outcome::Forbidden) if denied == 0 => says("a refusal without an entry"),
        _ => None,
    }
}

fn told(entries: &[AuditEntry]) -> String {
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
        .filter(|case| case.script != Script::Aws)
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
    // Who may do nothing changes nothing, so that a world is asked by all of them.
    let mut faults = Vec::new();
    let mut tables: Vec<String> = Vec::new();
    let engines = apps().await.len();
    for engine in 0..engines {
        let mut rows: Vec<String> = cases::all()
            .map(|case| format!("{:<10} {:<22} {}", case.script.as_str(), case.needs.name(), case.route))
            .collect();
        for actor in ACTORS {
            let test = apps().await.swap_remove(engine);
            let mut world = World::new(test).await;
            let before = world.dump().await;
            let is_idle = matches!(actor, Actor::Nobody | Actor::Stranger | Actor::Holder(Role::Viewer));
            for (case, row) in cases::all().zip(&mut rows) {
                let effect = world.run(case, actor).await;
                write!(row, " | {}", effect.outcome.letter()).unwrap();
                faults.extend(fault(case, actor, &effect));
            }
            if is_idle {
                let after = world.dump().await;
                let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
                if !changed.is_empty() {
                    faults.push(format!("{actor:?} changed the record: {changed:#?}"));
                }
            }
        }
        tables.push(rows.join("\n"));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(tables.iter().all(|table| *table == tables[0]), "the engines differ");
    insta::assert_snapshot!(tables[0]);
}
