//! AWS's error shape, and how the record's errors read in it.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stele_app::{Refusal, Undisclosed};
use stele_domain::Error;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error as botocore reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    /// What only the log may say.
    undisclosed: Option<String>,
    /// After how many seconds it may go better.
    retry_after: Option<u64>,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), undisclosed: None, retry_after: None }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Failure {
        Failure::new("ValidationException", message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Failure {
        Failure::new("SerializationException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Failure {
        Failure::new("ResourceNotFound", message)
    }

    /// The log says why as well, for those who mend it.
    fn unavailable(message: String) -> Failure {
        Failure { undisclosed: Some(message.clone()), ..Failure::new("ServiceUnavailable", message) }
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Failure {
        Failure::new("ConflictException", message)
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::NotFound { kind, id } => Failure::not_found(format!("The {kind} '{id}' does not exist.")),
            Error::AlreadyExists { kind, id } => Failure::validation(format!("The {kind} '{id}' already exists.")),
            Error::Invalid { message } | Error::GateFailed { message, .. } | Error::Unsupported { message } => {
                Failure::validation(message)
            }
            Error::WrongState { kind, id, state, needed } => {
                Failure::validation(format!("The {kind} '{id}' is {state} and must be {needed}."))
            }
            Error::ParamsChanged { run, .. } => {
                Failure::conflict(format!("Parameters of '{run}' are set already and cannot change."))
            }
            Error::Conflict { message } => Failure::conflict(message),
            Error::Forbidden { message } => Failure::new("AccessDeniedException", message),
            Error::Unauthenticated { message } => Failure::new("UnrecognizedClientException", message),
            Error::LimitExceeded { message } => Failure::new("ResourceLimitExceeded", message),
            // Clients wait and try again.
            Error::Unavailable { message } => Failure::unavailable(message),
            Error::Internal { message } => Failure {
                undisclosed: Some(message),
                ..Failure::new("InternalFailure", "An internal error occurred; the server's log says more.")
            },
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let message = refusal.message();
        match refusal {
            Refusal::Missing => Failure::new("MissingAuthenticationTokenException", message),
            Refusal::Unknown | Refusal::UnknownKey | Refusal::NameTaken(_) => {
                Failure::new("UnrecognizedClientException", message)
            }
            Refusal::Expired => Failure::new("ExpiredTokenException", message),
            Refusal::Incomplete(message) => Failure::new("IncompleteSignatureException", message),
            Refusal::Signature(message) => Failure::new("InvalidSignatureException", message),
            Refusal::TooMany { seconds } => {
                Failure { retry_after: Some(seconds), ..Failure::new("ThrottlingException", message) }
            }
            Refusal::Unavailable(message) => Failure::unavailable(message),
            Refusal::Internal(cause) => {
                Failure { undisclosed: Some(cause), ..Failure::new("InternalFailure", message) }
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Failure { code, message, undisclosed, retry_after } = self;
        let status = match code {
            "ServiceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "InternalFailure" => StatusCode::INTERNAL_SERVER_ERROR,
            "AccessDeniedException"
            | "IncompleteSignatureException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => StatusCode::FORBIDDEN,
            "ThrottlingException" => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "__type": code, "message": message, "Message": message });
        let mut response = json_response(status, body.to_string());
        response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(code));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = undisclosed {
            response.extensions_mut().insert(Undisclosed(cause));
        }
        response
    }
}

pub(crate) fn json_response(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
