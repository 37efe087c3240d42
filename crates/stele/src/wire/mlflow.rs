//! Requests to MLflow's routes. Those that come first leave what the later ones need.

use axum::http::{Method, Request, header};
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, cases, parts};
use super::things::Things;

#[rustfmt::skip]
pub(super) static CASES: &[Case] = cases! { Mlflow;
    "GET health" => Nothing, "";
    "GET version" => Nothing, "";
    "GET 3.0/mlflow/server-info" => Nothing, "";
    "GET 3.0/mlflow/ui-telemetry" => Account, "";
    "POST 3.0/mlflow/ui-telemetry" => Account, r#"{"records":[]}"#;
    "GET 2.0/mlflow/gateway-proxy" => Account, "gateway_path=x";
    "POST 2.0/mlflow/gateway-proxy" => Unoffered, "{}";
    "GET 3.0/mlflow/assistant/config" => Account, "";
    "GET 3.0/mlflow/assistant/providers" => Account, "";
    "GET graphql" => Account, "query={__typename}";
    "POST graphql" => Account, r#"{"query":"query MlflowGetRunQuery { mlflowGetRun(input: {runId: \"$run_id\"}) { run { info { runName } } } }"}"#;
    "POST 2.0/mlflow/experiments/create" => Verb(ManageExperiment), r#"{"name":"$new"}"#;
    "GET 2.0/mlflow/experiments/get" => Sight, "experiment_id=$experiment_id";
    "GET 2.0/mlflow/experiments/get-by-name" => Sight, "experiment_name=veiled-experiment";
    "POST 2.0/mlflow/experiments/update" => Verb(ManageExperiment), r#"{"experiment_id":"$other_experiment","new_name":"$new"}"#;
    "POST 2.0/mlflow/experiments/set-experiment-tag" => Verb(ManageExperiment), r#"{"experiment_id":"$experiment_id","key":"a","value":"b"}"#;
    "POST 2.0/mlflow/experiments/delete-experiment-tag" => Verb(ManageExperiment), r#"{"experiment_id":"$experiment_id","key":"veiled-key"}"#;
    "POST 2.0/mlflow/experiments/delete" => Verb(ManageExperiment), r#"{"experiment_id":"$other_experiment"}"#;
    "POST 2.0/mlflow/experiments/restore" => Verb(ManageExperiment), r#"{"experiment_id":"$other_experiment"}"#;
    "GET 2.0/mlflow/experiments/search" => Sight, "max_results=100";
    "POST 2.0/mlflow/experiments/search" => Sight, r#"{"max_results":100}"#;
    "POST 2.0/mlflow/runs/search" => Sight, r#"{"experiment_ids":["$experiment_id"]}"#;
    "GET 2.0/mlflow/registered-models/search" => Sight, "";
    "GET 2.0/mlflow/model-versions/search" => Sight, "";
    "POST 2.0/mlflow/logged-models/search" => Sight, r#"{"experiment_ids":["$experiment_id"]}"#;
    "POST 2.0/mlflow/runs/create" => Verb(LogRun), r#"{"experiment_id":"$experiment_id","run_name":"$new"}"#;
    "GET 2.0/mlflow/runs/get" => Sight, "run_id=$run_id";
    "POST 2.0/mlflow/runs/update" => Verb(LogRun), r#"{"run_id":"$run_id","status":"FINISHED","end_time":5}"#;
    "POST 2.0/mlflow/runs/delete" => Verb(LogRun), r#"{"run_id":"$other_run"}"#;
    "POST 2.0/mlflow/runs/restore" => Verb(LogRun), r#"{"run_id":"$other_run"}"#;
    "POST 2.0/mlflow/runs/set-tag" => Verb(LogRun), r#"{"run_id":"$run_id","key":"a","value":"b"}"#;
    "POST 2.0/mlflow/runs/delete-tag" => Verb(LogRun), r#"{"run_id":"$run_id","key":"veiled-key"}"#;
    "POST 2.0/mlflow/runs/log-parameter" => Verb(LogRun), r#"{"run_id":"$run_id","key":"a","value":"b"}"#;
    "POST 2.0/mlflow/runs/log-metric" => Verb(LogRun), r#"{"run_id":"$run_id","key":"a","value":1.5,"timestamp":1}"#;
    "POST 2.0/mlflow/runs/log-batch" => Verb(LogRun), r#"{"run_id":"$run_id","metrics":[{"key":"b","value":1.5,"timestamp":1,"step":0}]}"#;
    "POST 2.0/mlflow/runs/log-inputs" => Verb(LogRun), r#"{"run_id":"$run_id","datasets":[{"dataset":{"name":"$new","digest":"d","source_type":"local","source":"s"},"tags":[]}]}"#;
    "POST 2.0/mlflow/runs/outputs" => Verb(LogRun), r#"{"run_id":"$run_id","models":[{"model_id":"$model_id","step":0}]}"#;
    "POST 2.0/mlflow/runs/log-model" => Verb(LogRun), r#"{"run_id":"$run_id","model_json":"{\"artifact_path\":\"model\",\"flavors\":{},\"utc_time_created\":\"2026-01-01 00:00:00\",\"run_id\":\"$run_id\"}"}"#;
    "POST 2.0/mlflow/experiments/search-datasets" => Sight, r#"{"experiment_ids":["$experiment_id"]}"#;
    "POST 2.0/mlflow/logged-models" => Verb(LogModel), r#"{"experiment_id":"$experiment_id","name":"$new"}"#;
    "GET 2.0/mlflow/logged-models/{model_id}" => Sight, "";
    "POST 2.0/mlflow/logged-models/{model_id}/params" => Verb(LogModel), r#"{"params":[{"key":"a","value":"b"}]}"#;
    "PATCH 2.0/mlflow/logged-models/{model_id}/tags" => Verb(LogModel), r#"{"tags":[{"key":"a","value":"b"}]}"#;
    "DELETE 2.0/mlflow/logged-models/{model_id}/tags/{tag_key}" => Verb(LogModel), "";
    "PATCH 2.0/mlflow/logged-models/{model_id}" => Verb(LogModel), r#"{"model_id":"$model_id","status":"LOGGED_MODEL_READY"}"#;
    "GET 2.0/mlflow/metrics/get-history" => Sight, "run_id=$run_id&metric_key=veiled-metric";
    "GET 2.0/mlflow/metrics/get-history-bulk" => Sight, "run_id=$run_id&metric_key=veiled-metric";
    "GET 2.0/mlflow/metrics/get-history-bulk-interval" => Sight, "run_ids=$run_id&metric_key=veiled-metric&max_results=10";
    "POST 2.0/mlflow/registered-models/create" => Verb(RegisterModel), r#"{"name":"$new"}"#;
    "GET 2.0/mlflow/registered-models/get" => Sight, "name=$model";
    "PATCH 2.0/mlflow/registered-models/update" => Verb(RegisterModel), r#"{"name":"$model","description":"other"}"#;
    "POST 2.0/mlflow/registered-models/rename" => Verb(RegisterModel), r#"{"name":"veiled-renamed","new_name":"$new"}"#;
    "DELETE 2.0/mlflow/registered-models/delete" => Verb(RegisterModel), r#"{"name":"veiled-deleted"}"#;
    "GET 2.0/mlflow/registered-models/get-latest-versions" => Sight, "name=$model";
    "POST 2.0/mlflow/registered-models/get-latest-versions" => Sight, r#"{"name":"$model"}"#;
    "POST 2.0/mlflow/registered-models/set-tag" => Verb(RegisterModel), r#"{"name":"$model","key":"a","value":"b"}"#;
    "DELETE 2.0/mlflow/registered-models/delete-tag" => Verb(RegisterModel), r#"{"name":"$model","key":"veiled-key"}"#;
    "GET 2.0/mlflow/registered-models/alias" => Sight, "name=$model&alias=$alias";
    "POST 2.0/mlflow/registered-models/alias" => Verb(PromoteModel), r#"{"name":"$model","alias":"other","version":"2"}"#;
    "DELETE 2.0/mlflow/registered-models/alias" => Verb(PromoteModel), r#"{"name":"$model","alias":"other"}"#;
    "POST 2.0/mlflow/model-versions/create" => Verb(RegisterModel), r#"{"name":"$model","source":"runs:/$run_id/model","run_id":"$run_id"}"#;
    "GET 2.0/mlflow/model-versions/get" => Sight, "name=$model&version=1";
    "PATCH 2.0/mlflow/model-versions/update" => Verb(RegisterModel), r#"{"name":"$model","version":"1","description":"other"}"#;
    "POST 2.0/mlflow/model-versions/transition-stage" => Verb(PromoteModel), r#"{"name":"$model","version":"2","stage":"Staging","archive_existing_versions":false}"#;
    "DELETE 2.0/mlflow/model-versions/delete" => Verb(RegisterModel), r#"{"name":"$model","version":"3"}"#;
    "GET 2.0/mlflow/model-versions/get-download-uri" => Sight, "name=$model&version=1";
    "POST 2.0/mlflow/model-versions/set-tag" => Verb(RegisterModel), r#"{"name":"$model","version":"1","key":"a","value":"b"}"#;
    "DELETE 2.0/mlflow/model-versions/delete-tag" => Verb(RegisterModel), r#"{"name":"$model","version":"1","key":"veiled-key"}"#;
    "POST 2.0/mlflow/webhooks" => Verb(ManageWebhook), r#"{"name":"$new","url":"http://127.0.0.1:9/x","events":[{"entity":"REGISTERED_MODEL","action":"CREATED"}]}"#;
    "GET 2.0/mlflow/webhooks" => Sight, "";
    "GET 2.0/mlflow/webhooks/{webhook_id}" => Sight, "";
    "PATCH 2.0/mlflow/webhooks/{webhook_id}" => Verb(ManageWebhook), r#"{"name":"$new"}"#;
    "POST 2.0/mlflow/webhooks/{webhook_id}/test" => Verb(ManageWebhook), "{}";
    "GET 2.0/mlflow/webhooks/{webhook_id}/deliveries" => Sight, "";
    "POST 2.0/mlflow/users/create" => Verb(ManageIdentity), r#"{"username":"$new","password":"correct horse battery"}"#;
    "GET 2.0/mlflow/users/get" => Power(ManageIdentity), "username=$account";
    "GET 2.0/mlflow/users/list" => Power(ManageIdentity), "";
    "GET 2.0/mlflow/users/current" => Account, "";
    "PATCH 2.0/mlflow/users/update-password" => Verb(ManageCredential), r#"{"username":"$account","password":"another horse battery"}"#;
    "PATCH 2.0/mlflow/users/update-admin" => Verb(ManageIdentity), r#"{"username":"$account","is_admin":true}"#;
    "DELETE 2.0/mlflow/users/delete" => Verb(ManageIdentity), r#"{"username":"veiled-gone"}"#;
    "POST 2.0/mlflow/experiments/permissions/create" => Verb(ManageIdentity), r#"{"experiment_id":"$experiment_id","username":"$account","permission":"EDIT"}"#;
    "GET 2.0/mlflow/experiments/permissions/get" => Power(ManageIdentity), "experiment_id=$experiment_id&username=$account";
    "PATCH 2.0/mlflow/experiments/permissions/update" => Verb(ManageIdentity), r#"{"experiment_id":"$experiment_id","username":"$account","permission":"READ"}"#;
    "DELETE 2.0/mlflow/experiments/permissions/delete" => Verb(ManageIdentity), r#"{"experiment_id":"$experiment_id","username":"$account"}"#;
    "POST 2.0/mlflow/registered-models/permissions/create" => Verb(ManageIdentity), r#"{"name":"$model","username":"$account","permission":"EDIT"}"#;
    "GET 2.0/mlflow/registered-models/permissions/get" => Power(ManageIdentity), "name=$model&username=$account";
    "PATCH 2.0/mlflow/registered-models/permissions/update" => Verb(ManageIdentity), r#"{"name":"$model","username":"$account","permission":"READ"}"#;
    "DELETE 2.0/mlflow/registered-models/permissions/delete" => Verb(ManageIdentity), r#"{"name":"$model","username":"$account"}"#;
    "GET 3.0/mlflow/users/current/permissions" => Account, "";
    "GET 3.0/mlflow/users/permissions/list" => Power(ManageIdentity), "username=$account";
    "GET 3.0/mlflow/users/permissions/get" => Power(ManageIdentity), "username=$account&resource_type=experiment&resource_id=$experiment_id";
    "POST 3.0/mlflow/users/permissions/grant" => Verb(ManageIdentity), r#"{"username":"$account","resource_type":"experiment","resource_id":"$experiment_id","permission":"EDIT"}"#;
    "POST 3.0/mlflow/users/permissions/revoke" => Verb(ManageIdentity), r#"{"username":"$account","resource_type":"experiment","resource_id":"$experiment_id"}"#;
    "GET 3.0/mlflow/users/roles/list" => Power(ManageIdentity), "username=$account";
    "POST 3.0/mlflow/roles/create" => Verb(ManageIdentity), r#"{"workspace":"default","name":"$new"}"#;
    "GET 3.0/mlflow/roles/get" => Power(ManageIdentity), "role_id=$role";
    "GET 3.0/mlflow/roles/list" => Power(ManageIdentity), "workspace=default";
    "PATCH 3.0/mlflow/roles/update" => Verb(ManageIdentity), r#"{"role_id":$role,"description":"other"}"#;
    "DELETE 3.0/mlflow/roles/delete" => Verb(ManageIdentity), r#"{"role_id":$second_role}"#;
    "POST 3.0/mlflow/roles/permissions/add" => Verb(ManageIdentity), r#"{"role_id":$role,"resource_type":"experiment","resource_pattern":"$experiment_id","permission":"READ"}"#;
    "GET 3.0/mlflow/roles/permissions/list" => Power(ManageIdentity), "role_id=$role";
    "PATCH 3.0/mlflow/roles/permissions/update" => Verb(ManageIdentity), r#"{"role_permission_id":$role_permission,"permission":"EDIT"}"#;
    "DELETE 3.0/mlflow/roles/permissions/remove" => Verb(ManageIdentity), r#"{"role_permission_id":$role_permission}"#;
    "POST 3.0/mlflow/roles/assign" => Verb(ManageIdentity), r#"{"username":"$account","role_id":$role}"#;
    "DELETE 3.0/mlflow/roles/unassign" => Verb(ManageIdentity), r#"{"username":"$account","role_id":$role}"#;
    "GET 3.0/mlflow/roles/users/list" => Power(ManageIdentity), "role_id=$role";
    "POST 3.0/mlflow/datasets/create" => Verb(ManageEvaluationDataset), r#"{"name":"$new","experiment_ids":["$experiment_id"]}"#;
    "GET 3.0/mlflow/datasets/search" => Sight, "experiment_ids=$experiment_id";
    "POST 3.0/mlflow/datasets/search" => Sight, r#"{"experiment_ids":["$experiment_id"]}"#;
    "GET 3.0/mlflow/datasets/{dataset_id}" => Sight, "";
    "PATCH 3.0/mlflow/datasets/{dataset_id}/tags" => Verb(ManageEvaluationDataset), r#"{"tags":"{\"a\":\"b\"}"}"#;
    "DELETE 3.0/mlflow/datasets/{dataset_id}/tags/{key}" => Verb(ManageEvaluationDataset), "";
    "GET 3.0/mlflow/datasets/{dataset_id}/experiment-ids" => Sight, "";
    "POST 3.0/mlflow/datasets/{dataset_id}/add-experiments" => Verb(ManageEvaluationDataset), r#"{"experiment_ids":["$other_experiment"]}"#;
    "POST 3.0/mlflow/datasets/{dataset_id}/remove-experiments" => Verb(ManageEvaluationDataset), r#"{"experiment_ids":["$other_experiment"]}"#;
    "GET 3.0/mlflow/datasets/{dataset_id}/records" => Sight, "";
    "POST 3.0/mlflow/datasets/{dataset_id}/records" => Verb(ManageEvaluationDataset), r#"{"records":"[{\"inputs\":{\"q\":\"new\"}}]"}"#;
    "DELETE 3.0/mlflow/datasets/{dataset_id}/records" => Verb(ManageEvaluationDataset), r#"{"dataset_record_ids":["$record"]}"#;
    "POST 3.0/mlflow/scorers/register" => Verb(ManageScorer), r#"{"experiment_id":"$experiment_id","name":"$new","serialized_scorer":"{\"name\":\"x\"}"}"#;
    "GET 3.0/mlflow/scorers/list" => Sight, "experiment_id=$experiment_id";
    "GET 3.0/mlflow/scorers/versions" => Sight, "experiment_id=$experiment_id&name=veiled-scorer";
    "GET 3.0/mlflow/scorers/get" => Sight, "experiment_id=$experiment_id&name=veiled-scorer";
    "GET 3.0/mlflow/scorers/online-configs" => Sight, "scorer_ids=$scorer";
    "PUT 3.0/mlflow/scorers/online-config" => Verb(ManageScorer), r#"{"experiment_id":"$experiment_id","name":"veiled-scorer","sample_rate":0.0}"#;
    "POST v1/traces" => Verb(LogTrace), r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"s","startTimeUnixNano":"1000000000","endTimeUnixNano":"3000000000"}]}]}]}"#;
    "POST 3.0/mlflow/traces" => Verb(LogTrace), r#"{"trace":{"trace_info":{"trace_id":"tr-$new","trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"$experiment_id"}},"request_time":"2026-01-01T00:00:00Z","state":"OK"}}}"#;
    "POST 3.0/mlflow/traces/search" => Sight, r#"{"locations":[{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"$experiment_id"}}]}"#;
    "GET 3.0/mlflow/traces/get" => Sight, "trace_id=$trace_id&allow_partial=true";
    "GET 3.0/mlflow/traces/batchGet" => Sight, "trace_ids=$trace_id";
    "POST 3.0/mlflow/traces/batchGetInfos" => Sight, r#"{"trace_ids":["$trace_id"]}"#;
    "POST 3.0/mlflow/traces/calculate-filter-correlation" => Sight, r#"{"experiment_ids":["$experiment_id"],"filter_string1":"status = 'OK'","filter_string2":"status = 'ERROR'"}"#;
    "POST 3.0/mlflow/traces/metrics" => Sight, r#"{"experiment_ids":["$experiment_id"],"view_type":"TRACES","metric_name":"trace_count","aggregations":[{"aggregation_type":"COUNT"}]}"#;
    "GET 3.0/mlflow/traces/{trace_id}" => Sight, "";
    "PATCH 3.0/mlflow/traces/{trace_id}/tags" => Verb(LogTrace), r#"{"key":"a","value":"b"}"#;
    "DELETE 3.0/mlflow/traces/{trace_id}/tags" => Verb(LogTrace), r#"{"key":"a"}"#;
    "POST 3.0/mlflow/traces/{trace_id}/assessments" => Verb(LogTrace), r#"{"assessment":{"assessment_name":"$new","trace_id":"$trace_id","source":{"source_type":"HUMAN","source_id":"x"},"create_time":"2026-01-01T00:00:00Z","last_update_time":"2026-01-01T00:00:00Z","feedback":{"value":true}}}"#;
    "GET 3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}" => Sight, "";
    "PATCH 3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}" => Verb(LogTrace), r#"{"assessment":{"trace_id":"$trace_id","assessment_id":"$assessment_id","assessment_name":"other"},"update_mask":"assessmentName"}"#;
    "DELETE 3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}" => Verb(LogTrace), "";
    "POST 2.0/mlflow/traces" => Verb(LogTrace), r#"{"experiment_id":"$experiment_id","timestamp_ms":1,"request_metadata":[],"tags":[]}"#;
    "GET 2.0/mlflow/traces" => Sight, "experiment_ids=$experiment_id";
    "PATCH 2.0/mlflow/traces/{trace_id}" => Verb(LogTrace), r#"{"timestamp_ms":1750,"status":"OK","request_metadata":[],"tags":[]}"#;
    "GET 2.0/mlflow/traces/{trace_id}/info" => Sight, "";
    "PATCH 2.0/mlflow/traces/{trace_id}/tags" => Verb(LogTrace), r#"{"key":"c","value":"d"}"#;
    "DELETE 2.0/mlflow/traces/{trace_id}/tags" => Verb(LogTrace), r#"{"key":"c"}"#;
    "POST 2.0/mlflow/traces/link-to-run" => Verb(LogTrace), r#"{"trace_ids":["$trace_id"],"run_id":"$run_id"}"#;
    "POST 2.0/mlflow/traces/link-prompts" => Verb(LogTrace), r#"{"trace_id":"$trace_id","prompt_versions":[{"name":"p","version":"1"}]}"#;
    "GET 2.0/mlflow/get-trace-artifact" => Sight, "request_id=$spanned_trace";
    "GET 3.0/mlflow/get-trace-artifact" => Sight, "request_id=$spanned_trace";
    "POST 2.0/mlflow/traces/delete-traces" => Verb(LogTrace), r#"{"experiment_id":"$experiment_id","request_ids":["$started_trace"]}"#;
    "POST 3.0/mlflow/traces/delete-traces" => Verb(LogTrace), r#"{"experiment_id":"$experiment_id","request_ids":["tr-veiled-two"]}"#;
    "GET 3.0/mlflow/workspaces" => Unoffered, "";
    "POST 3.0/mlflow/workspaces" => Unoffered, r#"{"name":"team"}"#;
    "GET 3.0/mlflow/workspaces/{workspace_name}" => Unoffered, "";
    "PATCH 3.0/mlflow/workspaces/{workspace_name}" => Unoffered, r#"{"description":"x"}"#;
    "DELETE 3.0/mlflow/workspaces/{workspace_name}" => Unoffered, "";
    "GET 2.0/mlflow-artifacts/artifacts" => Sight, "path=$experiment_id/$run_id/artifacts";
    "GET 2.0/mlflow-artifacts/artifacts/" => Unoffered, "";
    "PUT 2.0/mlflow-artifacts/artifacts/" => Unoffered, "[x]";
    "GET 2.0/mlflow-artifacts/artifacts/{*path}" => Sight, "";
    "PUT 2.0/mlflow-artifacts/artifacts/{*path}" => Verb(WriteArtifact), "[other]";
    "POST 2.0/mlflow-artifacts/mpu/create/{*path}" => Unoffered, r#"{"path":"x","num_parts":1}"#;
    "POST 2.0/mlflow-artifacts/mpu/complete/{*path}" => Unoffered, r#"{"path":"x","upload_id":"u","parts":[]}"#;
    "POST 2.0/mlflow-artifacts/mpu/abort/{*path}" => Unoffered, r#"{"path":"x","upload_id":"u"}"#;
    "GET 2.0/mlflow-artifacts/presigned/{*path}" => Unoffered, "";
    "POST 2.0/mlflow/artifacts/presigned-upload-url" => Unoffered, r#"{"run_id":"$run_id","path":"veiled.txt"}"#;
    "POST 2.0/mlflow/artifacts/presigned-download-url" => Unoffered, r#"{"run_id":"$run_id","path":"veiled.txt"}"#;
    "GET 2.0/mlflow/artifacts/list" => Sight, "run_id=$run_id";
    "GET 2.0/mlflow/logged-models/{model_id}/artifacts/directories" => Sight, "";
    "GET 2.0/mlflow/logged-models/{model_id}/artifacts/files" => Sight, "artifact_file_path=veiled.txt";
    "GET get-artifact" => Sight, "run_uuid=$run_id&path=veiled.txt";
    "GET model-versions/get-artifact" => Sight, "name=$model&version=1&path=veiled.txt";
    "POST 2.0/mlflow/upload-artifact" => Verb(WriteArtifact), "run_uuid=$run_id&path=other.txt";
    "DELETE 2.0/mlflow-artifacts/artifacts/{*path}" => Verb(WriteArtifact), "";
    "DELETE 3.0/mlflow/scorers/delete" => Verb(ManageScorer), r#"{"experiment_id":"$experiment_id","name":"veiled-scorer"}"#;
    "DELETE 3.0/mlflow/datasets/{dataset_id}" => Verb(ManageEvaluationDataset), "";
    "DELETE 2.0/mlflow/webhooks/{webhook_id}" => Verb(ManageWebhook), "";
    "DELETE 2.0/mlflow/logged-models/{model_id}" => Verb(LogModel), "";
};

/// The things in the place of the names of a path.
pub(super) fn filled(path: &str, things: &Things) -> String {
    let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some("*path") => format!("{}/{}/artifacts/veiled.txt", things.get("experiment_id"), things.get("run_id")),
        Some(name) => things.get(name).to_owned(),
        None => part.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

pub(super) fn request(route: &str, with: &str, things: &Things) -> Request<String> {
    let (method, path) = route.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let known = stele_mlflow::routes().into_iter().find(|known| known.method == method && known.path == path).unwrap();
    let (query, body) = parts(with);
    let uri = format!("{}{}", filled(&known.paths()[0], things), query.replace(['{', '}'], "_"));
    let mut request = Request::builder().method(method).uri(uri).header(header::CONTENT_TYPE, "application/json");
    // What exporters of OpenTelemetry say apart from the spans.
    if path == "v1/traces" {
        request = request.header("x-mlflow-experiment-id", things.get("experiment_id"));
    }
    request.body(body).unwrap()
}
