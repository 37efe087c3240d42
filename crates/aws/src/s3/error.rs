//! S3's error shape, and how the record's errors read in it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stele_app::{Refusal, Undisclosed};
use stele_domain::{Error, Kind};

use crate::xml::Xml;

pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    undisclosed: Option<String>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, code, message: message.into(), undisclosed: None }
    }

    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn argument(message: impl Into<String>) -> Failure {
        Failure::bad("InvalidArgument", message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn not_offered(what: &str) -> Failure {
        Failure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", format!("this server does not offer {what}"))
    }

    pub(super) fn not_allowed() -> Failure {
        let message = "the specified method is not allowed against this resource";
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(super) fn precondition(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    fn internal(cause: String) -> Failure {
        let message = "an internal error occurred; the server's log says more";
        Failure {
            undisclosed: Some(cause),
            ..Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
        }
    }

    pub(super) fn into_response(self, resource: &str, request_id: &str) -> Response {
        let Failure { status, code, message, undisclosed } = self;
        let document = Xml::document("Error", "", |xml| {
            xml.text("Code", code).text("Message", message).text("Resource", resource).text("RequestId", request_id);
        });
        let mut response = xml_response(status, document);
        if let Some(cause) = undisclosed {
            response.extensions_mut().insert(Undisclosed(cause));
        }
        response
    }
}

pub(super) fn xml_response(status: StatusCode, document: String) -> Response {
    let mut response = (status, document).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::NotFound { kind: Kind::Bucket, .. } => {
                Failure::not_found("NoSuchBucket", "the specified bucket does not exist")
            }
            Error::NotFound { kind: Kind::Upload, .. } => {
                Failure::not_found("NoSuchUpload", "the upload does not exist: it may have been completed or aborted")
            }
            Error::NotFound { .. } => Failure::not_found("NoSuchKey", "the specified key does not exist"),
            Error::AlreadyExists { id, .. } => Failure::new(
                StatusCode::CONFLICT,
                "BucketAlreadyOwnedByYou",
                format!("the bucket '{id}' is there already"),
            ),
            Error::WrongState { kind: Kind::Bucket, id, state, .. } => {
                Failure::new(StatusCode::CONFLICT, "BucketNotEmpty", format!("the bucket '{id}' is {state}"))
            }
            Error::WrongState { state, .. } => {
                Failure::precondition(format!("a condition of the request does not hold: the object is {state}"))
            }
            Error::Invalid { message } | Error::GateFailed { message, .. } => Failure::argument(message),
            Error::ParamsChanged { run, .. } => Failure::argument(format!("params of run '{run}' cannot change")),
            Error::Conflict { message } => Failure::new(StatusCode::CONFLICT, "OperationAborted", message),
            Error::Forbidden { message } => Failure::new(StatusCode::FORBIDDEN, "AccessDenied", message),
            Error::Unauthenticated { message } => Failure::new(StatusCode::FORBIDDEN, "AccessDenied", message),
            Error::LimitExceeded { message } => Failure::bad("InvalidRequest", message),
            Error::Unsupported { message } => Failure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message),
            Error::Unavailable { message } => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            }
            Error::Internal { message } => Failure::internal(message),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let message = refusal.message();
        let forbidden = |code| Failure::new(StatusCode::FORBIDDEN, code, message.clone());
        match refusal {
            Refusal::Missing | Refusal::NameTaken(_) => forbidden("AccessDenied"),
            Refusal::Unknown | Refusal::UnknownKey => forbidden("InvalidAccessKeyId"),
            Refusal::Expired => Failure::bad("ExpiredToken", message),
            Refusal::Incomplete(_) => Failure::bad("AuthorizationHeaderMalformed", message),
            Refusal::Signature(_) => forbidden("SignatureDoesNotMatch"),
            Refusal::TooMany { .. } => Failure::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message),
            Refusal::Unavailable(_) => Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message),
            Refusal::Internal(cause) => Failure::internal(cause),
        }
    }
}
