//! The table of routes: the router, the OpenAPI document and the tests all walk it.

use super::identity::{accounts, authentication, credentials, grants, groups};
use super::route::{Route, route};
use super::{
    artifacts, audit, compare, experiments, governance, history, lineage, metrics, models, openapi, policies, runs,
    server, versions, webhooks,
};

#[rustfmt::skip::macros(route)]
pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        route!(get_server: GET "server" => server::get, "Says which server this is.").gives::<server::ServerDto>(),
        route!(get_openapi: GET "openapi.json" => openapi::get, "Describes this API."),
    ];
    routes.extend(of_experiments());
    routes.extend(of_runs());
    routes.extend(of_models());
    routes.extend(of_governance());
    routes.extend(of_policies());
    routes.extend(of_artifacts());
    routes.extend(of_accounts());
    routes.extend(of_groups_and_grants());
    routes.extend(of_credentials());
    routes.extend(of_audit());
    routes.extend(of_webhooks());
    routes
}

fn of_experiments() -> Vec<Route> {
    vec![
        route!(list_experiments: GET "experiments" => experiments::list,
            "Lists experiments, the newest first unless ordered otherwise.")
        .query(experiments::LIST)
        .gives::<experiments::ExperimentPage>(),
        route!(create_experiment: POST "experiments" => experiments::create,
            "Creates an experiment; its name must be free, also among the deleted ones.")
        .takes::<experiments::NewExperimentDto>()
        .gives::<experiments::ExperimentDto>(),
        route!(get_experiment: GET "experiments/{experiment_id}" => experiments::get,
            "Reads an experiment, also a deleted one.")
        .gives::<experiments::ExperimentDto>(),
        route!(delete_experiment: DELETE "experiments/{experiment_id}" => experiments::delete,
            "Moves an experiment with its runs to the trash."),
        route!(restore_experiment: POST "experiments/{experiment_id}/restore" => experiments::restore,
            "Takes an experiment with its runs out of the trash."),
    ]
}

fn of_runs() -> Vec<Route> {
    vec![
        route!(list_runs: GET "runs" => runs::list,
            "Lists or searches the runs of some experiments, or of all, the newest first unless ordered otherwise.")
        .query(runs::LIST)
        .gives::<runs::RunPage>(),
        route!(get_run: GET "runs/{run_id}" => runs::get, "Reads a run, also a deleted one.").gives::<runs::RunDto>(),
        route!(delete_run: DELETE "runs/{run_id}" => runs::delete,
            "Moves a run to the trash; doing it again changes nothing."),
        route!(restore_run: POST "runs/{run_id}/restore" => runs::restore,
            "Takes a run out of the trash; doing it again changes nothing."),
        route!(compare_runs: GET "run-comparison" => compare::compare,
            "Puts the params, metrics and tags of some runs side by side, those that differ first.")
        .query(compare::QUERY)
        .gives::<compare::ComparisonDto>(),
        route!(get_metric_envelope: GET "runs/{run_id}/metrics/envelope" => metrics::envelope,
            "Draws a metric: the true first, last, least and greatest point of each of so many equal ranges of steps.")
        .query(metrics::ENVELOPE)
        .gives::<metrics::EnvelopeDto>(),
    ]
}

fn of_models() -> Vec<Route> {
    vec![
        route!(list_models: GET "models" => models::list, "Lists registered models, by name unless ordered otherwise.")
            .query(models::LIST)
            .gives::<models::ModelPage>(),
        route!(get_model: GET "models/{model}" => models::get,
            "Reads a registered model with the newest version of each stage.")
        .gives::<models::ModelDto>(),
        route!(list_model_versions: GET "models/{model}/versions" => versions::list,
            "Lists the versions of a model, the newest first.")
        .query(versions::LIST)
        .gives::<versions::ModelVersionPage>(),
        route!(get_model_version: GET "models/{model}/versions/{version}" => versions::get, "Reads a version of a model.")
            .gives::<versions::ModelVersionDto>(),
        route!(set_model_version_stage: PUT "models/{model}/versions/{version}/stage" => versions::set_stage,
            "Moves a version to a stage. A model has one version in production at a time.")
        .takes::<versions::StageDto>()
        .gives::<versions::ModelVersionDto>(),
        route!(get_model_alias: GET "models/{model}/aliases/{alias}" => versions::of_alias,
            "Reads the version that an alias points at; 'latest' is the newest one.")
        .gives::<versions::ModelVersionDto>(),
        route!(set_model_alias: PUT "models/{model}/aliases/{alias}" => versions::set_alias,
            "Points an alias at a version. The aliases staging, production and archived are the stages of that name.")
        .takes::<versions::AliasDto>()
        .gives::<versions::ModelVersionDto>(),
        route!(delete_model_alias: DELETE "models/{model}/aliases/{alias}" => versions::delete_alias,
            "Removes an alias, if there is one."),
        route!(get_lineage: GET "lineage" => lineage::walk,
            "Walks along lineage: what a run, logged model or version was made of, and what was made of it.")
        .query(lineage::WALK)
        .gives::<lineage::LineageDto>(),
    ]
}

