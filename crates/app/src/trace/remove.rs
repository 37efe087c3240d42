use serde_json::json;
use stele_domain::authz::LogTrace;
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::trace::TraceId;
use stele_domain::{Kind, Result};

use crate::transact::Changed;
use crate::{App, Ctx};

/// How many traces one transaction removes: each may have many spans, and other writes wait meanwhile.
const AT_A_TIME: usize = 100;

/// Which traces of an experiment are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TracesToDelete {
    Named(Vec<TraceId>),
    /// The oldest of those that are not newer than a time.
    Oldest {
        newest: Timestamp,
        most: i64,
    },
}

impl App {
    /// Deletes traces for good; says how many there were. Their files go with the next purge.
    pub async fn traces_delete(&self, ctx: &Ctx, experiment: ExperimentId, which: TracesToDelete) -> Result<u64> {
        match which {
            TracesToDelete::Named(ids) => {
                let mut deleted = 0;
                for ids in ids.chunks(AT_A_TIME) {
                    deleted += self.traces_delete_some(ctx, experiment, TracesToDelete::Named(ids.to_vec())).await?;
                }
                Ok(deleted)
            }
            TracesToDelete::Oldest { newest, most } => {
                let mut deleted = 0;
                loop {
                    let left = u64::try_from(most).unwrap_or(0).saturating_sub(deleted);
                    let most = i64::try_from(left.min(AT_A_TIME as u64)).unwrap_or(0);
                    if most == 0 {
                        return Ok(deleted);
                    }
                    let part = TracesToDelete::Oldest { newest, most };
                    let gone = self.traces_delete_some(ctx, experiment, part).await?;
                    deleted += gone;
                    if gone < most.unsigned_abs() {
                        return Ok(deleted);
                    }
                }
            }
        }
    }

    async fn traces_delete_some(&self, ctx: &Ctx, experiment: ExperimentId, which: TracesToDelete) -> Result<u64> {
        let now = ctx.now();
        self.change::<LogTrace, _>(ctx, &experiment.to_string(), move |tx, permit| {
            let gone = match &which {
                TracesToDelete::Named(ids) => tx.traces_delete(permit, experiment, ids, now)?,
                TracesToDelete::Oldest { newest, most } => {
                    tx.traces_delete_oldest(permit, experiment, *newest, *most, now)?
                }
            };
            let changes = gone.iter().map(|id| {
                let change = Change::quiet("trace.delete", Kind::Trace, id.as_str());
                change.before(json!({ "experiment": experiment.to_string() }))
            });
            Ok(Changed::many(gone.len() as u64, changes.collect()))
        })
        .await
    }
}
