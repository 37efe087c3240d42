//! What is measured, in the order in which it is: first on a fresh server, last on a full one.

pub(crate) mod artifacts;
mod audit;
mod create;
mod decision;
mod history;
pub(crate) mod log_batch;
mod memory;
mod search;
pub(crate) mod single;
mod soak;
mod start;
mod traces;

use anyhow::Result;

use crate::bench::Bench;
use crate::options::Options;
use crate::peers::{Kind, Target};

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    measure: fn(&mut Bench) -> Result<()>,
    /// Whether more worker processes change what is measured. If not, MLflow's server is measured once.
    workers_matter: bool,
}

impl Scenario {
    pub(crate) fn run(&self, bench: &mut Bench) -> Result<()> {
        (self.measure)(bench)
    }
}

const fn scenario(name: &'static str, measure: fn(&mut Bench) -> Result<()>) -> Scenario {
    Scenario { name, measure, workers_matter: true }
}

const fn of_one_client(name: &'static str, measure: fn(&mut Bench) -> Result<()>) -> Scenario {
    Scenario { name, measure, workers_matter: false }
}

/// The scenarios for a server. The first one starts it.
pub(crate) fn of(target: Target, options: &Options) -> Vec<Scenario> {
    let mut scenarios = vec![
        scenario("start/empty", start::empty),
        scenario("memory/idle", memory::idle),
        scenario("log-batch", log_batch::measure),
        scenario("single", single::measure),
        scenario("create-run", create::measure),
        scenario("memory/loaded", memory::loaded),
        scenario("traces", traces::measure),
        of_one_client("artifacts", artifacts::measure),
        of_one_client("history", history::measure),
        of_one_client("search", search::measure),
        of_one_client("start/full", start::full),
    ];
    if target.kind == Kind::Stele {
        scenarios.push(of_one_client("policy-decision", decision::measure));
        scenarios.push(of_one_client("audit-overhead", audit::overhead));
    }
    if options.soak().is_some() {
        scenarios.push(scenario("soak", soak::measure));
    }
    if target.kind == Kind::Stele {
        // Last, since its entries would be in everything after it.
        scenarios.push(of_one_client("audit-verify", audit::verification));
    }
    scenarios.retain(|scenario| scenario.workers_matter || target.kind != Kind::MlflowOneWorker);
    scenarios
}
