//! Runs for clients that name them, change their params, and group them into trials.

use std::collections::HashMap;

use serde_json::json;
use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::{LogRun, ManageExperiment, Place};
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, RunId, RunRow, Timestamp};
use stele_domain::lifecycle::{Presence, PresenceEvent, RunKind, RunStatus, presence_after, run_status_after};
use stele_domain::record::{Param, Run, RunInfo, Tag};
use stele_domain::resource::{Document, Facets, TrialOfRun};
use stele_domain::{Error, Kind, Result};
use stele_store::{Faceted, Tx};

use crate::experiment::{check_tags, require_active};
use crate::run::open_active;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx, NewExperiment};

/// Where runs are that belong to no experiment: the one that every record starts with.
pub const NO_EXPERIMENT: ExperimentId = ExperimentId(0);

/// The kind of the resources that are trials.
pub const TRIAL: &str = "experiment-trial";

/// A run to be made under a name.
#[derive(Debug, Clone)]
pub struct NewComponent {
    pub name: String,
    pub tags: Vec<Tag>,
    pub change: ComponentChange,
    pub facets: Document,
}

/// What to change of a run; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ComponentChange {
    pub display_name: Option<String>,
    pub status: Option<RunStatus>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Each with whether it is a number.
    pub params: Vec<(Param, bool)>,
    pub params_to_remove: Vec<String>,
}

/// A run as its name, its trials and the facets of one script have it.
#[derive(Debug, Clone)]
pub struct Component {
    pub run: Run,
    /// Absent when nobody named it; it goes by its id then.
    pub name: Option<String>,
    pub trials: Vec<TrialOfRun>,
    /// Its own experiment; absent when it belongs to none.
    pub experiment: Option<(ExperimentId, String)>,
    pub number_params: Vec<String>,
    pub facets: Facets,
}