fn of_accounts() -> Vec<Route> {
    vec![
        route!(get_identity: GET "identity" => authentication::whoami, "Says who asks, and which roles they hold.")
            .gives::<authentication::IdentityDto>(),
        route!(get_authentication: GET "authentication" => authentication::get,
            "Says whether requests must prove who they are.")
        .gives::<authentication::AuthenticationDto>(),
        route!(require_authentication: PUT "authentication" => authentication::require,
            "Makes an administrator, and from then on wants to know of each request who asks.")
        .takes::<authentication::FirstAdministratorDto>()
        .gives::<authentication::AuthenticationDto>(),
        route!(list_accounts: GET "accounts" => accounts::list, "Lists the accounts by name.")
            .query(accounts::LIST)
            .gives::<accounts::AccountPage>(),
        route!(create_account: POST "accounts" => accounts::create,
            "Creates an account for a person or a program; it holds no role yet.")
        .takes::<accounts::NewAccountDto>()
        .gives::<accounts::AccountDto>(),
        route!(get_account: GET "accounts/{account}" => accounts::get, "Reads an account with its groups.")
            .gives::<accounts::AccountDto>(),
        route!(update_account: PATCH "accounts/{account}" => accounts::update,
            "Disables or enables an account, or says what people call it.")
        .takes::<accounts::AccountChangeDto>()
        .gives::<accounts::AccountDto>(),
        route!(delete_account: DELETE "accounts/{account}" => accounts::delete,
            "Deletes an account with its credentials and grants; its name is not given to another one."),
        route!(set_account_password: PUT "accounts/{account}/password" => accounts::set_password,
            "Sets a password and ends the sessions of browsers.")
        .takes::<accounts::PasswordDto>(),
    ]
}

fn of_groups_and_grants() -> Vec<Route> {
    vec![
        route!(list_groups: GET "groups" => groups::list, "Lists the groups by name.")
            .query(groups::LIST)
            .gives::<groups::GroupPage>(),
        route!(create_group: POST "groups" => groups::create, "Creates a group without members.")
            .takes::<groups::NewGroupDto>()
            .gives::<groups::GroupDto>(),
        route!(get_group: GET "groups/{group}" => groups::get, "Reads a group.").gives::<groups::GroupDto>(),
        route!(delete_group: DELETE "groups/{group}" => groups::delete, "Deletes a group with its grants."),
        route!(list_group_members: GET "groups/{group}/members" => groups::members, "Lists the members by name.")
            .query(groups::LIST)
            .gives::<groups::MemberPage>(),
        route!(add_group_member: PUT "groups/{group}/members/{account}" => groups::add_member,
            "Puts an account into a group; doing it again changes nothing."),
        route!(remove_group_member: DELETE "groups/{group}/members/{account}" => groups::remove_member,
            "Takes an account out of a group."),
        route!(list_grants: GET "grants" => grants::list, "Lists which roles are held on what, the oldest first.")
            .query(grants::LIST)
            .gives::<grants::GrantPage>(),
        route!(create_grant: POST "grants" => grants::create,
            "Grants a role on a scope; doing it again changes nothing.")
        .takes::<grants::NewGrantDto>()
        .gives::<grants::GrantDto>(),
        route!(delete_grant: DELETE "grants/{grant_id}" => grants::delete, "Takes a granted role away."),
    ]
}

fn of_credentials() -> Vec<Route> {
    vec![
        route!(list_tokens: GET "accounts/{account}/tokens" => credentials::list_tokens,
            "Lists the tokens of an account, without what they are.")
        .query(credentials::LIST)
        .gives::<credentials::TokenPage>(),
        route!(create_token: POST "accounts/{account}/tokens" => credentials::create_token,
            "Makes a token, which is told this once.")
        .takes::<credentials::NewCredentialDto>()
        .gives::<credentials::TokenMadeDto>(),
        route!(revoke_token: DELETE "accounts/{account}/tokens/{token_id}" => credentials::revoke_token,
            "Revokes a token."),
        route!(list_access_keys: GET "accounts/{account}/access-keys" => credentials::list_keys,
            "Lists the access keys of an account, without their secrets.")
        .query(credentials::LIST)
        .gives::<credentials::AccessKeyPage>(),
        route!(create_access_key: POST "accounts/{account}/access-keys" => credentials::create_key,
            "Makes an access key for clients of AWS, whose secret is told this once.")
        .takes::<credentials::NewCredentialDto>()
        .gives::<credentials::AccessKeyMadeDto>(),
        route!(revoke_access_key: DELETE "accounts/{account}/access-keys/{key_id}" => credentials::revoke_key,
            "Revokes an access key."),
    ]
}

