//! Removing for good what has been in the trash for long, with its files.

use std::time::Duration;

use serde_json::json;
use stele_domain::artifact_uri::proxied_path;
use stele_domain::authz::PurgeRecord;
use stele_domain::change::Change;
use stele_domain::id::Timestamp;
use stele_domain::{Error, Kind, Result};
use stele_store::{Garbage, Purged, Trash};

use crate::artifact::file_behind_server;
use crate::transact::Changed;
use crate::{App, Ctx, Script};

/// How many things one transaction removes: a run may have many chunks, and other writes wait meanwhile.
const AT_A_TIME: usize = 50;

/// How long a server waits between purges.
const BETWEEN_PURGES: Duration = Duration::from_secs(60 * 60);

/// What a purge has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgeReport {
    pub runs: u64,
    pub logged_models: u64,
    /// Of experiments that were in the trash.
    pub traces: u64,
    pub experiments: u64,
    /// Artifact roots that were removed.
    pub roots: u64,
    /// Artifact roots that are left: where, and why. The next purge tries those again that may work then.
    pub left: Vec<(String, String)>,
}

/// How long the files of an object stay when it was replaced or removed: whoever was reading it then reads on.
const READ_FOR: Duration = Duration::from_secs(60 * 60);

impl App {
    /// What is in the trash since `cutoff` or longer.
    pub async fn trash_due(&self, ctx: &Ctx, cutoff: Timestamp) -> Result<Trash> {
        let visible = ctx.visible();
        self.read(move |tx| tx.trash_due(&visible, cutoff)).await
    }

    /// As [`App::trash_due`], in all workspaces.
    pub async fn trash_due_everywhere(&self, ctx: &Ctx, cutoff: Timestamp) -> Result<Trash> {
        let mut all = Trash::default();
        for ctx in self.everywhere(ctx).await? {
            let Trash { runs, runs_kept, logged_models, logged_models_kept, traces, experiments } =
                self.trash_due(&ctx, cutoff).await?;
            all.runs += runs;
            all.runs_kept += runs_kept;
            all.logged_models += logged_models;
            all.logged_models_kept += logged_models_kept;
            all.traces += traces;
            all.experiments += experiments;
        }
        Ok(all)
    }

    /// As [`App::purge`], in all workspaces.
    pub async fn purge_everywhere(
        &self,
        ctx: &Ctx,
        cutoff: Timestamp,
        mut progress: impl FnMut(u64),
    ) -> Result<PurgeReport> {
        let mut all = PurgeReport::default();
        for ctx in self.everywhere(ctx).await? {
            let PurgeReport { runs, logged_models, traces, experiments, roots, left } =
                self.purge(&ctx, cutoff, &mut progress).await?;
            all.runs += runs;
            all.logged_models += logged_models;
            all.traces += traces;
            all.experiments += experiments;
            all.roots += roots;
            all.left.extend(left);
        }
        Ok(all)
    }

    /// Removes for good what is in the trash since `cutoff` or longer, and its files; the audit log keeps what it has
    /// and learns of the removal. Rows go first, and with them goes a note on the files, so that a purge that was
    /// killed is finished by the next one. What model versions were made from stays.
    pub async fn purge(&self, ctx: &Ctx, cutoff: Timestamp, mut progress: impl FnMut(u64)) -> Result<PurgeReport> {
        let mut report = PurgeReport::default();
        loop {
            let runs = self.runs_purge(ctx, cutoff).await?;
            report.runs += runs;
            progress(runs);
            if runs < AT_A_TIME as u64 {
                break;
            }
        }
        loop {
            let models = self.logged_models_purge(ctx, cutoff).await?;
            report.logged_models += models;
            progress(models);
            if models < AT_A_TIME as u64 {
                break;
            }
        }
        loop {
            let traces = self.traces_purge(ctx, cutoff).await?;
            report.traces += traces;
            progress(traces);
            if traces < AT_A_TIME as u64 {
                break;
            }
        }
        loop {
            let experiments = self.experiments_purge(ctx, cutoff).await?;
            report.experiments += experiments;
            if experiments < AT_A_TIME as u64 {
                break;
            }
        }
        self.garbage_remove(ctx, &mut report).await?;
        Ok(report)
    }

