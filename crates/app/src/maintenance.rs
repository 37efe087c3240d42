//! What the server does for itself in the background: merging small metric chunks and forgetting old deliveries.

use std::time::{Duration, Instant};

use stele_domain::Result;
use stele_domain::id::Timestamp;
use stele_store::StoreState;

use crate::App;

/// How long to rest when there is nothing to merge.
const REST: Duration = Duration::from_secs(2);

/// How much longer than a merge the rest after it takes, so that others have the processor and the disk most of the time;
/// and nearly all the time while somebody writes, since what is merged is written once more.
const RESTS_A_MERGE: u32 = 3;
const RESTS_WHILE_OTHERS_WRITE: u32 = 20;

/// How long the log of deliveries goes back.
const DELIVERY_AGE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How long those that were given up can be made again.
const DEAD_AGE_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How long a request that is sent again with its token gives what the first one made, and how many are forgotten in
/// one transaction.
const TOKEN_AGE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
const TOKENS_AT_ONCE: i64 = 1_000;

impl App {
    /// How large the database is and how busy.
    pub async fn store_state(&self) -> Result<StoreState> {
        self.store().state().await
    }

    /// Runs until the future is dropped. Failures are logged and tried again later.
    pub async fn maintain(&self) {
        let mut rounds: u64 = 0;
        loop {
            let started = Instant::now();
            let merged = self.store().series_merge_one().await;
            match merged {
                Ok(true) => {
                    let took = started.elapsed();
                    let others_write = self.store().writes_under_way() > 0;
                    tokio::time::sleep(took * if others_write { RESTS_WHILE_OTHERS_WRITE } else { RESTS_A_MERGE })
                        .await;
                }
                Ok(false) => tokio::time::sleep(REST).await,
                Err(error) => {
                    tracing::warn!(%error, "merging metric chunks failed");
                    tokio::time::sleep(REST * 5).await;
                }
            }
            if rounds.is_multiple_of(30)
                && let Err(error) = self.buckets_tidy().await
            {
                tracing::warn!(%error, "removing the files of objects that are gone failed, and is tried again");
            }
            if rounds.is_multiple_of(1800) {
                self.prune_deliveries().await;
                if let Err(error) = self.tokens_prune().await {
                    tracing::warn!(%error, "forgetting old client tokens failed");
                }
                if let Err(error) = self.audit_checkpoint().await {
                    tracing::warn!(%error, "noting where the audit log ends failed");
                }
            }
            rounds += 1;
        }
    }

    /// Forgets the tokens of requests that nobody sends again any more.
    pub async fn tokens_prune(&self) -> Result<u64> {
        let before = Timestamp(self.parts.clock.now().0 - TOKEN_AGE_MS);
        let mut pruned = 0;
        loop {
            let now = self.store().write(move |tx| tx.idempotency_prune(before, TOKENS_AT_ONCE)).await?;
            pruned += now;
            if now == 0 {
                return Ok(pruned);
            }
        }
    }

    async fn prune_deliveries(&self) {
        let oldest = Timestamp(self.parts.clock.now().0 - DELIVERY_AGE_MS);
        let dead = Timestamp(self.parts.clock.now().0 - DEAD_AGE_MS);
        if let Err(error) = self.store().write(move |tx| tx.deliveries_prune(oldest, dead)).await {
            tracing::warn!(%error, "forgetting old deliveries failed");
        }
    }
}
