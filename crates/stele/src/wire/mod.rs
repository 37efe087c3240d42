//! Every route of every script as every role: who may do what is shown where clients ask, not only where rules are kept.
//!
//! Each script has a table of cases, and a route without a case fails the test. A case says which verb its request needs,
//! and where what it asks about is; what must come of it for a role follows from the policy, and is compared with what
//! does. Whoever holds a role on some experiments or models alone gets there what the same role on everything gets, and
//! elsewhere what a stranger does.

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
use stele_domain::search::{ExperimentSearch, Query};
use stele_testkit::{TestApp, apps};

use self::cases::{Answered, Case, Needs, Outcome};
use self::things::{Things, Where};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actor {
    /// Brings no credentials.
    Nobody,
    /// Has an account without any role.
    Stranger,
    /// Administers an experiment and a model, which are not those that are asked about.
    Neighbour,
    /// Has a role on everything.
    Holder(Role),
    /// Has a role on the experiments or the models that are asked about, each by itself, and on nothing else.
    Within(Role, Where),
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

/// The same, of those whose roles are on single experiments and models.
const ACTORS_WITHIN: [&[Actor]; 3] = [
    &[
        Actor::Within(Role::Viewer, Where::Experiment),
        Actor::Within(Role::Viewer, Where::Model),
        Actor::Within(Role::Approver, Where::Model),
        Actor::Within(Role::Deployer, Where::Model),
    ],
    &[Actor::Within(Role::Contributor, Where::Experiment), Actor::Within(Role::Contributor, Where::Model)],
    &[Actor::Within(Role::Administrator, Where::Experiment), Actor::Within(Role::Administrator, Where::Model)],
];

/// The account that all of them are, so that the same requests are about the own account and another one.
const NAME: &str = "ann";

impl Actor {
    /// What this one is granted.
    fn grants(self, scopes: &Scopes) -> Vec<Grant> {
        let on = |role, scopes: &[Scope]| scopes.iter().map(|scope| Grant { role, scope: scope.clone() }).collect();
        match self {
            Actor::Nobody | Actor::Stranger => Vec::new(),
            Actor::Neighbour => on(Role::Administrator, &scopes.elsewhere),
            Actor::Holder(role) => on(role, &[Scope::Organisation]),
            Actor::Within(role, Where::Experiment) => on(role, &scopes.experiments),
            Actor::Within(role, Where::Model) => on(role, &scopes.models),
            Actor::Within(role, Where::Workspace) => on(role, &[Scope::Workspace("default".to_owned())]),
        }
    }

    fn admission(self, scopes: &Scopes) -> Admission {
        if self == Actor::Nobody {
            return Admission::Refused(Refusal::Missing);
        }
        let grants = self.grants(scopes);
        let account = Account::new(NAME, AccountKind::User, Vec::new(), grants);
        Admission::Admitted(Principal::Account(Arc::new(account)))
    }

    /// The role, if there is one on what is asked about.
    fn role(self) -> Option<Role> {
        match self {
            Actor::Nobody | Actor::Stranger | Actor::Neighbour => None,
            Actor::Holder(role) | Actor::Within(role, _) => Some(role),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Actor::Nobody => "nobody",
            Actor::Stranger => "stranger",
            Actor::Neighbour => "neighbour",
            Actor::Holder(role) | Actor::Within(role, _) => role.as_str(),
        }
    }

    /// Where there is nothing for this one.
    fn hidden(self) -> Vec<Where> {
        let sees = |place: Where| match self {
            Actor::Nobody | Actor::Stranger | Actor::Neighbour => false,
            Actor::Holder(_) => true,
            Actor::Within(_, within) => place == within,
        };
        Where::ALL.into_iter().filter(|place| !sees(*place)).collect()
    }

    /// Whether the record must be the same after everything that this one asks for.
    fn changes_nothing(self) -> bool {
        self.role().is_none_or(|role| role == Role::Viewer)
    }

    /// What may come of the request of a case.
    fn expects(self, case: &Case) -> &'static [Outcome] {
        let hidden = self.hidden();
        match self {
            Actor::Within(role, _) if !case.places.iter().any(|place| hidden.contains(place)) => {
                Actor::Holder(role).expects_of(case.needs)
            }
            // What a request names besides may be refused as invalid, as if it were not there.
            Actor::Stranger | Actor::Neighbour | Actor::Within(..) if case.places.len() > 1 => {
                &[Outcome::Absent, Outcome::Forbidden, Outcome::Invalid]
            }
            Actor::Within(..) => Actor::Stranger.expects_of(case.needs),
            _ => self.expects_of(case.needs),
        }
    }

    /// What may come of a request that needs `needs`, of those for whom it does not matter where.
    fn expects_of(self, needs: Needs) -> &'static [Outcome] {
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
            (Actor::Within(..), _) => unreachable!("it matters where"),
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
    /// What this one was to be told, and was not.
    kept: Vec<String>,
    /// Whether the answer is another one for a thing that is not there, which this one may not see either.
    is_told_apart: bool,
}