    /// Purges what has been in the trash for `age`, now and every hour, until the future is dropped.
    pub async fn keep_trash_for(&self, age: Duration) {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        loop {
            let ctx = self.local_owner(Script::Native, self.new_request_id());
            let cutoff = Timestamp(ctx.now().0.saturating_sub(age));
            match self.purge_everywhere(&ctx, cutoff, |_| ()).await {
                Ok(PurgeReport { runs: 0, logged_models: 0, traces: 0, experiments: 0, roots: 0, .. }) => {}
                Ok(report) => tracing::info!(
                    runs = report.runs,
                    logged_models = report.logged_models,
                    traces = report.traces,
                    experiments = report.experiments,
                    roots = report.roots,
                    left = report.left.len(),
                    "freed what was in the trash for long"
                ),
                Err(error) => tracing::warn!(%error, "freeing the trash failed, and is tried again in an hour"),
            }
            tokio::time::sleep(BETWEEN_PURGES).await;
        }
    }

    async fn runs_purge(&self, ctx: &Ctx, cutoff: Timestamp) -> Result<u64> {
        let now = ctx.now();
        self.change::<PurgeRecord, _>(ctx, "trash", move |tx, permit| {
            let purged = tx.runs_purge(permit, cutoff, AT_A_TIME, now)?;
            Ok(removed("run.purge", Kind::Run, &purged))
        })
        .await
    }

    async fn logged_models_purge(&self, ctx: &Ctx, cutoff: Timestamp) -> Result<u64> {
        let now = ctx.now();
        self.change::<PurgeRecord, _>(ctx, "trash", move |tx, permit| {
            let purged = tx.logged_models_purge(permit, cutoff, AT_A_TIME, now)?;
            Ok(removed("logged-model.purge", Kind::LoggedModel, &purged))
        })
        .await
    }

    async fn traces_purge(&self, ctx: &Ctx, cutoff: Timestamp) -> Result<u64> {
        let now = ctx.now();
        self.change::<PurgeRecord, _>(ctx, "trash", move |tx, permit| {
            let purged = tx.traces_purge(permit, cutoff, AT_A_TIME, now)?;
            Ok(removed("trace.purge", Kind::Trace, &purged))
        })
        .await
    }

    async fn experiments_purge(&self, ctx: &Ctx, cutoff: Timestamp) -> Result<u64> {
        self.change::<PurgeRecord, _>(ctx, "trash", move |tx, permit| {
            let purged = tx.experiments_purge(permit, cutoff, AT_A_TIME)?;
            Ok(removed("experiment.purge", Kind::Experiment, &purged))
        })
        .await
    }

    /// Removes the files of what is gone from the record, and tells of those that it could not.
    pub(crate) async fn garbage_sweep(&self, ctx: &Ctx) -> Result<()> {
        let mut report = PurgeReport::default();
        self.garbage_remove(ctx, &mut report).await?;
        for (uri, why) in report.left {
            tracing::warn!(uri, why, "files of what is gone could not be removed");
        }
        Ok(())
    }

    /// Removes the files of what is gone from the record.
    async fn garbage_remove(&self, ctx: &Ctx, report: &mut PurgeReport) -> Result<()> {
        let visible = ctx.visible();
        let unread_since = Timestamp(ctx.now().0 - READ_FOR.as_millis() as i64);
        let mut after = 0;
        loop {
            let visible = visible.clone();
            let garbage = self.read(move |tx| tx.garbage_after(&visible, after, unread_since, AT_A_TIME)).await?;
            let Some(last) = garbage.last() else { return Ok(()) };
            after = last.row;
            for garbage in garbage {
                match self.artifact_storage().remove_root(&garbage.uri, &garbage.owner).await {
                    Ok(()) => {
                        report.roots += 1;
                        self.garbage_forget(ctx, garbage).await?;
                    }
                    // It may answer next time.
                    Err(error @ (Error::Unavailable { .. } | Error::Internal { .. })) => {
                        report.left.push((garbage.uri, error.to_string()));
                    }
                    Err(error) => {
                        report.left.push((garbage.uri.clone(), error.to_string()));
                        self.garbage_forget(ctx, garbage).await?;
                    }
                }
            }
        }
    }

    async fn garbage_forget(&self, ctx: &Ctx, garbage: Garbage) -> Result<()> {
        self.change::<PurgeRecord, _>(ctx, &garbage.uri.clone(), move |tx, permit| {
            tx.garbage_forget(permit, &garbage)?;
            if let Ok(Some(path)) = proxied_path(&garbage.uri) {
                tx.artifact_files_forget(&file_behind_server(&path))?;
            }
            let change = Change::quiet("artifact.purge", Kind::Artifact, &garbage.uri);
            Ok(Changed::one((), change.before(json!({ "owner": garbage.owner }))))
        })
        .await
    }
}

fn removed(action: &'static str, kind: Kind, purged: &[Purged]) -> Changed<u64> {
    let changes = purged.iter().map(|Purged { id, name, artifact_uri }| {
        Change::quiet(action, kind, id).before(json!({ "name": name, "artifact_uri": artifact_uri }))
    });
    Changed::many(purged.len() as u64, changes.collect())
}
