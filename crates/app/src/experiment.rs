use serde_json::json;
use stele_domain::authz::{Intent, ManageExperiment, Permit};
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::lifecycle::{Presence, PresenceEvent, presence_after};
use stele_domain::record::{Experiment, Tag};
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::registry::tag_map;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// An experiment to be made; without a location its artifacts lie behind this server.
#[derive(Debug, Clone)]
pub struct NewExperiment {
    pub name: String,
    pub artifact_location: Option<String>,
    pub tags: Vec<Tag>,
}

impl App {
    /// Makes an experiment; its name must be free, also among the deleted ones.
    pub async fn experiment_create(&self, ctx: &Ctx, new: NewExperiment) -> Result<ExperimentId> {
        check_text("experiment name", &new.name)?;
        check_text("artifact location", new.artifact_location.as_deref().unwrap_or_default())?;
        check_tags(&new.tags)?;
        let NewExperiment { name, artifact_location, tags } = new;
        let area = self.area(ctx).await?;
        let artifact_location = artifact_location
            .map(|location| area.place(self.artifact_storage().absolute(&location), "artifact location"))
            .transpose()?;
        let now = ctx.now();
        let object = name.clone();
        let new = stele_store::NewExperiment { name, artifact_location, default_root: area.root()?, tags };
        self.change::<ManageExperiment, _>(ctx, &object, move |tx, permit| {
            let id = tx.experiment_create(&permit.intending(Intent::make(&new.name, &new.tags)), &new, now)?;
            let change = Change::event("experiment.create", Kind::Experiment, id.to_string());
            Ok(Changed::one(
                id,
                change.after(json!({
                    "name": new.name,
                    "artifact_location": new.artifact_location,
                    "tags": tag_map(&new.tags),
                })),
            ))
        })
        .await
    }

    /// Reads an experiment, also a deleted one.
    pub async fn experiment_get(&self, ctx: &Ctx, id: ExperimentId) -> Result<Experiment> {
        let visible = ctx.visible();
        self.read(move |tx| tx.experiment_get(&visible, id)).await
    }

    /// Reads an experiment by its name, also a deleted one.
    pub async fn experiment_get_by_name(&self, ctx: &Ctx, name: String) -> Result<Experiment> {
        let visible = ctx.visible();
        self.read(move |tx| tx.experiment_get_by_name(&visible, &name)).await
    }

    /// Renames an active experiment.
    pub async fn experiment_rename(&self, ctx: &Ctx, id: ExperimentId, name: String) -> Result<()> {
        check_text("experiment name", &name)?;
        let now = ctx.now();
        self.change::<ManageExperiment, _>(ctx, &id.to_string(), move |tx, permit| {
            let experiment = open_active(tx, &permit.intending(Intent::name(&name)), id)?;
            permit.require_rename(Kind::Experiment, &experiment.name, &name)?;
            tx.experiment_rename(permit, id, &name, now)?;
            let change = Change::event("experiment.rename", Kind::Experiment, id.to_string());
            Ok(Changed::one((), change.before(json!({ "name": experiment.name })).after(json!({ "name": name }))))
        })
        .await
    }

    /// Moves an active experiment and all its runs to the trash.
    pub async fn experiment_delete(&self, ctx: &Ctx, id: ExperimentId) -> Result<()> {
        self.experiment_set_presence(ctx, id, PresenceEvent::Delete, "experiment.delete").await
    }

    /// Takes a deleted experiment and all its runs out of the trash.
    pub async fn experiment_restore(&self, ctx: &Ctx, id: ExperimentId) -> Result<()> {
        self.experiment_set_presence(ctx, id, PresenceEvent::Restore, "experiment.restore").await
    }

    async fn experiment_set_presence(
        &self,
        ctx: &Ctx,
        id: ExperimentId,
        event: PresenceEvent,
        action: &'static str,
    ) -> Result<()> {
        let now = ctx.now();
        self.change::<ManageExperiment, _>(ctx, &id.to_string(), move |tx, permit| {
            let experiment = tx.experiment_open(permit, id)?;
            let after = presence_after(experiment.presence, event);
            if after == experiment.presence {
                // Among the experiments that can be deleted (or restored) there is none with this id.
                return Err(Error::not_found(Kind::Experiment, id.to_string()));
            }
            tx.experiment_set_presence(permit, id, after, now)?;
            let change = Change::event(action, Kind::Experiment, id.to_string());
            let change = change.before(json!({ "name": experiment.name, "presence": experiment.presence.as_str() }));
            Ok(Changed::one((), change.after(json!({ "presence": after.as_str() }))))
        })
        .await
    }

    /// Sets a tag of an active experiment.
    pub async fn experiment_tag_set(&self, ctx: &Ctx, id: ExperimentId, tag: Tag) -> Result<()> {
        self.experiment_tags_set(ctx, id, vec![tag]).await
    }

    /// Sets all of the tags of an active experiment or none.
    pub async fn experiment_tags_set(&self, ctx: &Ctx, id: ExperimentId, tags: Vec<Tag>) -> Result<()> {
        check_tags(&tags)?;
        self.change::<ManageExperiment, _>(ctx, &id.to_string(), move |tx, permit| {
            open_active(tx, &permit.intending(Intent::tags(&tags)), id)?;
            let mut changes = Vec::with_capacity(tags.len());
            for tag in &tags {
                tx.experiment_tag_set(permit, id, tag)?;
                let change = Change::quiet("experiment.tag", Kind::Experiment, id.to_string());
                changes.push(change.after(json!({ &tag.key: tag.value })));
            }
            Ok(Changed::many((), changes))
        })
        .await
    }

    /// Removes a tag from an active experiment; the tag must be there.
    pub async fn experiment_tag_delete(&self, ctx: &Ctx, id: ExperimentId, key: String) -> Result<()> {
        self.change::<ManageExperiment, _>(ctx, &id.to_string(), move |tx, permit| {
            open_active(tx, &permit.intending(Intent::tag(&key)), id)?;
            if !tx.experiment_tag_delete(permit, id, &key)? {
                return Err(Error::not_found(Kind::Tag, &key));
            }
            let change = Change::quiet("experiment.untag", Kind::Experiment, id.to_string());
            Ok(Changed::one((), change.before(json!({ "key": key }))))
        })
        .await
    }
}

/// Opens an experiment that is in use, to change it or what is in it.
pub(crate) fn open_active<V>(tx: &mut Tx, permit: &Permit<V>, id: ExperimentId) -> Result<Experiment> {
    let experiment = tx.experiment_open(permit, id)?;
    require_active(Kind::Experiment, id.to_string(), experiment.presence)?;
    Ok(experiment)
}

pub(crate) fn require_active(kind: Kind, id: String, presence: Presence) -> Result<()> {
    match presence {
        Presence::Active => Ok(()),
        Presence::Deleted => Err(Error::WrongState { kind, id, state: "deleted", needed: "active" }),
    }
}

pub(crate) fn check_tags(tags: &[Tag]) -> Result<()> {
    tags.iter().try_for_each(|tag| {
        check_text("tag key", &tag.key)?;
        check_text("tag value", &tag.value)
    })
}