/// A server with everything on it, which one actor asks.
struct World {
    test: TestApp,
    router: Router,
    things: Things,
    scopes: Scopes,
    last: i64,
}

/// What roles are held on.
struct Scopes {
    experiments: Vec<Scope>,
    models: Vec<Scope>,
    /// An experiment and a model that nobody asks about.
    elsewhere: Vec<Scope>,
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
        test.app.experiment_create(&test.ctx, new).await.unwrap();
        let new = NewModel { name: "elsewhere".to_owned(), description: None, tags: Vec::new() };
        test.app.model_create(&test.ctx, new).await.unwrap();
        let scopes = Scopes::of(&test).await;
        let mut world = World { test, router, things, scopes, last: 0 };
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
        let holder = Holder::Account(NAME.to_owned());
        let Scopes { experiments, models, elsewhere } = &self.scopes;
        let everywhere = [Scope::Organisation];
        for scope in everywhere.iter().chain(experiments).chain(models).chain(elsewhere) {
            app.grants_revoke(ctx, holder.clone(), scope.clone(), None).await.unwrap();
        }
        for Grant { role, scope } in actor.grants(&self.scopes) {
            app.grant_create(ctx, holder.clone(), role, scope).await.unwrap();
        }
        self.entries().await;
    }

    /// `whole` is what an administrator of everything is answered, where that is known.
    async fn run(&mut self, case: &Case, actor: Actor, whole: Option<&String>) -> Effect {
        let request = cases::request(case.script, case.route, case.with, &mut self.things);
        let sent = format!("{} {:?} {}", request.uri(), request.headers(), request.body());
        let answered = cases::ask(&self.router, request, actor.admission(&self.scopes)).await;
        let Answered { outcome: answered, text: answer, operation } = answered;
        let entries = self.entries().await;
        let is_only_denied = !entries.is_empty() && entries.iter().all(|entry| entry.outcome != "done");
        let outcome = if answered == Outcome::Done && is_only_denied { Outcome::Nothing } else { answered };
        // What is not seen is told from what is not there by nothing.
        let hidden = actor.hidden();
        let is_told_apart = actor != Actor::Nobody && case.places.iter().any(|place| hidden.contains(place)) && {
            let request = cases::request(case.script, case.route, case.with, &mut self.things.ghosts(&hidden));
            let of_ghosts = cases::ask(&self.router, request, actor.admission(&self.scopes)).await;
            self.entries().await;
            of_ghosts.outcome != answered
        };
        let told = marked(&answer, &hidden).difference(&marked(&sent, &hidden)).cloned().collect();
        let kept = match (actor, whole) {
            (Actor::Within(_, within), Some(whole)) if case.places == [within] => {
                marked(whole, &[within]).difference(&marked(&answer, &[within])).cloned().collect()
            }
            _ => Vec::new(),
        };
        Effect { outcome, answer, operation, entries, told, kept, is_told_apart }
    }

    /// Everything that can be read, as the administrator reads it, by route and what goes with it.
    async fn dump(&mut self) -> BTreeMap<(&'static str, &'static str), String> {
        let mut dump = BTreeMap::new();
        for case in cases::all().filter(|case| case.needs == Needs::Sight) {
            let request = cases::request(case.script, case.route, case.with, &mut self.things);
            let admission = Actor::Holder(Role::Administrator).admission(&self.scopes);
            let answered = cases::ask(&self.router, request, admission).await;
            dump.insert((case.route, case.with), cases::without_ids_of_requests(&answered.text));
        }
        self.entries().await;
        dump
    }
}

