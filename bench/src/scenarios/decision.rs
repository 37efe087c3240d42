//! Whether somebody may do something: one decision by roles, without a server, as every request has at least one.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, ensure};
use stele_domain::Kind;
use stele_domain::authz::{LogRun, Place, Principal, Subject, authorize};
use stele_domain::id::{ExperimentId, WorkspaceId};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};

use crate::bench::Bench;
use crate::figure::Unit;
use crate::limits::rate;

/// Decisions between two looks at the clock.
const DECISIONS: u64 = 1_000;

/// More roles than most people have.
const GRANTS: i64 = 20;

pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    const ID: &str = "policy-decision/roles";
    if !bench.wants(ID) {
        return Ok(());
    }
    let on_experiment = |id: i64| Grant { role: Role::Contributor, scope: Scope::Experiment(id.to_string()) };
    let account = Account {
        name: "ada".to_owned(),
        kind: AccountKind::User,
        groups: vec!["research".to_owned()],
        grants: (1..=GRANTS).map(on_experiment).collect(),
    };
    let principal = Principal::Account(Arc::new(account));
    let subject = Subject { principal, workspace: WorkspaceId(1), workspace_name: "default".into() };
    let may = |experiment: i64| {
        let permit = authorize::<LogRun>(black_box(&subject));
        permit.require(Place::Experiment(ExperimentId(experiment)), Kind::Run, "0123456789abcdef").is_ok()
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
