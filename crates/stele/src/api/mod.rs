//! The native API, `/api/stele/v1`: the record in its own words, for the command line and the web UI.
//!
//! Answers are JSON; errors are problem details (RFC 9457). Names are in snake case, an unknown or repeated query
//! parameter is refused, times are milliseconds since 1970, and a number that JSON cannot hold is a text: `"NaN"`,
//! `"Infinity"`, `"-Infinity"`. Filters and orders are written in MLflow's language. Lists are paged by tokens that say
//! where the page ended. Each handler parses, calls one use case and renders, as those of the other scripts do.

mod artifacts;
mod audit;
mod call;
mod compare;
mod experiments;
mod governance;
mod history;
mod identity;
mod lineage;
mod metrics;
mod models;
mod openapi;
mod page;
mod policies;
mod problem;
mod route;
mod routes;
mod runs;
mod server;
mod versions;
mod webhooks;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any};
use stele_app::App;

use self::call::Call;
pub(crate) use self::call::WORKSPACE;
use self::problem::Problem;
use self::route::Route;
use self::routes::routes;

pub(crate) const ROOT: &str = "/api/stele/v1";

type Result<T, E = Problem> = std::result::Result<T, E>;

/// What the routes work on.
#[derive(Clone)]
struct State {
    app: App,
    /// Twelve digits, of the workspace `default`.
    account: Arc<str>,
    /// Tells this start of the server from any other.
    instance: Arc<str>,
}

pub(crate) fn router(app: App, account: &str, instance: &str) -> Router {
    let mut methods: BTreeMap<String, MethodRouter<State>> = BTreeMap::new();
    for route in routes() {
        let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::GET);
        let path = format!("{ROOT}/{}", route.path);
        let entry = methods.remove(&path).unwrap_or_else(|| MethodRouter::new().fallback(wrong_method));
        methods.insert(path, entry.on(filter, Endpoint(Arc::new(route))));
    }
    methods
        .into_iter()
        .fold(Router::new(), |router, (path, method)| router.route(&path, method))
        .route(&format!("{ROOT}/{{*rest}}"), any(no_such_path))
        .with_state(State { app, account: account.into(), instance: instance.into() })
}

/// Every route: its method, its path and its name.
#[cfg(test)]
pub(crate) fn paths() -> Vec<(Method, String, &'static str)> {
    routes().into_iter().map(|route| (route.method, format!("{ROOT}/{}", route.path), route.name)).collect()
}

async fn wrong_method(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("{method} is not offered here"))
}

async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

/// One route as axum wants it.
#[derive(Clone)]
struct Endpoint(Arc<Route>);

impl axum::handler::Handler<(), State> for Endpoint {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: State) -> Self::Future {
        Box::pin(async move {
            match Call::admit(request, state, &self.0).await {
                Ok(call) => (self.0.handler)(call).await.unwrap_or_else(Problem::into_response),
                Err(problem) => problem.into_response(),
            }
        })
    }
}

#[cfg(test)]
mod tests;