impl Scopes {
    async fn of(test: &TestApp) -> Scopes {
        let (app, ctx) = (&test.app, &test.ctx);
        let experiments = app.experiment_search(ctx, ExperimentSearch::default()).await.unwrap().items;
        let models = app.model_search(ctx, Query::default()).await.unwrap().items;
        let experiment = |name: &dyn Fn(&str) -> bool| {
            let found = experiments.iter().filter(|experiment| name(&experiment.name));
            found.map(|experiment| Scope::Experiment(experiment.id.to_string())).collect::<Vec<_>>()
        };
        let marked = |place: Where| models.iter().filter(move |model| model.name.contains(place.marker()));
        Scopes {
            experiments: experiment(&|name| name.contains(Where::Experiment.marker())),
            models: marked(Where::Model).map(|model| Scope::Model(model.name.clone())).collect(),
            elsewhere: [experiment(&|name| name == "elsewhere"), vec![Scope::Model("elsewhere".to_owned())]].concat(),
        }
    }
}

/// The words of a text with the marker of one of the places, which every name and value there has. Of what is hidden an
/// answer may only repeat those that the request brought.
fn marked(text: &str, places: &[Where]) -> BTreeSet<String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let is_end = |c: char| !(c.is_alphanumeric() || "-_".contains(c));
    text.split(is_end)
        .filter(|word| places.iter().any(|place| word.contains(place.marker())))
        .map(str::to_owned)
        .collect()
}

/// What is wrong with an effect, if anything is.
fn fault(case: &Case, actor: Actor, effect: &Effect) -> Option<String> {
    let Effect { outcome, answer, operation, entries, told, kept, is_told_apart } = effect;
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
    if !kept.is_empty() {
        return says(&format!("does not tell {kept:?}"));
    }
    if *is_told_apart {
        return says("answered otherwise for what is not there");
    }
    if !actor.expects(case).contains(outcome) {
        return says(&format!("not {:?}", actor.expects(case)));
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
    insta::assert_snapshot!(table(&ACTORS).await);
}

#[tokio::test]
async fn roles_on_single_things_reach_no_further_and_are_no_less() {
    insta::assert_snapshot!(table(&ACTORS_WITHIN).await);
}

/// What comes of every case for every actor, on both engines; fails if anything is not as the policy says.
async fn table(actors: &[&[Actor]]) -> String {
    let mut tables = BTreeSet::new();
    let mut faults = Vec::new();
    for engine in 0..apps().await.len() {
        let mut rows: Vec<String> = cases::all().map(beginning).collect();
        for actors in actors {
            let mut world = World::new(apps().await.swap_remove(engine)).await;
            let before = world.dump().await;
            for actor in *actors {
                world.admit(*actor).await;
                for (case, row) in cases::all().zip(&mut rows) {
                    let whole = before.get(&(case.route, case.with)).filter(|_| actor.changes_nothing());
                    let effect = world.run(case, *actor, whole).await;
                    write!(row, "{:<14}", effect.outcome.name()).unwrap();
                    faults.extend(fault(case, *actor, &effect));
                }
                if actor.changes_nothing() {
                    let after = world.dump().await;
                    let changed = before.iter().filter(|(case, answer)| after[*case] != **answer);
                    faults.extend(changed.map(|(case, answer)| {
                        format!("{actor:?} changed {case:?}:\n    {answer}\n    {}", after[case])
                    }));
                }
            }
        }
        let rows = cases::all().zip(&rows).map(|(case, row)| format!("\n{row}{}", case.route));
        tables.insert(heading(&actors.concat()) + &rows.collect::<String>());
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(tables.len(), 1, "the engines differ: {tables:#?}");
    tables.pop_first().unwrap()
}

fn heading(actors: &[Actor]) -> String {
    let columns = |name: fn(&Actor) -> &'static str| {
        let columns: String = actors.iter().map(|actor| format!("{:<14}", name(actor))).collect();
        columns.trim_end().to_owned()
    };
    let names = format!("{:<10}{:<27}{:<18}{}", "script", "needs", "in", columns(|actor| actor.name()));
    let within: fn(&Actor) -> &'static str = |actor| match actor {
        Actor::Within(_, place) => place.name(),
        _ => "",
    };
    match columns(within) {
        within if within.is_empty() => names,
        within => format!("{:<55}{within}\n{names}", ""),
    }
}

fn beginning(case: &Case) -> String {
    let places: Vec<_> = case.places.iter().map(|place| place.name()).collect();
    let places = match case.needs {
        // Nothing is asked about that has a place.
        Needs::Nothing | Needs::Account | Needs::Own | Needs::Unknown if case.places == [Where::Workspace] => {
            String::new()
        }
        _ => places.join("&"),
    };
    format!("{:<10}{:<27}{places:<18}", case.script.as_str(), case.needs.name())
}
