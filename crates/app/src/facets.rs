use std::collections::HashMap;

use serde_json::Value;
use stele_domain::Kind;
use stele_domain::Result;
use stele_domain::authz::{ManageExperiment, RegisterModel};
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::resource::{Document, Facets};
use stele_store::Faceted;

use crate::transact::Changed;
use crate::{App, Ctx};

impl App {
    /// What the script of `ctx` keeps with each of these rows, by row id.
    pub async fn facets(&self, ctx: &Ctx, of: Faceted, rows: Vec<i64>) -> Result<HashMap<i64, Facets>> {
        let (visible, script) = (ctx.visible(), ctx.script());
        self.read(move |tx| tx.facets(&visible, of, script, &rows)).await
    }

    /// The name of the model with this public id, if there is one.
    pub async fn model_name(&self, ctx: &Ctx, public_id: String) -> Result<Option<String>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.model_name(&visible, &public_id)).await
    }

    /// Rewrites what the script of `ctx` keeps with a model. `rewrite` may be called more than once.
    pub async fn model_facets_rewrite(
        &self,
        ctx: &Ctx,
        name: String,
        mut rewrite: impl FnMut(&mut Document) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (visible, script) = (ctx.visible(), ctx.script());
        self.change::<RegisterModel, _>(ctx, &name.clone(), move |tx, permit| {
            let model = tx.model_open(permit, &name)?;
            let row = model.row.0;
            let found = tx.facets(&visible, Faceted::Model, script, &[row])?.remove(&row);
            let before = found.map(|facets| facets.document).unwrap_or_default();
            let mut document = before.clone();
            rewrite(&mut document)?;
            let (before, after) = differences(&before, &document);
            tx.facets_set(permit, Faceted::Model, script, row, document)?;
            let change = Change::quiet("model.facets", Kind::Model, &name).of_model(&model.id);
            Ok(Changed::one((), change.before(before).after(after)))
        })
        .await
    }

    /// As [`App::model_facets_rewrite`], for an active experiment.
    pub async fn experiment_facets_rewrite(
        &self,
        ctx: &Ctx,
        id: ExperimentId,
        mut rewrite: impl FnMut(&mut Document) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (now, visible, script) = (ctx.now(), ctx.visible(), ctx.script());
        self.change::<ManageExperiment, _>(ctx, &id.to_string(), move |tx, permit| {
            let experiment = tx.experiment_open(permit, id)?;
            crate::experiment::require_active(Kind::Experiment, id.to_string(), experiment.presence)?;
            let found = tx.facets(&visible, Faceted::Experiment, script, &[id.0])?.remove(&id.0);
            let before = found.map(|facets| facets.document).unwrap_or_default();
            let mut document = before.clone();
            rewrite(&mut document)?;
            let (before, after) = differences(&before, &document);
            tx.facets_set(permit, Faceted::Experiment, script, id.0, document)?;
            tx.experiment_rename(permit, id, &experiment.name, now)?;
            let change = Change::quiet("experiment.facets", Kind::Experiment, id.to_string());
            Ok(Changed::one((), change.before(before).after(after)))
        })
        .await
    }
}

/// The members of two documents that are not the same, as an audit entry has them.
pub(crate) fn differences(before: &Document, after: &Document) -> (Value, Value) {
    let only = |these: &Document, those: &Document| {
        let changed = these.iter().filter(|(key, value)| those.get(*key) != Some(value));
        Value::Object(changed.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    (only(before, after), only(after, before))
}
