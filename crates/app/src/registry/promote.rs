//! Moving versions through stages and aliases, whichever words a client uses for it.

use serde_json::json;
use stele_domain::authz::{Intent, Permit, PromoteModel};
use stele_domain::change::Change;
use stele_domain::gate::Target;
use stele_domain::id::Timestamp;
use stele_domain::lifecycle::{Stage, stage_after};
use stele_domain::registry::{ModelVersion, Occupants, stage_of_alias, version_id};
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, ModelVersionHead, Tx};

use super::model::{complete as complete_model, names_prompt};
use super::version::complete;
use super::{open_version, require_version};
use crate::governance::pass;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    /// Moves a version to a stage. `occupants` says what becomes of the other versions in stage staging or
    /// production; production holds one version, so they cannot stay there.
    pub async fn model_version_transition(
        &self,
        ctx: &Ctx,
        model: String,
        number: i64,
        stage: Stage,
        occupants: Occupants,
    ) -> Result<ModelVersion> {
        self.reports_read(ctx, &model, number).await?;
        let now = ctx.now();
        self.change::<PromoteModel, _>(ctx, &version_id(&model, number), move |tx, permit| {
            let (model, version) = open_version(tx, permit, &model, number)?;
            let changes = promote(tx, permit, &model, &version, stage, occupants, now)?;
            Ok(Changed::many(complete(tx, version.row)?, changes))
        })
        .await
    }

    /// Points an alias at a version. An alias that means a stage moves the version to that stage; for staging and
    /// production it takes the place of those there, since an alias points at one version.
    pub async fn model_alias_set(&self, ctx: &Ctx, model: String, alias: String, number: i64) -> Result<()> {
        if alias.is_empty() || alias.eq_ignore_ascii_case("latest") {
            return Err(Error::invalid(format!("'{alias}' cannot be an alias: 'latest' is always the newest version")));
        }
        check_text("alias", &alias)?;
        let alias = as_it_is_told(alias);
        self.reports_read(ctx, &model, number).await?;
        let now = ctx.now();
        self.change::<PromoteModel, _>(ctx, &version_id(&model, number), move |tx, permit| {
            let (model, version) = open_version(tx, permit, &model, number)?;
            let prompt = names_prompt(tx, model.row)?;
            let before = complete_model(tx, model.row)?.aliases.into_iter().find(|known| known.alias == alias);
            let change = Change::event("model.alias.set", Kind::Model, &model.name).of_model(&model.id);
            let change = before
                .iter()
                .fold(change, |change, before| change.before(json!({ "alias": alias, "version": before.version })))
                .after(json!({ "alias": alias, "version": number, "prompt": prompt }));
            if let Some(stage) = stage_of_alias(&alias) {
                let mut changes = promote(tx, permit, &model, &version, stage, Occupants::Archive, now)?;
                changes.push(change);
                return Ok(Changed::many((), changes));
            }
            require_version(tx, permit, &model, version.row, Intent::alias(&alias))?;
            if let Some(before) = before.filter(|before| before.version != number) {
                let loses = tx.model_version_open(permit, &model, before.version)?;
                require_version(tx, permit, &model, loses.row, Intent::alias(&alias))?;
            }
            let mut changes = pass(tx, permit, &model, version.row, &Target::Alias(alias.clone()), None, now)?;
            tx.model_alias_set(permit, model.row, &alias, number)?;
            changes.push(change);
            Ok(Changed::many((), changes))
        })
        .await
    }

    /// Removes an alias, if there is one. An alias that means a stage moves the version it resolves to, to stage none.
    pub async fn model_alias_delete(&self, ctx: &Ctx, model: String, alias: String) -> Result<()> {
        let (alias, now) = (as_it_is_told(alias), ctx.now());
        self.change::<PromoteModel, _>(ctx, &model.clone(), move |tx, permit| {
            let model = tx.model_open(permit, &model)?;
            if let Some(stage) = stage_of_alias(&alias) {
                let Some(version) = tx.model_version_open_stage(permit, &model, stage)?.pop() else {
                    return Ok(Changed::nothing(()));
                };
                let mut changes = promote(tx, permit, &model, &version, Stage::None, Occupants::Stay, now)?;
                changes.push(alias_deleted(tx, &model, &alias, version.number)?);
                return Ok(Changed::many((), changes));
            }
            let Some(number) = tx.model_alias_get(permit.visible(), model.row, &alias)? else {
                return Ok(Changed::nothing(()));
            };
            let version = tx.model_version_open(permit, &model, number)?;
            require_version(tx, permit, &model, version.row, Intent::alias(&alias))?;
            tx.model_alias_delete(permit, model.row, &alias)?;
            Ok(Changed::one((), alias_deleted(tx, &model, &alias, number)?))
        })
        .await
    }
}

