use serde_json::json;
use stele_domain::authz::LogModel;
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::{Kind, Result};
use stele_store::LoadedLoggedModel;

use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    /// Brings logged models into an experiment, in one transaction; those that the record has already stay as they are.
    /// Says how many are new.
    pub async fn logged_models_load(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        models: Vec<LoadedLoggedModel>,
    ) -> Result<usize> {
        models.iter().try_for_each(check)?;
        let visible = ctx.visible();
        self.change::<LogModel, _>(ctx, &experiment.to_string(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, experiment)?;
            let mut new = 0;
            for model in &models {
                new += usize::from(tx.logged_model_load(permit, experiment.id, model)?);
            }
            if new == 0 {
                return Ok(Changed::nothing(0));
            }
            let change = Change::quiet("bulk.load", Kind::Experiment, experiment.id.to_string());
            Ok(Changed::one(new, change.after(json!({ "logged_models": new }))))
        })
        .await
    }
}

fn check(model: &LoadedLoggedModel) -> Result<()> {
    check_text("logged model id", model.id.as_str())?;
    check_text("logged model name", &model.name)?;
    check_text("artifact location", &model.artifact_uri)?;
    check_text("source run", model.source_run.as_ref().map(RunId::as_str).unwrap_or_default())?;
    for text in [&model.status_message, &model.model_type].into_iter().flatten() {
        check_text("logged model", text)?;
    }
    for param in &model.params {
        check_text("param key", &param.key)?;
        check_text("param value", &param.value)?;
    }
    check_tags(&model.tags)
}