fn of_audit() -> Vec<Route> {
    vec![
        route!(list_audit_entries: GET "audit" => audit::list, "Lists entries of the audit log, the newest first.")
            .query(audit::LIST)
            .gives::<audit::AuditPageDto>(),
        route!(export_audit_log: GET "audit/export" => audit::export,
            "Writes the whole audit log as JSON Lines, the oldest entry first.")
        .gives_file(),
        route!(get_audit_heads: GET "audit/heads" => audit::heads,
            "Says where the chains of the audit log end, to be kept elsewhere.")
        .gives::<audit::HeadsDto>(),
        route!(verify_audit_log: POST "audit/verification" => audit::verify,
            "Looks for entries that were changed, removed, inserted or moved, also by what was noted elsewhere.")
        .takes::<audit::NotedDto>()
        .gives::<audit::ReportDto>(),
        route!(get_model_history: GET "models/{model}/history" => history::history,
            "Lists what happened to a model, whatever it was called, the newest first.")
        .query(history::HISTORY)
        .gives::<audit::AuditPageDto>(),
        route!(get_model_at: GET "models/{model}/at" => history::at,
            "Says what a model was at a time: its versions, their stages and approvals, its aliases, and who made it so.")
        .query(history::AT)
        .gives::<history::ModelThenDto>(),
    ]
}

fn of_webhooks() -> Vec<Route> {
    vec![
        route!(list_webhooks: GET "webhooks" => webhooks::list, "Lists webhooks of all formats, the newest first.")
            .query(webhooks::LIST)
            .gives::<webhooks::WebhookPage>(),
        route!(create_webhook: POST "webhooks" => webhooks::create,
            "Lets an address be told of events, in the words of a format.")
        .takes::<webhooks::NewWebhookDto>()
        .gives::<webhooks::WebhookDto>(),
        route!(get_webhook: GET "webhooks/{webhook_id}" => webhooks::get, "Reads a webhook, without its secret.")
            .gives::<webhooks::WebhookDto>(),
        route!(update_webhook: PATCH "webhooks/{webhook_id}" => webhooks::update, "Changes a webhook.")
            .takes::<webhooks::WebhookChangeDto>()
            .gives::<webhooks::WebhookDto>(),
        route!(delete_webhook: DELETE "webhooks/{webhook_id}" => webhooks::delete,
            "Deletes a webhook; what waits for it is not sent."),
        route!(test_webhook: POST "webhooks/{webhook_id}/test" => webhooks::test,
            "Sends an example of an event and says what came of it.")
        .gives::<webhooks::TestDto>(),
        route!(list_webhook_deliveries: GET "webhook-deliveries" => webhooks::deliveries,
            "Lists what webhooks were told or are about to be told, the newest first; those given up have status failed.")
        .query(webhooks::DELIVERIES)
        .gives::<webhooks::DeliveryPage>(),
        route!(redeliver: POST "webhook-deliveries/{delivery_id}/redelivery" => webhooks::redeliver,
            "Makes a delivery again that has ended, whichever way."),
    ]
}

fn of_policies() -> Vec<Route> {
    vec![
        route!(list_policies: GET "policies" => policies::list, "Lists the team's own rules, by name.")
            .gives::<policies::PolicyList>(),
        route!(get_policy: GET "policies/{policy}" => policies::get, "Reads a policy.").gives::<policies::PolicyDto>(),
        route!(apply_policy: PUT "policies/{policy}" => policies::apply,
            "Declares a policy, or changes it, which makes its next version; rules that could not be held to are refused.")
        .takes::<policies::PolicyBody>()
        .gives::<policies::PolicyDto>(),
        route!(delete_policy: DELETE "policies/{policy}" => policies::delete, "Deletes a policy; its versions stay."),
        route!(list_policy_versions: GET "policies/{policy}/versions" => policies::versions,
            "Lists the versions that a policy has had, the newest hundred first.")
        .gives::<policies::PolicyList>(),
        route!(get_policy_schema: GET "policy-schema" => policies::schema, "Says what rules can speak of.")
            .gives::<policies::PolicySchemaDto>(),
        route!(explain_policy: POST "policy-explanations" => policies::explain,
            "Says whether somebody may do something, and which roles or rules decide it. Nothing is done.")
        .takes::<policies::QuestionDto>()
        .gives::<policies::ExplainedDto>(),
    ]
}

