//! Searches. What the caller may not see is left out by the database, so that pages are full.

use stele_domain::Result;
use stele_domain::record::{Experiment, LoggedModel, Run};
use stele_domain::registry::{Model, ModelVersion};
use stele_domain::search::{ExperimentSearch, LoggedModelSearch, Page, Query, RunSearch};

use crate::{App, Ctx};

impl App {
    pub async fn run_search(&self, ctx: &Ctx, search: RunSearch) -> Result<Page<Run>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.runs_search(&visible, &search)).await
    }

    pub async fn experiment_search(&self, ctx: &Ctx, search: ExperimentSearch) -> Result<Page<Experiment>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.experiments_search(&visible, &search)).await
    }

    /// Searches models; by name unless ordered otherwise, which also breaks ties.
    pub async fn model_search(&self, ctx: &Ctx, query: Query) -> Result<Page<Model>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.models_search(&visible, &query)).await
    }

    /// Searches the versions of all models; last changed first unless ordered otherwise. Ties are broken by the
    /// model's name, then by number, greatest first.
    pub async fn model_version_search(&self, ctx: &Ctx, query: Query) -> Result<Page<ModelVersion>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.model_versions_search(&visible, &query)).await
    }

    pub async fn logged_model_search(&self, ctx: &Ctx, search: LoggedModelSearch) -> Result<Page<LoggedModel>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.logged_models_search(&visible, &search)).await
    }
}
