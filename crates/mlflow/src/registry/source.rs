//! How the refusal of a version's source reads.

use stele_app::{Owner, SourceError, SourceProblem};

use super::aliases::alias_failure;
use super::rules;
use crate::error::{Code, Failure};

pub(super) fn failure(source: &str, error: SourceError) -> Failure {
    let problem = match error {
        SourceError::Failed(error) => return alias_failure(error),
        SourceError::Refused(problem) => problem,
    };
    let reason = match problem {
        SourceProblem::LocalOutside(owner) => {
            let field = field(owner);
            format!(
                "To use a local path as a model version source, the {field} request parameter has to be specified and \
                 the local path has to be contained within the artifact directory of the run specified by the {field}."
            )
        }
        SourceProblem::Unclaimed(owner) => {
            format!("The {} request parameter must identify the resource that contains the source.", field(owner))
        }
        SourceProblem::NotAbsolute => "If supplying a source as an http, https, local file path, ftp, objectstore, or \
             mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please \
             provide an absolute path."
            .to_owned(),
        SourceProblem::OtherRegistry => "Registered model sources must use the active model registry.".to_owned(),
        SourceProblem::Prompt => "Prompt versions cannot be used as model version sources.".to_owned(),
        SourceProblem::LineageDiffers => {
            "The run_id and model_id request parameters must match the referenced model version.".to_owned()
        }
        SourceProblem::OtherMachine(message) => return Failure::new(Code::InternalError, message),
        SourceProblem::UnknownStage(stage) => return rules::unknown_stage(&stage),
        SourceProblem::NoVersion { model, stage } => {
            let stage = stage.map_or_else(String::new, |stage| format!(" and stage '{stage}'"));
            return Failure::not_found(format!("No versions of model with name '{model}'{stage} found"));
        }
    };
    Failure::invalid(format!("Invalid model version source: '{source}'. {reason}"))
}

fn field(owner: Owner) -> &'static str {
    match owner {
        Owner::Run => "run_id",
        Owner::LoggedModel => "model_id",
    }
}