fn of_governance() -> Vec<Route> {
    vec![
        route!(list_gates: GET "gates" => governance::list, "Lists the gates there are, by name.")
            .gives::<governance::GateList>(),
        route!(apply_gate: POST "gates" => governance::apply,
            "Declares a gate, or changes the one of that name, which makes its next version.")
        .takes::<governance::GateBody>()
        .gives::<governance::GateDto>(),
        route!(get_gate: GET "gates/{gate}" => governance::get, "Reads a gate.").gives::<governance::GateDto>(),
        route!(delete_gate: DELETE "gates/{gate}" => governance::delete, "Deletes a gate; its versions stay."),
        route!(list_gate_versions: GET "gates/{gate}/versions" => governance::versions,
            "Lists every version that a gate has had, the newest first.")
        .gives::<governance::GateList>(),
        route!(check_gates: GET "models/{model}/versions/{version}/gate-check" => governance::check,
            "Says what the gates would answer if the version were to be moved now.")
        .query(governance::CHECK)
        .gives::<governance::CheckDto>(),
        route!(list_verdicts: GET "models/{model}/versions/{version}/verdicts" => governance::verdicts,
            "Lists what gates answered about a version, with the evidence.")
        .gives::<governance::KeptVerdicts>(),
        route!(list_reviews: GET "models/{model}/versions/{version}/reviews" => governance::reviews,
            "Lists what was said of a version.")
        .gives::<governance::ReviewList>(),
        route!(add_review: POST "models/{model}/versions/{version}/reviews" => governance::review,
            "Requests a review, comments, approves, rejects, or withdraws a decision.")
        .takes::<governance::NewReviewDto>()
        .gives::<governance::ReviewedDto>(),
        route!(list_evaluations: GET "models/{model}/versions/{version}/evaluations" => governance::evaluations,
            "Lists the evaluations that gates see of a version.")
        .gives::<governance::EvaluationList>(),
        route!(record_evaluation: POST "models/{model}/versions/{version}/evaluations" => governance::evaluate,
            "Records how good a version is on a data set.")
        .takes::<governance::NewEvaluationDto>()
        .gives::<governance::EvaluationRef>(),
        route!(make_gate_exception: POST "models/{model}/versions/{version}/gate-exceptions" => governance::except,
            "Breaks the glass: lets a version past its gates for a while, for a reason, and loudly.")
        .takes::<governance::NewExceptionDto>()
        .gives::<governance::ExceptionDto>(),
    ]
}

fn of_artifacts() -> Vec<Route> {
    vec![
        route!(list_run_artifacts: GET "runs/{run_id}/artifacts" => artifacts::list,
            "Says what lies at a path below the artifacts of a run: a file, or a folder with what is directly in it.")
        .query(artifacts::LIST)
        .gives::<artifacts::ListingDto>(),
        route!(get_run_artifact: GET "runs/{run_id}/artifacts/file" => artifacts::get,
            "Downloads a file of a run, whole or the range that the header asks for.")
        .query(artifacts::FILE)
        .gives_file(),
        route!(put_run_artifact: PUT "runs/{run_id}/artifacts/file" => artifacts::put,
            "Uploads a file of a run, replacing one that is there; nobody sees it before it is durable.")
        .query(artifacts::FILE)
        .takes_file()
        .gives::<artifacts::StoredDto>(),
        route!(list_logged_model_artifacts: GET "logged-models/{model_id}/artifacts" => artifacts::list,
            "As for runs, for a logged model.")
        .query(artifacts::LIST)
        .gives::<artifacts::ListingDto>(),
        route!(get_logged_model_artifact: GET "logged-models/{model_id}/artifacts/file" => artifacts::get,
            "As for runs, for a logged model.")
        .query(artifacts::FILE)
        .gives_file(),
        route!(put_logged_model_artifact: PUT "logged-models/{model_id}/artifacts/file" => artifacts::put,
            "As for runs, for a logged model.")
        .query(artifacts::FILE)
        .takes_file()
        .gives::<artifacts::StoredDto>(),
        route!(list_model_version_artifacts: GET "models/{model}/versions/{version}/artifacts" => artifacts::list,
            "As for runs, for a version of a registered model.")
        .query(artifacts::LIST)
        .gives::<artifacts::ListingDto>(),
        route!(get_model_version_artifact: GET "models/{model}/versions/{version}/artifacts/file" => artifacts::get,
            "As for runs, for a version of a registered model.")
        .query(artifacts::FILE)
        .gives_file(),
        route!(put_model_version_artifact: PUT "models/{model}/versions/{version}/artifacts/file" => artifacts::put,
            "As for runs, for a version of a registered model.")
        .query(artifacts::FILE)
        .takes_file()
        .gives::<artifacts::StoredDto>(),
    ]
}
