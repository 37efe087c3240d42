use serde_json::json;
use stele_domain::authz::RecordEvaluation;
use stele_domain::change::Change;
use stele_domain::gate::{Evaluation, Metrics};
use stele_domain::registry::version_id;
use stele_domain::{Error, Kind, Result};
pub use stele_store::NewEvaluation as NewModelEvaluation;

use super::artifacts::artifacts;
use super::evidence::measured_now;
use super::fingerprint::kept_with;
use crate::registry::{complete, open_version};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

const MOST_METRICS: usize = 1_000;
const MOST_SLICES: usize = 200;
const LONGEST_NAME: usize = 500;

impl App {
    /// Records how good a version is on a data set.
    pub async fn model_evaluation_record(
        &self,
        ctx: &Ctx,
        model: String,
        number: i64,
        new: NewModelEvaluation,
    ) -> Result<i64> {
        check(&new)?;
        let now = ctx.now();
        let id = version_id(&model, number);
        self.change::<RecordEvaluation, _>(ctx, &id.clone(), move |tx, permit| {
            let (head, version) = open_version(tx, permit, &model, number)?;
            let whole = complete(tx, version.row)?;
            let kept = kept_with(tx, permit.visible(), version.row)?;
            let files = artifacts(tx, permit.visible(), &whole, &kept)?.digest;
            let made = tx.model_evaluation_record(permit, version.row, &new, files.as_deref(), now)?;
            let told =
                json!({ "evaluation": made, "dataset": new.dataset, "digest": new.digest, "metrics": new.metrics });
            let change = Change::event("model-version.evaluation", Kind::ModelVersion, &id).of_model(&head.id);
            Ok(Changed::one(made, change.after(told)))
        })
        .await
    }

    /// The evaluations that gates see of a version, the newest first: those recorded, those in the reports
    /// that it names, and those that come from what MLflow's clients measured.
    pub async fn model_evaluations_list(&self, ctx: &Ctx, model: String, number: i64) -> Result<Vec<Evaluation>> {
        self.reports_read(ctx, &model, number).await?;
        let (visible, subject) = (ctx.visible(), (**ctx).clone());
        self.read(move |tx| {
            let version = tx.model_version_get(&visible, &model, number)?;
            measured_now(tx, &subject, &version)
        })
        .await
    }
}

fn check(new: &NewModelEvaluation) -> Result<()> {
    let NewModelEvaluation { dataset, digest, metrics, slices, report } = new;
    for (field, text) in [("dataset", dataset), ("digest", digest)] {
        check_name(field, text)?;
    }
    if digest.is_empty() {
        return Err(Error::invalid("digest is empty: an evaluation names its data set by digest"));
    }
    if metrics.is_empty() && slices.is_empty() {
        return Err(Error::invalid("an evaluation has a metric at least"));
    }
    check_name("report", report.as_deref().unwrap_or_default())?;
    check_metrics("metrics", metrics)?;
    if slices.len() > MOST_SLICES {
        return Err(Error::invalid(format!("{} slices are more than {MOST_SLICES}", slices.len())));
    }
    for (slice, metrics) in slices {
        check_name("slice", slice)?;
        check_metrics(&format!("slice '{slice}'"), metrics)?;
    }
    Ok(())
}

fn check_metrics(of: &str, metrics: &Metrics) -> Result<()> {
    if metrics.len() > MOST_METRICS {
        return Err(Error::invalid(format!("{of}: {} metrics are more than {MOST_METRICS}", metrics.len())));
    }
    for (key, value) in metrics {
        check_name("metric", key)?;
        if !value.is_finite() {
            return Err(Error::invalid(format!("{of}: metric '{key}' is not a finite number")));
        }
    }
    Ok(())
}

fn check_name(field: &str, text: &str) -> Result<()> {
    check_text(field, text)?;
    if text.chars().count() > LONGEST_NAME {
        return Err(Error::invalid(format!("{field} has more than {LONGEST_NAME} characters")));
    }
    Ok(())
}
