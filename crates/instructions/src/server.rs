//! The server in this process, without a socket: what is counted begins at the router and ends on the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use stele_app::blobs::BlobOptions;
use stele_app::{App, ArtifactStorage};
use stele_domain::id::{Clock, IdSource, Timestamp};
use stele_store::{DatabaseUrl, Store};
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) struct Server {
    pub(crate) store: Store,
    router: Router,
}

/// Runs `work` on one thread, so that no scheduler decides what is executed.
pub(crate) fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

impl Server {
    /// Opens the record in `folder`. Ids count from `first_id`, which no earlier opening may have reached.
    pub(crate) async fn open(folder: &Path, first_id: u64) -> Result<Server> {
        let url = DatabaseUrl::Sqlite(folder.join("stele.db"));
        let store = tokio::task::spawn_blocking(move || Store::open(&url)).await??;
        let artifacts = folder.join("artifacts");
        let artifacts = artifacts.to_str().context("the scratch folder is not UTF-8")?;
        let artifacts = ArtifactStorage::open(artifacts, BlobOptions::default(), "/").await?;
        let ids = CountingIds(AtomicU64::new(first_id));
        let app = App::start(store.clone(), artifacts, Arc::new(FixedClock), Arc::new(ids)).await?;
        Ok(Server { store, router: stele_mlflow::router(app) })
    }

    /// The whole answer, which must have `status`.
    pub(crate) async fn send(&self, request: Request<Body>, status: StatusCode) -> Result<Bytes> {
        let response = self.router.clone().oneshot(request).await?;
        let answered = response.status();
        let body = response.into_body().collect().await.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
        if answered != status {
            bail!("expected {status}, got {answered}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Closes the database, and waits until it is one file again, which the counted processes get copies of.
    pub(crate) async fn close(self, folder: &Path) -> Result<()> {
        drop(self);
        let log = folder.join("stele.db-wal");
        let started = Instant::now();
        while log.exists() {
            if started.elapsed() > Duration::from_secs(10) {
                bail!("the database in {} was not closed", folder.display());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

struct CountingIds(AtomicU64);

impl IdSource for CountingIds {
    fn next(&self, _now: Timestamp) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}
