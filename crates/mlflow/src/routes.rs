//! The table of routes, which yields the router and the list that tests walk.

use std::collections::BTreeMap;
use std::pin::Pin;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any};
use stele_app::App;
use tracing::Instrument;

use crate::auth::{permissions, roles, single, users};
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::evaluation::{datasets, records, scorers};
use crate::graphql::graphql;
use crate::registry::{aliases, models, versions};
use crate::review::{issues, items, label_schemas, queues};
use crate::{
    artifacts, experiments, inputs, logged_models, metrics, pages, runs, search, server, traces, unsupported, webhooks,
    workspaces,
};

type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// Where a route is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Below `/api` for clients and below `/ajax-api` for web pages.
    Both,
    /// Only below `/ajax-api`.
    Ajax,
    /// At the path itself.
    Root,
}

/// One route: what it answers to, and where.
pub struct Route {
    pub method: Method,
    pub surface: Surface,
    /// With the version in front: `2.0/mlflow/runs/get`.
    pub path: &'static str,
    handler: fn(Call) -> Answer,
}

impl Route {
    /// The paths that the route answers at.
    pub fn paths(&self) -> Vec<String> {
        match self.surface {
            Surface::Both => vec![format!("/api/{}", self.path), format!("/ajax-api/{}", self.path)],
            Surface::Ajax => vec![format!("/ajax-api/{}", self.path)],
            Surface::Root => vec![format!("/{}", self.path)],
        }
    }
}

macro_rules! routes {
    ($($method:ident $surface:ident $path:literal => $handler:path;)+) => {
        vec![$(Route {
            method: Method::$method,
            surface: Surface::$surface,
            path: $path,
            handler: |call| Box::pin($handler(call)),
        }),+]
    };
}

