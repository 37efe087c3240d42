use std::fmt;

/// Why a use case did not do what was asked.
///
/// The error is structured, not worded for one client: each dialect renders it in one exhaustive `match`.
/// `message` texts are complete sentences or clauses that name the operation and the input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The thing does not exist, or the caller may not know that it does.
    #[error("{message}")]
    NotFound { kind: Kind, message: String },
    /// A unique name or id is taken, possibly by something deleted.
    #[error("{message}")]
    AlreadyExists { kind: Kind, message: String },
    /// The input is wrong whatever the state of the record.
    #[error("{message}")]
    Invalid { message: String },
    /// The input is fine, but the thing is in a state that forbids it.
    #[error("{message}")]
    WrongState { kind: Kind, message: String },
    /// Somebody else changed the same thing, or the change contradicts what is stored.
    #[error("{message}")]
    Conflict { message: String },
    /// A gate refused a promotion.
    #[error("{message}")]
    GateFailed { message: String },
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

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of thing in the record, as errors, permits and audit entries name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Workspace,
    Experiment,
    Run,
    Metric,
    Dataset,
    Artifact,
    LoggedModel,
    Model,
    ModelVersion,
    Alias,
    Tag,
    Param,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Workspace => "workspace",
            Kind::Experiment => "experiment",
            Kind::Run => "run",
            Kind::Metric => "metric",
            Kind::Dataset => "dataset",
            Kind::Artifact => "artifact",
            Kind::LoggedModel => "logged model",
            Kind::Model => "model",
            Kind::ModelVersion => "model version",
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
    pub fn not_found(kind: Kind, message: impl Into<String>) -> Error {
        Error::NotFound { kind, message: message.into() }
    }

    pub fn already_exists(kind: Kind, message: impl Into<String>) -> Error {
        Error::AlreadyExists { kind, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid { message: message.into() }
    }

    pub fn wrong_state(kind: Kind, message: impl Into<String>) -> Error {
        Error::WrongState { kind, message: message.into() }
    }

    pub fn unsupported(message: impl Into<String>) -> Error {
        Error::Unsupported { message: message.into() }
    }

    pub fn internal(message: impl Into<String>) -> Error {
        Error::Internal { message: message.into() }
    }
}
