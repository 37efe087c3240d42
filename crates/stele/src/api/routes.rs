//! The table of routes: the router, the OpenAPI document and the tests all walk it.

use super::route::{Route, route};
use super::{artifacts, compare, experiments, governance, metrics, models, openapi, runs, server, versions};

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
    routes.extend(of_artifacts());
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
