use serde_json::json;
use stele_domain::authz::ManageResource;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::record::Tag;
use stele_domain::resource::{Document, Resource, ResourceVersion};
use stele_domain::search::{Page, ResourceSearch};
use stele_domain::{Error, Kind, Result};

use crate::experiment::{check_tags, require_active};
use crate::facets::differences;
use crate::registry::{Idempotency, tag_map};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A resource to be made.
#[derive(Debug, Clone)]
pub struct NewResource {
    pub kind: &'static str,
    /// Without a name it gets its public id.
    pub name: Option<String>,
    /// Of a trial.
    pub experiment: Option<ExperimentId>,
    pub document: Document,
    pub tags: Vec<Tag>,
}

/// What tokens of clients are kept for.
const CREATE: &str = "resource.create";

impl App {
    /// Makes a resource; its name must be free in its kind.
    pub async fn resource_create(&self, ctx: &Ctx, new: NewResource) -> Result<Resource> {
        self.resource_create_once(ctx, new, None).await
    }

    /// As [`App::resource_create`]; the same request, sent again with the same token, gives the same resource.
    pub async fn resource_create_once(
        &self,
        ctx: &Ctx,
        new: NewResource,
        idempotency: Option<Idempotency>,
    ) -> Result<Resource> {
        let NewResource { kind, name, experiment, document, tags } = new;
        check_tags(&tags)?;
        let public_id = ctx.new_id().simple().to_string();
        let name = name.unwrap_or_else(|| public_id.clone());
        check_text("name", &name)?;
        let (now, visible) = (ctx.now(), ctx.visible());
        let new = stele_store::NewResource { public_id, kind, name, experiment, document, tags };
        self.change::<ManageResource, _>(ctx, &object(kind, &new.name), move |tx, permit| {
            if let Some(id) = new.experiment {
                let experiment = tx.experiment_hold(&visible, id)?;
                require_active(Kind::Experiment, id.to_string(), experiment.presence)?;
            }
            if let Some(idempotency) = &idempotency
                && let Some(made) = idempotency.made(tx, &visible, CREATE)?
            {
                // Who may not make it is told that, whether it is there or not.
                permit.require_workspace()?;
                return Ok(Changed::nothing(tx.resource_get(&visible, new.kind, &made)?));
            }
            let row = tx.resource_create(permit, &new, now)?;
            if let Some(Idempotency { token, request }) = &idempotency {
                tx.idempotency_keep(&visible, CREATE, token, request, &new.name, now)?;
            }
            let change = Change::event("resource.create", Kind::Resource, object(kind, &new.name))
                .after(json!({ "document": new.document }));
            Ok(Changed::one(tx.resource_by_row(row)?, change))
        })
        .await
    }

    pub async fn resource_get(&self, ctx: &Ctx, kind: &'static str, name: String) -> Result<Resource> {
        let visible = ctx.visible();
        self.read(move |tx| tx.resource_get(&visible, kind, &name)).await
    }

    /// A resource with all documents that it has had, oldest first.
    pub async fn resource_history(
        &self,
        ctx: &Ctx,
        kind: &'static str,
        name: String,
    ) -> Result<(Resource, Vec<ResourceVersion>)> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let resource = tx.resource_get(&visible, kind, &name)?;
            let versions = tx.resource_versions(resource.row)?;
            Ok((resource, versions))
        })
        .await
    }

    /// Changes the document and version of a resource, while no other request can. `rewrite` may be called more than
    /// once; a document under a new version is kept beside those before it.
    pub async fn resource_rewrite(
        &self,
        ctx: &Ctx,
        kind: &'static str,
        name: String,
        mut rewrite: impl FnMut(&mut Resource) -> Result<()> + Send + 'static,
    ) -> Result<Resource> {
        let now = ctx.now();
        self.change::<ManageResource, _>(ctx, &object(kind, &name), move |tx, permit| {
            let before = tx.resource_open(permit, kind, &name)?;
            let mut after = before.clone();
            rewrite(&mut after)?;
            tx.resource_rewrite(permit, &after, now)?;
            let (removed, added) = differences(&before.document, &after.document);
            let change = Change::event("resource.update", Kind::Resource, object(kind, &name))
                .before(json!({ "version": before.version, "document": removed }))
                .after(json!({ "version": after.version, "document": added }));
            Ok(Changed::one(tx.resource_by_row(after.row)?, change))
        })
        .await
    }

    /// Deletes a resource. One that a lineage edge or a run still belongs to cannot go.
    pub async fn resource_delete(&self, ctx: &Ctx, kind: &'static str, name: String) -> Result<Resource> {
        self.change::<ManageResource, _>(ctx, &object(kind, &name), move |tx, permit| {
            let resource = tx.resource_open(permit, kind, &name)?;
            if tx.trial_has_runs(resource.row)? {
                return Err(Error::WrongState {
                    kind: Kind::Resource,
                    id: name.clone(),
                    state: "in use",
                    needed: "empty",
                });
            }
            if tx.is_associated(permit, &object(kind, &name))? {
                return Err(Error::WrongState {
                    kind: Kind::Resource,
                    id: name.clone(),
                    state: "associated",
                    needed: "without associations",
                });
            }
            tx.resource_delete(permit, resource.row)?;
            let change = Change::event("resource.delete", Kind::Resource, object(kind, &name))
                .before(json!({ "version": resource.version, "document": resource.document }));
            Ok(Changed::one(resource, change))
        })
        .await
    }

    /// Sets some tags and removes others.
    pub async fn resource_tags_change(
        &self,
        ctx: &Ctx,
        kind: &'static str,
        name: String,
        set: Vec<Tag>,
        remove: Vec<String>,
    ) -> Result<()> {
        check_tags(&set)?;
        self.change::<ManageResource, _>(ctx, &object(kind, &name), move |tx, permit| {
            let resource = tx.resource_open(permit, kind, &name)?;
            tx.resource_tags_set(permit, resource.row, &set)?;
            for key in &remove {
                tx.resource_tag_delete(permit, resource.row, key)?;
            }
            let change = Change::quiet("resource.tag", Kind::Resource, object(kind, &name));
            Ok(Changed::one((), change.after(json!({ "set": tag_map(&set), "removed": remove }))))
        })
        .await
    }

    pub async fn resource_search(&self, ctx: &Ctx, search: ResourceSearch) -> Result<Page<Resource>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.resources_search(&visible, &search)).await
    }
}

/// How a resource is named in the audit log and as an end of an edge.
pub(crate) fn object(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}
