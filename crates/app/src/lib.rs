//! The use cases, one file a resource. Each one authorizes, checks, transacts, audits and emits; nobody else
//! holds a store.

mod artifact;
mod association;
mod audit;
mod bucket;
mod component;
mod ctx;
mod dataset;
mod evaluation;
mod experiment;
mod export;
mod facets;
mod governance;
mod identity;
mod lineage;
mod load;
mod logged_model;
mod maintenance;
mod metric;
mod policy;
mod purge;
mod registry;
mod resource;
mod review;
mod run;
mod run_tag;
mod scorer;
mod search;
mod secret;
mod tag;
mod trace;
mod transact;
mod webhook;
mod workspace;

use std::sync::Arc;

pub use artifact::{ArtifactAt, ArtifactListing, ArtifactRoot, ArtifactStorage, blobs};
pub use audit::{AuditExport, AuditFilter, AuditPage, AuditReport, closing_line, read_line, verify_export, write_line};
pub use bucket::{Checksums, CompletedPart, Condition, Content, FoundObject, NewObject};
pub use component::{Component, ComponentChange, NO_EXPERIMENT, NewComponent, TRIAL};
pub use ctx::{Ctx, Refused, RequestId, Script, Undisclosed, coming_from};
pub use dataset::RunInputs;
pub use evaluation::{NewEvaluationDataset, Upserted};
pub use experiment::NewExperiment;
pub use governance::{Checked, NewException, NewModelEvaluation, NewReview, Reviewed};
pub use identity::{
    AccountChange, Admission, Held, KeyMade, NewAccount, NewCredential, Refusal, SESSION_LIFE, SignedBody, SignedBy,
    SignedPayload, Signer, TemporaryKey, TokenMade, Vouched, looks_like_token,
};
pub use lineage::{LineageEdge, LineageWalk, Walked};
pub use load::{LoadedInto, LoadedTraces, check_issue, check_label_schema, check_review_queue, prepare_trace};
pub use logged_model::NewLoggedModel;
pub use policy::{Asked, AskedThing, Explained};
pub use purge::PurgeReport;
pub use registry::{
    CheckedSource, Idempotency, NewModel, NewModelVersion, NewPackage, Owner, SourceError, SourceProblem,
    SourceRequest, VersionChange,
};
pub use resource::NewResource;
pub use review::{NewIssue, NewLabelSchema, NewReviewQueue};
pub use run::{NewRun, RunUpdate, RunValues};
pub use scorer::ScorersOf;
pub use secret::SecretKey;
use stele_domain::Result;
use stele_domain::id::{Clock, IdSource, WorkspaceId};
use stele_store::Store;
pub use stele_store::series::{Bucket, Summary};
pub use stele_store::{Chart, HistoryPage, HistoryStart, StoreState};
pub use stele_store::{
    ExportedDataset, ExportedEvaluationDataset, ExportedIssue, ExportedItem, ExportedLabelSchema, ExportedModel,
    ExportedReviewQueue, ExportedRun, ExportedScorer, ExportedTrace, Trash,
};
pub use stele_store::{Faceted, Listed, ListedObject};
pub use stele_store::{GateRecord, Review, ReviewKind, VerdictRecord};
pub use stele_store::{
    LoadedAs, LoadedExperiment, LoadedItems, LoadedLineage, LoadedLink, LoadedLoggedModel, LoadedMetric, LoadedModel,
    LoadedOnlineScoring, LoadedReading, LoadedRun, LoadedRuns, LoadedScorer, LoadedTrace, LoadedVersion, PreparedTrace,
};
pub use tag::TaggedThing;
pub use trace::{LoggedSpans, MOST_SPANS_AT_ONCE, StartedTrace, TraceCounts, TraceEnd, TracesToDelete, WholeTrace};
pub use webhook::{
    DeliveryFilter, KeyText, NewWebhook, Proof, STANDARD_WEBHOOKS, Told, Translate, Translation, Translations,
    WebhookChange, WebhookSettings, WebhookTest,
};
pub use workspace::{NewWorkspace, WorkspaceChange};

/// Where the artifacts of experiments without a location of their own lie: behind this server.
pub const DEFAULT_ARTIFACT_ROOT: &str = "mlflow-artifacts:/";

/// The application: everything that the dialects can ask for. Cheap to clone.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
}

struct Parts {
    store: Store,
    artifacts: ArtifactStorage,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    workspace: WorkspaceId,
    workspace_name: Arc<str>,
    workspaces: workspace::Workspaces,
    webhooks: webhook::Webhooks,
    identity: identity::Identity,
    policies: policy::Policies,
}

impl App {
    /// Prepares the record in `store` for use.
    pub async fn start(
        store: Store,
        artifacts: ArtifactStorage,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<App> {
        // A load may have been killed before it was done.
        store.load_finish().await?;
        let now = clock.now();
        let workspace = store
            .write(move |tx| {
                let location = stele_domain::artifact_uri::append_to_uri_path(DEFAULT_ARTIFACT_ROOT, "0")?;
                let workspace = tx.bootstrap(&location, now)?;
                tx.audit_chain_old()?;
                Ok(workspace)
            })
            .await?;
        let parts = Parts {
            store,
            artifacts,
            clock,
            ids,
            workspace,
            workspace_name: stele_domain::workspace::DEFAULT.into(),
            workspaces: workspace::Workspaces::default(),
            webhooks: webhook::Webhooks::default(),
            identity: identity::Identity::new()?,
            policies: policy::Policies::default(),
        };
        let app = App { parts: Arc::new(parts) };
        app.authentication_refreshed().await?;
        Ok(app)
    }

    pub(crate) fn identity(&self) -> &identity::Identity {
        &self.parts.identity
    }

    pub(crate) fn policies(&self) -> &policy::Policies {
        &self.parts.policies
    }

    pub(crate) fn webhooks(&self) -> &webhook::Webhooks {
        &self.parts.webhooks
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }
}