/// Every route of the script.
pub fn routes() -> Vec<Route> {
    routes! {
        GET Root "health" => server::health;
        GET Root "version" => server::version;
        GET Both "3.0/mlflow/server-info" => server::server_info;
        GET Ajax "3.0/mlflow/ui-telemetry" => pages::telemetry;
        POST Ajax "3.0/mlflow/ui-telemetry" => pages::take_telemetry;
        GET Ajax "2.0/mlflow/gateway-proxy" => pages::gateway_endpoints;
        POST Ajax "2.0/mlflow/gateway-proxy" => unsupported::refuse;
        GET Ajax "3.0/mlflow/gateway/endpoints/list" => pages::gateway_lists;
        GET Ajax "3.0/mlflow/gateway/endpoints/bindings/list" => pages::gateway_lists;
        GET Ajax "3.0/mlflow/gateway/model-definitions/list" => pages::gateway_lists;
        GET Ajax "3.0/mlflow/gateway/secrets/list" => pages::gateway_lists;
        GET Ajax "3.0/mlflow/gateway/secrets/config" => pages::gateway_secrets;
        GET Ajax "3.0/mlflow/gateway/supported-providers" => pages::gateway_providers;
        GET Ajax "3.0/mlflow/assistant/config" => pages::assistant_settings;
        GET Ajax "3.0/mlflow/assistant/providers" => pages::assistant_providers;
        GET Root "graphql" => graphql;
        POST Root "graphql" => graphql;

        POST Both "2.0/mlflow/experiments/create" => experiments::create;
        GET Both "2.0/mlflow/experiments/get" => experiments::get;
        GET Both "2.0/mlflow/experiments/get-by-name" => experiments::get_by_name;
        POST Both "2.0/mlflow/experiments/update" => experiments::update;
        POST Both "2.0/mlflow/experiments/delete" => experiments::delete;
        POST Both "2.0/mlflow/experiments/restore" => experiments::restore;
        POST Both "2.0/mlflow/experiments/set-experiment-tag" => experiments::set_tag;
        POST Both "2.0/mlflow/experiments/delete-experiment-tag" => experiments::delete_tag;

        GET Both "2.0/mlflow/experiments/search" => search::experiments::search;
        POST Both "2.0/mlflow/experiments/search" => search::experiments::search;
        POST Both "2.0/mlflow/runs/search" => search::runs::search;
        GET Both "2.0/mlflow/registered-models/search" => search::registry::search_models;
        GET Both "2.0/mlflow/model-versions/search" => search::registry::search_versions;
        POST Both "2.0/mlflow/logged-models/search" => search::logged_models::search;

        POST Both "2.0/mlflow/runs/create" => runs::create;
        GET Both "2.0/mlflow/runs/get" => runs::get;
        POST Both "2.0/mlflow/runs/update" => runs::update;
        POST Both "2.0/mlflow/runs/delete" => runs::delete;
        POST Both "2.0/mlflow/runs/restore" => runs::restore;
        POST Both "2.0/mlflow/runs/set-tag" => runs::set_tag;
        POST Both "2.0/mlflow/runs/delete-tag" => runs::delete_tag;
        POST Both "2.0/mlflow/runs/log-parameter" => runs::log_param;
        POST Both "2.0/mlflow/runs/log-metric" => metrics::log_metric;
        POST Both "2.0/mlflow/runs/log-batch" => metrics::log_batch;
        POST Both "2.0/mlflow/runs/log-inputs" => inputs::log_inputs;
        POST Both "2.0/mlflow/runs/outputs" => inputs::log_outputs;
        POST Both "2.0/mlflow/runs/log-model" => inputs::log_model;
        POST Ajax "2.0/mlflow/experiments/search-datasets" => inputs::search_datasets;

        POST Both "2.0/mlflow/logged-models" => logged_models::create;
        GET Both "2.0/mlflow/logged-models/{model_id}" => logged_models::get;
        PATCH Both "2.0/mlflow/logged-models/{model_id}" => logged_models::finalize;
        DELETE Both "2.0/mlflow/logged-models/{model_id}" => logged_models::delete;
        POST Both "2.0/mlflow/logged-models/{model_id}/params" => logged_models::log_params;
        PATCH Both "2.0/mlflow/logged-models/{model_id}/tags" => logged_models::set_tags;
        DELETE Both "2.0/mlflow/logged-models/{model_id}/tags/{tag_key}" => logged_models::delete_tag;

        GET Both "2.0/mlflow/metrics/get-history" => metrics::history;
        GET Ajax "2.0/mlflow/metrics/get-history-bulk" => metrics::history_bulk;
        GET Both "2.0/mlflow/metrics/get-history-bulk-interval" => metrics::history_bulk_interval;

        POST Both "2.0/mlflow/registered-models/create" => models::create;
        GET Both "2.0/mlflow/registered-models/get" => models::get;
        PATCH Both "2.0/mlflow/registered-models/update" => models::update;
        POST Both "2.0/mlflow/registered-models/rename" => models::rename;
        DELETE Both "2.0/mlflow/registered-models/delete" => models::delete;
        GET Both "2.0/mlflow/registered-models/get-latest-versions" => models::latest_versions;
        POST Both "2.0/mlflow/registered-models/get-latest-versions" => models::latest_versions;
        POST Both "2.0/mlflow/registered-models/set-tag" => models::set_tag;
        DELETE Both "2.0/mlflow/registered-models/delete-tag" => models::delete_tag;
        GET Both "2.0/mlflow/registered-models/alias" => aliases::get;
        POST Both "2.0/mlflow/registered-models/alias" => aliases::set;
        DELETE Both "2.0/mlflow/registered-models/alias" => aliases::delete;

        POST Both "2.0/mlflow/model-versions/create" => versions::create;
        GET Both "2.0/mlflow/model-versions/get" => versions::get;
        PATCH Both "2.0/mlflow/model-versions/update" => versions::update;
        POST Both "2.0/mlflow/model-versions/transition-stage" => versions::transition;
        DELETE Both "2.0/mlflow/model-versions/delete" => versions::delete;
        GET Both "2.0/mlflow/model-versions/get-download-uri" => versions::download_uri;
        POST Both "2.0/mlflow/model-versions/set-tag" => versions::set_tag;
        DELETE Both "2.0/mlflow/model-versions/delete-tag" => versions::delete_tag;

        POST Both "2.0/mlflow/webhooks" => webhooks::create;
        GET Both "2.0/mlflow/webhooks" => webhooks::list;
        GET Both "2.0/mlflow/webhooks/{webhook_id}" => webhooks::get;
        PATCH Both "2.0/mlflow/webhooks/{webhook_id}" => webhooks::update;
        DELETE Both "2.0/mlflow/webhooks/{webhook_id}" => webhooks::delete;
        POST Both "2.0/mlflow/webhooks/{webhook_id}/test" => webhooks::test;
        GET Both "2.0/mlflow/webhooks/{webhook_id}/deliveries" => webhooks::deliveries;

        POST Both "2.0/mlflow/users/create" => users::create;
        GET Both "2.0/mlflow/users/get" => users::get;
        GET Both "2.0/mlflow/users/list" => users::list;
        GET Both "2.0/mlflow/users/current" => users::current;
        PATCH Both "2.0/mlflow/users/update-password" => users::update_password;
        PATCH Both "2.0/mlflow/users/update-admin" => users::update_admin;
        DELETE Both "2.0/mlflow/users/delete" => users::delete;
        POST Both "2.0/mlflow/experiments/permissions/create" => single::create::<single::Experiment>;
        GET Both "2.0/mlflow/experiments/permissions/get" => single::get::<single::Experiment>;
        PATCH Both "2.0/mlflow/experiments/permissions/update" => single::update::<single::Experiment>;
        DELETE Both "2.0/mlflow/experiments/permissions/delete" => single::delete::<single::Experiment>;
        POST Both "2.0/mlflow/registered-models/permissions/create" => single::create::<single::RegisteredModel>;
        GET Both "2.0/mlflow/registered-models/permissions/get" => single::get::<single::RegisteredModel>;
        PATCH Both "2.0/mlflow/registered-models/permissions/update" => single::update::<single::RegisteredModel>;
        DELETE Both "2.0/mlflow/registered-models/permissions/delete" => single::delete::<single::RegisteredModel>;
        GET Both "3.0/mlflow/users/current/permissions" => permissions::list_own;
        GET Both "3.0/mlflow/users/permissions/list" => permissions::list;
        GET Both "3.0/mlflow/users/permissions/get" => permissions::get;
        POST Both "3.0/mlflow/users/permissions/grant" => permissions::grant;
        POST Both "3.0/mlflow/users/permissions/revoke" => permissions::revoke;
        GET Both "3.0/mlflow/users/roles/list" => roles::of_user;
        POST Both "3.0/mlflow/roles/create" => roles::create;
        GET Both "3.0/mlflow/roles/get" => roles::get;
        GET Both "3.0/mlflow/roles/list" => roles::list;
        PATCH Both "3.0/mlflow/roles/update" => roles::update;
        DELETE Both "3.0/mlflow/roles/delete" => roles::delete;
        POST Both "3.0/mlflow/roles/permissions/add" => roles::add_permission;
        DELETE Both "3.0/mlflow/roles/permissions/remove" => roles::remove_permission;
        GET Both "3.0/mlflow/roles/permissions/list" => roles::list_permissions;
        PATCH Both "3.0/mlflow/roles/permissions/update" => roles::update_permission;
        POST Both "3.0/mlflow/roles/assign" => roles::assign;
        DELETE Both "3.0/mlflow/roles/unassign" => roles::unassign;
        GET Both "3.0/mlflow/roles/users/list" => roles::users;

        POST Both "3.0/mlflow/datasets/create" => datasets::create;
        GET Both "3.0/mlflow/datasets/search" => datasets::search;
        POST Both "3.0/mlflow/datasets/search" => datasets::search;
        GET Both "3.0/mlflow/datasets/{dataset_id}" => datasets::get;
        DELETE Both "3.0/mlflow/datasets/{dataset_id}" => datasets::delete;
        PATCH Both "3.0/mlflow/datasets/{dataset_id}/tags" => datasets::set_tags;
        DELETE Both "3.0/mlflow/datasets/{dataset_id}/tags/{key}" => datasets::delete_tag;
        GET Both "3.0/mlflow/datasets/{dataset_id}/experiment-ids" => datasets::experiment_ids;
        POST Both "3.0/mlflow/datasets/{dataset_id}/add-experiments" => datasets::add_experiments;
        POST Both "3.0/mlflow/datasets/{dataset_id}/remove-experiments" => datasets::remove_experiments;
        GET Both "3.0/mlflow/datasets/{dataset_id}/records" => records::list;
        POST Both "3.0/mlflow/datasets/{dataset_id}/records" => records::upsert;
        DELETE Both "3.0/mlflow/datasets/{dataset_id}/records" => records::delete;

        POST Both "3.0/mlflow/scorers/register" => scorers::register;
        GET Both "3.0/mlflow/scorers/list" => scorers::list;
        GET Both "3.0/mlflow/scorers/versions" => scorers::versions;
        GET Both "3.0/mlflow/scorers/get" => scorers::get;
        DELETE Both "3.0/mlflow/scorers/delete" => scorers::delete;
        GET Both "3.0/mlflow/scorers/online-configs" => scorers::online_configs;
        PUT Both "3.0/mlflow/scorers/online-config" => scorers::set_online_config;

        POST Both "3.0/mlflow/issues" => issues::create;
        POST Both "3.0/mlflow/issues/search" => issues::search;
        GET Both "3.0/mlflow/issues/{issue_id}" => issues::get;
        PATCH Both "3.0/mlflow/issues/{issue_id}" => issues::update;
        POST Ajax "3.0/mlflow/issues/invoke" => unsupported::refuse;
        POST Both "3.0/mlflow/label-schemas/create" => label_schemas::create;
        GET Both "3.0/mlflow/label-schemas/get" => label_schemas::get;
        GET Both "3.0/mlflow/label-schemas/get-by-name" => label_schemas::get_by_name;
        GET Both "3.0/mlflow/label-schemas/list" => label_schemas::list;
        PATCH Both "3.0/mlflow/label-schemas/update" => label_schemas::update;
        DELETE Both "3.0/mlflow/label-schemas/delete" => label_schemas::delete;
        POST Both "3.0/mlflow/review-queues/create" => queues::create;
        POST Both "3.0/mlflow/review-queues/get-or-create-user" => queues::of_user;
        GET Both "3.0/mlflow/review-queues/get" => queues::get;
        GET Both "3.0/mlflow/review-queues/get-by-name" => queues::get_by_name;
        GET Both "3.0/mlflow/review-queues/list" => queues::list;
        POST Both "3.0/mlflow/review-queues/update" => queues::update;
        POST Both "3.0/mlflow/review-queues/delete" => queues::delete;
        POST Both "3.0/mlflow/review-queues/items/add" => items::add;
        POST Both "3.0/mlflow/review-queues/items/remove" => items::remove;
        GET Both "3.0/mlflow/review-queues/items/list" => items::list;
        POST Both "3.0/mlflow/review-queues/items/set-status" => items::set_status;

        POST Root "v1/traces" => traces::otlp::export;
        POST Both "3.0/mlflow/traces" => traces::start::start;
        POST Both "3.0/mlflow/traces/search" => traces::search::search;
        GET Both "3.0/mlflow/traces/get" => traces::read::get;
        GET Both "3.0/mlflow/traces/batchGet" => traces::read::batch_get;
        POST Both "3.0/mlflow/traces/batchGetInfos" => traces::read::batch_get_infos;
        POST Both "3.0/mlflow/traces/delete-traces" => traces::tags::delete_traces;
        POST Both "3.0/mlflow/traces/calculate-filter-correlation" => traces::correlation::calculate;
        POST Both "3.0/mlflow/traces/metrics" => traces::metrics::query;
        GET Both "3.0/mlflow/traces/{trace_id}" => traces::read::info;
        PATCH Both "3.0/mlflow/traces/{trace_id}/tags" => traces::tags::set;
        DELETE Both "3.0/mlflow/traces/{trace_id}/tags" => traces::tags::delete;
        POST Both "3.0/mlflow/traces/{trace_id}/assessments" => traces::assessments::create;
        GET Both "3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}" => traces::assessments::get;
        PATCH Both "3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}" => traces::assessments::update;
        DELETE Both "3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}" => traces::assessments::delete;
        POST Both "2.0/mlflow/traces" => traces::v2::start;
        GET Both "2.0/mlflow/traces" => traces::search::search_v2;
        PATCH Both "2.0/mlflow/traces/{trace_id}" => traces::v2::end;
        GET Both "2.0/mlflow/traces/{trace_id}/info" => traces::v2::info;
        PATCH Both "2.0/mlflow/traces/{trace_id}/tags" => traces::tags::set;
        DELETE Both "2.0/mlflow/traces/{trace_id}/tags" => traces::tags::delete;
        POST Both "2.0/mlflow/traces/delete-traces" => traces::tags::delete_traces;
        POST Both "2.0/mlflow/traces/link-to-run" => traces::tags::link_to_run;
        POST Both "2.0/mlflow/traces/link-prompts" => traces::tags::link_prompts;
        GET Ajax "2.0/mlflow/get-trace-artifact" => traces::artifact::get;
        GET Ajax "3.0/mlflow/get-trace-artifact" => traces::artifact::get;

        GET Both "3.0/mlflow/workspaces" => workspaces::list;
        POST Both "3.0/mlflow/workspaces" => workspaces::create;
        GET Both "3.0/mlflow/workspaces/{workspace_name}" => workspaces::get;
        PATCH Both "3.0/mlflow/workspaces/{workspace_name}" => workspaces::update;
        DELETE Both "3.0/mlflow/workspaces/{workspace_name}" => workspaces::delete;

        GET Both "2.0/mlflow-artifacts/artifacts" => artifacts::list;
        GET Both "2.0/mlflow-artifacts/artifacts/" => artifacts::download_root;
        PUT Both "2.0/mlflow-artifacts/artifacts/" => artifacts::upload_root;
        GET Both "2.0/mlflow-artifacts/artifacts/{*path}" => artifacts::download;
        PUT Both "2.0/mlflow-artifacts/artifacts/{*path}" => artifacts::upload;
        DELETE Both "2.0/mlflow-artifacts/artifacts/{*path}" => artifacts::delete;
        POST Both "2.0/mlflow-artifacts/mpu/create/{*path}" => artifacts::multipart_create;
        POST Both "2.0/mlflow-artifacts/mpu/complete/{*path}" => artifacts::multipart_complete;
        POST Both "2.0/mlflow-artifacts/mpu/abort/{*path}" => artifacts::multipart_abort;
        GET Both "2.0/mlflow-artifacts/presigned/{*path}" => artifacts::presigned_download;
        POST Both "2.0/mlflow/artifacts/presigned-upload-url" => artifacts::presigned_upload_url;
        POST Both "2.0/mlflow/artifacts/presigned-download-url" => artifacts::presigned_download_url;

        GET Both "2.0/mlflow/artifacts/list" => artifacts::list_of_run;
        GET Both "2.0/mlflow/logged-models/{model_id}/artifacts/directories" => artifacts::list_of_logged_model;
        GET Ajax "2.0/mlflow/logged-models/{model_id}/artifacts/files" => artifacts::file_of_logged_model;
        GET Root "get-artifact" => artifacts::file_of_run;
        GET Root "model-versions/get-artifact" => artifacts::file_of_model_version;
        POST Ajax "2.0/mlflow/upload-artifact" => artifacts::upload_to_run;
    }
}

