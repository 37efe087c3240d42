use serde_json::json;
use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::{LogModel, Visibility};
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, LoggedModelId, RunId};
use stele_domain::lifecycle::{LoggedModelStatus, Presence, PresenceEvent, logged_model_status_after, presence_after};
use stele_domain::names::random_name;
use stele_domain::record::{LoggedModel, Param, Tag};
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::experiment::{check_tags, require_active};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A model to be logged; without a name it gets a generated one.
#[derive(Debug, Clone)]
pub struct NewLoggedModel {
    pub experiment: ExperimentId,
    pub name: Option<String>,
    pub model_type: Option<String>,
    /// What the client says, whether there is such a run or not.
    pub source_run: Option<RunId>,
    pub params: Vec<Param>,
    pub tags: Vec<Tag>,
}

impl App {
    /// Makes a pending logged model in an active experiment. Its artifacts lie below those of the experiment.
    pub async fn logged_model_create(&self, ctx: &Ctx, new: NewLoggedModel) -> Result<LoggedModel> {
        check_new(&new)?;
        let id = LoggedModelId::from_uuid(ctx.new_id());
        let NewLoggedModel { experiment, name, model_type, source_run, params, tags } = new;
        let name = name.unwrap_or_else(|| random_name(ctx.new_id()));
        let now = ctx.now();
        let visible = ctx.visible();
        self.change::<LogModel, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, experiment)?;
            require_active(Kind::Experiment, experiment.id.to_string(), experiment.presence)?;
            let model = stele_store::NewLoggedModel {
                id: id.clone(),
                experiment: experiment.id,
                name: name.clone(),
                artifact_uri: append_to_uri_path(&experiment.artifact_location, &format!("models/{id}/artifacts"))?,
                model_type: model_type.clone(),
                source_run: source_run.clone(),
                params: params.clone(),
                tags: tags.clone(),
            };
            tx.logged_model_create(permit, &model, now)?;
            let change = Change::event("logged-model.create", Kind::LoggedModel, id.as_str())
                .after(json!({ "experiment": experiment.id.0, "name": name }));
            Ok(Changed::one(tx.logged_model_get(&visible, &id)?, change))
        })
        .await
    }

    /// Reads a logged model that is not in the trash.
    pub async fn logged_model_get(&self, ctx: &Ctx, id: LoggedModelId) -> Result<LoggedModel> {
        let visible = ctx.visible();
        self.read(move |tx| present(tx, &visible, &id)).await
    }

    /// Reads a logged model, also a deleted one.
    pub async fn logged_model_get_any(&self, ctx: &Ctx, id: LoggedModelId) -> Result<LoggedModel> {
        let visible = ctx.visible();
        self.read(move |tx| tx.logged_model_get(&visible, &id)).await
    }

    /// Takes the client's report on the artifacts of a logged model, also of a deleted one.
    pub async fn logged_model_finalize(
        &self,
        ctx: &Ctx,
        id: LoggedModelId,
        status: LoggedModelStatus,
    ) -> Result<LoggedModel> {
        let now = ctx.now();
        let visible = ctx.visible();
        self.change::<LogModel, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let before = tx.logged_model_open(permit, &id)?;
            let after = logged_model_status_after(before.status, status);
            tx.logged_model_set_status(permit, before.row, after, now)?;
            let change = Change::event("logged-model.finalize", Kind::LoggedModel, id.as_str())
                .before(json!({ "status": before.status.as_str() }))
                .after(json!({ "status": after.as_str() }));
            Ok(Changed::one(tx.logged_model_get(&visible, &id)?, change))
        })
        .await
    }

    /// Moves a logged model to the trash. Doing it again changes nothing.
    pub async fn logged_model_delete(&self, ctx: &Ctx, id: LoggedModelId) -> Result<()> {
        let now = ctx.now();
        self.change::<LogModel, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let model = tx.logged_model_open(permit, &id)?;
            let presence = presence_after(model.presence, PresenceEvent::Delete);
            if presence == model.presence {
                return Ok(Changed::nothing(()));
            }
            tx.logged_model_set_presence(permit, model.row, presence, now)?;
            Ok(Changed::one((), Change::event("logged-model.delete", Kind::LoggedModel, id.as_str())))
        })
        .await
    }

    /// Adds params to a logged model, also to a deleted one. A param is set once.
    pub async fn logged_model_params_add(&self, ctx: &Ctx, id: LoggedModelId, params: Vec<Param>) -> Result<()> {
        check_params(&params)?;
        self.change::<LogModel, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let model = tx.logged_model_open(permit, &id)?;
            if params.is_empty() {
                return Ok(Changed::nothing(()));
            }
            tx.logged_model_params_add(permit, model.row, &params)?;
            let keys: Vec<&str> = params.iter().map(|param| param.key.as_str()).collect();
            let change = Change::quiet("logged-model.params", Kind::LoggedModel, id.as_str());
            Ok(Changed::one((), change.after(json!({ "keys": keys }))))
        })
        .await
    }

    /// Sets tags of a logged model, also of a deleted one; of several with one key the last counts.
    pub async fn logged_model_tags_set(&self, ctx: &Ctx, id: LoggedModelId, tags: Vec<Tag>) -> Result<()> {
        check_tags(&tags)?;
        self.change::<LogModel, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let model = tx.logged_model_open(permit, &id)?;
            if tags.is_empty() {
                return Ok(Changed::nothing(()));
            }
            tx.logged_model_tags_set(permit, model.row, &tags)?;
            let values: serde_json::Map<_, _> =
                tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().into())).collect();
            let change = Change::quiet("logged-model.tag", Kind::LoggedModel, id.as_str());
            Ok(Changed::one((), change.after(values.into())))
        })
        .await
    }

    /// Removes a tag from a logged model, also from a deleted one; the tag must be there.
    pub async fn logged_model_tag_delete(&self, ctx: &Ctx, id: LoggedModelId, key: String) -> Result<()> {
        self.change::<LogModel, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let model = tx.logged_model_open(permit, &id)?;
            if !tx.logged_model_tag_delete(permit, model.row, &key)? {
                return Err(Error::not_found(Kind::Tag, &key));
            }
            let change = Change::quiet("logged-model.untag", Kind::LoggedModel, id.as_str());
            Ok(Changed::one((), change.before(json!({ "key": key }))))
        })
        .await
    }
}

fn present(tx: &mut Tx, visible: &Visibility, id: &LoggedModelId) -> Result<LoggedModel> {
    let model = tx.logged_model_get(visible, id)?;
    match model.presence {
        Presence::Active => Ok(model),
        Presence::Deleted => Err(Error::not_found(Kind::LoggedModel, id.as_str())),
    }
}

fn check_new(new: &NewLoggedModel) -> Result<()> {
    let NewLoggedModel { experiment: _, name, model_type, source_run, params, tags } = new;
    check_text("logged model name", name.as_deref().unwrap_or_default())?;
    check_text("model type", model_type.as_deref().unwrap_or_default())?;
    check_text("source run", source_run.as_ref().map(RunId::as_str).unwrap_or_default())?;
    check_params(params)?;
    check_tags(tags)
}

fn check_params(params: &[Param]) -> Result<()> {
    params.iter().try_for_each(|param| {
        check_text("param key", &param.key)?;
        check_text("param value", &param.value)
    })
}
