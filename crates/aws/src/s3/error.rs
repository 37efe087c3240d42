//! S3's error shape, and how the record's errors read in it. Clients compare the texts that S3 publishes, so that those
//! are its own.

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
    /// What the message is about, as elements of their own.
    details: Vec<(&'static str, String)>,
    undisclosed: Option<String>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, code, message: message.into(), details: Vec::new(), undisclosed: None }
    }

    /// Says what the message is about.
    pub(super) fn about(mut self, element: &'static str, value: impl Into<String>) -> Failure {
        self.details.push((element, value.into()));
        self
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
        let message = "The specified method is not allowed against this resource.";
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// `condition` is the header that says what did not hold.
    pub(super) fn precondition(condition: &'static str) -> Failure {
        let message = "At least one of the pre-conditions you specified did not hold";
        Failure::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message).about("Condition", condition)
    }

    pub(super) fn malformed() -> Failure {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Failure::bad("MalformedXML", message)
    }

    /// The log says why as well, for those who mend it.
    fn unavailable(message: String) -> Failure {
        let undisclosed = Some(message.clone());
        Failure { undisclosed, ..Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message) }
    }

    fn internal(cause: String) -> Failure {
        let message = "an internal error occurred; the server's log says more";
        Failure {
            undisclosed: Some(cause),
            ..Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
        }
    }

    /// The code and the message, for answers that tell of many things.
    pub(super) fn told(&self) -> (&'static str, &str) {
        (self.code, &self.message)
    }

    /// Whether it is the request that failed, and not this server.
    pub(super) fn is_of_client(&self) -> bool {
        self.status.is_client_error()
    }

    pub(super) fn into_response(self, resource: &str, request_id: &str) -> Response {
        let Failure { status, code, message, details, undisclosed } = self;
        let document = Xml::document("Error", "", |xml| {
            xml.text("Code", code).text("Message", message);
            for (element, value) in details {
                xml.text(element, value);
            }
            xml.text("Resource", resource).text("RequestId", request_id);
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
            Error::NotFound { kind: Kind::Bucket, id } => {
                Failure::not_found("NoSuchBucket", "The specified bucket does not exist").about("BucketName", id)
            }
            Error::NotFound { kind: Kind::Upload, id } => Failure::not_found(
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                 aborted or completed.",
            )
            .about("UploadId", id),
            Error::NotFound { id, .. } => {
                Failure::not_found("NoSuchKey", "The specified key does not exist.").about("Key", id)
            }
            Error::AlreadyExists { id, .. } => Failure::new(
                StatusCode::CONFLICT,
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
            .about("BucketName", id),
            Error::WrongState { kind: Kind::Bucket, id, state, .. } => {
                let message = format!("The bucket you tried to delete is {state}");
                Failure::new(StatusCode::CONFLICT, "BucketNotEmpty", message).about("BucketName", id)
            }
            Error::WrongState { .. } => Failure::precondition("If-Match"),
            Error::Invalid { message } | Error::GateFailed { message, .. } => Failure::argument(message),
            Error::ParamsChanged { run, .. } => Failure::argument(format!("params of run '{run}' cannot change")),
            Error::Conflict { message } => Failure::new(StatusCode::CONFLICT, "OperationAborted", message),
            Error::Forbidden { message } => Failure::new(StatusCode::FORBIDDEN, "AccessDenied", message),
            Error::Unauthenticated { message } => Failure::new(StatusCode::FORBIDDEN, "AccessDenied", message),
            Error::LimitExceeded { message } => Failure::bad("InvalidRequest", message),
            Error::Unsupported { message } => Failure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message),
            Error::Unavailable { message } => Failure::unavailable(message),
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
            Refusal::Unavailable(_) => Failure::unavailable(message),
            Refusal::Internal(cause) => Failure::internal(cause),
        }
    }
}
