use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use serde_json::json;
use stele_app::App;
use stele_app::blobs::BlobOptions;
use stele_store::DatabaseUrl;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceBuilder;
use tower_http::limit::RequestBodyLimitLayer;

use crate::beacon::Beacon;
use crate::cli::{Failure, Output, Serve};
use crate::guard::{self, Guard};
use crate::login::LoginPage;
use crate::login::oidc::Provider;
use crate::observe::{self, Numbers};
use crate::operations::Checked;
use crate::tls::Identity;
use crate::{api, client_address, front_page, listen, login, mlflow_ui, paths, unread, webhook_formats};

pub(crate) async fn run(output: &Output, options: Serve) -> Result<()> {
    let Checked { pages, prefix, identity, limits, max_body } = options.operations.check()?;
    let tls = identity.as_ref().map(Identity::acceptor).transpose()?;
    let numbers = Numbers::start()?;
    let place = &options.place;
    let through_server = options.operations.proxy_artifacts;
    let app = place.open_with(BlobOptions::from_environment().through_server(through_server)).await?;
    if !options.host.is_loopback() && !app.authentication_required() {
        return Err(Failure::usage(format!(
            "refusing to listen on {}, since anybody who reaches it could change everything: this record has no \
             authentication",
            options.host
        ))
        .hint("`stele auth init` makes the first administrator and turns authentication on")
        .into());
    }
    if options.workspaces {
        app.enable_workspaces();
    }
    let key = place.secret_key()?;
    app.enable_access_keys(key.clone());
    let sealing = key.clone();
    let listener = TcpListener::bind((options.host, options.port)).await.map_err(|error| {
        Failure::new(format!("cannot listen on {}:{}: {error}", options.host, options.port))
            .hint("name another port with --port, or 0 for any free one")
    })?;
    let address = listener.local_addr()?;

    app.enable_webhooks(options.webhooks.settings(key));
    let maintenance = tokio::spawn({
        let app = app.clone();
        async move { app.maintain().await }
    });
    let retention = options.trash_retention.map(|age| {
        let app = app.clone();
        tokio::spawn(async move { app.keep_trash_for(age).await })
    });
    let deliveries = tokio::spawn({
        let (app, translations) = (app.clone(), webhook_formats::translations(&app, &options.account));
        async move { app.deliver_webhooks(translations).await }
    });
    let tidying = tokio::spawn(numbers.clone().tidy());
    let renewal = identity.map(|identity| tokio::spawn(identity.follow()));
    let guard = Guard { hosts: options.allowed_hosts.clone(), origins: options.allowed_origins.clone() };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let beacon = Beacon::of_this_server(scheme, address);
    let lit = beacon.light(&place.data)?;
    // An address that is all addresses is none to call.
    let url = format!("{}{prefix}", beacon.url);
    let provider = Provider::configured(&options.oidc, &url)?.map(Arc::new);
    let login_page = LoginPage(provider.as_ref().map(|_| prefix.clone()));
    // Whoever reads where the server is may stop it at once.
    let stop = told_to_stop()?;
    greet(output, &url, &place.database_url()?, &place.artifact_destination(), pages.as_deref())?;
    let routes = scripts(app.clone(), &options.account, &beacon.instance)
        .merge(
            observe::router(app.clone(), numbers)
                .merge(front_page::router(&prefix, pages.is_some()))
                .merge(pages.map_or_else(mlflow_ui::without_pages, |folder| mlflow_ui::router(folder, &prefix)))
                .layer(from_fn_with_state(login_page, login::required)),
        )
        .merge(provider.map_or_else(Router::new, |provider| login::oidc::router(app.clone(), provider, sealing)))
        .fallback(nothing)
        .layer(from_fn_with_state(app.clone(), login::identify));
    let router = limited(watched(routes, app.clone(), guard), max_body).layer(from_fn(unread::read_away));
    let trusted = options.operations.trusted_proxies.clone();
    // Before routing, which a layer of the router would be too late for.
    let service = ServiceBuilder::new()
        .map_request(move |request: Request| client_address::note(paths::plain(request, &prefix), &trusted))
        .service(router);
    listen::serve(listener, tls, service, limits, stop).await;
    for job in [maintenance, deliveries, tidying].into_iter().chain(retention).chain(renewal) {
        job.abort();
    }
    if let Err(error) = app.audit_checkpoint().await {
        tracing::warn!(%error, "noting where the audit log ends failed");
    }
    drop(lit);
    Ok(())
}

/// What commands ask when no server runs; `instance` tells this start from others.
pub(crate) fn router(app: App, account: &str, guard: Guard, instance: &str) -> Router {
    let routes = scripts(app.clone(), account, instance).fallback(nothing).layer(from_fn(login::as_local_owner));
    watched(routes, app, guard)
}

fn scripts(app: App, account: &str, instance: &str) -> Router {
    stele_mlflow::router(app.clone())
        .merge(stele_sagemaker::router(app.clone(), account))
        .merge(stele_aws::router(app.clone(), account))
        .merge(api::router(app, account, instance))
}

fn watched(routes: Router, app: App, guard: Guard) -> Router {
    routes.layer(from_fn_with_state(Arc::new(guard), guard::check)).layer(from_fn_with_state(app, observe::watch))
}

async fn nothing() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "Not Found")
}

/// Refuses larger bodies: at once those that say how large they are, and the others when they are.
fn limited(router: Router, max_body: Option<usize>) -> Router {
    match max_body {
        Some(bytes) => router.layer(RequestBodyLimitLayer::new(bytes)),
        None => router,
    }
}

/// Says on standard output where the server is, once it answers.
fn greet(output: &Output, url: &str, database: &DatabaseUrl, artifacts: &str, pages: Option<&Path>) -> Result<()> {
    if output.is_json() {
        return output.json(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "url": url,
            "database": database.to_string(),
            "artifacts": artifacts,
            "web_pages": pages.map(|_| format!("{url}{}", mlflow_ui::ROOT)),
        }));
    }
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

/// Waits for a signal to stop; from the call on, none kills the server.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let caught = |kind| signal(kind).context("cannot wait for signals to stop");
    let (mut terminate, mut interrupt) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
