//! Requests to the native API.

use axum::http::{Request, header};
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, With, cases};
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
    "compare_runs" => Sight, "?runs=$run_id,$other_run";
    "get_metric_envelope" => Sight, "?key=veiled-metric";
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
    "get_lineage" => Sight, "?of=runs:/$run_id";
    "list_gates" => Sight, "";
    "apply_gate" => Verb(ManageGate), r#"{"name":"$new","models":"veiled-guarded*","target":{"stage":"production"},"rules":[{"tag":{"key":"a"}}]}"#;
    "get_gate" => Sight, "";
    "list_gate_versions" => Sight, "";
    "delete_gate" => Verb(ManageGate), "";
    "list_policies" => Sight, "";
    "apply_policy" => Verb(ManagePolicy), r#"{"text":"forbid (principal == User::\"veiled-carl\", action == Action::\"gate:manage\", resource);"}"#;
    "get_policy" => Sight, "";
    "list_policy_versions" => Sight, "";
    "get_policy_schema" => Account, "";
    "explain_policy" => Account, r#"{"verb":"model:register","what":"workspace"}"#;
    "explain_policy" => Power(ManagePolicy), r#"{"account":"$account","verb":"model:register","what":"workspace"}"#;
    "delete_policy" => Verb(ManagePolicy), "";
    "check_gates" => Sight, "?stage=production";
    "list_verdicts" => Sight, "";
    "list_reviews" => Sight, "";
    "add_review" => Verb(ApproveModel), r#"{"review":"approve","reason":"good"}"#;
    "list_evaluations" => Sight, "";
    "record_evaluation" => Verb(RecordEvaluation), r#"{"digest":"d","metrics":{"auc":0.5}}"#;
    "make_gate_exception" => Verb(ManageGate), r#"{"target":{"stage":"production"},"reason":"r","minutes":5}"#;
    "list_run_artifacts" => Sight, "";
    "put_run_artifact" => Verb(WriteArtifact), "?path=veiled.txt veiled-content";
    "get_run_artifact" => Sight, "?path=veiled.txt";
    "list_logged_model_artifacts" => Sight, "@model_id=$other_logged_model";
    "put_logged_model_artifact" => Verb(WriteArtifact), "@model_id=$other_logged_model ?path=veiled.txt veiled-content";
    "get_logged_model_artifact" => Sight, "@model_id=$other_logged_model ?path=veiled.txt";
    "list_model_version_artifacts" => Sight, "";
    "put_model_version_artifact" => Verb(WriteArtifact), "?path=veiled.txt veiled-content";
    "get_model_version_artifact" => Sight, "?path=veiled.txt";
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
    "list_tokens" => Power(ManageIdentity), "";
    "create_token" => Verb(ManageCredential), r#"{"name":"other"}"#;
    "list_tokens" => Account, "@account=$own";
    "create_token" => Own, r#"@account=$own {"name":"other"}"#;
    "revoke_token" => Verb(ManageCredential), "";
    "list_access_keys" => Power(ManageIdentity), "";
    "create_access_key" => Verb(ManageCredential), r#"{"name":"other"}"#;
    "list_access_keys" => Account, "@account=$own";
    "create_access_key" => Own, r#"@account=$own {"name":"other"}"#;
    "revoke_access_key" => Verb(ManageCredential), "";
    "delete_account" => Verb(ManageIdentity), "";
    "list_audit_entries" => Power(ReadAudit), "";
    "export_audit_log" => Power(ReadAudit), "";
    "get_audit_heads" => Power(ReadAudit), "";
    "verify_audit_log" => Power(ReadAudit), r#"{"ends":[]}"#;
    "get_model_history" => Past, "";
    "get_model_at" => Past, "?time=1700000000000";
    "list_webhooks" => Sight, "";
    "create_webhook" => Verb(ManageWebhook), r#"{"name":"$new","url":"http://127.0.0.1:9/x","format":"cloudevents","events":["version.created"]}"#;
    "get_webhook" => Sight, "@webhook_id=$native_webhook";
    "update_webhook" => Verb(ManageWebhook), r#"@webhook_id=$native_webhook {"description":"other"}"#;
    "test_webhook" => Power(ManageWebhook), "@webhook_id=$native_webhook";
    // One of another format.
    "test_webhook" => Unoffered, "@webhook_id=$kept_webhook";
    "list_webhook_deliveries" => Sight, "";
    "redeliver" => Verb(ManageWebhook), "";
    "delete_webhook" => Verb(ManageWebhook), "@webhook_id=$native_webhook";
    "delete_experiment" => Verb(ManageExperiment), "";
    "restore_experiment" => Verb(ManageExperiment), "";
};

pub(super) fn request(route: &str, with: &With, things: &Things) -> Request<String> {
    let (method, path, _) = crate::api::paths().into_iter().find(|(_, _, name)| *name == route).unwrap();
    let mut request = Request::builder().method(method).uri(with.path(&path, things) + &with.query);
    if with.body.starts_with('{') {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(with.body.clone()).unwrap()
}