pub(crate) fn router(app: App) -> Router {
    let mut methods: BTreeMap<String, MethodRouter<App>> = BTreeMap::new();
    for route in routes() {
        // HEAD is answered as GET is, without the body, by axum.
        let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::GET);
        for path in route.paths() {
            let entry = methods.remove(&path).unwrap_or_default();
            methods.insert(path, entry.on(filter, Endpoint(route.handler)));
        }
    }
    for path in unsupported_paths() {
        let refusal = any(Endpoint(|call| Box::pin(unsupported::refuse(call))));
        methods.insert(format!("{path}/{{*rest}}"), refusal.clone());
        methods.insert(path, refusal);
    }
    methods.into_iter().fold(Router::new(), |router, (path, method)| router.route(&path, method)).with_state(app)
}

/// Where the routes lie that this server knows of but does not have.
pub fn unsupported_paths() -> impl Iterator<Item = String> {
    let twice = |path: &&str| [format!("/api/{path}"), format!("/ajax-api/{path}")];
    unsupported::PREFIXES.iter().flat_map(twice)
}

/// One handler as axum wants it.
#[derive(Clone)]
struct Endpoint(fn(Call) -> Answer);

impl axum::handler::Handler<(), App> for Endpoint {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: App) -> Self::Future {
        Box::pin(async move {
            match Call::admit(request, app).await {
                Ok(call) if call.method.is_safe() => self.0(call).await.unwrap_or_else(Failure::into_response),
                Ok(call) => to_the_end(self.0(call)).await.unwrap_or_else(Failure::into_response),
                Err(failure) => failure.into_response(),
            }
        })
    }
}

/// Runs a change as a task of its own: a client that goes away must not leave it half done, or without its entry.
async fn to_the_end(answer: Answer) -> Result<Response> {
    tokio::spawn(answer.in_current_span())
        .await
        .unwrap_or_else(|error| Err(stele_domain::Error::internal(format!("a handler failed: {error}")).into()))
}
