//! Errors of the native API: problem details (RFC 9457) with a `code` that programs can tell apart.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use stele_app::{Refusal, Undisclosed};
use stele_domain::Error;
use stele_domain::gate::Verdict;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// What only the log may say.
    undisclosed: Option<String>,
    /// After how many seconds it may go better.
    retry_after: Option<u64>,
    /// What the gates found that refused.
    verdicts: Option<Box<Value>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), undisclosed: None, retry_after: None, verdicts: None }
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let (status, code) = match &error {
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Error::AlreadyExists { .. } => (StatusCode::CONFLICT, "already_exists"),
            Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid"),
            Error::WrongState { .. } => (StatusCode::CONFLICT, "wrong_state"),
            Error::ParamsChanged { .. } => (StatusCode::CONFLICT, "params_changed"),
            Error::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
            Error::GateFailed { .. } => (StatusCode::CONFLICT, "gate_failed"),
            Error::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden"),
            Error::Unauthenticated { .. } => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Error::LimitExceeded { .. } => (StatusCode::BAD_REQUEST, "limit_exceeded"),
            Error::Unsupported { .. } => (StatusCode::NOT_IMPLEMENTED, "unsupported"),
            Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Error::Internal { message } => {
                let detail = "an internal error occurred; the server's log says more";
                let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
                return Problem { undisclosed: Some(message.clone()), ..problem };
            }
        };
        let problem = Problem::new(status, code, error.to_string());
        match error {
            Error::Unavailable { message } => Problem { undisclosed: Some(message), ..problem },
            Error::GateFailed { refusal: Some(refusal), .. } => {
                let verdicts: Vec<&Verdict> = refusal.verdicts.iter().map(|(_, verdict)| verdict).collect();
                Problem { verdicts: Some(Box::new(json!(verdicts))), ..problem }
            }
            _ => problem,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let detail = refusal.message();
        match refusal {
            Refusal::Missing
            | Refusal::Unknown
            | Refusal::UnknownKey
            | Refusal::Expired
            | Refusal::NameTaken(_)
            | Refusal::Incomplete(_)
            | Refusal::Signature(_) => Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail),
            Refusal::TooMany { seconds } => Problem {
                retry_after: Some(seconds),
                ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail)
            },
            Refusal::Unavailable(detail) => Problem {
                undisclosed: Some(detail.clone()),
                ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            },
            Refusal::Internal(cause) => Problem {
                undisclosed: Some(cause),
                ..Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            },
        }
    }
}

/// Why a request was refused, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDto {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What the status means.
    title: &'static str,
    status: u16,
    /// For programs, such as `not_found`, `invalid` or `gate_failed`.
    code: &'static str,
    /// For people.
    detail: String,
    /// Of a `gate_failed`: what each gate found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    verdicts: Option<Box<Value>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem { status, code, detail, undisclosed, retry_after, verdicts } = self;
        let title = status.canonical_reason().unwrap_or_default();
        let problem = ProblemDto { kind: "about:blank", title, status: status.as_u16(), code, detail, verdicts };
        // Texts and a number cannot fail to be written.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"stele\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = undisclosed {
            response.extensions_mut().insert(Undisclosed(cause));
        }
        response
    }
}
