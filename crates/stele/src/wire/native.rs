//! Requests to the native API.

use axum::http::{Request, header};
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, cases, parts};
use super::mlflow::filled;
use super::things::Things;

#[rustfmt::skip]
pub(super) static CASES: &[Case] = cases! { Native;
    "get_server" => Nothing, "";
    "get_openapi" => Account, "";
    "list_experiments" => Sight, "";
    "create_experiment" => Verb(ManageExperiment), r#"{"name":"$new"}"#;
    "get_experiment" => Sight, "";
    "list_runs" => Sight, "";
    "get_run" => Sight, "";
    "compare_runs" => Sight, "runs=$run_id,$other_run";
    "get_metric_envelope" => Sight, "key=veiled-metric";
    "delete_run" => Verb(LogRun), "";
    "restore_run" => Verb(LogRun), "";
    "list_models" => Sight, "";
    "get_model" => Sight, "";
    "list_model_versions" => Sight, "";
    "get_model_version" => Sight, "";
    "set_model_version_stage" => Verb(PromoteModel), r#"{"stage":"staging"}"#;
    "get_model_alias" => Sight, "";
    "set_model_alias" => Verb(PromoteModel), r#"{"version":2}"#;
    "delete_model_alias" => Verb(PromoteModel), "";
    "list_gates" => Account, "";
    "apply_gate" => Verb(ManageGate), r#"{"name":"$new","models":"veiled-guarded*","target":{"stage":"production"},"rules":[{"tag":{"key":"a"}}]}"#;
    "get_gate" => Sight, "";
    "list_gate_versions" => Sight, "";
    "delete_gate" => Verb(ManageGate), "";
    "check_gates" => Sight, "target=stage:production";
    "list_verdicts" => Sight, "";
    "list_reviews" => Sight, "";
    "add_review" => Verb(ApproveModel), r#"{"review":"approve","reason":"good"}"#;
    "list_evaluations" => Sight, "";
    "record_evaluation" => Verb(RecordEvaluation), r#"{"digest":"d","metrics":{"auc":0.5}}"#;
    "make_gate_exception" => Verb(ManageGate), r#"{"target":"stage:production","reason":"r","minutes":5}"#;
    "list_run_artifacts" => Sight, "";
    "put_run_artifact" => Verb(WriteArtifact), "path=veiled.txt";
    "get_run_artifact" => Sight, "path=veiled.txt";
    "list_logged_model_artifacts" => Sight, "";
    "put_logged_model_artifact" => Verb(WriteArtifact), "path=veiled.txt";
    "get_logged_model_artifact" => Sight, "path=veiled.txt";
    "list_model_version_artifacts" => Sight, "";
    "put_model_version_artifact" => Verb(WriteArtifact), "path=veiled.txt";
    "get_model_version_artifact" => Sight, "path=veiled.txt";
    "get_identity" => Account, "";
    "get_authentication" => Account, "";
    "require_authentication" => Verb(ManageIdentity), r#"{"name":"second","password":"correct horse battery"}"#;
    "list_accounts" => Power(ManageIdentity), "";
    "create_account" => Verb(ManageIdentity), r#"{"name":"$new","password":"correct horse battery"}"#;
    "get_account" => Power(ManageIdentity), "";
    "update_account" => Verb(ManageIdentity), r#"{"display_name":"other"}"#;
    "set_account_password" => Verb(ManageCredential), r#"{"password":"correct horse battery"}"#;
    "list_groups" => Power(ManageIdentity), "";
    "create_group" => Verb(ManageIdentity), r#"{"name":"$new"}"#;
    "get_group" => Power(ManageIdentity), "";
    "list_group_members" => Power(ManageIdentity), "";
    "remove_group_member" => Verb(ManageIdentity), "";
    "add_group_member" => Verb(ManageIdentity), "";
    "delete_group" => Verb(ManageIdentity), "";
    "list_grants" => Power(ManageIdentity), "";
    "create_grant" => Verb(ManageIdentity), r#"{"account":"$account","role":"contributor","scope":"workspace","of":"default"}"#;
    "delete_grant" => Verb(ManageIdentity), "";
    "list_tokens" => Power(ManageCredential), "";
    "create_token" => Verb(ManageCredential), r#"{"name":"other"}"#;
    "revoke_token" => Verb(ManageCredential), "";
    "list_access_keys" => Power(ManageCredential), "";
    "create_access_key" => Verb(ManageCredential), r#"{"name":"other"}"#;
    "revoke_access_key" => Verb(ManageCredential), "";
    "delete_account" => Verb(ManageIdentity), "";
    "list_audit_entries" => Power(ReadAudit), "";
    "export_audit_log" => Power(ReadAudit), "";
    "get_audit_heads" => Power(ReadAudit), "";
    "verify_audit_log" => Power(ReadAudit), r#"{"ends":[]}"#;
    "get_model_history" => Sight, "";
    "get_model_at" => Sight, "time=1700000000000";
    "list_webhooks" => Sight, "";
    "create_webhook" => Verb(ManageWebhook), r#"{"name":"$new","url":"http://127.0.0.1:9/x","format":"cloudevents","events":["version.created"]}"#;
    "get_webhook" => Sight, "";
    "update_webhook" => Verb(ManageWebhook), r#"{"description":"other"}"#;
    "test_webhook" => Verb(ManageWebhook), "";
    "list_webhook_deliveries" => Sight, "";
    "redeliver" => Verb(ManageWebhook), "";
    "delete_webhook" => Verb(ManageWebhook), "";
    "delete_experiment" => Verb(ManageExperiment), "";
    "restore_experiment" => Verb(ManageExperiment), "";
};

pub(super) fn request(route: &str, with: &str, things: &Things) -> Request<String> {
    let (method, path, _) = crate::api::paths().into_iter().find(|(_, _, name)| *name == route).unwrap();
    let path = match route {
        // After the cases of MLflow have removed the first.
        _ if path.contains("{webhook_id}") => path.replace("{webhook_id}", things.get("other_webhook")),
        _ if route.contains("logged_model_artifact") => path.replace("{model_id}", things.get("other_logged_model")),
        _ => path,
    };
    let (query, body) = parts(with);
    let mut request = Request::builder().method(method).uri(filled(&path, things) + &query);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(body).unwrap()
}
