//! What a request brings to prove who asks.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stele_app::Refusal;

use super::COOKIE;
use super::sigv4::Claim;
use crate::paths::AsSent;

/// The longest `Authorization` header that is looked at.
const LONGEST: usize = 16 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Nothing,
    Basic { name: String, password: String },
    Bearer(String),
    Session(String),
    Signature(Claim),
}

impl Credentials {
    /// A header counts before a signature in the query, and that before a cookie, which browsers send unasked.
    pub(super) fn of(request: &Request) -> Result<Credentials, Refusal> {
        let headers = request.headers();
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        if let Some(value) = given.next() {
            if given.next().is_some() {
                // Whoever is in front may have looked at another one.
                let message = "the request has more than one Authorization header, which may be of different people";
                return Err(Refusal::Incomplete(message.to_owned()));
            }
            let value = value.to_str().ok().filter(|value| value.len() <= LONGEST).ok_or(Refusal::Unknown)?;
            return of_header(value, headers);
        }
        let query = AsSent::uri_of(request.uri(), request.extensions()).query().unwrap_or_default();
        if let Some(claim) = Claim::of_query(query)? {
            return Ok(Credentials::Signature(claim));
        }
        Ok(session(headers).map_or(Credentials::Nothing, |session| Credentials::Session(session.to_owned())))
    }
}

fn of_header(value: &str, headers: &HeaderMap) -> Result<Credentials, Refusal> {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let text = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (name, password) = text.as_deref().and_then(|text| text.split_once(':')).ok_or(Refusal::Unknown)?;
        return Ok(Credentials::Basic { name: name.to_owned(), password: password.to_owned() });
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Bearer(rest.to_owned()));
    }
    if scheme.starts_with("AWS4-") {
        return Claim::of_header(value, headers).map(Credentials::Signature);
    }
    Err(Refusal::Unknown)
}

fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// One of the cookies of a browser.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Credentials, Refusal> {
        let request = Request::builder().uri("/x").header(name, value).body(axum::body::Body::empty()).unwrap();
        Credentials::of(&request)
    }

    #[test]
    fn each_kind_is_told_apart() {
        let basic = Credentials::Basic { name: "ann".to_owned(), password: "a:b".to_owned() };
        assert_eq!(read("authorization", &format!("basic {}", STANDARD.encode("ann:a:b"))), Ok(basic));
        assert_eq!(read("authorization", "Bearer stele_1"), Ok(Credentials::Bearer("stele_1".to_owned())));
        assert_eq!(read("cookie", "a=b; stele_session=s1; c=d"), Ok(Credentials::Session("s1".to_owned())));
        assert_eq!(read("cookie", "a=b; xstele_session=s1"), Ok(Credentials::Nothing));
        for wrong in ["Basic !", "Basic YW5u", "Digest x", "Basic", ""] {
            assert_eq!(read("authorization", wrong), Err(Refusal::Unknown), "{wrong}");
        }
        assert!(matches!(read("authorization", "AWS4-HMAC-SHA256 x"), Err(Refusal::Incomplete(_))));
    }

    #[test]
    fn nobody_asks_as_two() {
        let basic = |name: &str| format!("Basic {}", STANDARD.encode(format!("{name}:p")));
        for (one, other) in [(basic("ann"), basic("bob")), (basic("ann"), "Bearer stele_1".to_owned())] {
            let request = Request::builder().header("authorization", one).header("authorization", other);
            let read = Credentials::of(&request.body(axum::body::Body::empty()).unwrap());
            assert!(matches!(read, Err(Refusal::Incomplete(_))), "{read:?}");
        }
    }
}
