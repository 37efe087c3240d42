use std::collections::HashSet;

use stele_app::{App, Ctx, LoadedExperiment, LoadedLoggedModel, LoadedRun, LoadedScorer};
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord};
use stele_domain::id::{ExperimentId, RunId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::registry::ModelAlias;
use stele_domain::review::{Issue, LabelSchema, ReviewItem, ReviewQueue};
use stele_domain::trace::TraceId;
use stele_domain::webhook::WebhookStatus;
use stele_domain::{Error, Point, Result};
use tokio::sync::mpsc;

use crate::traces::SourceTrace;

/// A part of a source, on its way into the record. Experiments come before what is in them, logged models before runs.
#[derive(Debug)]
pub(crate) enum Item {
    /// How many runs there are.
    Total(u64),
    Experiment(LoadedExperiment),
    LoggedModels {
        experiment: ExperimentId,
        models: Vec<LoadedLoggedModel>,
    },
    Runs {
        experiment: ExperimentId,
        runs: Vec<SourceRun>,
    },
    /// Runs that the record has already, of which nothing was read.
    Known(u64),
    /// A part of a history that is too long to come with its run, which came before.
    Points {
        run: RunId,
        key: String,
        points: Vec<Point>,
    },
    Traces {
        experiment: ExperimentId,
        traces: Vec<SourceTrace>,
    },
    /// Traces that the record has already, of which nothing was read.
    KnownTraces(u64),
    Scorers {
        experiment: ExperimentId,
        scorers: Vec<LoadedScorer>,
    },
    /// Those of an experiment of the source; after its runs.
    Issues {
        experiment: ExperimentId,
        issues: Vec<Issue>,
    },
    LabelSchemas {
        experiment: ExperimentId,
        schemas: Vec<LabelSchema>,
    },
    /// The traces in it come after it, until the next; after the traces and label schemas of its experiment.
    ReviewQueue(Box<ReviewQueue>),
    ReviewItems(Vec<ReviewItem>),
    /// Its records come after it, until it ends. Experiments as the source numbers them, each with since when.
    EvaluationDataset {
        dataset: Box<EvaluationDataset>,
        experiments: Vec<(String, Timestamp)>,
    },
    EvaluationRecords(Vec<EvaluationRecord>),
    EvaluationDatasetEnds,
    Model(SourceModel),
    Webhook(SourceWebhook),
    NotTaken {
        what: String,
        why: String,
        count: u64,
        example: Option<String>,
    },
}

/// A run as MLflow has it: its name is a tag as well, and so is its parent.
pub(crate) type SourceRun = LoadedRun;

/// A registered model as MLflow has it: any number of versions in a stage, and any aliases.
#[derive(Debug)]
pub(crate) struct SourceModel {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) tags: Vec<Tag>,
    pub(crate) aliases: Vec<ModelAlias>,
    /// The deleted ones as well, with their own stage.
    pub(crate) versions: Vec<SourceVersion>,
}

#[derive(Debug)]
pub(crate) struct SourceVersion {
    pub(crate) number: i64,
    pub(crate) description: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) stage: String,
    pub(crate) source: String,
    pub(crate) storage_uri: Option<String>,
    pub(crate) run: Option<String>,
    pub(crate) run_link: Option<String>,
    pub(crate) status: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) tags: Vec<Tag>,
}

/// A webhook without its secret.
#[derive(Debug)]
pub(crate) struct SourceWebhook {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) url: String,
    pub(crate) status: WebhookStatus,
    /// Whether what it is told is signed, or may be, where the source does not say.
    pub(crate) is_signed: bool,
    /// In MLflow's words, such as `prompt.created`.
    pub(crate) events: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What a reader gives its parts to.
#[derive(Clone)]
pub(crate) struct Sink {
    app: App,
    ctx: Ctx,
    items: mpsc::Sender<Item>,
}

impl Sink {
    pub(super) fn new(app: App, ctx: Ctx, items: mpsc::Sender<Item>) -> Sink {
        Sink { app, ctx, items }
    }

    pub(crate) async fn send(&self, item: Item) -> Result<()> {
        // The loader has failed, and its error is the one to tell.
        self.items.send(item).await.map_err(|_| Error::internal("the import has stopped"))
    }

    /// Those of the runs that the record has already.
    pub(crate) async fn known(&self, ids: Vec<RunId>) -> Result<HashSet<RunId>> {
        self.app.runs_known(&self.ctx, ids).await
    }

    /// Those of the traces that the record has already.
    pub(crate) async fn known_traces(&self, ids: Vec<TraceId>) -> Result<HashSet<TraceId>> {
        self.app.traces_known(&self.ctx, ids).await
    }

    /// Whether the record has an evaluation dataset with all of its records.
    pub(crate) async fn has_dataset(&self, id: &str) -> Result<bool> {
        match self.app.evaluation_dataset_get(&self.ctx, id.to_owned()).await {
            // One that came in part has no digest yet.
            Ok(known) => Ok(!known.digest.is_empty()),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn not_taken(&self, what: &str, why: &str, count: u64, example: Option<String>) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.send(Item::NotTaken { what: what.to_owned(), why: why.to_owned(), count, example }).await
    }
}
