use serde_json::json;
use stele_domain::authz::{Intent, Permit, Place, RegisterModel};
use stele_domain::change::Change;
use stele_domain::id::ModelRow;
use stele_domain::lifecycle::Stage;
use stele_domain::record::Tag;
use stele_domain::registry::{Model, ModelAlias, PROMPT_TAG, is_prompt};
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, Tx};

use crate::experiment::check_tags;
use crate::governance::{keep_gates, pass_renamed};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A model to be made.
#[derive(Debug, Clone)]
pub struct NewModel {
    pub name: String,
    pub description: Option<String>,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
}

impl App {
    /// Makes a model without versions; its name must be free.
    pub async fn model_create(&self, ctx: &Ctx, new: NewModel) -> Result<Model> {
        let NewModel { name, description, tags } = new;
        check_name(&name)?;
        check_description(description.as_deref())?;
        check_tags(&tags)?;
        let now = ctx.now();
        let object = name.clone();
        let new = stele_store::NewModel { public_id: ctx.new_id().simple().to_string(), name, description, tags };
        self.change::<RegisterModel, _>(ctx, &object, move |tx, permit| {
            let row = tx.model_create(&permit.intending(Intent::make(&new.name, &new.tags)), &new, now)?;
            let model = complete(tx, row)?;
            let change = Change::event("model.create", Kind::Model, &new.name).of_model(&new.public_id).after(json!({
                "description": model.description,
                "tags": tag_map(&model.tags),
                "prompt": is_prompt(&model.tags),
            }));
            Ok(Changed::one(model, change))
        })
        .await
    }

    pub async fn model_get(&self, ctx: &Ctx, name: String) -> Result<Model> {
        let visible = ctx.visible();
        self.read(move |tx| tx.model_get(&visible, &name)).await
    }

    /// Replaces the description of a model.
    pub async fn model_describe(&self, ctx: &Ctx, name: String, description: Option<String>) -> Result<Model> {
        check_description(description.as_deref())?;
        let now = ctx.now();
        self.change::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(permit, &name)?;
            tx.model_describe(permit, model.row, description.as_deref(), now)?;
            let change = Change::event("model.update", Kind::Model, &name)
                .of_model(&model.id)
                .before(json!({ "description": model.description }))
                .after(json!({ "description": description }));
            Ok(Changed::one(complete(tx, model.row)?, change))
        })
        .await
    }

    /// Renames a model with all its versions; the new name must be free.
    pub async fn model_rename(&self, ctx: &Ctx, name: String, new_name: String) -> Result<Model> {
        check_name(&new_name)?;
        let now = ctx.now();
        // The roles that are held on the model follow its name.
        self.change_identity::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(&permit.intending(Intent::name(&new_name)), &name)?;
            keep_gates(tx, permit, &name, &new_name)?;
            permit.require_rename(Kind::Model, &name, &new_name)?;
            tx.model_rename(permit, model.row, &new_name, now)?;
            let renamed = ModelHead { name: new_name.clone(), ..model };
            let mut changes = pass_renamed(tx, permit, &name, &renamed, now)?;
            changes.push(
                Change::event("model.rename", Kind::Model, &new_name)
                    .of_model(&renamed.id)
                    .before(json!({ "name": name }))
                    .after(json!({ "name": new_name })),
            );
            Ok(Changed::many(complete(tx, renamed.row)?, changes))
        })
        .await
    }

    /// Deletes a model with its versions, tags and aliases. Its name is free afterwards.
    pub async fn model_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        self.change_identity::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(permit, &name)?;
            Ok(Changed::one((), delete(tx, permit, &model)?))
        })
        .await
    }

    /// Deletes a model that has no versions.
    pub async fn model_delete_empty(&self, ctx: &Ctx, name: String) -> Result<()> {
        self.change_identity::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(permit, &name)?;
            if !tx.model_versions_latest(&[model.row], Stage::ALL)?.is_empty() {
                let (kind, id) = (Kind::Model, name.clone());
                return Err(Error::WrongState { kind, id, state: "holding versions", needed: "without versions" });
            }
            Ok(Changed::one((), delete(tx, permit, &model)?))
        })
        .await
    }

    pub async fn model_tag_set(&self, ctx: &Ctx, name: String, tag: Tag) -> Result<()> {
        self.model_tags_set(ctx, name, vec![tag]).await
    }

    /// Sets all of the tags or none.
    pub async fn model_tags_set(&self, ctx: &Ctx, name: String, tags: Vec<Tag>) -> Result<()> {
        check_tags(&tags)?;
        self.change::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(&permit.intending(Intent::tags(&tags)), &name)?;
            let mut changes = Vec::with_capacity(tags.len());
            for tag in &tags {
                let before = tx.model_tag_get(model.row, &tag.key)?;
                tx.model_tags_set(permit, model.row, std::slice::from_ref(tag))?;
                let change = Change::event("model.tag", Kind::Model, &name).of_model(&model.id);
                // A tag of a model may make it a prompt.
                let prompt = names_prompt(tx, model.row)?;
                changes.push(tag_set(change, before, tag, prompt));
            }
            Ok(Changed::many((), changes))
        })
        .await
    }

    /// Removes a tag; nothing changes when the model does not have it.
    pub async fn model_tag_delete(&self, ctx: &Ctx, name: String, key: String) -> Result<()> {
        self.change::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(&permit.intending(Intent::tag(&key)), &name)?;
            let prompt = names_prompt(tx, model.row)?;
            let value = tx.model_tag_get(model.row, &key)?;
            if !tx.model_tag_delete(permit, model.row, &key)? {
                return Ok(Changed::nothing(()));
            }
            let change = Change::event("model.untag", Kind::Model, &name).of_model(&model.id);
            Ok(Changed::one((), change.before(json!({ "key": key, "value": value, "prompt": prompt }))))
        })
        .await
    }
}

