use serde_json::json;
use stele_domain::authz::LoadRecord;
use stele_domain::change::Change;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::registry::{stage_of_alias, version_id};
use stele_domain::{Error, Kind, Result};
use stele_store::{LoadedModel, LoadedVersion, ModelHead};

use crate::experiment::check_tags;
use crate::governance::pass_renamed;
use crate::registry::{alias_map, tag_map};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    /// Brings a registered model with all of its versions into the record, in one transaction, with their numbers, times
    /// and stages. A model whose name is taken stays as it is. Says whether it is new.
    pub async fn model_load(&self, ctx: &Ctx, model: LoadedModel, versions: Vec<LoadedVersion>) -> Result<bool> {
        check(&model, &versions)?;
        let (ids, now) = (ctx.clone(), ctx.now());
        self.change::<LoadRecord, _>(ctx, &model.name.clone(), move |tx, permit| {
            let new_id = || ids.new_id().simple().to_string();
            let id = new_id();
            let Some(row) = tx.model_load(permit, &id, &model)? else { return Ok(Changed::nothing(false)) };
            for version in &versions {
                tx.model_version_load(permit, row, &new_id(), version)?;
            }
            // No gate guarded the model before it was here.
            let head = ModelHead { row, id: id.clone(), name: model.name.clone(), description: None };
            let mut changes = pass_renamed(tx, permit, "", &head, now)?;
            changes.extend(loaded(&id, &model, &versions));
            Ok(Changed::many(true, changes))
        })
        .await
    }
}

/// An entry for the model and one for each version, so that their history begins with where they came from.
fn loaded(id: &str, model: &LoadedModel, versions: &[LoadedVersion]) -> Vec<Change> {
    let of_model = Change::quiet("model.load", Kind::Model, &model.name).of_model(id).after(json!({
        "description": model.description,
        "tags": tag_map(&model.tags),
        "aliases": alias_map(&model.aliases),
        "versions": versions.len(),
    }));
    let of_versions = versions.iter().map(|version| {
        let change = Change::quiet("model-version.load", Kind::ModelVersion, version_id(&model.name, version.number))
            .of_model(id);
        change.after(json!({
            "stage": version.stage.as_str(),
            "approval": ApprovalStatus::Pending.as_str(),
            "source": version.source,
            "created_at": version.created_at.0,
        }))
    });
    std::iter::once(of_model).chain(of_versions).collect()
}

fn check(model: &LoadedModel, versions: &[LoadedVersion]) -> Result<()> {
    check_text("model name", &model.name)?;
    check_text("description", model.description.as_deref().unwrap_or_default())?;
    check_tags(&model.tags)?;
    for alias in &model.aliases {
        check_text("alias", &alias.alias)?;
        if stage_of_alias(&alias.alias).is_some() {
            return Err(Error::invalid(format!("alias '{}' always means a stage", alias.alias)));
        }
    }
    if versions.iter().filter(|version| version.stage == Stage::Production).count() > 1 {
        return Err(Error::invalid(format!("model '{}' has more than one version in production", model.name)));
    }
    for version in versions {
        let texts = [&version.description, &version.user, &version.run_link];
        for text in texts.into_iter().flatten().chain([&version.source, &version.storage_uri]) {
            check_text("model version", text)?;
        }
        check_text("run id", version.run.as_ref().map_or("", |run| run.as_str()))?;
        check_text("logged model id", version.logged_model.as_ref().map_or("", |model| model.as_str()))?;
        check_tags(&version.tags)?;
    }
    Ok(())
}
