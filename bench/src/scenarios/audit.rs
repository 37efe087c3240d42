//! What the audit log costs: an entry in a small write, and verifying and exporting a long log.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use serde_json::json;
use stele_domain::Kind;
use stele_domain::authz::{LogRun, Permit, Principal, Rules, Subject, authorize};
use stele_domain::change::Change;
use stele_domain::id::{RunId, Timestamp, WorkspaceId};
use stele_domain::record::Tag;
use stele_store::{Origin, Store};

use crate::api::{Api, Counter};
use crate::bench::{Bench, milliseconds};
use crate::figure::{Figure, Unit};
use crate::http;
use crate::latency::median;
use crate::process;
use crate::seed::{self, Seeded};
use crate::table::number;

/// Verifies the log of the server, which is made longer and longer, and exports it.
pub(crate) fn verification(bench: &mut Bench) -> Result<()> {
    for entries in bench.options.audit_entries() {
        let [verify, export] = ["audit-verify", "audit-export"].map(|kind| format!("{kind}/{entries}"));
        if !bench.wants(&verify) && !bench.wants(&export) {
            continue;
        }
        let (there, seeded) = seed::audit(bench, entries)?;
        match seeded {
            Seeded::Done(took) => eprintln!("  {} entries after {:.1} s", number(there as f64), took.as_secs_f64()),
            Seeded::TooSlow(why) => {
                let figure = bench.figure(&verify, Unit::Milliseconds, f64::NAN).missing(why);
                bench.record(figure);
                return Ok(());
            }
        }
        if bench.wants(&verify) {
            let mut times = Vec::new();
            for _ in 0..bench.options.repeats.max(1) {
                let sent = Instant::now();
                let report = bench.api().post_to("/api/stele/v1/audit/verification", &json!({ "ends": [] }))?;
                times.push(milliseconds(sent.elapsed()));
                let faults = report["faults"].as_array().map_or(usize::MAX, Vec::len);
                let verified = report["entries"].as_u64().unwrap_or_default();
                ensure!(faults == 0 && verified >= there, "{verified} OF {there} ENTRIES WITH {faults} FAULTS");
            }
            let figure = bench.figure(&verify, Unit::Milliseconds, median(times).unwrap_or(f64::NAN));
            bench.record(memory(bench, figure));
        }
        if bench.wants(&export) {
            let mut counter = Counter::new(b"\"request_id\"");
            let mut bytes = 0;
            let sent = Instant::now();
            let status = bench.connection().stream(&[&http::get("/api/stele/v1/audit/export")], &mut |part| {
                bytes += part.len() as u64;
                counter.take(part);
            })?;
            let took = milliseconds(sent.elapsed());
            ensure!(status == 200 && counter.found >= there, "{} OF {there} ENTRIES, STATUS {status}", counter.found);
            let figure = bench.figure(&export, Unit::Milliseconds, took);
            let figure = figure.note(format!("{} MB, every entry counted", number(bytes as f64 / 1e6)));
            bench.record(memory(bench, figure));
        }
    }
    Ok(())
}

fn memory(bench: &Bench, figure: Figure) -> Figure {
    let peak = process::group_memory(bench.server.group()).peak as f64 / f64::from(1 << 20);
    figure.note(format!("server's peak {} MiB", number(peak)))
}

/// How much longer a small write takes with its entry than without, in the store alone: what a request costs besides is
/// not counted, so that the share of a whole request is smaller.
pub(crate) fn overhead(bench: &mut Bench) -> Result<()> {
    const ID: &str = "audit-overhead/set-tag";
    /// As many as 16 clients have in one commit.
    const GROUP: usize = 16;
    if !bench.wants(ID) {
        return Ok(());
    }
    let mut api: Api = bench.api();
    let experiment = api.create_experiment(ID)?;
    let run = RunId(api.create_run(&experiment)?);
    bench.server.stop();
    let store = Store::open(&seed::store_url(&bench.server))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(async {
        let workspace = store.write(|tx| tx.bootstrap("mlflow-artifacts:/0", Timestamp(0))).await?;
        let subject = Subject { principal: Principal::LocalOwner, workspace, workspace_name: "default".into() };
        let writes = Writes { store: &store, permit: authorize(&subject, Rules::none()), workspace, run: &run };
        let mut shares = Vec::new();
        let mut costs = Vec::new();
        writes.group(GROUP, true).await?;
        let started = Instant::now();
        // Turn by turn, so that what the machine does meanwhile touches both.
        while shares.is_empty() || started.elapsed() < bench.options.seconds() {
            let (mut with, mut without) = (0.0, 0.0);
            for _ in 0..100 {
                without += writes.group(GROUP, false).await?;
                with += writes.group(GROUP, true).await?;
            }
            shares.push(100.0 * (with - without) / without);
            costs.push((with - without) * 1e6 / (100 * GROUP) as f64);
        }
        Ok((median(shares), median(costs)))
    });
    let (share, cost) = measured.map_err(|error: stele_domain::Error| anyhow!("{error:?}"))?;
    let figure = bench.figure(ID, Unit::Percent, share.unwrap_or(f64::NAN));
    let cost = number(cost.unwrap_or(f64::NAN));
    bench.record(figure.note(format!("{cost} \u{b5}s an entry, in transactions of {GROUP} without requests")));
    Ok(())
}

struct Writes<'a> {
    store: &'a Store,
    permit: Permit<LogRun>,
    workspace: WorkspaceId,
    run: &'a RunId,
}

impl Writes<'_> {
    /// The seconds that a transaction of so many tags takes.
    async fn group(&self, writes: usize, audited: bool) -> stele_domain::Result<f64> {
        let (permit, run) = (self.permit.clone(), self.run.clone());
        let origin = Arc::new(Origin {
            workspace: self.workspace,
            principal: "researcher".to_owned(),
            script: "mlflow",
            request_id: run.0.clone(),
            address: None,
            at: Timestamp(1_764_000_000_000),
        });
        let started = Instant::now();
        let write = move |tx: &mut stele_store::Tx| {
            for _ in 0..writes {
                let open = tx.run_open(&permit, &run)?;
                let tags = [Tag { key: "checkpoint".to_owned(), value: "epoch-100000001".to_owned() }];
                tx.run_tags_set(&permit, open.row, open.experiment, &tags)?;
                if audited {
                    let change = Change::quiet("run.log", Kind::Run, run.as_str());
                    let change = change.after(json!({ "metrics": 0, "params": 0, "tags": 1 }));
                    tx.change_record(&origin, &change, String::new)?;
                }
            }
            Ok(())
        };
        self.store.write(write).await?;
        Ok(started.elapsed().as_secs_f64())
    }
}
