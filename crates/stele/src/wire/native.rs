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
    "list_experiments" => Sight, in Experiment, "";
    "create_experiment" => Verb(ManageExperiment), r#"{"name":"$new"}"#;
    "get_experiment" => Sight, in Experiment, "";
    "list_runs" => Sight, in Experiment, "";
    "get_run" => Sight, in Experiment, "";
    "compare_runs" => Sight, in Experiment, "?runs=$run_id,$other_run";
    "get_metric_envelope" => Sight, in Experiment, "?key=shrouded-metric";
    "delete_run" => Verb(LogRun), in Experiment, "";
    "restore_run" => Verb(LogRun), in Experiment, "";
    "list_models" => Sight, in Model, "";
    "get_model" => Sight, in Model, "";
    "list_model_versions" => Sight, in Model, "";
    "get_model_version" => Sight, in Model, "";
    "set_model_version_stage" => Verb(PromoteModel), in Model, r#"{"stage":"staging"}"#;
    "get_model_alias" => Sight, in Model, "";
    "set_model_alias" => Verb(PromoteModel), in Model, r#"{"version":2}"#;
    "delete_model_alias" => Verb(PromoteModel), in Model, "";
    "get_lineage" => Sight, in Experiment, "?of=runs:/$run_id";
    "get_lineage" => Sight, in Model, "?of=models:/$model/1";
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
    "explain_policy" => Sight, in Experiment, r#"{"verb":"run:log","what":"experiment:$experiment_id"}"#;
    "explain_policy" => Sight, in Model, r#"{"verb":"model:promote","what":"model:$model/1"}"#;
    "explain_policy" => Power(ManagePolicy), r#"{"account":"$account","verb":"model:register","what":"workspace"}"#;
    "delete_policy" => Verb(ManagePolicy), "";
    "check_gates" => Sight, in Model, "?stage=production";
    "list_verdicts" => Sight, in Model, "";
    "list_reviews" => Sight, in Model, "";
    "add_review" => Verb(ApproveModel), in Model, r#"{"review":"approve","reason":"good"}"#;
    "list_evaluations" => Sight, in Model, "";
    "record_evaluation" => Verb(RecordEvaluation), in Model, r#"{"digest":"d","metrics":{"auc":0.5}}"#;
    "make_gate_exception" => Verb(ManageGate), in Model & Workspace, r#"{"target":{"stage":"production"},"reason":"r","minutes":5}"#;
    "list_run_artifacts" => Sight, in Experiment, "";
    "put_run_artifact" => Verb(WriteArtifact), in Experiment, "?path=shrouded.txt shrouded-content";
    "get_run_artifact" => Sight, in Experiment, "?path=shrouded.txt";
    "list_logged_model_artifacts" => Sight, in Experiment, "@model_id=$other_logged_model";
    "put_logged_model_artifact" => Verb(WriteArtifact), in Experiment, "@model_id=$other_logged_model ?path=shrouded.txt shrouded-content";
    "get_logged_model_artifact" => Sight, in Experiment, "@model_id=$other_logged_model ?path=shrouded.txt";
    "list_model_version_artifacts" => Sight, in Model, "";
    // The file is the run's too.
    "put_model_version_artifact" => Verb(WriteArtifact), in Model & Experiment, "?path=hooded.txt hooded-content";
    "get_model_version_artifact" => Sight, in Model, "?path=hooded.txt";
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
    "get_model_history" => Past, in Model, "";
    "get_model_at" => Past, in Model, "?time=1700000000000";
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
    "delete_experiment" => Verb(ManageExperiment), in Experiment, "";
    "restore_experiment" => Verb(ManageExperiment), in Experiment, "";
};

pub(super) fn request(route: &str, with: &With, things: &Things) -> Request<String> {
    let (method, path, _) = crate::api::paths().into_iter().find(|(_, _, name)| *name == route).unwrap();
    let mut request = Request::builder().method(method).uri(with.path(&path, things) + &with.query);
    if with.body.starts_with('{') {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(with.body.clone()).unwrap()
}
