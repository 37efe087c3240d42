//! All SQL, metric series and blobs. Knows the record, decides nothing about it.
//!
//! The store is synchronous inside: [`Store::read`] and [`Store::write`] run a closure on a database thread.
//! One closure is one transaction, and a write is acknowledged only after it is on disk.

mod artifact;
mod artifact_file;
mod artifact_owner;
mod association;
mod audit;
mod backup;
pub mod blobs;
mod bootstrap;
mod bucket;
mod dataset;
mod delivery;
mod describe;
mod engine;
mod evaluation;
mod examine;
mod experiment;
mod export;
mod facets;
mod governance;
mod history;
mod identity;
mod lineage;
mod lineage_step;
mod load;
mod logged_model;
mod metric;
mod metric_merge;
mod metric_read;
mod migrate;
mod policy;
mod purge;
mod registry;
mod resource;
mod review;
mod run;
mod run_read;
mod search;
pub mod series;
mod tag_place;
mod trace;
mod trial;
mod visible;
mod webhook;
mod workspace;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

pub use artifact_file::ArtifactFiles;
pub use artifact_owner::OwnedRoot;
pub use audit::{AuditFilter, AuditPage, Extent};
pub use backup::{BackedUp, Verified, backup, verify};
pub use bucket::{BUCKET_FILES, BucketRow, Listed, ListedObject, ObjectRow, OpenUpload, StaleUpload, StoredPart};
pub use delivery::DeliveryFilter;
pub use engine::Tx;
use engine::{Postgres, Sqlite};
pub use examine::{Examination, damage, examine};
pub use experiment::NewExperiment;
pub use export::{
    ExportedDataset, ExportedEvaluationDataset, ExportedIssue, ExportedItem, ExportedLabelSchema, ExportedModel,
    ExportedReviewQueue, ExportedRun, ExportedScorer, ExportedTrace,
};
pub use facets::Faceted;
pub use governance::{GateRecord, LastInProduction, NewEvaluation, Reading, Review, ReviewKind, VerdictRecord};
pub use history::Origin;
pub use identity::{FoundCredential, LoginAccount, NewAccount, NewCredential};
pub use load::{
    LoadedAs, LoadedExperiment, LoadedItems, LoadedLineage, LoadedLink, LoadedLoggedModel, LoadedMetric, LoadedModel,
    LoadedOnlineScoring, LoadedReading, LoadedRun, LoadedRuns, LoadedScorer, LoadedTrace, LoadedVersion, PreparedTrace,
    RunBatch,
};
pub use logged_model::NewLoggedModel;
pub use metric_read::{Chart, HistoryPage, HistoryStart};
use metrics::histogram;
pub use purge::{Garbage, Purged, Trash};
pub use registry::{LoggedModelRoot, ModelHead, ModelVersionHead, NewModel, NewModelVersion};
pub use resource::NewResource;
pub use run::NewRun;
use stele_domain::{Error, Result};
use stele_postgres::Server;
pub use tag_place::Tagged;
pub use trace::{NewTrace, SpanBatch};
use tracing::Instrument;
pub use workspace::Areas;

/// The target of spans that are for collectors, and not for the log.
pub const SPANS: &str = "stele::spans";

/// Where the record is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite:PATH`, `postgres://..` or `postgresql://..`.
    pub fn parse(text: &str) -> Result<DatabaseUrl> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.trim_start_matches("//").is_empty() => {
                Ok(DatabaseUrl::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            _ => Err(Error::invalid(format!(
                "'{text}' is not a database: expected sqlite:PATH or postgres://USER@HOST/NAME"
            ))),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    /// The URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) => f.write_str(&stele_postgres::without_password(url)),
        }
    }
}

/// What operators want to know of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreState {
    /// On disk, with what is still in the log of SQLite.
    pub bytes: u64,
    /// Writes that wait or run; on PostgreSQL, connections in use.
    pub writes_under_way: usize,
}

/// The record's database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Store {
    /// Opens the database, making and migrating it as needed. Blocks.
    pub fn open(url: &DatabaseUrl) -> Result<Store> {
        let engine = match url {
            DatabaseUrl::Sqlite(path) => {
                let lock = engine::lock(path)?;
                let mut migrated = engine::open_writer(path)?;
                migrate::sqlite(&mut migrated)?;
                let sqlite = Sqlite::open(path, lock)?;
                // Not before others are open: the last connection to close copies the whole log into the file, which
                // takes long after a kill.
                drop(migrated);
                Engine::Sqlite(Arc::new(sqlite))
            }
            DatabaseUrl::Postgres(url) => {
                migrate::postgres(&mut Server::parse(url)?.connect()?)?;
                Engine::Postgres(Arc::new(Postgres::open(url)?))
            }
        };
        Ok(Store { engine })
    }

    /// Runs `work` against one consistent snapshot.
    pub async fn read<T: Send + 'static>(&self, work: impl FnOnce(&mut Tx) -> Result<T> + Send + 'static) -> Result<T> {
        let asked = async {
            match &self.engine {
                Engine::Sqlite(sqlite) => sqlite.read(work).await,
                Engine::Postgres(postgres) => postgres.read(work).await,
            }
        };
        asked.instrument(tracing::debug_span!(target: SPANS, "database read")).await
    }

    /// Writes that wait or run; on PostgreSQL, connections in use.
    pub fn writes_under_way(&self) -> usize {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.writes_under_way(),
            Engine::Postgres(postgres) => postgres.writes_under_way(),
        }
    }

    /// How large the database is and how busy.
    pub async fn state(&self) -> Result<StoreState> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.state().await,
            Engine::Postgres(postgres) => postgres.state().await,
        }
    }

    /// Runs `work` in one transaction and returns once it is durable. `work` may run more than once, each
    /// time on a clean transaction, when the database asks for it; an error undoes everything it did.
    pub async fn write<T: Send + 'static>(&self, work: impl FnMut(&mut Tx) -> Result<T> + Send + 'static) -> Result<T> {
        let begun = Instant::now();
        let asked = async {
            match &self.engine {
                Engine::Sqlite(sqlite) => sqlite.write(work).await,
                Engine::Postgres(postgres) => postgres.write(work).await,
            }
        };
        let outcome = asked.instrument(tracing::debug_span!(target: SPANS, "database write")).await;
        histogram!("stele_write_seconds").record(begun.elapsed());
        outcome
    }
}
