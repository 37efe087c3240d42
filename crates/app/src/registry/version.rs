use serde_json::json;
use stele_domain::authz::{Intent, Permit, Place, RegisterModel};
use stele_domain::change::Change;
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::record::Tag;
use stele_domain::registry::{ModelVersion, is_prompt, version_id};
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, Tx};

use super::model::{check_description, names_prompt, tag_map, tag_set};
use super::{CheckedSource, open_version};
use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A model version to be made.
#[derive(Debug, Clone)]
pub struct NewModelVersion {
    pub model: String,
    pub source: CheckedSource,
    pub run_link: Option<String>,
    pub description: Option<String>,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
}

impl App {
    /// Makes the next version of a model, in stage none. A logged model that it comes from lists it in a tag.
    pub async fn model_version_create(&self, ctx: &Ctx, new: NewModelVersion) -> Result<ModelVersion> {
        let NewModelVersion { model: name, source, run_link, description, tags } = new;
        check_description(description.as_deref())?;
        check_text("run link", run_link.as_deref().unwrap_or(""))?;
        check_tags(&tags)?;
        let now = ctx.now();
        let new = source.into_new_version(ctx.new_id().simple().to_string(), run_link, description, tags);
        check_text("source", &new.source)?;
        check_text("run id", new.run.as_ref().map_or("", |run| run.as_str()))?;
        self.change::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(&permit.intending(Intent::tags(&new.tags)), &name)?;
            let (row, _, changes) = create(tx, permit, &model, &new, now)?;
            Ok(Changed::many(complete(tx, row)?, changes))
        })
        .await
    }

    pub async fn model_version_get(&self, ctx: &Ctx, model: String, number: i64) -> Result<ModelVersion> {
        let visible = ctx.visible();
        self.read(move |tx| tx.model_version_get(&visible, &model, number)).await
    }

    /// Replaces the description of a version.
    pub async fn model_version_describe(
        &self,
        ctx: &Ctx,
        model: String,
        number: i64,
        description: Option<String>,
    ) -> Result<ModelVersion> {
        check_description(description.as_deref())?;
        let now = ctx.now();
        let id = version_id(&model, number);
        self.change::<RegisterModel, _>(ctx, &id.clone(), move |tx, permit| {
            let (model, version) = open_version(tx, permit, &model, number)?;
            tx.model_version_describe(permit, version.row, description.as_deref(), now)?;
            let change = Change::event("model-version.update", Kind::ModelVersion, &id)
                .of_model(&model.id)
                .before(json!({ "description": version.description }))
                .after(json!({ "description": description }));
            Ok(Changed::one(complete(tx, version.row)?, change))
        })
        .await
    }

    /// Deletes a version with its tags and the aliases that point at it. Its number is never used again.
    pub async fn model_version_delete(&self, ctx: &Ctx, model: String, number: i64) -> Result<()> {
        let now = ctx.now();
        let id = version_id(&model, number);
        self.change::<RegisterModel, _>(ctx, &id.clone(), move |tx, permit| {
            let (model, version) = open_version(tx, permit, &model, number)?;
            let before = complete(tx, version.row)?;
            let intent = Intent::tags(&before.tags);
            permit.intending(intent).require(tx, Place::Model(&model.name), Kind::ModelVersion, &id)?;
            tx.model_version_delete(permit, model.row, &version)?;
            tx.model_touch(permit, model.row, now)?;
            let change = Change::event("model-version.delete", Kind::ModelVersion, &id).of_model(&model.id);
            Ok(Changed::one(
                (),
                change.before(json!({
                    "stage": before.stage.as_str(),
                    "approval": before.approval.as_str(),
                    "source": before.source,
                    "description": before.description,
                    "tags": tag_map(&before.tags),
                    "aliases": before.aliases,
                    "prompt": names_prompt(tx, model.row)?,
                })),
            ))
        })
        .await
    }

    pub async fn model_version_tag_set(&self, ctx: &Ctx, model: String, number: i64, tag: Tag) -> Result<()> {
        self.model_version_tags_set(ctx, model, number, vec![tag]).await
    }

    /// Sets all of the tags or none.
    pub async fn model_version_tags_set(&self, ctx: &Ctx, model: String, number: i64, tags: Vec<Tag>) -> Result<()> {
        check_tags(&tags)?;
        let id = version_id(&model, number);
        self.change::<RegisterModel, _>(ctx, &id.clone(), move |tx, permit| {
            let permit = &permit.intending(Intent::tags(&tags));
            let (model, version) = open_version(tx, permit, &model, number)?;
            let prompt = names_prompt(tx, model.row)?;
            let mut changes = Vec::with_capacity(tags.len());
            for tag in &tags {
                let before = tag_value(&complete(tx, version.row)?, &tag.key);
                tx.model_version_tags_set(permit, version.row, std::slice::from_ref(tag))?;
                let change = Change::event("model-version.tag", Kind::ModelVersion, &id).of_model(&model.id);
                changes.push(tag_set(change, before, tag, prompt));
            }
            Ok(Changed::many((), changes))
        })
        .await
    }

    /// Removes a tag; nothing changes when the version does not have it.
    pub async fn model_version_tag_delete(&self, ctx: &Ctx, model: String, number: i64, key: String) -> Result<()> {
        let id = version_id(&model, number);
        self.change::<RegisterModel, _>(ctx, &id.clone(), move |tx, permit| {
            let permit = &permit.intending(Intent::tag(&key));
            let (model, version) = open_version(tx, permit, &model, number)?;
            let value = tag_value(&complete(tx, version.row)?, &key);
            if !tx.model_version_tag_delete(permit, version.row, &key)? {
                return Ok(Changed::nothing(()));
            }
            let prompt = names_prompt(tx, model.row)?;
            let change = Change::event("model-version.untag", Kind::ModelVersion, &id).of_model(&model.id);
            Ok(Changed::one((), change.before(json!({ "key": key, "value": value, "prompt": prompt }))))
        })
        .await
    }
}

fn tag_value(version: &ModelVersion, key: &str) -> Option<String> {
    version.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone())
}

/// Makes the next version of an opened model.
pub(super) fn create(
    tx: &mut Tx,
    permit: &Permit<RegisterModel>,
    model: &ModelHead,
    new: &stele_store::NewModelVersion,
    now: Timestamp,
) -> Result<(ModelVersionRow, i64, Vec<Change>)> {
    let (row, number) = tx.model_version_create(permit, model.row, new, now)?;
    let id = version_id(&model.name, number);
    let mut changes = Vec::with_capacity(2);
    if let Some(logged_model) = &new.logged_model {
        tx.logged_model_version_add(permit, logged_model, &model.name, number)?;
        let change = Change::quiet("logged-model.tag", Kind::LoggedModel, logged_model.as_str());
        changes.push(change.after(json!({ "version": id })));
    }
    let version = complete(tx, row)?;
    changes.push(Change::event("model-version.create", Kind::ModelVersion, id).of_model(&model.id).after(json!({
        "stage": version.stage.as_str(),
        "approval": version.approval.as_str(),
        "source": new.source,
        "run": new.run.as_ref().map(|run| run.as_str()),
        "description": version.description,
        "tags": tag_map(&version.tags),
        "prompt": is_prompt(&version.tags),
    })));
    Ok((row, number, changes))
}

pub(crate) fn complete(tx: &mut Tx, row: ModelVersionRow) -> Result<ModelVersion> {
    tx.model_versions_by_rows(&[row])?
        .pop()
        .ok_or_else(|| Error::internal(format!("model version row {row} has vanished")))
}
