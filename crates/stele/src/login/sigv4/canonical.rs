//! The canonical form of a request, whose hash is signed.

use std::borrow::Cow;

use axum::http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Claim;

/// All but what RFC 3986 leaves alone.
const ALL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &ALL.remove(b'/');

/// How the query is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    /// The encoding of the client is kept.
    AsSent,
    /// Decoded and encoded again.
    AsRead,
}

pub(super) fn canonical(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    claim: &Claim,
    payload: &str,
    query: Query,
) -> String {
    let mut text = format!("{method}\n{}\n{}\n", path(uri.path(), &claim.service), pairs(uri, claim, query));
    for name in &claim.signed_headers {
        let values: Vec<String> = headers
            .get_all(name.as_str())
            .iter()
            .map(|value| {
                String::from_utf8_lossy(value.as_bytes()).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        text.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    text.push_str(&format!("\n{}\n{payload}", claim.signed_headers.join(";")));
    text
}

/// S3 signs a path as it is; others without its dots and encoded once more.
fn path(path: &str, service: &str) -> String {
    if service == "s3" {
        let read = percent_decode_str(path).collect::<Vec<u8>>();
        return percent_encoding::percent_encode(&read, PATH).to_string();
    }
    utf8_percent_encode(&without_dots(path), PATH).to_string()
}

fn without_dots(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(if path.is_empty() { "/" } else { path });
    }
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    Cow::Owned(format!("/{}{end}", kept.join("/")))
}

fn pairs(uri: &Uri, claim: &Claim, query: Query) -> String {
    let parts = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| match query {
            Query::AsSent => (Cow::Borrowed(name), Cow::Borrowed(value)),
            Query::AsRead => (read(name), read(value)),
        })
        .filter(|(name, _)| claim.lasts.is_none() || *name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn read(text: &str) -> Cow<'static, str> {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    Cow::Owned(percent_encoding::percent_encode(&bytes, ALL).to_string())
}
