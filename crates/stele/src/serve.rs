use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Router, ServiceExt};
use stele_app::blobs::BlobOptions;
use stele_app::{App, ArtifactStorage};
use stele_store::{DatabaseUrl, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceBuilder;
use tracing_subscriber::EnvFilter;

use crate::api;
use crate::cli::Serve;
use crate::guard::{self, Guard};
use crate::system::{OrderedIds, SystemClock};

/// How long requests under way may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(15);

pub(crate) fn run(options: Serve) -> Result<()> {
    let filter = EnvFilter::try_from_env("STELE_LOG").unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
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
    let guard = Guard { hosts: options.allowed_hosts.clone(), origins: options.allowed_origins.clone() };
    let router = router(app, &options.account, guard);
    greet(address, &database, &destination)?;
    // Small answers must not wait for more data to fill a packet.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays without TCP_NODELAY");
        }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel();
    // Before routing, which a layer of the router would be too late for.
    let service = ServiceBuilder::new().map_request(one_leading_slash).service(router);
    let server =
        axum::serve(listener, ServiceExt::<Request>::into_make_service(service)).with_graceful_shutdown(async move {
            told_to_stop().await;
            let _ = stop.send(());
        });
    tokio::select! {
        result = server.into_future() => result?,
        () = async { let _ = stopped.await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!("stopping although requests are under way");
        }
    }
    maintenance.abort();
    deliveries.abort();
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

fn router(app: App, account: &str, guard: Guard) -> Router {
    stele_mlflow::router(app.clone())
        .merge(stele_sagemaker::router(app.clone(), account))
        .merge(api::router(app))
        .route("/", get(front_page))
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not Found") })
        .layer(axum::middleware::from_fn_with_state(Arc::new(guard), guard::check))
}

/// Clients whose tracking URI ends in a slash ask for `//api/..`. Slashes inside are left alone: they may be part of
/// an artifact path.
fn one_leading_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let given = uri.path_and_query().map_or("/", |given| given.as_str());
    if given.starts_with("//")
        && let Ok(plain) = format!("/{}", given.trim_start_matches('/')).parse::<Uri>()
    {
        *request.uri_mut() = plain;
    }
    request
}

/// What a person sees who follows the links that clients print.
async fn front_page() -> &'static str {
    concat!(
        "Stele ",
        env!("CARGO_PKG_VERSION"),
        " serves MLflow clients at this address. There are no web pages yet.\n"
    )
}

/// Says on standard output where the server is, once it answers.
fn greet(address: SocketAddr, database: &DatabaseUrl, artifacts: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "Stele {} is at http://{address}\n  database   {database}\n  artifacts  {artifacts}\n\nPoint MLflow clients at it:\n  \
         export MLFLOW_TRACKING_URI=http://{address}",
        env!("CARGO_PKG_VERSION"),
    )?;
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
