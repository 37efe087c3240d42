//! Bringing what MLflow kept into the record.

mod artifacts;
mod evaluation;
mod load;
mod report;
mod review;
mod sink;
mod source;
mod traces;

use stele_app::{App, Ctx};
use stele_domain::webhook::Subscription;
use stele_domain::{Error, Result};
use tokio::sync::mpsc;

use self::load::Loader;
pub use self::report::{Counts, ImportReport, Left, NotTaken};
pub(crate) use self::sink::{Item, Sink, SourceModel, SourceVersion, SourceWebhook};
pub use self::source::Source;
use crate::Progress;

/// What an import is told.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    pub artifacts: ArtifactChoice,
    /// The folder that the source's server kept its `mlflow-artifacts:` places in.
    pub artifacts_destination: Option<std::path::PathBuf>,
    /// The workspace of an MLflow database that has several; `default` otherwise.
    pub workspace: Option<String>,
    /// What of the record an event of MLflow's webhooks, such as `prompt.created`, is; webhooks are left out without it.
    pub subscription: Option<fn(&str) -> Option<Subscription>>,
}

/// What becomes of artifacts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArtifactChoice {
    /// Files on this machine, and those behind the source's server, are copied. What lies in a bucket stays there, where
    /// clients and this server reach it as before.
    #[default]
    Copy,
    /// All places stay as they are.
    Keep,
}

/// Parts of the source that wait to be loaded.
const PARTS_AHEAD: usize = 2;

/// Imports all of a source. What the record has already stays as it is, so that an import that was interrupted goes on
/// when it is started again, and one that was finished changes nothing.
pub async fn import(
    app: &App,
    ctx: &Ctx,
    source: Source,
    options: ImportOptions,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ImportReport> {
    let shown = source.to_string();
    let (items, inbox) = mpsc::channel(PARTS_AHEAD);
    let sink = Sink::new(app.clone(), ctx.clone(), items);
    let mut loader = Loader::new(app, ctx, &source, &options, shown)?;
    let reader = tokio::spawn(source::read(source, options, sink));
    app.load_begin(ctx).await?;
    let mut loaded = loader.run(inbox, &progress).await;
    if loaded.is_err() {
        reader.abort();
    }
    progress(Progress::Doing("finishing".to_owned()));
    if loaded.is_ok() {
        loaded = loader.link_parents().await;
    }
    // Also after a failure, since searches are slow until then.
    let finished = app.load_finish(ctx).await;
    loaded?;
    reader.await.map_err(|error| Error::internal(format!("the reader of the source did not finish: {error}")))??;
    finished?;
    Ok(loader.into_report())
}
