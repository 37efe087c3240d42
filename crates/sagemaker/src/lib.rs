//! The SageMaker script: what unmodified boto3 sends to the service `sagemaker`, and to `sagemaker-metrics`.
//!
//! Every operation is a row of one table (`operations.rs`). A request is checked against the published shapes of its
//! operation, one use case is called, and the answer is rendered. Members that the record does not understand are kept
//! as they came, so that a client reads back what it wrote. Nothing here touches the store.

mod arn;
mod call;
mod cards;
mod error;
mod events;
mod experiments;
mod expression;
mod kinds;
mod lineage;
mod lineage_group;
mod metric_queries;
mod metrics;
mod operations;
mod packages;
mod paging;
mod registry;
mod render;
mod resources;
mod search;
mod search_fields;
mod shapes;
mod statistics;
mod suggestions;
mod tags;
mod trials;

use std::sync::Arc;

use axum::Router;
use axum::routing::{post, put};
use stele_app::App;

pub use events::{AccountOf, webhook_translation};
pub use operations::operation_names;

/// The account in whose name answers are given, unless another is configured.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// The largest request, in bytes.
pub const MOST_BODY: usize = 4 * 1024 * 1024;

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) account: Arc<str>,
}

/// Every route of the script; `account` is the twelve digits of the account.
pub fn router(app: App, account: &str) -> Router {
    Router::new()
        .route("/", post(operations::dispatch))
        .route("/BatchPutMetrics", put(operations::batch_put_metrics))
        .route("/BatchGetMetrics", post(operations::batch_get_metrics))
        .with_state(Server { app, account: account.into() })
}
