use std::fmt;

use crate::gate::Refusal;

/// Why a use case did not do what was asked.
///
/// The error is structured, not worded for one client: each dialect renders it in one exhaustive `match`.
/// `message` texts are complete sentences or clauses that name the operation and the input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The thing does not exist, or the caller may not know that it does.
    #[error("{kind} '{id}' does not exist")]
    NotFound { kind: Kind, id: String },
    /// A unique name or id is taken, possibly by something deleted.
    #[error("{kind} '{id}' already exists")]
    AlreadyExists { kind: Kind, id: String },
    /// The input is wrong whatever the state of the record.
    #[error("{message}")]
    Invalid { message: String },
    /// The input is fine, but the thing is in `state`, and the operation wants it in `needed`.
    #[error("{kind} '{id}' is {state} and must be {needed}")]
    WrongState { kind: Kind, id: String, state: &'static str, needed: &'static str },
    /// Params never change, and these would.
    #[error("params of run '{run}' cannot change")]
    ParamsChanged { run: String, changes: Vec<ParamChange> },
    /// Somebody else changed the same thing, or the change contradicts what is stored.
    #[error("{message}")]
    Conflict { message: String },
    /// A rule of the model or workspace refused a promotion.
    #[error("{message}")]
    GateFailed { message: String, refusal: Option<Box<Refusal>> },
    #[error("{message}")]
    Forbidden { message: String },
    #[error("{message}")]
    Unauthenticated { message: String },
    #[error("{message}")]
    LimitExceeded { message: String },
    /// Understood, but not offered by this server or by its configuration.
    #[error("{message}")]
    Unsupported { message: String },
    /// Something this server depends on does not answer; trying again may help.
    #[error("{message}")]
    Unavailable { message: String },
    /// A defect or damaged data. The message goes to the log; clients get a generic text.
    #[error("{message}")]
    Internal { message: String },
}

/// A param that a request would have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamChange {
    pub key: String,
    pub old: String,
    pub new: String,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of thing in the record, as errors, permits and audit entries name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Workspace,
    Account,
    Group,
    Grant,
    Credential,
    Experiment,
    Run,
    Metric,
    Dataset,
    Artifact,
    LoggedModel,
    Model,
    ModelVersion,
    Gate,
    Policy,
    Evaluation,
    EvaluationDataset,
    Scorer,
    Webhook,
    Bucket,
    Object,
    Upload,
    Part,
    Trace,
    Assessment,
    Issue,
    LabelSchema,
    ReviewQueue,
    Delivery,
    Resource,
    Association,
    Alias,
    Tag,
    Param,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Workspace => "workspace",
            Kind::Account => "account",
            Kind::Group => "group",
            Kind::Grant => "grant",
            Kind::Credential => "credential",
            Kind::Experiment => "experiment",
            Kind::Run => "run",
            Kind::Metric => "metric",
            Kind::Dataset => "dataset",
            Kind::Artifact => "artifact",
            Kind::LoggedModel => "logged model",
            Kind::Model => "model",
            Kind::ModelVersion => "model version",
            Kind::Gate => "gate",
            Kind::Policy => "policy",
            Kind::Evaluation => "evaluation",
            Kind::EvaluationDataset => "evaluation dataset",
            Kind::Scorer => "scorer",
            Kind::Webhook => "webhook",
            Kind::Bucket => "bucket",
            Kind::Object => "object",
            Kind::Upload => "upload",
            Kind::Part => "part",
            Kind::Trace => "trace",
            Kind::Assessment => "assessment",
            Kind::Issue => "issue",
            Kind::LabelSchema => "label schema",
            Kind::ReviewQueue => "review queue",
            Kind::Delivery => "delivery",
            Kind::Resource => "resource",
            Kind::Association => "association",
            Kind::Alias => "alias",
            Kind::Tag => "tag",
            Kind::Param => "param",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    pub fn not_found(kind: Kind, id: impl Into<String>) -> Error {
        Error::NotFound { kind, id: id.into() }
    }

    pub fn already_exists(kind: Kind, id: impl Into<String>) -> Error {
        Error::AlreadyExists { kind, id: id.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid { message: message.into() }
    }

    pub fn conflict(message: impl Into<String>) -> Error {
        Error::Conflict { message: message.into() }
    }

    pub fn unsupported(message: impl Into<String>) -> Error {
        Error::Unsupported { message: message.into() }
    }

    pub fn internal(message: impl Into<String>) -> Error {
        Error::Internal { message: message.into() }
    }
}
