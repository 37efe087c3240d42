//! The audit log: reading it, verifying it, writing it down for elsewhere, and noting where it ends.

mod line;
mod offline;
mod verify;

pub use self::line::{read_line, write_line};
pub use self::offline::{closing_line, verify_export};
pub use self::verify::AuditReport;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::json;
use stele_domain::audit::{AuditEntry, CHECKPOINT, ChainEnd, ends_to_json};
use stele_domain::authz::ReadAudit;
use stele_domain::change::Change;
use stele_domain::{Kind, Result};
pub use stele_store::{AuditFilter, AuditPage};

use crate::transact::check_text;
use crate::{App, Ctx};

/// The most entries that an export reads at once.
const PAGE: i64 = 5_000;

/// How many bytes of entries an export reads at once, as far as the entries before let expect: most are of some hundred
/// bytes, and a few may be of megabytes.
const PAGE_BYTES: usize = 4 << 20;

const FIRST_PAGE: i64 = 100;

/// How many entries to read after `limit` of them had so many bytes.
fn next_limit(limit: i64, bytes: usize) -> i64 {
    let fitting = limit.saturating_mul(PAGE_BYTES as i64) / bytes.max(1) as i64;
    // Slowly up, since a page of short entries says little of the next.
    fitting.min(limit * 4).clamp(1, PAGE)
}

/// About how many bytes an entry takes.
fn length(entry: &AuditEntry) -> usize {
    let texts = [&entry.before, &entry.after].into_iter().flatten().map(String::len);
    texts.sum::<usize>() + entry.object.len() + 300
}

/// The log as it was at one moment, and where it ended.
pub struct AuditExport {
    pub pages: BoxStream<'static, Result<Vec<AuditEntry>>>,
    pub ends: Vec<(i64, ChainEnd)>,
}

impl App {
    /// A page of the log, newest first, of what was written before the id `before`.
    pub async fn audit_list(
        &self,
        ctx: &Ctx,
        filter: AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<AuditPage> {
        let AuditFilter { principal, action, kind, object, script, outcome, request_id, since: _, until: _ } = &filter;
        for text in [principal, action, kind, object, script, outcome, request_id].into_iter().flatten() {
            check_text("filter", text)?;
        }
        self.permit::<ReadAudit>(ctx, "audit").await?;
        let visible = ctx.visible();
        self.read(move |tx| tx.audit_list(&visible, &filter, before, limit)).await
    }

    /// The whole log as it is now, oldest first, in pages. It has the entries of all workspaces, since the chains run
    /// through all of them.
    pub async fn audit_export(&self, ctx: &Ctx) -> Result<AuditExport> {
        self.permit::<ReadAudit>(ctx, "audit").await?;
        let extent = Arc::new(self.read(|tx| tx.audit_extent()).await?);
        let ends = extent.ends.iter().map(|(chain, end)| (*chain, *end)).collect();
        let app = self.clone();
        let pages = futures::stream::try_unfold((Some(i64::MIN), FIRST_PAGE), move |(after, limit)| {
            let (app, extent) = (app.clone(), Arc::clone(&extent));
            async move {
                let Some(after) = after else { return Ok(None) };
                let (entries, end) = app.read(move |tx| tx.audit_after(&extent, after, limit)).await?;
                let next = next_limit(limit, entries.iter().map(length).sum());
                Ok(Some((entries, (end, next))))
            }
        });
        Ok(AuditExport { pages: pages.boxed(), ends })
    }

    /// Where each chain ends, to be kept elsewhere.
    pub async fn audit_ends(&self, ctx: &Ctx) -> Result<Vec<(i64, ChainEnd)>> {
        self.permit::<ReadAudit>(ctx, "audit").await?;
        self.read(|tx| tx.audit_ends()).await
    }

    /// Writes an entry that says where all chains end, unless the newest entry is such a one.
    pub async fn audit_checkpoint(&self) -> Result<()> {
        let origin = self.own_origin();
        self.store()
            .write(move |tx| {
                let ends = tx.audit_ends()?;
                if ends.is_empty() || tx.audit_newest_action()?.as_deref() == Some(CHECKPOINT) {
                    return Ok(());
                }
                let change = Change::quiet(CHECKPOINT, Kind::Workspace, "audit");
                tx.change_record(&origin, &change.after(json!({ "ends": ends_to_json(&ends) })), String::new)
                    .map(|_| ())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_an_export_grow_over_short_entries_and_shrink_over_long_ones() {
        let mut limit = FIRST_PAGE;
        for _ in 0..5 {
            limit = next_limit(limit, usize::try_from(limit).unwrap() * 400);
        }
        assert_eq!(limit, PAGE);
        assert_eq!(next_limit(PAGE, PAGE_BYTES * 10), PAGE / 10);
        assert_eq!(next_limit(1, PAGE_BYTES * 10), 1);
        assert_eq!(next_limit(PAGE, 0), PAGE);
    }
}
