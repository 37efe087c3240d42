//! Verification of the log in the database, by several readers at once.

use futures::StreamExt;
use stele_domain::Result;
use stele_domain::audit::{ChainEnd, Faulty, Verification};
use stele_domain::authz::ReadAudit;

use crate::{App, Ctx};

/// How many ids a reader takes at once: on PostgreSQL they are in memory together.
const SEGMENT: i64 = 8_000;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    pub entries: u64,
    /// Where each chain ends, as far as it is all right.
    pub ends: Vec<(i64, ChainEnd)>,
    /// The first fault of each chain that has one.
    pub faults: Vec<Faulty>,
}

impl From<Verification> for AuditReport {
    fn from(verification: Verification) -> AuditReport {
        AuditReport {
            entries: verification.entries(),
            ends: verification.ends().into_iter().collect(),
            faults: verification.faults(),
        }
    }
}

impl App {
    /// Verifies the whole log as it is now, also against ends that were noted elsewhere. `progress` hears how many
    /// entries have been looked at.
    pub async fn audit_verify(
        &self,
        ctx: &Ctx,
        noted: Vec<(i64, ChainEnd)>,
        mut progress: impl FnMut(u64),
    ) -> Result<AuditReport> {
        self.permit::<ReadAudit>(ctx, "audit").await?;
        let extent = self.read(|tx| tx.audit_extent()).await?;
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
        let mut verification = Verification::default();
        let mut starts = Vec::new();
        let mut start = extent.first - 1;
        while start < extent.last {
            starts.push(start);
            start = start.saturating_add(SEGMENT);
        }
        let segments = futures::stream::iter(starts).map(|after| {
            let (extent, last) = (extent.clone(), after.saturating_add(SEGMENT).min(extent.last));
            self.read(move |tx| tx.audit_segment(&extent, after, last))
        });
        let mut segments = segments.buffered(workers);
        while let Some(segment) = segments.next().await {
            verification.add(segment?);
            progress(verification.entries());
        }
        let noted: Vec<(i64, ChainEnd)> =
            noted.into_iter().chain(verification.noted().iter().map(|noted| (noted.chain, noted.end))).collect();
        let held = self
            .read(move |tx| {
                noted.into_iter().map(|(chain, end)| Ok((chain, end, tx.audit_hash_at(chain, end.seq)?))).collect()
            })
            .await?;
        let held: Vec<(i64, ChainEnd, Option<stele_domain::audit::Hash>)> = held;
        for (chain, end, hash) in held {
            verification.expect(chain, end, hash);
        }
        Ok(verification.into())
    }
}
