//! AWS's query protocol: a form that names an action, and answers in XML.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stele_app::{Admission, Ctx, Refusal, RequestId, Script, SignedBy, Undisclosed};

use crate::Server;
use crate::xml::Xml;

/// The largest request, in bytes.
const MOST_BODY: usize = 64 * 1024;

/// A request of a service, with its form.
pub(crate) struct Call {
    pub(crate) server: Server,
    pub(crate) ctx: Ctx,
    pub(crate) request_id: String,
    /// What the request was signed with; none where nobody looks.
    pub(crate) signed_by: Option<SignedBy>,
    form: BTreeMap<String, String>,
}

/// An error in the words of the protocol.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    undisclosed: Option<String>,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status: StatusCode::BAD_REQUEST, code, message: message.into(), undisclosed: None }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Failure {
        Failure { status: StatusCode::FORBIDDEN, ..Failure::new("AccessDenied", message) }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let message = refusal.message();
        let forbidden = |code| Failure { status: StatusCode::FORBIDDEN, ..Failure::new(code, message.clone()) };
        match refusal {
            Refusal::Missing => forbidden("MissingAuthenticationToken"),
            Refusal::NameTaken(_) => forbidden("AccessDenied"),
            Refusal::Unknown | Refusal::UnknownKey => forbidden("InvalidClientTokenId"),
            Refusal::Expired => forbidden("ExpiredToken"),
            Refusal::Incomplete(_) => Failure::new("IncompleteSignature", message),
            Refusal::Signature(_) => forbidden("SignatureDoesNotMatch"),
            Refusal::TooMany { .. } => Failure::new("Throttling", message),
            Refusal::Unavailable(_) => {
                Failure { status: StatusCode::SERVICE_UNAVAILABLE, ..Failure::new("ServiceUnavailable", message) }
            }
            Refusal::Internal(cause) => Failure {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                undisclosed: Some(cause),
                ..Failure::new("InternalFailure", message)
            },
        }
    }
}

impl Call {
    /// A part of the form.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str> {
        let found = self.text(name).filter(|value| !value.is_empty());
        found.ok_or_else(|| {
            Failure::new("ValidationError", format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"))
        })
    }

    /// The members of a list, in order.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|index| self.text(&format!("{name}.member.{index}"))).collect()
    }

    /// An answer: `<ActionResponse><ActionResult>..</ActionResult>` with the id of the request.
    pub(crate) fn answer(&self, action: &str, namespace: &str, result: impl FnOnce(&mut Xml)) -> Response {
        let document = Xml::document(&format!("{action}Response"), namespace, |xml| {
            xml.element(&format!("{action}Result"), result);
            xml.element("ResponseMetadata", |xml| {
                xml.text("RequestId", &self.request_id);
            });
        });
        xml_response(StatusCode::OK, document)
    }
}

/// Reads a request, lets `act` answer it, and words what goes wrong.
pub(crate) async fn answer<F>(
    server: Server,
    request: Request,
    namespace: &str,
    act: impl FnOnce(Call, String) -> F,
) -> Response
where
    F: Future<Output = Result<Response>>,
{
    let (mut head, body) = request.into_parts();
    let request_id = server.app.request_id(head.extensions.remove::<RequestId>());
    let admission = head.extensions.remove::<Admission>();
    let signed_by = head.extensions.remove::<SignedBy>();
    let called = async {
        let ctx = server.app.admit(admission, Script::Aws, request_id.clone())?;
        let ctx = server.app.at_home(ctx).await.map_err(Refusal::from)?;
        let server = Server { account: server.app.account_number(&ctx, &server.account).into(), ..server };
        let form = form(body).await?;
        let action = form.get("Action").cloned().unwrap_or_default();
        act(Call { server, ctx, request_id: request_id.clone(), signed_by, form }, action).await
    };
    match called.await {
        Ok(response) => response,
        Err(failure) => failed(failure, namespace, &request_id),
    }
}

async fn form(body: Body) -> Result<BTreeMap<String, String>> {
    let bytes = axum::body::to_bytes(body, MOST_BODY)
        .await
        .map_err(|_| Failure::new("ValidationError", format!("the request has more than {MOST_BODY} bytes")))?;
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

pub(crate) fn unknown(service: &str, action: &str) -> Failure {
    let shown: String = action.chars().take(100).collect();
    Failure::new("InvalidAction", format!("this server does not offer the action '{shown}' of {service}"))
}

fn failed(failure: Failure, namespace: &str, request_id: &str) -> Response {
    let Failure { status, code, message, undisclosed } = failure;
    let fault = if status.is_server_error() { "Receiver" } else { "Sender" };
    let document = Xml::document("ErrorResponse", namespace, |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", fault).text("Code", code).text("Message", message);
        });
        xml.text("RequestId", request_id);
    });
    let mut response = xml_response(status, document);
    if let Some(cause) = undisclosed {
        response.extensions_mut().insert(Undisclosed(cause));
    }
    response
}

fn xml_response(status: StatusCode, document: String) -> Response {
    let mut response = (status, document).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