impl App {
    /// Makes a run that belongs to no experiment yet; its name must be free.
    pub async fn component_create(&self, ctx: &Ctx, new: NewComponent) -> Result<RunId> {
        let NewComponent { name, tags, change, facets } = new;
        check_text("name", &name)?;
        check_tags(&tags)?;
        check_change(&change)?;
        let id = RunId::from_uuid(ctx.new_id());
        let (now, visible, script) = (ctx.now(), ctx.visible(), ctx.script());
        let user = ctx.principal.name().to_owned();
        self.change::<LogRun, _>(ctx, &name.clone(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, NO_EXPERIMENT)?;
            require_active(Kind::Experiment, experiment.id.to_string(), experiment.presence)?;
            let run = stele_store::NewRun {
                id: id.clone(),
                experiment: experiment.id,
                kind: RunKind::Training,
                parent: None,
                name: change.display_name.clone().unwrap_or_else(|| name.clone()),
                status: change.status.unwrap_or(RunStatus::Initializing),
                user: user.clone(),
                artifact_uri: append_to_uri_path(&experiment.artifact_location, &format!("{id}/artifacts"))?,
                started_at: change.started_at,
                tags: tags.clone(),
            };
            let taken = || Error::already_exists(Kind::Run, &name);
            if tx.run_by_alias(&visible, &name)?.is_some() {
                return Err(taken());
            }
            let row = tx.run_create(permit, &run, now)?;
            tx.run_tags_place(permit, row, &tags)?;
            if !tx.run_alias_set(permit, row, &name)? {
                return Err(taken());
            }
            let info = RunInfo { ended_at: change.ended_at, ..tx.run_info(&visible, &id)? };
            tx.run_update(permit, &info)?;
            tx.run_params_replace(permit, &info, &change.params)?;
            tx.facets_set(permit, Faceted::Run, script, row.0, facets.clone())?;
            let change = Change::event("run.create", Kind::Run, id.as_str())
                .after(json!({ "experiment": experiment.id.0, "name": run.name }));
            Ok(Changed::one(id.clone(), change))
        })
        .await
    }

    /// Sets tags of an active run and remembers in which order they came.
    pub async fn component_tags_set(&self, ctx: &Ctx, run: RunId, tags: Vec<Tag>) -> Result<()> {
        check_tags(&tags)?;
        self.change::<LogRun, _>(ctx, run.clone().as_str(), move |tx, permit| {
            let info = open_active(tx, permit, &run)?;
            tx.run_tags_set(permit, info.row, info.experiment, &tags)?;
            tx.run_tags_place(permit, info.row, &tags)?;
            let change = Change::quiet("run.log", Kind::Run, run.as_str());
            Ok(Changed::one((), change.after(json!({ "params": 0, "metrics": 0, "tags": tags.len() }))))
        })
        .await
    }

    /// The run of a name, or of an id that has no name, unless it is deleted.
    pub async fn component_get(&self, ctx: &Ctx, name: String) -> Result<Component> {
        let (visible, script) = (ctx.visible(), ctx.script());
        self.read(move |tx| {
            let run = find(tx, &visible, &name)?;
            let run = tx.run_get(&visible, &run)?;
            require_present(&run.info, &name)?;
            let completed = complete(tx, &visible, script, vec![run])?.pop();
            completed.ok_or_else(|| Error::not_found(Kind::Run, &name))
        })
        .await
    }

    /// Adds to runs what clients see that name them.
    pub async fn components(&self, ctx: &Ctx, runs: Vec<Run>) -> Result<Vec<Component>> {
        let (visible, script) = (ctx.visible(), ctx.script());
        self.read(move |tx| complete(tx, &visible, script, runs)).await
    }

    /// Changes a run and rewrites its facets. `rewrite` may be called more than once.
    pub async fn component_change(
        &self,
        ctx: &Ctx,
        name: String,
        change: ComponentChange,
        mut rewrite: impl FnMut(&mut Document) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        check_change(&change)?;
        let (visible, script) = (ctx.visible(), ctx.script());
        self.change::<LogRun, _>(ctx, &name.clone(), move |tx, permit| {
            let id = find(tx, &visible, &name)?;
            let before = tx.run_open(permit, &id)?;
            require_present(&before, &name)?;
            let ComponentChange { display_name, status, started_at, ended_at, params, params_to_remove } =
                change.clone();
            let after = RunInfo {
                name: display_name.unwrap_or_else(|| before.name.clone()),
                status: status.map_or(before.status, |status| run_status_after(before.status, status)),
                ended_at: ended_at.or(before.ended_at),
                ..before.clone()
            };
            tx.run_update(permit, &after)?;
            if let Some(start) = started_at {
                tx.run_set_start(permit, before.row, start)?;
            }
            tx.run_params_replace(permit, &after, &params)?;
            for key in &params_to_remove {
                tx.run_param_delete(permit, before.row, key)?;
            }
            let found = tx.facets(&visible, Faceted::Run, script, &[before.row.0])?.remove(&before.row.0);
            let mut document = found.map(|facets| facets.document).unwrap_or_default();
            rewrite(&mut document)?;
            tx.facets_set(permit, Faceted::Run, script, before.row.0, document)?;
            let change = Change::event("run.update", Kind::Run, id.as_str())
                .before(json!({ "name": before.name, "status": before.status.as_str() }))
                .after(json!({ "name": after.name, "status": after.status.as_str() }));
            Ok(Changed::one((), change))
        })
        .await
    }

    /// Moves a run to the trash and frees its name. One that is in a trial or associated cannot go.
    pub async fn component_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        let (now, visible) = (ctx.now(), ctx.visible());
        self.change::<LogRun, _>(ctx, &name.clone(), move |tx, permit| {
            let id = find(tx, &visible, &name)?;
            let run = tx.run_open(permit, &id)?;
            require_present(&run, &name)?;
            let in_use = |state, needed| Error::WrongState { kind: Kind::Run, id: name.clone(), state, needed };
            if tx.run_has_trials(run.row)? {
                return Err(in_use("associated with a trial", "disassociated"));
            }
            if tx.is_associated(permit, &crate::resource::object("experiment-trial-component", &name))? {
                return Err(in_use("associated", "without associations"));
            }
            let presence = presence_after(run.presence, PresenceEvent::Delete);
            tx.run_set_presence(permit, run.row, presence, now)?;
            tx.run_alias_delete(permit, run.row)?;
            Ok(Changed::one((), Change::event("run.delete", Kind::Run, id.as_str())))
        })
        .await
    }

    /// Puts a run into a trial. A run without an experiment moves to that of its first trial.
    pub async fn trial_add_run(&self, ctx: &Ctx, trial: String, name: String) -> Result<()> {
        let (now, visible) = (ctx.now(), ctx.visible());
        self.change::<LogRun, _>(ctx, &name.clone(), move |tx, permit| {
            let trial = tx.resource_get(&visible, TRIAL, &trial)?;
            let id = find(tx, &visible, &name)?;
            let run = open_active(tx, permit, &id)?;
            // It changes what is in the trial too.
            if let Some((experiment, _)) = &trial.experiment {
                permit.require(tx, Place::Experiment(*experiment), Kind::Resource, &trial.name)?;
            }
            tx.trial_run_add(permit, trial.row, run.row, now)?;
            if let Some((experiment, _)) = &trial.experiment
                && run.experiment == NO_EXPERIMENT
            {
                tx.experiment_hold(&visible, *experiment)?;
                tx.run_move(permit, run.row, *experiment)?;
            }
            let change = Change::quiet("run.trial.add", Kind::Run, id.as_str());
            Ok(Changed::one((), change.after(json!({ "trial": trial.name }))))
        })
        .await
    }

    /// Takes a run out of a trial; its experiment stays.
    pub async fn trial_remove_run(&self, ctx: &Ctx, trial: String, name: String) -> Result<()> {
        let visible = ctx.visible();
        self.change::<LogRun, _>(ctx, &name.clone(), move |tx, permit| {
            let trial = tx.resource_get(&visible, TRIAL, &trial)?;
            let id = find(tx, &visible, &name)?;
            let run = tx.run_open(permit, &id)?;
            tx.trial_run_remove(permit, trial.row, run.row)?;
            let change = Change::quiet("run.trial.remove", Kind::Run, id.as_str());
            Ok(Changed::one((), change.before(json!({ "trial": trial.name }))))
        })
        .await
    }

    /// As [`App::experiment_create`], for clients without a trash: a deleted experiment of the name makes room.
    pub async fn experiment_create_over_trash(
        &self,
        ctx: &Ctx,
        new: NewExperiment,
        facets: Document,
    ) -> Result<ExperimentId> {
        let NewExperiment { name, artifact_location, tags } = new;
        let area = self.area(ctx).await?;
        let artifact_location = artifact_location.map(|place| area.place(place, "artifact location")).transpose()?;
        check_text("experiment name", &name)?;
        check_tags(&tags)?;
        let (now, visible, script) = (ctx.now(), ctx.visible(), ctx.script());
        let new = stele_store::NewExperiment { name, artifact_location, default_root: area.root()?, tags };
        self.change::<ManageExperiment, _>(ctx, &new.name.clone(), move |tx, permit| {
            let mut changes = Vec::new();
            match tx.experiment_get_by_name(&visible, &new.name) {
                Ok(old) if old.presence == Presence::Deleted => {
                    let room = format!("{} (deleted {})", old.name, old.id);
                    tx.experiment_open(permit, old.id)?;
                    tx.experiment_rename(permit, old.id, &room, now)?;
                    let change = Change::event("experiment.rename", Kind::Experiment, old.id.to_string());
                    changes.push(change.before(json!({ "name": old.name })).after(json!({ "name": room })));
                }
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            let id = tx.experiment_create(permit, &new, now)?;
            tx.facets_set(permit, Faceted::Experiment, script, id.0, facets.clone())?;
            let change = Change::event("experiment.create", Kind::Experiment, id.to_string());
            changes.push(change.after(json!({ "name": new.name })));
            Ok(Changed::many(id, changes))
        })
        .await
    }

    /// Moves an experiment without trials to the trash.
    pub async fn experiment_delete_empty(&self, ctx: &Ctx, id: ExperimentId) -> Result<()> {
        let now = ctx.now();
        self.change::<ManageExperiment, _>(ctx, &id.to_string(), move |tx, permit| {
            let experiment = tx.experiment_open(permit, id)?;
            require_active(Kind::Experiment, id.to_string(), experiment.presence)?;
            if tx.experiment_has_trials(id)? {
                return Err(Error::WrongState {
                    kind: Kind::Experiment,
                    id: experiment.name,
                    state: "holding trials",
                    needed: "without trials",
                });
            }
            let presence = presence_after(experiment.presence, PresenceEvent::Delete);
            tx.experiment_set_presence(permit, id, presence, now)?;
            Ok(Changed::one((), Change::event("experiment.delete", Kind::Experiment, id.to_string())))
        })
        .await
    }
}

