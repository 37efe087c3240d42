//! The table of operations, which yields the dispatcher and the list that tests walk.

use std::pin::Pin;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use stele_app::{Admission, RequestId};
use tracing::Instrument;

use crate::call::{Asked, Call, unknown};
use crate::cards::export;
use crate::error::{Failure, Result, json_response};
use crate::kinds::{ACTION, ARTIFACT, CONTEXT, MODEL, MODEL_CARD, TRIAL};
use crate::{
    MOST_BODY, Server, experiments, lineage, lineage_group, metric_queries, metrics, packages, registry, resources,
    search, suggestions, tags, trials,
};

/// Of a service of its own, at paths of their own.
const METRICS: [&str; 2] = ["BatchPutMetrics", "BatchGetMetrics"];

type Answer = Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

struct Row {
    name: &'static str,
    handler: fn(Call) -> Answer,
}

macro_rules! operations {
    ($($name:literal => $handler:path $(, $kind:ident)?;)+) => {
        &[$(Row { name: $name, handler: |call| Box::pin($handler(call $(, &$kind)?)) }),+]
    };
}

#[rustfmt::skip]
static OPERATIONS: &[Row] = operations! {
    "AddTags" => tags::add;
    "DeleteTags" => tags::delete;
    "ListTags" => tags::list;

    "CreateModelPackageGroup" => registry::create;
    "DescribeModelPackageGroup" => registry::describe;
    "DeleteModelPackageGroup" => registry::delete;
    "ListModelPackageGroups" => registry::list;
    "PutModelPackageGroupPolicy" => registry::put_policy;
    "GetModelPackageGroupPolicy" => registry::get_policy;
    "DeleteModelPackageGroupPolicy" => registry::delete_policy;

    "CreateModelPackage" => packages::create;
    "DescribeModelPackage" => packages::describe;
    "UpdateModelPackage" => packages::update;
    "DeleteModelPackage" => packages::delete;
    "ListModelPackages" => packages::list;
    "BatchDescribeModelPackage" => packages::batch_describe;

    "CreateModel" => resources::create, MODEL;
    "DescribeModel" => resources::describe, MODEL;
    "DeleteModel" => resources::delete, MODEL;
    "ListModels" => resources::list, MODEL;

    "CreateModelCard" => resources::create, MODEL_CARD;
    "DescribeModelCard" => resources::describe_card;
    "UpdateModelCard" => resources::update, MODEL_CARD;
    "DeleteModelCard" => resources::delete, MODEL_CARD;
    "ListModelCards" => resources::list, MODEL_CARD;
    "ListModelCardVersions" => resources::list_card_versions;
    "CreateModelCardExportJob" => export::create;
    "DescribeModelCardExportJob" => export::describe;
    "ListModelCardExportJobs" => export::list;

    "CreateExperiment" => experiments::create;
    "DescribeExperiment" => experiments::describe;
    "UpdateExperiment" => experiments::update;
    "DeleteExperiment" => experiments::delete;
    "ListExperiments" => experiments::list;

    "CreateTrial" => trials::create_trial;
    "DescribeTrial" => resources::describe, TRIAL;
    "UpdateTrial" => resources::update, TRIAL;
    "DeleteTrial" => trials::delete_trial;
    "ListTrials" => trials::list_trials;

    "CreateTrialComponent" => trials::create;
    "DescribeTrialComponent" => trials::describe;
    "UpdateTrialComponent" => trials::update;
    "DeleteTrialComponent" => trials::delete;
    "ListTrialComponents" => trials::list;
    "AssociateTrialComponent" => trials::associate;
    "DisassociateTrialComponent" => trials::disassociate;
    "BatchPutMetrics" => metrics::put;
    "BatchGetMetrics" => metric_queries::get;

    "CreateArtifact" => resources::create, ARTIFACT;
    "DescribeArtifact" => resources::describe, ARTIFACT;
    "UpdateArtifact" => resources::update, ARTIFACT;
    "DeleteArtifact" => resources::delete, ARTIFACT;
    "ListArtifacts" => resources::list, ARTIFACT;
    "CreateAction" => resources::create, ACTION;
    "DescribeAction" => resources::describe, ACTION;
    "UpdateAction" => resources::update, ACTION;
    "DeleteAction" => resources::delete, ACTION;
    "ListActions" => resources::list, ACTION;
    "CreateContext" => resources::create, CONTEXT;
    "DescribeContext" => resources::describe, CONTEXT;
    "UpdateContext" => resources::update, CONTEXT;
    "DeleteContext" => resources::delete, CONTEXT;
    "ListContexts" => resources::list, CONTEXT;

    "AddAssociation" => lineage::add;
    "DeleteAssociation" => lineage::delete;
    "ListAssociations" => lineage::list;
    "QueryLineage" => lineage::query;
    "DescribeLineageGroup" => lineage_group::describe;
    "ListLineageGroups" => lineage_group::list;
    "GetLineageGroupPolicy" => lineage_group::get_policy;

    "Search" => search::search;
    "GetSearchSuggestions" => suggestions::get;
};

