//! The MLflow script: the routes, request conventions and error shapes that stock MLflow clients expect.
//!
//! Each handler translates: it parses a request, calls one use case of the app, and renders the answer. Nothing
//! here touches the store.

mod artifacts;
mod auth;
mod call;
mod dto;
mod error;
mod evaluation;
mod experiments;
mod filter;
mod graphql;
mod input;
mod inputs;
mod logged_models;
mod metrics;
mod page_token;
mod pages;
mod python;
mod registry;
mod review;
mod routes;
mod runs;
mod scan;
mod search;
mod server;
pub mod shared;
mod traces;
mod unsupported;
mod validate;
mod webhooks;
mod workspaces;

use axum::Router;
use stele_app::App;

pub use routes::{Route, Surface, routes, unsupported_paths};
pub use webhooks::{subscription as webhook_subscription, translation as webhook_translation};

/// The version of MLflow that this server presents to clients, which decides what they try.
pub const MLFLOW_VERSION: &str = "3.17.2";

/// The largest JSON body, in bytes. A full log-batch of MLflow's largest values stays below it.
pub const MOST_JSON: usize = 64 * 1024 * 1024;

/// Every route of the script.
pub fn router(app: App) -> Router {
    routes::router(app)
}
