//! The native API, `/api/stele/v1`: what no other script has a word for.
//!
//! Answers are JSON; errors are problem details (RFC 9457). Names in paths and queries are in snake case, an unknown or
//! repeated query parameter is refused, and a number that JSON cannot hold is a text: `"NaN"`, `"Infinity"`,
//! `"-Infinity"`. Each handler parses, calls one use case and renders, as those of the other scripts do.

mod call;
mod metrics;
mod problem;

use std::collections::BTreeMap;
use std::pin::Pin;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any};
use stele_app::App;

use self::call::Call;
use self::problem::Problem;

const ROOT: &str = "/api/stele/v1";

type Result<T, E = Problem> = std::result::Result<T, E>;
type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// One route; its path lies below [`ROOT`].
struct Route {
    method: Method,
    path: &'static str,
    handler: fn(Call) -> Answer,
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path;)+) => {
        vec![$(Route { method: Method::$method, path: $path, handler: |call| Box::pin($handler(call)) }),+]
    };
}

fn routes() -> Vec<Route> {
    routes! {
        GET "runs/{run_id}/metrics/envelope" => metrics::envelope;
    }
}

pub(crate) fn router(app: App) -> Router {
    let mut methods: BTreeMap<String, MethodRouter<App>> = BTreeMap::new();
    for Route { method, path, handler } in routes() {
        let filter = MethodFilter::try_from(method).unwrap_or(MethodFilter::GET);
        let path = format!("{ROOT}/{path}");
        let entry = methods.remove(&path).unwrap_or_else(|| MethodRouter::new().fallback(wrong_method));
        methods.insert(path, entry.on(filter, Endpoint(handler)));
    }
    methods
        .into_iter()
        .fold(Router::new(), |router, (path, method)| router.route(&path, method))
        .route(&format!("{ROOT}/{{*rest}}"), any(no_such_path))
        .with_state(app)
}

async fn wrong_method(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", format!("{method} is not offered here"))
}

async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

/// One handler as axum wants it.
#[derive(Clone)]
struct Endpoint(fn(Call) -> Answer);

impl axum::handler::Handler<(), App> for Endpoint {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: App) -> Self::Future {
        Box::pin(async move {
            match Call::admit(request, app).await {
                Ok(call) => self.0(call).await.unwrap_or_else(Problem::into_response),
                Err(problem) => problem.into_response(),
            }
        })
    }
}

#[cfg(test)]
mod tests;
