use serde_json::json;
use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::{LogRun, Permit};
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, RunId, Timestamp};
use stele_domain::lifecycle::{PresenceEvent, RunKind, RunStatus, presence_after, run_status_after};
use stele_domain::names::random_name;
use stele_domain::record::{Param, Run, RunInfo, Tag};
use stele_domain::{Error, Kind, MetricValues, Result};
use stele_store::Tx;

use crate::experiment::{check_tags, require_active};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A run to be started; without a name it gets a generated one.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub experiment: ExperimentId,
    pub parent: Option<RunId>,
    pub name: String,
    pub user: String,
    pub started_at: Option<Timestamp>,
    pub tags: Vec<Tag>,
}

/// What to change of a run; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct RunUpdate {
    pub name: Option<String>,
    pub status: Option<RunStatus>,
    pub ended_at: Option<Timestamp>,
}

/// Values to log to a run, all or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunValues {
    pub params: Vec<Param>,
    pub metrics: MetricValues,
    pub tags: Vec<Tag>,
    pub name: Option<String>,
    pub parent: Option<RunId>,
}

impl App {
    /// Starts a run in an active experiment. Its artifacts lie below those of the experiment.
    pub async fn run_create(&self, ctx: &Ctx, new: NewRun) -> Result<Run> {
        check_text("run name", &new.name)?;
        check_text("user", &new.user)?;
        check_tags(&new.tags)?;
        let uuid = ctx.new_id();
        let id = RunId::from_uuid(uuid);
        let new = NewRun { name: if new.name.is_empty() { random_name(uuid) } else { new.name }, ..new };
        let now = ctx.now();
        let visible = ctx.visible();
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, new.experiment)?;
            require_active(Kind::Experiment, experiment.id.to_string(), experiment.presence)?;
            let run = stele_store::NewRun {
                id: id.clone(),
                experiment: experiment.id,
                kind: RunKind::Training,
                parent: new.parent.clone(),
                name: new.name.clone(),
                status: RunStatus::Running,
                user: new.user.clone(),
                artifact_uri: append_to_uri_path(&experiment.artifact_location, &format!("{id}/artifacts"))?,
                started_at: new.started_at,
                tags: new.tags.clone(),
            };
            tx.run_create(permit, &run, now)?;
            let change = Change::event("run.create", Kind::Run, id.as_str())
                .after(json!({ "experiment": experiment.id.0, "name": new.name }));
            Ok(Changed::one(tx.run_created(&visible, &run)?, change))
        })
        .await
    }

    /// Reads a run, also a deleted one.
    pub async fn run_get(&self, ctx: &Ctx, id: RunId) -> Result<Run> {
        let visible = ctx.visible();
        self.read(move |tx| tx.run_get(&visible, &id)).await
    }

    /// Reads runs, also deleted ones, in the order of their ids, which must all be different and known.
    pub async fn runs_get(&self, ctx: &Ctx, ids: Vec<RunId>) -> Result<Vec<Run>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.runs_get(&visible, &ids)).await
    }

    /// Changes the name, status or end of an active run.
    pub async fn run_update(&self, ctx: &Ctx, id: RunId, update: RunUpdate) -> Result<RunInfo> {
        if let Some(name) = &update.name {
            check_text("run name", name)?;
        }
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let before = open_active(tx, permit, &id)?;
            let RunUpdate { name, status, ended_at } = update.clone();
            let after = RunInfo {
                name: name.unwrap_or_else(|| before.name.clone()),
                status: status.map_or(before.status, |status| run_status_after(before.status, status)),
                ended_at: ended_at.or(before.ended_at),
                ..before.clone()
            };
            if after == before {
                return Ok(Changed::nothing(after));
            }
            tx.run_update(permit, &after)?;
            let change = Change::event("run.update", Kind::Run, id.as_str())
                .before(json!({ "name": before.name, "status": before.status.as_str() }))
                .after(json!({ "name": after.name, "status": after.status.as_str() }));
            Ok(Changed::one(after, change))
        })
        .await
    }

    /// Moves a run to the trash. Doing it again changes nothing.
    pub async fn run_delete(&self, ctx: &Ctx, id: RunId) -> Result<()> {
        self.run_set_presence(ctx, id, PresenceEvent::Delete, "run.delete").await
    }

    /// Takes a run out of the trash. Doing it again changes nothing.
    pub async fn run_restore(&self, ctx: &Ctx, id: RunId) -> Result<()> {
        self.run_set_presence(ctx, id, PresenceEvent::Restore, "run.restore").await
    }

    async fn run_set_presence(&self, ctx: &Ctx, id: RunId, event: PresenceEvent, action: &'static str) -> Result<()> {
        let now = ctx.now();
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let run = tx.run_open(permit, &id)?;
            let presence = presence_after(run.presence, event);
            if presence == run.presence {
                return Ok(Changed::nothing(()));
            }
            tx.run_set_presence(permit, run.row, presence, now)?;
            let change = Change::event(action, Kind::Run, id.as_str())
                .before(json!({ "presence": run.presence.as_str() }))
                .after(json!({ "presence": presence.as_str() }));
            Ok(Changed::one((), change))
        })
        .await
    }

    /// Logs params, metrics and tags to an active run in one transaction.
    pub async fn run_log(&self, ctx: &Ctx, id: RunId, values: RunValues) -> Result<()> {
        check_values(&values)?;
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let mut run = open_active(tx, permit, &id)?;
            tx.run_params_set(permit, &run, &values.params)?;
            tx.run_metrics_append(permit, &run, &values.metrics)?;
            tx.run_tags_set(permit, run.row, run.experiment, &values.tags)?;
            if let Some(parent) = &values.parent {
                tx.run_set_parent(permit, run.row, parent)?;
            }
            let mut changes = Vec::with_capacity(2);
            if let Some(name) = values.name.as_ref().filter(|name| **name != run.name) {
                let status = run.status.as_str();
                let change = Change::event("run.update", Kind::Run, id.as_str())
                    .before(json!({ "name": run.name, "status": status }))
                    .after(json!({ "name": name, "status": status }));
                changes.push(change);
                run.name.clone_from(name);
                tx.run_update(permit, &run)?;
            }
            changes.push(Change::quiet("run.log", Kind::Run, id.as_str()).after(json!({
                "params": values.params.len(), "metrics": values.metrics.given(), "tags": values.tags.len(),
            })));
            Ok(Changed::many((), changes))
        })
        .await
    }

    /// Removes a tag from an active run; the tag must be there.
    pub async fn run_tag_delete(&self, ctx: &Ctx, id: RunId, key: String) -> Result<()> {
        self.run_tag_remove(ctx, id, key, |_, _, _| Ok(())).await
    }

    /// Removes the tag that names the parent of an active run, and takes the run out of its parent.
    pub async fn run_parent_tag_delete(&self, ctx: &Ctx, id: RunId, key: String) -> Result<()> {
        let nowhere = RunId(String::new());
        self.run_tag_remove(ctx, id, key, move |tx, permit, run| tx.run_set_parent(permit, run.row, &nowhere)).await
    }

    async fn run_tag_remove(
        &self,
        ctx: &Ctx,
        id: RunId,
        key: String,
        mut also: impl FnMut(&mut Tx, &Permit<LogRun>, &RunInfo) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let run = open_active(tx, permit, &id)?;
            if !tx.run_tag_delete(permit, run.row, &key)? {
                return Err(Error::not_found(Kind::Tag, &key));
            }
            also(tx, permit, &run)?;
            let change = Change::quiet("run.untag", Kind::Run, id.as_str()).before(json!({ "key": key }));
            Ok(Changed::one((), change))
        })
        .await
    }
}

pub(crate) fn open_active(tx: &mut Tx, permit: &Permit<LogRun>, id: &RunId) -> Result<RunInfo> {
    let run = tx.run_open(permit, id)?;
    require_active(Kind::Run, id.to_string(), run.presence)?;
    Ok(run)
}

fn check_values(values: &RunValues) -> Result<()> {
    check_tags(&values.tags)?;
    for param in &values.params {
        check_text("param key", &param.key)?;
        check_text("param value", &param.value)?;
    }
    for column in values.metrics.columns() {
        check_text("metric key", &column.key)?;
    }
    for metric in values.metrics.about() {
        if let Some(subject) = &metric.subject {
            check_text("model id", subject.model.as_str())?;
            if let Some(dataset) = &subject.dataset {
                check_text("dataset name", &dataset.name)?;
                check_text("dataset digest", &dataset.digest)?;
            }
        }
    }
    if let Some(name) = &values.name {
        check_text("run name", name)?;
    }
    Ok(())
}
