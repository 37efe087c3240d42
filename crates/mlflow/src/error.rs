//! MLflow's error shape, and how the record's errors read in it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stele_app::{Refusal, Refused, Undisclosed};
use stele_domain::error::ParamChange;
use stele_domain::{Error, Kind};

use crate::python::repr;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error as MLflow clients read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    /// What only the log may say.
    undisclosed: Option<String>,
    /// After how many seconds it may go better.
    retry_after: Option<u64>,
}

macro_rules! codes {
    ($($name:ident = $text:literal, $status:ident, $class:expr;)+) => {
        /// The error codes of MLflow that this server uses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name),+ }

        impl Code {
            fn text(self) -> &'static str {
                match self { $(Code::$name => $text),+ }
            }

            fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status),+ }
            }

            /// SQLSTATE and error class, which clients since 3.11 show.
            fn class(self) -> Option<(&'static str, &'static str)> {
                match self { $(Code::$name => $class),+ }
            }
        }
    };
}

codes! {
    InvalidParameterValue = "INVALID_PARAMETER_VALUE", BAD_REQUEST, Some(("KAM00", "INVALID_PARAMETER_VALUE"));
    BadRequest = "BAD_REQUEST", BAD_REQUEST, Some(("KAM00", "INVALID_PARAMETER_VALUE"));
    ResourceAlreadyExists = "RESOURCE_ALREADY_EXISTS", BAD_REQUEST, Some(("KAM00", "RESOURCE_ALREADY_EXISTS"));
    ResourceDoesNotExist = "RESOURCE_DOES_NOT_EXIST", NOT_FOUND, Some(("KAM00", "RESOURCE_NOT_FOUND"));
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED, None;
    PermissionDenied = "PERMISSION_DENIED", FORBIDDEN, Some(("KAM00", "PERMISSION_DENIED"));
    RequestLimitExceeded = "REQUEST_LIMIT_EXCEEDED", TOO_MANY_REQUESTS, None;
    InternalError = "INTERNAL_ERROR", INTERNAL_SERVER_ERROR, Some(("XXM00", "CLIENT_INTERNAL_ERROR"));
    InvalidState = "INVALID_STATE", INTERNAL_SERVER_ERROR, Some(("XXM00", "CLIENT_INTERNAL_ERROR"));
    FeatureDisabled = "FEATURE_DISABLED", INTERNAL_SERVER_ERROR, Some(("KAM00", "FEATURE_DISABLED"));
    NotImplemented = "NOT_IMPLEMENTED", NOT_IMPLEMENTED, None;
    TemporarilyUnavailable = "TEMPORARILY_UNAVAILABLE", SERVICE_UNAVAILABLE, Some(("XXM00", "CLIENT_INTERNAL_ERROR"));
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), undisclosed: None, retry_after: None }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }

    pub(crate) fn undisclosed(&self) -> Option<&str> {
        self.undisclosed.as_deref()
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(Code::InvalidParameterValue, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(Code::ResourceDoesNotExist, message)
    }

    /// The log says why as well, for those who mend it.
    fn unavailable(message: String) -> Failure {
        Failure { undisclosed: Some(message.clone()), ..Failure::new(Code::TemporarilyUnavailable, message) }
    }

    pub(crate) fn not_implemented(message: impl Into<String>) -> Failure {
        Failure::new(Code::NotImplemented, message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::NotFound { kind, id } => Failure::not_found(missing(kind, &id)),
            Error::AlreadyExists { kind, id } => Failure::new(Code::ResourceAlreadyExists, taken(kind, &id)),
            Error::Invalid { message } | Error::GateFailed { message, .. } => Failure::invalid(message),
            Error::WrongState { kind, id, state, needed } => {
                Failure::invalid(format!("The {kind} {id} must be in the '{needed}' state. Current state is {state}."))
            }
            Error::ParamsChanged { run, changes } => Failure::invalid(params_changed(&run, &changes)),
            Error::Conflict { message } => Failure::new(Code::BadRequest, message),
            Error::Forbidden { message } => {
                Failure::new(Code::PermissionDenied, format!("Permission denied: {message}"))
            }
            Error::Unauthenticated { message } => Failure::new(Code::Unauthenticated, message),
            Error::LimitExceeded { message } => Failure::invalid(message),
            Error::Unsupported { message } => Failure::not_implemented(message),
            Error::Unavailable { message } => Failure::unavailable(message),
            Error::Internal { message } => Failure {
                undisclosed: Some(message),
                ..Failure::new(Code::InternalError, "An internal error occurred; the server's log says more")
            },
        }
    }
}

