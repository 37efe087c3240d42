//! The audit log: reading it, verifying it, writing it down for elsewhere, and noting where it ends.

mod line;
mod offline;
mod verify;

pub use self::line::{read_line, write_line};
pub use self::offline::verify_export;
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

/// How many entries an export reads at once.
const PAGE: i64 = 5_000;

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
    pub async fn audit_export(&self, ctx: &Ctx) -> Result<BoxStream<'static, Result<Vec<AuditEntry>>>> {
        self.permit::<ReadAudit>(ctx, "audit").await?;
        let extent = Arc::new(self.read(|tx| tx.audit_extent()).await?);
        let app = self.clone();
        let pages = futures::stream::try_unfold(Some(i64::MIN), move |after| {
            let (app, extent) = (app.clone(), Arc::clone(&extent));
            async move {
                let Some(after) = after else { return Ok(None) };
                app.read(move |tx| tx.audit_after(&extent, after, PAGE)).await.map(Some)
            }
        });
        Ok(pages.boxed())
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
