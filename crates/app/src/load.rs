//! Loading whole runs from elsewhere, many at a time.

use serde_json::json;
use stele_domain::authz::LogRun;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::{Kind, Result};
use stele_store::{LoadedRun, LoadedRuns, RunBatch};

use crate::experiment::{check_tags, require_active};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    /// Begins a load. While the record has no runs this makes the load many times faster, and searches slow until
    /// [`App::load_finish`].
    pub async fn load_begin(&self, ctx: &Ctx) -> Result<()> {
        self.permit::<LogRun>(ctx, "load").await?;
        self.store().load_begin().await
    }

    /// Brings whole runs into an active experiment, in one transaction with one audit entry. Those that the record
    /// has already are left out. About a thousand runs at a time are best.
    pub async fn runs_load(&self, ctx: &Ctx, experiment: ExperimentId, runs: Vec<LoadedRun>) -> Result<LoadedRuns> {
        runs.iter().try_for_each(check)?;
        let batch = RunBatch::new(runs);
        let (now, visible) = (ctx.now(), ctx.visible());
        self.change::<LogRun, _>(ctx, &experiment.to_string(), move |tx, permit| {
            let experiment = tx.experiment_hold(visible, experiment)?;
            require_active(Kind::Experiment, experiment.id.to_string(), experiment.presence)?;
            let loaded = tx.runs_load(permit, &experiment, &batch, now)?;
            let LoadedRuns { runs, known, tags, params, metrics, points } = loaded;
            let change = Change::quiet("bulk.load", Kind::Experiment, experiment.id.to_string()).after(json!({
                "runs": runs, "known": known, "tags": tags, "params": params, "metrics": metrics, "points": points,
            }));
            Ok(Changed::one(loaded, change))
        })
        .await
    }

    /// Ends a load, or several: makes what [`App::load_begin`] took away.
    pub async fn load_finish(&self, ctx: &Ctx) -> Result<()> {
        self.permit::<LogRun>(ctx, "load").await?;
        self.store().load_finish().await
    }
}

fn check(run: &LoadedRun) -> Result<()> {
    check_text("run id", run.id.as_str())?;
    check_text("run name", &run.name)?;
    check_text("user", &run.user)?;
    check_text("artifact location", run.artifact_uri.as_deref().unwrap_or_default())?;
    check_tags(&run.tags)?;
    for param in &run.params {
        check_text("param key", &param.key)?;
        check_text("param value", &param.value)?;
    }
    run.metrics.iter().try_for_each(|metric| check_text("metric key", &metric.key))
}
