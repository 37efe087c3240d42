//! Signature version 4 of AWS, as its documentation publishes the algorithm: of a header or of the query, for any
//! service. What is signed is the request as it was sent, before paths are made plain.
//!
//! The body counts too. Where `X-Amz-Content-Sha256` says its hash, large bodies are hashed while they are read, and end
//! with an error if they are others; other bodies are read first. Only for S3 may a body be left unsigned or come in
//! signed chunks, and the script that reads those gets what it needs to check them.

mod body;
mod canonical;
mod claim;

use std::net::IpAddr;

use aws_lc_rs::{constant_time, hmac};
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use stele_app::{App, Refusal, SignedBody, SignedBy, SignedPayload, Signer};
use stele_domain::authz::Principal;

use self::body::{hash, while_read, whole};
use self::canonical::{Query, canonical};
pub(super) use self::claim::Claim;
use crate::paths::AsSent;

/// Where credentials for a while let nobody in.
const NATIVE: &str = "/api/stele/";
/// What a body without a signed hash may have at most, in bytes.
const MOST_UNHASHED: usize = 64 * 1024 * 1024;
/// Up to here a body is read and compared before anything else happens.
const SMALL: u64 = 1024 * 1024;

/// The body as `X-Amz-Content-Sha256` says it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Payload {
    /// Its SHA-256, in hex.
    Hash(String),
    /// Whatever it is: S3 alone.
    Open(&'static str, SignedPayload),
    /// Nothing says it; the hash is that of the body.
    Unsaid,
}

pub(super) async fn check(
    app: &App,
    request: Request,
    claim: &Claim,
    address: Option<IpAddr>,
) -> (Request, Result<Principal, Refusal>) {
    let (mut head, body) = request.into_parts();
    match admit(app, &head, body, claim, address).await {
        Ok(Checked { body, signed, principal }) => {
            head.extensions.insert(SignedBy { key: claim.key.clone(), token: claim.token.clone() });
            if let Some(signed) = signed {
                head.extensions.insert(signed);
            }
            (Request::from_parts(head, body), Ok(principal))
        }
        Err(refusal) => (Request::from_parts(head, Body::empty()), Err(refusal)),
    }
}

struct Checked {
    body: Body,
    signed: Option<SignedBody>,
    principal: Principal,
}

async fn admit(
    app: &App,
    head: &Parts,
    body: Body,
    claim: &Claim,
    address: Option<IpAddr>,
) -> Result<Checked, Refusal> {
    claim.in_time(app.now())?;
    claim.covers(&head.headers)?;
    let payload = payload(claim, &head.headers)?;
    let Signer { principal, secret } = match &claim.token {
        None => app.login_key(&claim.key, address).await?,
        // There they could make themselves credentials that last.
        Some(_) if head.uri.path().starts_with(NATIVE) => return Err(app.wrong(address, Refusal::UnknownKey)),
        Some(token) => app.login_temporary(&claim.key, token, address).await?,
    };
    let key = signing_key(&secret, claim);
    let sized = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let (said, body) = match &payload {
        Payload::Hash(hash) => (hash.clone(), body),
        Payload::Open(said, _) => ((*said).to_owned(), body),
        Payload::Unsaid => {
            let bytes = whole(body, MOST_UNHASHED).await?;
            (hash(&bytes), Body::from(bytes))
        }
    };
    if !matches(head, claim, &said, &key) {
        let message = "the signature of the request does not match; see that the secret key is right, and that \
                       nothing on the way changes the request or its Host header";
        return Err(app.wrong(address, Refusal::Signature(message.to_owned())));
    }
    let body = match payload {
        Payload::Hash(expected) if sized.is_some_and(|size: u64| size <= SMALL) => {
            let bytes = whole(body, MOST_UNHASHED).await?;
            if hash(&bytes) != expected {
                let message = "the body is not the one that X-Amz-Content-Sha256 says".to_owned();
                return Err(app.wrong(address, Refusal::Signature(message)));
            }
            Body::from(bytes)
        }
        Payload::Hash(expected) => while_read(body, expected),
        Payload::Open(_, payload) => {
            let signed = SignedBody {
                payload,
                key: key.to_vec(),
                scope: claim.scope(),
                date: claim.date_time.clone(),
                seed: claim.signature.clone(),
            };
            return Ok(Checked { body, signed: Some(signed), principal });
        }
        Payload::Unsaid => body,
    };
    Ok(Checked { body, signed: None, principal })
}

fn payload(claim: &Claim, headers: &HeaderMap) -> Result<Payload, Refusal> {
    const OPEN: [(&str, SignedPayload); 4] = [
        ("UNSIGNED-PAYLOAD", SignedPayload::Unsigned),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SignedPayload::Chunks),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SignedPayload::ChunksAndTrailer),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", SignedPayload::UnsignedTrailer),
    ];
    let is_s3 = claim.service == "s3";
    let Some(said) = headers.get("x-amz-content-sha256") else {
        let (text, payload) = OPEN[0];
        return Ok(if is_s3 && claim.lasts.is_some() { Payload::Open(text, payload) } else { Payload::Unsaid });
    };
    let said = said.to_str().unwrap_or_default();
    if said.len() == 64 && said.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(Payload::Hash(said.to_owned()));
    }
    match OPEN.into_iter().find(|(text, _)| *text == said) {
        Some((text, payload)) if is_s3 => Ok(Payload::Open(text, payload)),
        Some(_) => Err(Refusal::Signature(format!("the body of a request to '{}' must be signed", claim.service))),
        None => Err(Refusal::Signature("X-Amz-Content-Sha256 is neither a SHA-256 nor a word for none".to_owned())),
    }
}

/// Whether the signature is that of the request. Clients differ in whether a plus sign in the query is signed as it is
/// sent or as it is read; either names the request beyond doubt.
fn matches(head: &Parts, claim: &Claim, payload: &str, key: &[u8]) -> bool {
    let uri = AsSent::uri_of(&head.uri, &head.extensions);
    [Query::AsSent, Query::AsRead].into_iter().any(|query| {
        let canonical = canonical(&head.method, uri, &head.headers, claim, payload, query);
        let expected = signature(&canonical, claim, key);
        constant_time::verify_slices_are_equal(expected.as_bytes(), claim.signature.as_bytes()).is_ok()
    })
}

fn signature(canonical: &str, claim: &Claim, key: &[u8]) -> String {
    let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", claim.date_time, claim.scope(), hash(canonical.as_bytes()));
    hex::encode(hmac_of(key, &text))
}

/// The key for one day, region and service, which the secret is behind.
fn signing_key(secret: &str, claim: &Claim) -> Vec<u8> {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [&claim.date, &claim.region, &claim.service, "aws4_request"] {
        key = hmac_of(&key, part).as_ref().to_vec();
    }
    key
}

fn hmac_of(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

#[cfg(test)]
mod tests;