/// The name of an alias that means a stage is the stage's own, however it came.
fn as_it_is_told(alias: String) -> String {
    stage_of_alias(&alias).map_or(alias, |stage| stage.as_str().to_owned())
}

fn alias_deleted(tx: &mut Tx, model: &ModelHead, alias: &str, number: i64) -> Result<Change> {
    let prompt = names_prompt(tx, model.row)?;
    let change = Change::event("model.alias.delete", Kind::Model, &model.name).of_model(&model.id);
    Ok(change.before(json!({ "alias": alias, "version": number, "prompt": prompt })))
}

/// The only place where the stage of a version changes.
pub(super) fn promote(
    tx: &mut Tx,
    permit: &Permit<PromoteModel>,
    model: &ModelHead,
    version: &ModelVersionHead,
    target: Stage,
    occupants: Occupants,
    now: Timestamp,
) -> Result<Vec<Change>> {
    let others: Vec<ModelVersionHead> = match target {
        Stage::None | Stage::Archived => Vec::new(),
        Stage::Staging | Stage::Production => tx
            .model_version_open_stage(permit, model, target)?
            .into_iter()
            .filter(|other| other.row != version.row)
            .collect(),
    };
    let leaving = match (target, occupants) {
        (Stage::Production, Occupants::Stay) => {
            if let Some(other) = others.first() {
                return Err(one_in_production(model, version, other));
            }
            Vec::new()
        }
        (_, Occupants::Archive) => others,
        (_, Occupants::Stay) => Vec::new(),
    };
    // Who may not is told so before gates are asked.
    require_version(tx, permit, model, version.row, Intent::stage(target))?;
    for other in &leaving {
        require_version(tx, permit, model, other.row, Intent::stage(Stage::Archived))?;
    }
    let mut changes = match Target::of_stage(target) {
        Some(gated) if version.stage != target => pass(tx, permit, model, version.row, &gated, None, now)?,
        _ => Vec::new(),
    };
    for other in &leaving {
        changes.push(transition(tx, permit, model, other, Stage::Archived, now)?);
    }
    changes.push(transition(tx, permit, model, version, target, now)?);
    tx.model_touch(permit, model.row, now)?;
    Ok(changes)
}

fn transition(
    tx: &mut Tx,
    permit: &Permit<PromoteModel>,
    model: &ModelHead,
    version: &ModelVersionHead,
    target: Stage,
    now: Timestamp,
) -> Result<Change> {
    let after = stage_after(version.stage, target);
    tx.model_version_transition(permit, version.row, after, now)?;
    let id = version_id(&model.name, version.number);
    Ok(Change::event("model-version.transition", Kind::ModelVersion, id)
        .of_model(&model.id)
        .before(json!({ "stage": version.stage.as_str() }))
        .after(json!({ "stage": after.as_str() })))
}

fn one_in_production(model: &ModelHead, version: &ModelVersionHead, other: &ModelVersionHead) -> Error {
    Error::GateFailed {
        message: format!(
            "version {} of model '{}' cannot enter stage production while version {} is there: a model has one \
             version in production at a time",
            version.number, model.name, other.number
        ),
        refusal: None,
    }
}