fn find(tx: &mut Tx, visible: &stele_domain::authz::Visibility, name: &str) -> Result<RunId> {
    tx.run_by_alias(visible, name)?.ok_or_else(|| Error::not_found(Kind::Run, name))
}

/// Clients without a trash find nothing that is in it.
fn require_present(run: &RunInfo, name: &str) -> Result<()> {
    match run.presence {
        Presence::Active => Ok(()),
        Presence::Deleted => Err(Error::not_found(Kind::Run, name)),
    }
}

fn complete(
    tx: &mut Tx,
    visible: &stele_domain::authz::Visibility,
    script: &str,
    runs: Vec<Run>,
) -> Result<Vec<Component>> {
    let rows: Vec<RunRow> = runs.iter().map(|run| run.info.row).collect();
    let mut names = tx.run_aliases(&rows)?;
    let mut trials = tx.run_trials(visible, &rows)?;
    let mut numbers = tx.run_number_params(&rows)?;
    let mut facets = tx.facets(visible, Faceted::Run, script, &rows.iter().map(|row| row.0).collect::<Vec<_>>())?;
    let mut experiments: HashMap<ExperimentId, String> = HashMap::new();
    runs.into_iter()
        .map(|run| {
            let row = run.info.row;
            let id = run.info.experiment;
            let experiment = match (id == NO_EXPERIMENT, experiments.get(&id)) {
                (true, _) => None,
                (false, Some(name)) => Some((id, name.clone())),
                (false, None) => {
                    let name = tx.experiment_get(visible, id)?.name;
                    experiments.insert(id, name.clone());
                    Some((id, name))
                }
            };
            Ok(Component {
                name: names.remove(&row),
                trials: trials.remove(&row).unwrap_or_default(),
                experiment,
                number_params: numbers.remove(&row).unwrap_or_default(),
                facets: facets.remove(&row.0).ok_or_else(|| Error::internal(format!("run row {row} has vanished")))?,
                run,
            })
        })
        .collect()
}

fn check_change(change: &ComponentChange) -> Result<()> {
    check_text("display name", change.display_name.as_deref().unwrap_or_default())?;
    for (param, _) in &change.params {
        check_text("param key", &param.key)?;
        check_text("param value", &param.value)?;
    }
    Ok(())
}
