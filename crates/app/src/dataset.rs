//! What runs read and made: datasets and logged models.

use serde_json::json;
use stele_domain::authz::LogRun;
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, LoggedModelId, RunId};
use stele_domain::record::{Dataset, DatasetInput, DatasetSummary, ModelOutput};
use stele_domain::{Kind, Result};

use crate::experiment::check_tags;
use crate::run::open_active;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// What a run read.
#[derive(Debug, Clone, Default)]
pub struct RunInputs {
    pub datasets: Vec<DatasetInput>,
    /// Also models that this server does not have: the run says so, and readers are told.
    pub models: Vec<LoggedModelId>,
}

impl App {
    /// Notes what an active run read. What is noted already stays as it is, with its tags.
    pub async fn run_inputs_log(&self, ctx: &Ctx, id: RunId, inputs: RunInputs) -> Result<()> {
        check_inputs(&inputs)?;
        let now = ctx.now();
        // Made outside of the transaction, so that a second try makes the same ones.
        let new_ids: Vec<String> = inputs.datasets.iter().map(|_| ctx.new_id().simple().to_string()).collect();
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let run = open_active(tx, permit, &id)?;
            let RunInputs { datasets, models } = &inputs;
            if datasets.is_empty() && models.is_empty() {
                return Ok(Changed::nothing(()));
            }
            // Datasets are locked by name while they are made: one order for all keeps requests from waiting
            // for each other in a circle.
            let mut by_name: Vec<(usize, &DatasetInput)> = datasets.iter().enumerate().collect();
            by_name.sort_by_key(|(_, input)| (&input.dataset.name, &input.dataset.digest));
            let mut found = Vec::with_capacity(datasets.len());
            for (position, input) in by_name {
                let new_id = &new_ids[position];
                let row = tx.dataset_ensure(permit, run.experiment, &input.dataset, new_id, now)?;
                found.push((position, row, input));
            }
            found.sort_by_key(|(position, ..)| *position);
            for (_, row, input) in found {
                tx.run_dataset_input_add(permit, run.row, row, &input.tags, now)?;
            }
            tx.run_model_inputs_add(permit, run.row, models, now)?;
            let names: Vec<_> =
                datasets.iter().map(|input| json!([input.dataset.name, input.dataset.digest])).collect();
            let models: Vec<&str> = models.iter().map(LoggedModelId::as_str).collect();
            let change = Change::quiet("run.inputs", Kind::Run, id.as_str());
            Ok(Changed::one((), change.after(json!({ "datasets": names, "models": models }))))
        })
        .await
    }

    /// Notes which logged models an active run made. Noting one again at another step is a conflict.
    pub async fn run_outputs_log(&self, ctx: &Ctx, id: RunId, outputs: Vec<ModelOutput>) -> Result<()> {
        for output in &outputs {
            check_text("model id", output.model.as_str())?;
        }
        let now = ctx.now();
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let run = open_active(tx, permit, &id)?;
            if outputs.is_empty() {
                return Ok(Changed::nothing(()));
            }
            tx.run_model_outputs_add(permit, run.row, &outputs, now)?;
            let models: Vec<_> = outputs.iter().map(|output| json!([output.model.as_str(), output.step])).collect();
            let change = Change::quiet("run.outputs", Kind::Run, id.as_str());
            Ok(Changed::one((), change.after(json!({ "models": models }))))
        })
        .await
    }

    /// The datasets that runs of the experiments read, once for each context in which they did: the value of the
    /// input tag `context_key`.
    pub async fn datasets_used(
        &self,
        ctx: &Ctx,
        experiments: Vec<ExperimentId>,
        context_key: &'static str,
    ) -> Result<Vec<DatasetSummary>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.datasets_used(&visible, &experiments, context_key)).await
    }
}

fn check_inputs(inputs: &RunInputs) -> Result<()> {
    for DatasetInput { dataset, tags } in &inputs.datasets {
        let Dataset { name, digest, source_type, source, schema, profile } = dataset;
        check_text("dataset name", name)?;
        check_text("dataset digest", digest)?;
        check_text("dataset source type", source_type)?;
        check_text("dataset source", source)?;
        check_text("dataset schema", schema.as_deref().unwrap_or_default())?;
        check_text("dataset profile", profile.as_deref().unwrap_or_default())?;
        check_tags(tags)?;
    }
    inputs.models.iter().try_for_each(|model| check_text("model id", model.as_str()))
}
