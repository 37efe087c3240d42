//! What keeps web pages of strangers away from a server that listens on a private address: a check of the Host
//! header against DNS rebinding, a check of the Origin of changing requests, and headers for browsers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Whom the server answers, besides loopback and private addresses.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
}

pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.refusal(request.method(), request.uri(), request.headers()) {
        Some(refusal) => (StatusCode::FORBIDDEN, refusal).into_response(),
        None => next.run(request).await,
    };
    let framed_by_anybody = response.extensions().get::<FramedByAnybody>().is_some();
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !framed_by_anybody {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    }
    response
}

/// Marks an answer that pages of other origins may show in a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FramedByAnybody;

impl Guard {
    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // Load balancers ask these by address.
        if !matches!(uri.path(), "/health" | "/version")
            && let Some(host) = host
            && !self.names(host)
            && !self.hosts.iter().any(|known| known == "*")
        {
            return Some("Invalid Host header - possible DNS rebinding attack detected");
        }
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        if let Some(origin) = origin
            && changes
            && !self.knows_origin(origin)
            && !host.is_some_and(|host| self.names(host) && is_from(origin, host))
        {
            return Some("Cross-origin request blocked");
        }
        None
    }

    /// Whether the server is meant by that host, not only let be reached under any.
    fn names(&self, host: &str) -> bool {
        let name = without_port(host);
        is_near(name) || self.hosts.iter().any(|known| known == host || known == name)
    }

    fn knows_origin(&self, origin: &str) -> bool {
        let host = origin.split_once("://").map_or("", |(_, host)| without_port(host));
        is_loopback(host) || self.origins.iter().any(|known| known == "*" || known == origin)
    }
}

/// Whether a page is the server's own. Its scheme is not looked at, since a proxy may have taken TLS away.
fn is_from(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
}

/// `[::1]:5000` is `::1`, `localhost:5000` is `localhost`.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Loopback, unspecified or private: no public name can resolve to it except by rebinding, and then the Host
/// header has the name.
fn is_near(host: &str) -> bool {
    is_loopback(host)
        || host.parse().is_ok_and(|address: IpAddr| match address {
            IpAddr::V4(address) => address.is_private() || address.is_unspecified(),
            IpAddr::V6(address) => address.is_unique_local() || address.is_unspecified(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: Method, host: &str, origin: Option<&str>) -> Option<&'static str> {
        let guard =
            Guard { hosts: vec!["ml.example.org".to_owned()], origins: vec!["https://ui.example.org".to_owned()] };
        refusal_of(&guard, method, host, origin)
    }

    fn refusal_of(guard: &Guard, method: Method, host: &str, origin: Option<&str>) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        guard.refusal(&method, &Uri::from_static("/api/2.0/mlflow/runs/create"), &headers)
    }

    #[test]
    fn strange_host_names_are_refused() {
        for near in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "10.1.2.3", "ml.example.org"] {
            assert_eq!(refusal(Method::GET, near, None), None, "{near}");
        }
        for far in ["evil.example.org", "8.8.8.8:5000", "localhost.evil.example.org"] {
            assert!(refusal(Method::GET, far, None).is_some(), "{far}");
        }
    }

    #[test]
    fn pages_of_strangers_change_nothing() {
        assert!(refusal(Method::POST, "localhost", Some("https://evil.example.org")).is_some());
        assert_eq!(refusal(Method::GET, "localhost", Some("https://evil.example.org")), None);
        assert_eq!(refusal(Method::POST, "localhost", Some("http://localhost:3000")), None);
        assert_eq!(refusal(Method::POST, "localhost", Some("https://ui.example.org")), None);
    }
    #[test]
    fn own_pages_change_things_under_every_name_of_the_server() {
        for (host, origin) in [
            ("ml.example.org", "https://ml.example.org"),
            ("ml.example.org:8443", "https://ml.example.org:8443"),
            ("10.1.2.3:5000", "http://10.1.2.3:5000"),
        ] {
            assert_eq!(refusal(Method::POST, host, Some(origin)), None, "{origin}");
        }
        for (host, origin) in [
            ("ml.example.org", "https://ml.example.org:9000"),
            ("10.1.2.3:5000", "http://10.1.2.4:5000"),
            ("10.1.2.3:5000", "null"),
        ] {
            assert!(refusal(Method::POST, host, Some(origin)).is_some(), "{origin}");
        }
        let anybody = Guard { hosts: vec!["*".to_owned()], origins: Vec::new() };
        let rebound = refusal_of(&anybody, Method::POST, "evil.example.org", Some("http://evil.example.org"));
        assert!(rebound.is_some(), "a name that was only let through is no proof");
    }
}
