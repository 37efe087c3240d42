//! Each request under an id, measured, and logged if it failed.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, gauge, histogram};
use stele_app::{App, Refused, RequestId, Undisclosed, coming_from};
use tracing::Instrument;

use super::spans;
use crate::client_address::ClientAddress;

const ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;
const LONGEST_PATH: usize = 256;

/// Gives a request its id, or takes the one that a proxy gave it, and tells operators how it went.
pub(crate) async fn watch(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(|| app.new_request_id());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = known(request.method());
    let span = spans::begin(&request, method, &id);
    let asked = Asked {
        method,
        route: request.extensions().get::<MatchedPath>().cloned(),
        path: path_of(&request),
        begun: Instant::now(),
        _under_way: UpAndDown::new("stele_http_requests_under_way"),
    };
    let address = request.extensions().get::<ClientAddress>().map(|ClientAddress(address)| *address);
    let mut response = coming_from(address, next.run(request)).instrument(span.clone()).await;
    let failed = is_failure(&response);
    spans::end(&span, response.status(), failed);
    asked.answered(&id, failed, &mut response);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID, id);
    }
    response
}

/// As much of the path as is worth telling.
pub(super) fn path_of(request: &Request) -> String {
    request.uri().path().chars().take(LONGEST_PATH).collect()
}

struct Asked {
    method: &'static str,
    route: Option<MatchedPath>,
    path: String,
    begun: Instant,
    _under_way: UpAndDown,
}

impl Asked {
    /// Measures until the head of the answer is there; a long body takes as long as its reader does.
    fn answered(self, id: &str, failed: bool, response: &mut Response) {
        let Asked { method, route, path, begun, _under_way } = self;
        let (status, took) = (response.status(), begun.elapsed());
        let route = route.as_ref().map_or("none", |route| route.as_str()).to_owned();
        let labels = [("method", method.to_owned()), ("route", route.clone())];
        histogram!("stele_http_request_seconds", &labels).record(took);
        counter!("stele_http_requests_total", "method" => method, "route" => route, "status" => status.as_u16().to_string())
            .increment(1);
        if failed {
            counter!("stele_http_failures_total", &labels).increment(1);
            let cause = response.extensions_mut().remove::<Undisclosed>().map(|Undisclosed(cause)| cause);
            log_failure(id, method, &path, status, took, cause.as_deref());
        }
    }
}

/// Whether it is the server that failed. What it does not offer, and what it refuses with such a status since a client
/// expects that, is none.
fn is_failure(response: &Response) -> bool {
    let status = response.status();
    let is_refusal = response.extensions().get::<Refused>().is_some();
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED && !is_refusal
}

fn log_failure(id: &str, method: &str, path: &str, status: StatusCode, took: Duration, cause: Option<&str>) {
    let (status, took_ms) = (status.as_u16(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    tracing::error!(request_id = id, method, path, status, took_ms, cause, "a request failed");
}

/// The id that a proxy in front gave to the request, if it is one that can be written anywhere.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    ((1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_plain)).then(|| id.to_owned())
}

/// A method of a fixed set, since anybody may send others and each would be a series of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts one more for as long as it lives.
pub(crate) struct UpAndDown(&'static str);

impl UpAndDown {
    fn new(name: &'static str) -> UpAndDown {
        gauge!(name).increment(1);
        UpAndDown(name)
    }
}

impl Drop for UpAndDown {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1);
    }
}

/// To be kept as long as a connection is open.
pub(crate) fn connection() -> UpAndDown {
    UpAndDown::new("stele_http_connections")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_proxies_are_taken_if_they_are_plain() {
        let given = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ID, id.parse().unwrap());
            given_id(&headers)
        };
        assert_eq!(given("018f-abc_1.2").as_deref(), Some("018f-abc_1.2"));
        for id in ["", "a b", "a\"b", "{x}", &"a".repeat(65)] {
            assert_eq!(given(id), None, "{id}");
        }
    }
}
