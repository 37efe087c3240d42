use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use stele_app::blobs::BlobOptions;
use stele_app::{App, ArtifactStorage};
use stele_store::{DatabaseUrl, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceBuilder;
use tower_http::limit::RequestBodyLimitLayer;

use crate::cli::Serve;
use crate::guard::{self, Guard};
use crate::observe::{self, Numbers};
use crate::operations::Checked;
use crate::system::{OrderedIds, SystemClock};
use crate::{api, front_page, listen, mlflow_ui, paths};

pub(crate) fn run(options: Serve) -> Result<()> {
    observe::start_log(options.operations.log_format);
    if !options.host.is_loopback() {
        bail!(
            "refusing to listen on {}, since anybody who reaches it could change everything: there is no login yet\n\
             hint: listen on 127.0.0.1 and put a reverse proxy that authenticates in front",
            options.host
        );
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(serve(options))
}

async fn serve(options: Serve) -> Result<()> {
    let numbers = Numbers::start()?;
    let Checked { pages, prefix, tls, limits, max_body } = options.operations.check()?;
    std::fs::create_dir_all(&options.data)
        .with_context(|| format!("cannot make the data folder {}", options.data.display()))?;
    let database = match &options.database {
        Some(url) => DatabaseUrl::parse(url)?,
        None => DatabaseUrl::Sqlite(options.data.join("stele.db")),
    };
    let store = open(database.clone()).await?;
    let destination = match &options.artifacts {
        Some(place) => place.clone(),
        None => options.data.join("artifacts").display().to_string(),
    };
    let artifacts = open_artifacts(&destination).await?;
    let app = App::start(store, artifacts, Arc::new(SystemClock), Arc::new(OrderedIds)).await?;
    let listener = TcpListener::bind((options.host, options.port)).await.map_err(|error| {
        anyhow!(
            "cannot listen on {}:{}: {error}\nhint: name another port with --port, or 0 for any free one",
            options.host,
            options.port
        )
    })?;
    let address = listener.local_addr()?;

    app.enable_webhooks(crate::webhooks::settings(&options.data)?);
    let maintenance = tokio::spawn({
        let app = app.clone();
        async move { app.maintain().await }
    });
    let deliveries = tokio::spawn(stele_mlflow::deliver_webhooks(app.clone()));
    let tidying = tokio::spawn(numbers.clone().tidy());
    let guard = Guard { hosts: options.allowed_hosts.clone(), origins: options.allowed_origins.clone() };
    let url = format!("{}://{address}{prefix}", if tls.is_some() { "https" } else { "http" });
    greet(&url, &database, &destination, pages.as_deref())?;
    let router = limited(router(app, numbers, guard, pages, &prefix), max_body);
    // Before routing, which a layer of the router would be too late for.
    let service =
        ServiceBuilder::new().map_request(move |request: Request| paths::plain(request, &prefix)).service(router);
    listen::serve(listener, tls, service, limits, told_to_stop()).await;
    for job in [maintenance, deliveries, tidying] {
        job.abort();
    }
    Ok(())
}

async fn open(url: DatabaseUrl) -> Result<Store> {
    if let DatabaseUrl::Sqlite(path) = &url
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let shown = url.to_string();
    tokio::task::spawn_blocking(move || Store::open(&url))
        .await?
        .with_context(|| format!("cannot open the database {shown}"))
}

async fn open_artifacts(destination: &str) -> Result<ArtifactStorage> {
    let working_directory = std::env::current_dir().context("cannot tell the working directory")?;
    let working_directory = working_directory.to_str().context("the path of the working directory is not UTF-8")?;
    let opened = ArtifactStorage::open(destination, BlobOptions::from_environment(), working_directory).await;
    opened.map_err(|error| {
        anyhow!(
            "cannot keep artifacts at {destination}: {error}\n\
             hint: name a folder that the server can write, or a bucket as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or \
             az://CONTAINER/PREFIX, with --artifacts or STELE_ARTIFACTS"
        )
    })
}

fn router(app: App, numbers: Numbers, guard: Guard, pages: Option<PathBuf>, prefix: &str) -> Router {
    stele_mlflow::router(app.clone())
        .merge(api::router(app.clone()))
        .merge(observe::router(app.clone(), numbers))
        .merge(front_page::router(prefix, pages.is_some()))
        .merge(pages.map_or_else(mlflow_ui::without_pages, |folder| mlflow_ui::router(folder, prefix)))
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not Found") })
        .layer(axum::middleware::from_fn_with_state(Arc::new(guard), guard::check))
        .layer(axum::middleware::from_fn_with_state(app, observe::watch))
}

/// Refuses larger bodies: at once those that say how large they are, and the others when they are.
fn limited(router: Router, max_body: Option<usize>) -> Router {
    match max_body {
        Some(bytes) => router.layer(RequestBodyLimitLayer::new(bytes)),
        None => router,
    }
}

/// Says on standard output where the server is, once it answers.
fn greet(url: &str, database: &DatabaseUrl, artifacts: &str, pages: Option<&Path>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "Stele {} is at {url}\n  database   {database}\n  artifacts  {artifacts}",
        env!("CARGO_PKG_VERSION")
    )?;
    match pages {
        Some(folder) => writeln!(out, "  web pages  {url}{} from {}", mlflow_ui::ROOT, folder.display())?,
        None => writeln!(out, "  web pages  none; MLflow's are shown if --mlflow-ui names them")?,
    }
    writeln!(out, "\nPoint MLflow clients at it:\n  export MLFLOW_TRACKING_URI={url}")?;
    out.flush()?;
    Ok(())
}

async fn told_to_stop() {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "cannot wait for SIGTERM");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
