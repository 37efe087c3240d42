//! Whether somebody may do something: one decision, without a server, as every request that changes something has at
//! least one. By roles alone, and with rules of a team besides.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use stele_domain::Kind;
use stele_domain::authz::{
    Action, Described, Intent, Judge, LogRun, Place, Principal, Rules, Subject, Thing, authorize, explain,
};
use stele_domain::id::{ExperimentId, Timestamp, WorkspaceId};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::policy::Policy;
use stele_domain::record::Tag;
use stele_policy::PolicySet;

use crate::bench::Bench;
use crate::figure::Unit;
use crate::limits::rate;

/// Decisions between two looks at the clock.
const DECISIONS: u64 = 1_000;

/// More roles than most people have.
const GRANTS: i64 = 20;

/// More rules than most teams have, all of them about the verb that is asked about.
const RULES: usize = 100;

/// Decisions of which the slowest hundredth is looked at.
const TIMED: usize = 20_000;

pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    by_roles(bench)?;
    by_rules(bench)
}

/// A record in which no rule looks at anything.
struct Nothing;

impl Described for Nothing {
    fn describe(&mut self, _: WorkspaceId, _: Place) -> stele_domain::Result<Thing> {
        Ok(Thing::Workspace)
    }
}

fn subject(groups: &[&str], grants: Vec<Grant>) -> Subject {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let account = Account::new("ada", AccountKind::User, groups, grants);
    let principal = Principal::Account(Arc::new(account));
    Subject { principal, workspace: WorkspaceId(1), workspace_name: "default".into() }
}

fn by_roles(bench: &mut Bench) -> Result<()> {
    const ID: &str = "policy-decision/roles";
    if !bench.wants(ID) {
        return Ok(());
    }
    let on_experiment = |id: i64| Grant { role: Role::Contributor, scope: Scope::Experiment(id.to_string()) };
    let subject = subject(&["research"], (1..=GRANTS).map(on_experiment).collect());
    let may = |experiment: i64| {
        let permit = authorize::<LogRun>(black_box(&subject), Rules::none());
        permit.require(&mut Nothing, Place::Experiment(ExperimentId(experiment)), Kind::Run, "0123456789abcdef").is_ok()
    };
    ensure!(may(GRANTS) && !may(GRANTS + 1), "THE DECISIONS ARE WRONG");
    let rate = rate(bench.options.seconds(), bench.options.repeats, || {
        (0..DECISIONS).for_each(|_| {
            black_box(may(black_box(GRANTS)));
        });
        Ok(DECISIONS)
    })?;
    let figure = bench.figure(ID, Unit::Microseconds, 1e6 / rate);
    bench.record(figure.note(format!("somebody with {GRANTS} roles, the last of which allows it")));
    Ok(())
}

/// Rules that look at tags, groups, stages and times; the last one forbids on a tag that only some versions have. Cedar
/// is asked for the few that may apply, as far as what they say first tells.
fn rules() -> Result<Rules> {
    let mut text = String::new();
    for number in 1..RULES {
        write!(
            text,
            r#"forbid (principal, action == Action::"model:promote", resource)
               when {{ resource.model.hasTag("tier") && resource.model.getTag("tier") == "tier {number}"
                   && context has target_stage && context.target_stage == "production" }}
               unless {{ principal in Group::"leads {number}" || context.weekday == "monday" }};"#
        )?;
    }
    text.push_str(
        r#"forbid (principal, action == Action::"model:promote", resource)
           when { resource.hasTag("pinned") && resource.getTag("pinned") == "yes" };"#,
    );
    let set = PolicySet::compile(&[Policy { name: "team".to_owned(), text, enabled: true }])?;
    ensure!(set.concern(Action::PromoteModel).forbids, "THE RULES ARE ABOUT ANOTHER VERB");
    Ok(Rules::new(Some(Arc::new(set)), Timestamp(1_795_775_400_000), "mlflow"))
}

fn by_rules(bench: &mut Bench) -> Result<()> {
    const ID: &str = "policy-decision/rules";
    if !bench.wants(ID) {
        return Ok(());
    }
    let subject = subject(&["research", "ml"], vec![Grant { role: Role::Deployer, scope: Scope::Organisation }]);
    let rules = rules()?;
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    let version = |pinned: &str| Thing::ModelVersion {
        model: "credit".to_owned(),
        number: 7,
        stage: Stage::Staging,
        approval: ApprovalStatus::Approved,
        tags: vec![tag("pinned", pinned), tag("ticket", "T-1"), tag("owner", "ada")],
        model_tags: vec![tag("tier", "critical"), tag("team", "risk"), tag("domain", "credit")],
    };
    let (free, pinned, intent) = (version("no"), version("yes"), Intent::stage(Stage::Production));
    let may = |thing: &Thing| explain(black_box(&subject), &rules, Action::PromoteModel, thing, &intent).is_allowed;
    ensure!(may(&free) && !may(&pinned), "THE DECISIONS ARE WRONG");
    let mut times: Vec<f64> = (0..TIMED)
        .map(|number| {
            let start = Instant::now();
            black_box(may(black_box(if number % 2 == 0 { &free } else { &pinned })));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    let [few, one, slow] = [times[TIMED / 4], times[TIMED * 3 / 4], times[TIMED * 99 / 100]];
    let figure = bench.figure(ID, Unit::Microseconds, slow);
    bench.record(figure.note(format!(
        "p99 of {TIMED} with {RULES} rules about the verb; the median is {few:.1} µs where none may apply, and {one:.1} µs \
         where Cedar is asked for one, which forbids"
    )));
    Ok(())
}
