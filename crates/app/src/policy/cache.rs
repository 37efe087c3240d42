//! The rules that this server asks, compiled once and read again when they may have changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use stele_domain::Result;
use stele_domain::authz::{Judge, Rules};
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::policy::Policy;
use stele_policy::{PolicySet, Unreadable};

use crate::{App, Ctx};

/// How long a server may believe that another one of its database has not changed the rules.
const BELIEVED_MS: i64 = 2_000;

/// When rules were read that are read again at once.
const NEVER: Timestamp = Timestamp(i64::MIN);

/// The rules of workspaces, as this server last read them.
#[derive(Default)]
pub(crate) struct Policies {
    kept: Mutex<HashMap<WorkspaceId, Kept>>,
    /// Counts the changes that this server made, so that what was read before one of them is not believed after it.
    changes: AtomicU64,
}

struct Kept {
    /// None where there are no rules.
    judge: Option<Arc<dyn Judge>>,
    revision: i64,
    read_at: Timestamp,
}

impl App {
    /// The rules that hold for a change of `ctx`.
    pub(crate) async fn rules(&self, ctx: &Ctx) -> Result<Rules> {
        Ok(Rules::new(self.judge(ctx.workspace).await?, ctx.now(), ctx.script()))
    }

    async fn judge(&self, workspace: WorkspaceId) -> Result<Option<Arc<dyn Judge>>> {
        let now = self.now();
        let Policies { kept: all, changes } = self.policies();
        let known = {
            let kept = all.lock();
            match kept.get(&workspace) {
                Some(kept) if (0..BELIEVED_MS).contains(&(now.0.saturating_sub(kept.read_at.0))) => {
                    return Ok(kept.judge.clone());
                }
                kept => kept.map(|kept| kept.revision),
            }
        };
        let before = changes.load(Ordering::SeqCst);
        let read = self
            .read(move |tx| {
                let revision = tx.policies_revision(workspace)?;
                let policies = if known == Some(revision) { None } else { Some(tx.policies(workspace)?) };
                Ok((revision, policies))
            })
            .await?;
        let (revision, policies) = read;
        let judge = match policies {
            None => None,
            Some(records) => {
                let policies = records.into_iter().map(|record| record.policy).collect();
                let compiled = tokio::task::spawn_blocking(move || compiled(policies)).await;
                Some(compiled.unwrap_or_else(|error| Some(Arc::new(Unreadable(error.to_string())))))
            }
        };
        let mut all = all.lock();
        let read_at = if changes.load(Ordering::SeqCst) == before { now } else { NEVER };
        match (all.get_mut(&workspace), judge) {
            // Another request has read a later state meanwhile.
            (Some(kept), _) if kept.revision > revision => {}
            (Some(kept), None) => kept.read_at = read_at,
            (_, Some(judge)) => {
                all.insert(workspace, Kept { judge, revision, read_at });
            }
            (None, None) => {}
        }
        Ok(all.get(&workspace).and_then(|kept| kept.judge.clone()))
    }

    /// Lets the next change read the rules again.
    pub(crate) fn policies_forget(&self, ctx: &Ctx) {
        let Policies { kept, changes } = self.policies();
        changes.fetch_add(1, Ordering::SeqCst);
        if let Some(kept) = kept.lock().get_mut(&ctx.workspace) {
            kept.read_at = NEVER;
        }
    }
}

fn compiled(policies: Vec<Policy>) -> Option<Arc<dyn Judge>> {
    match PolicySet::compile(&policies) {
        Ok(set) if set.is_empty() => None,
        Ok(set) => Some(Arc::new(set)),
        Err(error) => {
            tracing::error!(%error, "the policies cannot be read, so that nothing is allowed which they could forbid");
            Some(Arc::new(Unreadable(error.to_string())))
        }
    }
}
