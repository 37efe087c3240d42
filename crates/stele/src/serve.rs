use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Router, ServiceExt};
use stele_app::App;
use stele_store::DatabaseUrl;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceBuilder;

use crate::api;
use crate::beacon::Beacon;
use crate::cli::{Failure, Serve};
use crate::guard::{self, Guard};

/// How long requests under way may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(15);

pub(crate) async fn run(options: Serve) -> Result<()> {
    if !options.host.is_loopback() {
        return Err(Failure::usage(format!(
            "refusing to listen on {}, since anybody who reaches it could change everything: there is no login yet",
            options.host
        ))
        .hint("listen on 127.0.0.1 and put a reverse proxy that authenticates in front")
        .into());
    }
    let place = &options.place;
    let app = place.open().await?;
    let listener = TcpListener::bind((options.host, options.port)).await.map_err(|error| {
        Failure::new(format!("cannot listen on {}:{}: {error}", options.host, options.port))
            .hint("name another port with --port, or 0 for any free one")
    })?;
    let address = listener.local_addr()?;

    app.enable_webhooks(options.webhooks.settings(&place.data)?);
    let maintenance = tokio::spawn({
        let app = app.clone();
        async move { app.maintain().await }
    });
    let retention = options.trash_retention.map(|age| {
        let app = app.clone();
        tokio::spawn(async move { app.keep_trash_for(age).await })
    });
    let deliveries = tokio::spawn(stele_mlflow::deliver_webhooks(app.clone()));
    let guard = Guard { hosts: options.allowed_hosts.clone(), origins: options.allowed_origins.clone() };
    let beacon = Beacon::of_this_server(address);
    let router = router(app, &options.account, guard, &beacon.instance);
    let lit = beacon.light(&place.data)?;
    greet(address, &place.database_url()?, &place.artifact_destination())?;
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
    drop(lit);
    maintenance.abort();
    deliveries.abort();
    if let Some(retention) = retention {
        retention.abort();
    }
    Ok(())
}

/// Everything that is served; `instance` tells this start of the server from others.
pub(crate) fn router(app: App, account: &str, guard: Guard, instance: &str) -> Router {
    stele_mlflow::router(app.clone())
        .merge(stele_sagemaker::router(app.clone(), account))
        .merge(api::router(app, instance))
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