/// Every operation that is offered.
pub fn operation_names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|row| row.name)
}

/// The id that the request came with, and what the login found out.
type Given = (Option<Extension<RequestId>>, Option<Extension<Admission>>);

/// `POST /`, where `X-Amz-Target` says what is asked.
pub(crate) async fn dispatch(
    State(server): State<Server>,
    id: Option<Extension<RequestId>>,
    admission: Option<Extension<Admission>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let name = target.strip_prefix("SageMaker.").unwrap_or_default();
    // What another service of the family offers at a path of its own is not offered here.
    let row = OPERATIONS.iter().find(|row| row.name == name && !METRICS.contains(&name));
    answer(&server, row.ok_or_else(|| unknown(target)), (id, admission), &headers, body).await
}

/// `PUT /BatchPutMetrics` of the service `sagemaker-metrics`.
pub(crate) async fn batch_put_metrics(
    State(server): State<Server>,
    id: Option<Extension<RequestId>>,
    admission: Option<Extension<Admission>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    at_path(server, "BatchPutMetrics", (id, admission), headers, body).await
}

/// `POST /BatchGetMetrics` of the same.
pub(crate) async fn batch_get_metrics(
    State(server): State<Server>,
    id: Option<Extension<RequestId>>,
    admission: Option<Extension<Admission>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    at_path(server, "BatchGetMetrics", (id, admission), headers, body).await
}

async fn at_path(server: Server, name: &str, given: Given, headers: HeaderMap, body: Body) -> Response {
    let row = OPERATIONS.iter().find(|row| row.name == name);
    answer(&server, row.ok_or_else(|| unknown(name)), given, &headers, body).await
}

/// The body is read in any case, since a client that is still sending would not see the answer.
async fn answer(
    server: &Server,
    row: Result<&'static Row>,
    (id, admission): Given,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let id = server.app.request_id(id.map(|Extension(id)| id));
    let body = axum::body::to_bytes(body, MOST_BODY).await.map_err(|_| {
        Failure::new("RequestEntityTooLargeException", format!("The request is larger than {MOST_BODY} bytes"))
    });
    let asked = Asked { request_id: id.clone(), admission: admission.map(|Extension(admission)| admission) };
    let admitted = async {
        let row = row?;
        Ok((row, Call::admit(server, row.name, headers, &body?, asked).await?))
    };
    let admitted: Result<_> = admitted.await;
    let outcome = match admitted {
        // A client that goes away must not leave a change half done, or without its entry.
        Ok((row, call)) => tokio::spawn((row.handler)(call).in_current_span())
            .await
            .unwrap_or_else(|error| Err(stele_domain::Error::internal(format!("a handler failed: {error}")).into())),
        Err(failure) => Err(failure),
    };
    let response = match outcome {
        Ok(reply) => json_response(StatusCode::OK, reply.to_string()),
        Err(failure) => failure.into_response(),
    };
    with_id(response, &id)
}

fn with_id(mut response: Response, id: &str) -> Response {
    let hyphenated = uuid::Uuid::parse_str(id).map_or_else(|_| id.to_owned(), |id| id.to_string());
    if let Ok(value) = HeaderValue::from_str(&hyphenated) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), value);
    }
    response
}
