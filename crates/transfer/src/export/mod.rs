//! What leaves the record.

pub(crate) mod mlflow;
pub(crate) mod parquet;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use stele_app::{
    App, Ctx, ExportedDataset, ExportedEvaluationDataset, ExportedIssue, ExportedItem, ExportedLabelSchema,
    ExportedModel, ExportedReviewQueue, ExportedRun, ExportedScorer, ExportedTrace, HistoryStart,
};
use stele_domain::evaluation::EvaluationRecord;
use stele_domain::id::{
    ArtifactRow, EvaluationDatasetRow, ExperimentId, IssueRow, LabelSchemaRow, ModelRow, ReviewQueueRow, RunId, RunRow,
    TraceRow,
};
use stele_domain::record::{Experiment, LoggedModel};
use stele_domain::registry::ModelVersion;
use stele_domain::search::Window;
use stele_domain::webhook::{Webhook, WebhookFormat};
use stele_domain::{Error, Point, Result};

/// How many things come in one page.
const PAGE: usize = 500;
/// How many points of a history come in one page.
const POINTS: usize = 100_000;

/// What an export wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    pub target: PathBuf,
    pub rows: Vec<Exported>,
}

/// The rows of one table or file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub name: String,
    pub rows: u64,
}

/// Reads the record page by page.
struct Record<'r> {
    app: &'r App,
    ctx: &'r Ctx,
}

impl Record<'_> {
    async fn experiments(&self, last: Option<&Experiment>) -> Result<Vec<Experiment>> {
        let after = last.map_or(ExperimentId(-1), |last| last.id);
        self.app.experiments_after(self.ctx, after, PAGE).await
    }

    async fn runs(&self, last: Option<&ExportedRun>) -> Result<Vec<ExportedRun>> {
        let after = last.map_or(RunRow(0), |last| last.run.info.row);
        self.app.runs_after(self.ctx, after, PAGE).await
    }

    async fn datasets(&self, last: Option<&ExportedDataset>) -> Result<Vec<ExportedDataset>> {
        self.app.datasets_after(self.ctx, last.map_or(ArtifactRow(0), |last| last.row), PAGE).await
    }

    async fn logged_models(&self, last: Option<&LoggedModel>) -> Result<Vec<LoggedModel>> {
        self.app.logged_models_after(self.ctx, last.map_or(ArtifactRow(0), |last| last.row), PAGE).await
    }

    async fn models(&self, last: Option<&ExportedModel>) -> Result<Vec<ExportedModel>> {
        self.app.models_after(self.ctx, last.map_or(ModelRow(0), |last| last.model.row), PAGE).await
    }

    async fn versions(&self, model: ModelRow, last: Option<&ModelVersion>) -> Result<Vec<ModelVersion>> {
        self.app.model_versions_after(self.ctx, model, last.map_or(0, |last| last.number), PAGE).await
    }

    async fn traces(&self, last: Option<&ExportedTrace>) -> Result<Vec<ExportedTrace>> {
        self.app.traces_after(self.ctx, last.map_or(TraceRow(0), |last| last.info.row), PAGE).await
    }

    async fn evaluation_datasets(
        &self,
        last: Option<&ExportedEvaluationDataset>,
    ) -> Result<Vec<ExportedEvaluationDataset>> {
        let after = last.map_or(EvaluationDatasetRow(0), |last| last.dataset.row);
        self.app.evaluation_datasets_after(self.ctx, after, PAGE).await
    }

    async fn evaluation_records(
        &self,
        dataset: &str,
        last: Option<&EvaluationRecord>,
    ) -> Result<Vec<EvaluationRecord>> {
        let after = last.map(|last| (last.created_at, last.id.clone()));
        self.app.evaluation_records_list(self.ctx, dataset.to_owned(), after, PAGE as i64).await
    }

    async fn scorers(&self, experiments: &[Experiment]) -> Result<Vec<ExportedScorer>> {
        self.app.scorers_whole(self.ctx, experiments.iter().map(|experiment| experiment.id).collect()).await
    }

    async fn issues(&self, last: Option<&ExportedIssue>) -> Result<Vec<ExportedIssue>> {
        self.app.issues_after(self.ctx, last.map_or(IssueRow(0), |last| last.row), PAGE).await
    }

    async fn label_schemas(&self, last: Option<&ExportedLabelSchema>) -> Result<Vec<ExportedLabelSchema>> {
        self.app.label_schemas_after(self.ctx, last.map_or(LabelSchemaRow(0), |last| last.row), PAGE).await
    }

    async fn review_queues(&self, last: Option<&ExportedReviewQueue>) -> Result<Vec<ExportedReviewQueue>> {
        self.app.review_queues_after(self.ctx, last.map_or(ReviewQueueRow(0), |last| last.row), PAGE).await
    }

    async fn review_items(&self, queue: ReviewQueueRow, last: Option<&ExportedItem>) -> Result<Vec<ExportedItem>> {
        self.app.review_items_after(self.ctx, queue, last.map_or(TraceRow(0), |last| last.row), PAGE).await
    }

    /// The webhooks that speak as MLflow does, from one on.
    async fn webhooks(&self, offset: usize) -> Result<Vec<Webhook>> {
        let window = Window { offset: offset as i64, limit: PAGE as i64 };
        Ok(self.app.webhooks_list(self.ctx, Some(WebhookFormat::Mlflow), window).await?.items)
    }

    /// The points of a metric after one, by time; `None` begins.
    async fn points(&self, run: &RunId, key: &str, last: Option<Point>) -> Result<Vec<Point>> {
        let start = last.map_or(HistoryStart::Offset(0), HistoryStart::After);
        Ok(self.app.metric_history(self.ctx, run.clone(), key.to_owned(), start, POINTS).await?.points)
    }
}

/// What is written beside its target, and takes the target's name when it is whole.
struct Partial<'t> {
    target: &'t Path,
    path: PathBuf,
}

impl Partial<'_> {
    /// For a target that is not there yet. `remove` takes away what an export that was killed has left.
    fn of(target: &Path, remove: impl FnOnce(&Path) -> io::Result<()>) -> Result<Partial<'_>> {
        if target.exists() {
            return Err(Error::invalid(format!("{} is there already", target.display())));
        }
        let path = target.with_added_extension("partial");
        match remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(&path, &error)),
            _ => Ok(Partial { target, path }),
        }
    }

    /// Makes sure that what was written stays after a power failure, and gives it its name.
    fn publish(self, rows: Vec<Exported>) -> Result<ExportReport> {
        let Partial { target, path } = self;
        let synced = std::fs::File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(|error| cannot_write(&path, &error))?;
        std::fs::rename(&path, target).map_err(|error| cannot_write(target, &error))?;
        Ok(ExportReport { target: target.to_owned(), rows })
    }
}

fn cannot_write(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::Unavailable { message: format!("cannot write {}: {error}", path.display()) }
}
