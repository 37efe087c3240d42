//! AWS's query protocol: a form that names an action, and answers in XML.

use std::collections::BTreeMap;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use stele_app::{Admission, Ctx, Refusal, RequestId, Script, SignedBy, Undisclosed};

use crate::xml::Xml;
use crate::{Operation, Server};

/// The largest request, in bytes.
const MOST_BODY: usize = 64 * 1024;

/// What is told of a request that is of no service.
const FAULTS: &str = "http://webservices.amazon.com/AWSFault/2005-15-09";

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// A service that speaks the protocol.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// Of its documents; it ends in the version that requests name.
    pub(crate) namespace: &'static str,
    pub(crate) operations: &'static [Row],
    /// Actions that clients ask for without credentials, for which a provider of identities vouches instead.
    pub(crate) vouched: &'static [&'static str],
}

/// An operation of a service.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) handler: fn(Call) -> Answer,
}

/// `Name => handler;`
macro_rules! operations {
    ($($name:ident => $handler:path;)+) => {
        &[$($crate::query::Row {
            name: stringify!($name),
            handler: |call| Box::pin(async move { $handler(&call).await }),
        }),+]
    };
}
pub(crate) use operations;

/// The services, of which a request that nobody signed is told by the version that it names.
const SERVICES: [&Service; 2] = [&crate::sts::SERVICE, &crate::iam::SERVICE];

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
            Refusal::Unavailable(cause) => {
                let undisclosed = Some(cause);
                let failure = Failure::new("ServiceUnavailable", message);
                Failure { status: StatusCode::SERVICE_UNAVAILABLE, undisclosed, ..failure }
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

/// Whether a request that is signed for no service of ours is one of the protocol: a form, which no script takes at
/// `POST /`.
pub(crate) fn is_form(uri: &Uri, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    uri.path() == "/"
        && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && !headers.contains_key("x-amz-target")
}

/// A form that is signed for no service of ours.
pub(crate) async fn dispatch(State(server): State<Server>, request: Request) -> Response {
    answer(server, request, None).await
}

/// Reads a request, lets the operation that it names answer it, and words what goes wrong.
pub(crate) async fn answer(server: Server, request: Request, service: Option<&'static Service>) -> Response {
    let (mut head, body) = request.into_parts();
    let request_id = server.app.request_id(head.extensions.remove::<RequestId>());
    let admission = head.extensions.remove::<Admission>();
    let signed_by = head.extensions.remove::<SignedBy>();
    let (mut service, mut reached) = (service, None);
    let called = async {
        let form = form(body).await?;
        let version = form.get("Version").map_or("", String::as_str);
        let of_version = |service: &&&Service| !version.is_empty() && service.namespace.contains(version);
        let service = *service.get_or_insert_with(|| SERVICES.iter().find(of_version).copied().unwrap_or(&NO_SERVICE));
        let action = form.get("Action").map_or("", String::as_str);
        let unknown = || unknown(service.name, action);
        if service.operations.is_empty() || service.vouched.contains(&action) {
            return Err(unknown());
        }
        let ctx = server.app.admit(admission, Script::Aws, request_id.clone())?;
        let ctx = server.app.at_home(ctx).await.map_err(Refusal::from)?;
        let row = service.operations.iter().find(|row| row.name == action).ok_or_else(unknown)?;
        reached = Some(Operation(row.name));
        let server = Server { account: server.app.account_number(&ctx, &server.account).into(), ..server };
        (row.handler)(Call { server, ctx, request_id: request_id.clone(), signed_by, form }).await
    };
    let called: Result<Response> = called.await;
    let namespace = service.map_or(FAULTS, |service| service.namespace);
    let mut response = called.unwrap_or_else(|failure| failed(failure, namespace, &request_id));
    if let Some(operation) = reached {
        response.extensions_mut().insert(operation);
    }
    response
}

/// Of requests that name a version of another service, or none.
static NO_SERVICE: Service = Service { name: "this service", namespace: FAULTS, operations: &[], vouched: &[] };

async fn form(body: Body) -> Result<BTreeMap<String, String>> {
    let bytes = axum::body::to_bytes(body, MOST_BODY)
        .await
        .map_err(|_| Failure::new("ValidationError", format!("the request has more than {MOST_BODY} bytes")))?;
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

fn unknown(service: &str, action: &str) -> Failure {
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