fn missing(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Experiment => format!("No Experiment with id={id} exists"),
        Kind::Run => format!("Run with id={id} not found"),
        Kind::LoggedModel => format!("Logged model with ID '{id}' not found."),
        Kind::Model => format!("Registered Model with name={id} not found"),
        Kind::ModelVersion => {
            let (name, version) = id.rsplit_once('/').unwrap_or((id, ""));
            format!("Model Version (name={name}, version={version}) not found")
        }
        Kind::Alias => format!("Registered model alias {id} not found."),
        Kind::Artifact => format!("No such artifact: '{id}'"),
        Kind::Webhook | Kind::Delivery => format!("Webhook with ID {id} not found."),
        Kind::Trace => format!("Trace with ID '{id}' not found."),
        Kind::Assessment => format!("Assessment with ID '{id}' not found"),
        Kind::Issue => format!("Issue with ID '{id}' not found"),
        Kind::LabelSchema => format!("Label schema with id '{id}' not found."),
        Kind::ReviewQueue => format!("Review queue with id '{id}' not found."),
        Kind::EvaluationDataset => format!("Evaluation dataset with id '{id}' not found"),
        Kind::Account => format!("User with username={id} not found"),
        Kind::Workspace => format!("Workspace '{id}' not found"),
        Kind::Group
        | Kind::Grant
        | Kind::Credential
        | Kind::Gate
        | Kind::Policy
        | Kind::Evaluation
        | Kind::Metric
        | Kind::Dataset
        | Kind::Bucket
        | Kind::Object
        | Kind::Upload
        | Kind::Part
        | Kind::Scorer
        | Kind::Resource
        | Kind::Association
        | Kind::Tag
        | Kind::Param => {
            format!("No {kind} with name: {id}")
        }
    }
}

fn taken(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Experiment => format!("Experiment(name={id}) already exists."),
        Kind::Model => format!("Registered Model (name={id}) already exists."),
        Kind::Account => format!("User (username={id}) already exists."),
        Kind::Workspace => format!("Workspace '{id}' already exists."),
        Kind::ReviewQueue => {
            format!("Review queue with name '{id}' already exists (names are case-insensitive).")
        }
        Kind::Group
        | Kind::Grant
        | Kind::Credential
        | Kind::Run
        | Kind::Gate
        | Kind::Policy
        | Kind::Evaluation
        | Kind::Metric
        | Kind::Dataset
        | Kind::Artifact
        | Kind::LoggedModel
        | Kind::ModelVersion
        | Kind::EvaluationDataset
        | Kind::Bucket
        | Kind::Object
        | Kind::Upload
        | Kind::Part
        | Kind::Scorer
        | Kind::Webhook
        | Kind::Trace
        | Kind::Assessment
        | Kind::Issue
        | Kind::LabelSchema
        | Kind::Delivery
        | Kind::Resource
        | Kind::Association
        | Kind::Alias
        | Kind::Tag
        | Kind::Param => format!("The {kind} '{id}' already exists."),
    }
}

/// Clients and tests look for the start of this text.
fn params_changed(run: &str, changes: &[ParamChange]) -> String {
    let list: Vec<String> = changes
        .iter()
        .map(|ParamChange { key, old, new }| {
            format!("{{'key': {}, 'old_value': {}, 'new_value': {}}}", repr(key), repr(old), repr(new))
        })
        .collect();
    format!(
        "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{run}'.",
        list.join(", ")
    )
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Failure { code, message, undisclosed, retry_after } = self;
        let mut body = json!({ "error_code": code.text(), "message": message });
        if let Some((sqlstate, class)) = code.class() {
            body["sqlstate"] = sqlstate.into();
            body["error_class"] = class.into();
        }
        let mut response = json_response(code.status(), body.to_string());
        if code == Code::Unauthenticated {
            let challenge = HeaderValue::from_static("Basic realm=\"stele\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        match undisclosed {
            Some(cause) => drop(response.extensions_mut().insert(Undisclosed(cause))),
            // MLflow's own server has such statuses for some refusals.
            None if code.status().is_server_error() => drop(response.extensions_mut().insert(Refused)),
            None => {}
        }
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let message = refusal.message();
        match refusal {
            Refusal::Missing
            | Refusal::Unknown
            | Refusal::UnknownKey
            | Refusal::Expired
            | Refusal::NameTaken(_)
            | Refusal::Incomplete(_)
            | Refusal::Signature(_) => {
                Failure::new(Code::Unauthenticated, format!("You are not authenticated: {message}"))
            }
            Refusal::TooMany { seconds } => {
                Failure { retry_after: Some(seconds), ..Failure::new(Code::RequestLimitExceeded, message) }
            }
            Refusal::Unavailable(message) => Failure::unavailable(message),
            Refusal::Internal(cause) => {
                Failure { undisclosed: Some(cause), ..Failure::new(Code::InternalError, message) }
            }
        }
    }
}

pub(crate) fn json_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