fn delete(tx: &mut Tx, permit: &Permit<RegisterModel>, model: &ModelHead) -> Result<Change> {
    let Model { description, tags, aliases, latest_versions, .. } = complete(tx, model.row)?;
    let stages: serde_json::Map<String, serde_json::Value> = latest_versions
        .iter()
        .filter(|version| version.stage != Stage::None)
        .map(|version| (version.stage.as_str().to_owned(), version.number.into()))
        .collect();
    // A rule about a tag holds for taking it away with the model.
    permit.intending(Intent::tags(&tags)).require(tx, Place::Model(&model.name), Kind::Model, &model.name)?;
    tx.model_delete(permit, model.row)?;
    Ok(Change::event("model.delete", Kind::Model, &model.name).of_model(&model.id).before(json!({
        "description": description,
        "tags": tag_map(&tags),
        "aliases": alias_map(&aliases),
        "stages": stages,
        "prompt": is_prompt(&tags),
    })))
}

/// The versions that aliases point at.
pub(crate) fn alias_map(aliases: &[ModelAlias]) -> serde_json::Map<String, serde_json::Value> {
    aliases.iter().map(|alias| (alias.alias.clone(), alias.version.into())).collect()
}

/// Whether a model is a prompt, by the one tag that says so.
pub(super) fn names_prompt(tx: &mut Tx, model: ModelRow) -> Result<bool> {
    Ok(tx.model_tag_get(model, PROMPT_TAG)?.is_some_and(|value| value.eq_ignore_ascii_case("true")))
}

/// Says in a change which tag was set, and what its value was.
pub(super) fn tag_set(change: Change, before: Option<String>, tag: &Tag, prompt: bool) -> Change {
    let change =
        before.into_iter().fold(change, |change, value| change.before(json!({ "key": tag.key, "value": value })));
    change.after(json!({ "key": tag.key, "value": tag.value, "prompt": prompt }))
}

/// Tags as events have them.
pub(crate) fn tag_map(tags: &[Tag]) -> serde_json::Map<String, serde_json::Value> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().into())).collect()
}

pub(super) fn complete(tx: &mut Tx, row: ModelRow) -> Result<Model> {
    tx.models_by_rows(&[row])?.pop().ok_or_else(|| Error::internal(format!("model row {row} has vanished")))
}

/// A slash would make the names of versions ambiguous.
fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.contains('/') {
        return Err(Error::invalid(format!("'{name}' is not a model name: it is blank or contains a slash")));
    }
    check_text("model name", name)
}

pub(super) fn check_description(description: Option<&str>) -> Result<()> {
    description.map_or(Ok(()), |description| check_text("description", description))
}
