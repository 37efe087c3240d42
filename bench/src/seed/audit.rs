//! A long audit log: entries as logging leaves them, many in a transaction, through the store while no server runs.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::json;
use stele_domain::Kind;
use stele_domain::audit::ChainEnd;
use stele_domain::change::Change;
use stele_domain::id::Timestamp;
use stele_store::{Origin, Store};

use super::stele::url;
use crate::peers::Server;

/// Entries in one transaction.
const BATCH: u64 = 5_000;

/// Writes entries until the log has so many, or the time is over. Gives how many it has.
pub(super) fn entries(server: &Server, wanted: u64, limit: Duration) -> Result<u64> {
    let store = Store::open(&url(server))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let filled = runtime.block_on(async {
        let workspace = store.write(|tx| tx.bootstrap("mlflow-artifacts:/0", Timestamp(0))).await?;
        let started = Instant::now();
        let mut there = length(&store).await?;
        while there < wanted && started.elapsed() < limit {
            let (first, last) = (there, wanted.min(there + BATCH));
            let write = move |tx: &mut stele_store::Tx| {
                for number in first..last {
                    let origin = Origin {
                        workspace,
                        principal: "researcher".to_owned(),
                        script: "mlflow",
                        request_id: format!("{number:032x}"),
                        address: None,
                        at: Timestamp(1_764_000_000_000 + i64::try_from(number).unwrap_or_default()),
                    };
                    let change = Change::quiet("run.log", Kind::Run, format!("{:032x}", number / 100));
                    let change = change.after(json!({ "metrics": number % 10, "params": 0, "tags": 0 }));
                    tx.change_record(&origin, &change, String::new)?;
                }
                Ok(())
            };
            store.write(write).await?;
            there = last;
        }
        Ok(there)
    });
    filled.map_err(|error: stele_domain::Error| anyhow!("{error:?}"))
}

async fn length(store: &Store) -> stele_domain::Result<u64> {
    let ends: Vec<(i64, ChainEnd)> = store.read(|tx| tx.audit_ends()).await?;
    Ok(ends.iter().map(|(_, end)| u64::try_from(end.seq).unwrap_or_default()).sum())
}
