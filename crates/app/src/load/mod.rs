//! Loading whole runs from elsewhere, many at a time, and the experiments and models around them.

mod evaluation;
mod experiment;
mod logged_model;
mod registry;
mod review;
mod trace;
mod webhook;

use std::collections::HashSet;

use serde_json::json;
use stele_domain::authz::LogRun;
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, RunId, RunRow};
use stele_domain::lifecycle::Presence;
use stele_domain::{Kind, Point, Result};
use stele_store::{LoadedLineage, LoadedReading, LoadedRun, LoadedRuns, RunBatch};

pub use self::experiment::LoadedInto;
pub use self::review::{check_issue, check_label_schema, check_review_queue};
pub use self::trace::{LoadedTraces, prepare_trace};
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

    /// Brings whole runs into an experiment, in one transaction with one audit entry. Those that the record has already
    /// are left out. About a thousand runs at a time are best. An experiment in the trash takes runs in the trash.
    pub async fn runs_load(&self, ctx: &Ctx, experiment: ExperimentId, mut runs: Vec<LoadedRun>) -> Result<LoadedRuns> {
        let readings = runs.iter_mut().flat_map(|run| &mut run.lineage.datasets);
        for reading in readings.filter(|reading| reading.public_id.is_empty()) {
            reading.public_id = ctx.new_id().simple().to_string();
        }
        runs.iter().try_for_each(check)?;
        let batch = RunBatch::new(runs);
        let are_deleted = batch.are_all(Presence::Deleted);
        let (now, visible) = (ctx.now(), ctx.visible());
        self.change::<LogRun, _>(ctx, &experiment.to_string(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, experiment)?;
            if !are_deleted {
                require_active(Kind::Experiment, experiment.id.to_string(), experiment.presence)?;
            }
            let loaded = tx.runs_load(permit, &experiment, &batch, now)?;
            let LoadedRuns { runs, known, tags, params, metrics, points } = loaded;
            let change = Change::quiet("bulk.load", Kind::Experiment, experiment.id.to_string()).after(json!({
                "runs": runs, "known": known, "tags": tags, "params": params, "metrics": metrics, "points": points,
            }));
            Ok(Changed::one(loaded, change))
        })
        .await
    }

    /// Those of the runs that the record has already, and that a load would leave out.
    pub async fn runs_known(&self, ctx: &Ctx, ids: Vec<RunId>) -> Result<HashSet<RunId>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.runs_known(&visible, &ids)).await
    }

    /// Adds a part of a long history to a metric of a run that was loaded without it. Points that are there already
    /// are left out; says how many were new.
    pub async fn run_points_load(&self, ctx: &Ctx, id: RunId, key: String, points: Vec<Point>) -> Result<usize> {
        check_text("metric key", &key)?;
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let run = tx.run_open(permit, &id)?;
            let new = tx.run_points_load(permit, &run, &key, &points)?;
            if new == 0 {
                return Ok(Changed::nothing(0));
            }
            let change = Change::quiet("bulk.points", Kind::Run, id.as_str());
            Ok(Changed::one(new, change.after(json!({ "metric": key, "points": new }))))
        })
        .await
    }

    /// Nests runs in the parent that their tag `key` names, as far as loads could not since the parent came later. Says
    /// how many. Goes through all runs once, part by part.
    pub async fn run_parents_link(&self, ctx: &Ctx, key: &'static str) -> Result<usize> {
        const RUNS_AT_A_TIME: i64 = 20_000;
        let RunRow(mut last) = self.read(|tx| tx.run_newest()).await?;
        let mut linked = 0;
        while last > 0 {
            let after = (last - RUNS_AT_A_TIME).max(0);
            linked += self
                .change::<LogRun, _>(ctx, "load", move |tx, permit| {
                    let linked = tx.run_parents_link(permit, key, RunRow(after), RunRow(last))?;
                    let changes = linked.iter().map(|(experiment, runs)| {
                        let change = Change::quiet("bulk.nest", Kind::Experiment, experiment.to_string());
                        change.after(json!({ "runs": runs }))
                    });
                    Ok(Changed::many(linked.values().sum::<usize>(), changes.collect()))
                })
                .await?;
            last = after;
        }
        Ok(linked)
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
    run.metrics.iter().try_for_each(|metric| check_text("metric key", &metric.key))?;
    check_lineage(&run.lineage)
}

fn check_lineage(lineage: &LoadedLineage) -> Result<()> {
    let LoadedLineage { datasets, model_inputs, model_outputs, model_metrics } = lineage;
    for LoadedReading { public_id, dataset, tags } in datasets {
        let fields = [public_id, &dataset.name, &dataset.digest, &dataset.source_type, &dataset.source];
        let optional = [&dataset.schema, &dataset.profile];
        for text in fields.into_iter().chain(optional.into_iter().flatten()) {
            check_text("dataset", text)?;
        }
        check_tags(tags)?;
    }
    for model in model_inputs.iter().chain(model_outputs.iter().map(|output| &output.model)) {
        check_text("model id", model.as_str())?;
    }
    model_metrics.iter().try_for_each(|metric| check_text("metric key", &metric.key))
}
