//! The kinds of resources that the record keeps for this script alone, and how each answers.

use crate::error::Failure;

/// A kind of resource that has create, describe, delete and list operations of one form.
pub(crate) struct Kind {
    /// In ARNs.
    pub(crate) path: &'static str,
    /// The member with the name, in requests and answers.
    pub(crate) name: &'static str,
    pub(crate) arn: &'static str,
    /// The member with the page, and the structure of one thing on it.
    pub(crate) list: &'static str,
    pub(crate) summary: &'static str,
    /// Told the ARN.
    pub(crate) missing: fn(arn: &str, name: &str) -> Failure,
    pub(crate) taken: fn(arn: &str, name: &str) -> Failure,
    /// Told which members of an answer are those of the resource itself, not of the request.
    pub(crate) answers_delete: bool,
}

pub(crate) static MODEL: Kind = Kind {
    path: "model",
    name: "ModelName",
    arn: "ModelArn",
    list: "Models",
    summary: "ModelSummary",
    missing: |arn, _| Failure::validation(format!("Could not find model \"{arn}\".")),
    taken: |arn, _| Failure::validation(format!("Cannot create already existing model \"{arn}\".")),
    answers_delete: false,
};

pub(crate) static MODEL_CARD: Kind = Kind {
    path: "model-card",
    name: "ModelCardName",
    arn: "ModelCardArn",
    list: "ModelCardSummaries",
    summary: "ModelCardSummary",
    missing: |_, name| Failure::not_found(format!("Modelcard {name} does not exist.")),
    taken: |_, name| Failure::conflict(format!("Modelcard {name} already exists")),
    answers_delete: false,
};

pub(crate) static TRIAL: Kind = Kind {
    path: stele_app::TRIAL,
    name: "TrialName",
    arn: "TrialArn",
    list: "TrialSummaries",
    summary: "TrialSummary",
    missing: |arn, _| Failure::not_found(format!("Trial '{arn}' does not exist.")),
    taken: |_, name| {
        Failure::validation(format!(
            "Trial names must be unique within an AWS account and region. Trial with name ({name}) already exists."
        ))
    },
    answers_delete: true,
};

pub(crate) static ARTIFACT: Kind = Kind {
    path: stele_domain::lineage::ARTIFACT,
    name: "ArtifactName",
    arn: "ArtifactArn",
    list: "ArtifactSummaries",
    summary: "ArtifactSummary",
    missing: |arn, _| Failure::not_found(format!("Artifact '{arn}' does not exist.")),
    taken: |arn, _| Failure::validation(format!("Artifact '{arn}' with this source and type already exists.")),
    answers_delete: true,
};

pub(crate) static ACTION: Kind = Kind {
    path: "action",
    name: "ActionName",
    arn: "ActionArn",
    list: "ActionSummaries",
    summary: "ActionSummary",
    missing: |arn, _| Failure::not_found(format!("Action '{arn}' does not exist.")),
    taken: |_, name| Failure::validation(format!("Action with name ({name}) already exists.")),
    answers_delete: true,
};

pub(crate) static CONTEXT: Kind = Kind {
    path: "context",
    name: "ContextName",
    arn: "ContextArn",
    list: "ContextSummaries",
    summary: "ContextSummary",
    missing: |arn, _| Failure::not_found(format!("Context '{arn}' does not exist.")),
    taken: |_, name| Failure::validation(format!("Context with name ({name}) already exists.")),
    answers_delete: true,
};

/// A model package without a group.
pub(crate) static PACKAGE: Kind = Kind {
    path: stele_domain::lineage::MODEL_PACKAGE,
    name: "ModelPackageName",
    arn: "ModelPackageArn",
    list: "ModelPackageSummaryList",
    summary: "ModelPackageSummary",
    missing: |arn, _| Failure::validation(format!("ModelPackage {arn} does not exist.")),
    taken: |arn, _| Failure::validation(format!("ModelPackage already exists: {arn}")),
    answers_delete: false,
};

pub(crate) static ALL: [&Kind; 7] = [&MODEL, &MODEL_CARD, &TRIAL, &ARTIFACT, &ACTION, &CONTEXT, &PACKAGE];

/// The kind whose ARNs have this path.
pub(crate) fn by_path(path: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| kind.path == path)
}
