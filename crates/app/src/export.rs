//! Reading the whole record page by page, for what leaves it. Each page is a read of its own, so that an export of any
//! size holds neither memory nor a snapshot.

use stele_domain::Result;
use stele_domain::id::{
    ArtifactRow, EvaluationDatasetRow, ExperimentId, IssueRow, LabelSchemaRow, ModelRow, ReviewQueueRow, RunRow,
    TraceRow,
};
use stele_domain::record::{Experiment, LoggedModel};
use stele_domain::registry::ModelVersion;
use stele_store::{
    ExportedDataset, ExportedEvaluationDataset, ExportedIssue, ExportedItem, ExportedLabelSchema, ExportedModel,
    ExportedReviewQueue, ExportedRun, ExportedScorer, ExportedTrace,
};

use crate::{App, Ctx};

impl App {
    /// At most `most` experiments with an id above `after`, also deleted ones, by id. The least id is 0.
    pub async fn experiments_after(&self, ctx: &Ctx, after: ExperimentId, most: usize) -> Result<Vec<Experiment>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.experiments_after(&visible, after, most)).await
    }

    /// At most `most` whole runs after one, also deleted ones.
    pub async fn runs_after(&self, ctx: &Ctx, after: RunRow, most: usize) -> Result<Vec<ExportedRun>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.runs_after(&visible, after, most)).await
    }

    /// How many runs there are, also deleted ones.
    pub async fn runs_count(&self, ctx: &Ctx) -> Result<u64> {
        let visible = ctx.visible();
        self.read(move |tx| tx.runs_count(&visible)).await
    }

    pub async fn datasets_after(&self, ctx: &Ctx, after: ArtifactRow, most: usize) -> Result<Vec<ExportedDataset>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.datasets_after(&visible, after, most)).await
    }

    /// At most `most` whole logged models after one, also deleted ones.
    pub async fn logged_models_after(&self, ctx: &Ctx, after: ArtifactRow, most: usize) -> Result<Vec<LoggedModel>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.logged_models_after(&visible, after, most)).await
    }

    pub async fn models_after(&self, ctx: &Ctx, after: ModelRow, most: usize) -> Result<Vec<ExportedModel>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.models_after(&visible, after, most)).await
    }

    /// At most `most` versions of a model with a number above `after`, by number.
    pub async fn model_versions_after(
        &self,
        ctx: &Ctx,
        model: ModelRow,
        after: i64,
        most: usize,
    ) -> Result<Vec<ModelVersion>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.model_versions_after(&visible, model, after, most)).await
    }

    /// At most `most` whole traces after one; fewer when they are large.
    pub async fn traces_after(&self, ctx: &Ctx, after: TraceRow, most: usize) -> Result<Vec<ExportedTrace>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.traces_after(&visible, after, most)).await
    }

    /// At most `most` evaluation datasets after one, without their records.
    pub async fn evaluation_datasets_after(
        &self,
        ctx: &Ctx,
        after: EvaluationDatasetRow,
        most: usize,
    ) -> Result<Vec<ExportedEvaluationDataset>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.evaluation_datasets_after(&visible, after, most)).await
    }

    /// The scorers of these experiments with all versions, also of deleted experiments.
    pub async fn scorers_whole(&self, ctx: &Ctx, experiments: Vec<ExperimentId>) -> Result<Vec<ExportedScorer>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.scorers_whole(&visible, &experiments)).await
    }

    pub async fn issues_after(&self, ctx: &Ctx, after: IssueRow, most: usize) -> Result<Vec<ExportedIssue>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.issues_after(&visible, after, most)).await
    }

    pub async fn label_schemas_after(
        &self,
        ctx: &Ctx,
        after: LabelSchemaRow,
        most: usize,
    ) -> Result<Vec<ExportedLabelSchema>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.label_schemas_after(&visible, after, most)).await
    }

    /// At most `most` review queues after one, without the traces in them.
    pub async fn review_queues_after(
        &self,
        ctx: &Ctx,
        after: ReviewQueueRow,
        most: usize,
    ) -> Result<Vec<ExportedReviewQueue>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.review_queues_after(&visible, after, most)).await
    }

    /// At most `most` traces in a queue after one.
    pub async fn review_items_after(
        &self,
        ctx: &Ctx,
        queue: ReviewQueueRow,
        after: TraceRow,
        most: usize,
    ) -> Result<Vec<ExportedItem>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.review_items_after(&visible, queue, after, most)).await
    }
}
