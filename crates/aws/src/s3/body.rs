//! The bytes that a request brings, checked against what it says of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use md5::{Digest, Md5};
use parking_lot::Mutex;
use stele_app::{Checksums, Content};

use super::call::Call;
use super::checksum::{self, CHECKSUMS, Sum};
use super::chunks::{Chunks, Next};
use super::error::{Failure, Result};

/// The largest object that comes in one request, in bytes.
const MOST_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// A body on its way in. Its content ends with an error unless it is what the request says.
pub(super) struct Incoming {
    /// In bytes, if the client says it.
    pub(super) length: Option<u64>,
    pub(super) content: BoxStream<'static, std::result::Result<Bytes, String>>,
    /// Those that came with it, when it has ended well.
    pub(super) checksums: Checksums,
    verdict: Arc<Mutex<Option<Failure>>>,
}

type Bodied = Content<BoxStream<'static, std::result::Result<Bytes, String>>>;

impl Incoming {
    /// The body itself; the rest stays, to ask how it ended.
    pub(super) fn take(&mut self) -> Bodied {
        let bytes = std::mem::replace(&mut self.content, Box::pin(futures::stream::empty()));
        Content { length: self.length, bytes, checksums: self.checksums.clone() }
    }

    /// Why the content ended with an error, if it was not what the request says.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.verdict.lock().take()
    }
}

/// Takes the body of a request.
pub(super) fn incoming(call: &mut Call) -> Result<Incoming> {
    let said = call.header("x-amz-content-sha256").unwrap_or("").to_owned();
    let is_chunked = said.starts_with("STREAMING-");
    let length = call.header(if is_chunked { "x-amz-decoded-content-length" } else { "content-length" });
    let length = match length {
        None if is_chunked => {
            let message = "a body in chunks needs the header x-amz-decoded-content-length";
            return Err(Failure::new(axum::http::StatusCode::LENGTH_REQUIRED, "MissingContentLength", message));
        }
        None => None,
        Some(text) => Some(text.parse::<u64>().map_err(|_| Failure::argument(format!("'{text}' is not a length")))?),
    };
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(Failure::bad("EntityTooLarge", format!("one request brings at most {MOST_BYTES} bytes")));
    }
    let mut checks = Checks::of(call, &said)?;
    let verdict = Arc::new(Mutex::new(None));
    let told = Arc::clone(&verdict);
    let checksums = Checksums::default();
    let compared = checksums.clone();
    let body = std::mem::take(call.body.get_mut());
    let signed = call.signed.take();
    let content = async_stream::stream! {
        let ended = if is_chunked {
            let mut chunks = Chunks::new(body, signed);
            loop {
                match chunks.next().await {
                    Ok(Next::Bytes(part)) => {
                        checks.update(&part);
                        yield Ok(part);
                    }
                    Ok(Next::End(trailers)) => break checks.finish(&trailers),
                    Err(message) => break Err(Failure::bad("IncompleteBody", message)),
                }
            }
        } else {
            let mut body = body.into_data_stream();
            loop {
                match body.next().await {
                    Some(Ok(part)) => {
                        checks.update(&part);
                        yield Ok(part);
                    }
                    None => break checks.finish(&BTreeMap::new()),
                    // The hash that the signature covers is compared while the body is read.
                    Some(Err(error)) => break Err(Failure::bad("XAmzContentSHA256Mismatch", error.to_string())),
                }
            }
        };
        match ended {
            Ok(sums) => compared.set(sums),
            Err(failure) => {
                *told.lock() = Some(failure);
                yield Err("the body is not what the request says".to_owned());
            }
        }
    };
    Ok(Incoming { length, content: content.boxed(), checksums, verdict })
}

/// What a body must come to.
struct Checks {
    md5: Option<(Md5, Vec<u8>)>,
    /// As the signature has it, in hex.
    sha256: Option<(digest::Context, String)>,
    /// By header; what trails the body is expected later.
    named: Vec<(&'static str, Sum, Option<String>)>,
}

impl Checks {
    fn of(call: &Call, said: &str) -> Result<Checks> {
        let md5 = match call.header("content-md5") {
            None => None,
            Some(text) => {
                let expected = BASE64_STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 16);
                let invalid = || Failure::bad("InvalidDigest", "the Content-MD5 you specified is not valid");
                Some((Md5::new(), expected.ok_or_else(invalid)?))
            }
        };
        let is_hash = said.len() == 64 && said.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sha256 = is_hash.then(|| (digest::Context::new(&digest::SHA256), said.to_ascii_lowercase()));
        let trailing = call.header("x-amz-trailer").unwrap_or("").to_ascii_lowercase();
        let mut named = Vec::new();
        for name in CHECKSUMS {
            let expected = call.header(name);
            if expected.is_some_and(|text| !checksum::is_well_formed(name, text)) {
                return Err(checksum::malformed(name));
            }
            let trails = trailing.split(',').any(|trailer| trailer.trim() == name);
            if expected.is_some() || trails {
                named.push((name, Sum::of(name), expected.map(str::to_owned)));
            }
        }
        Ok(Checks { md5, sha256, named })
    }

    fn update(&mut self, part: &[u8]) {
        if let Some((md5, _)) = &mut self.md5 {
            md5.update(part);
        }
        if let Some((sha256, _)) = &mut self.sha256 {
            sha256.update(part);
        }
        for (_, sum, _) in &mut self.named {
            sum.update(part);
        }
    }

    /// The checksums that were compared, by header.
    fn finish(self, trailers: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
        if let Some((md5, expected)) = self.md5
            && md5.finalize().as_slice() != expected
        {
            return Err(Failure::bad("BadDigest", "the Content-MD5 you specified did not match what was received"));
        }
        if let Some((sha256, expected)) = self.sha256
            && hex::encode(sha256.finish()) != expected
        {
            let message = "the provided x-amz-content-sha256 header does not match what was computed";
            return Err(Failure::bad("XAmzContentSHA256Mismatch", message));
        }
        let mut compared = BTreeMap::new();
        for (name, sum, expected) in self.named {
            let Some(expected) = expected.as_ref().or_else(|| trailers.get(name)) else {
                return Err(Failure::bad("MalformedTrailerError", format!("the trailing header {name} did not come")));
            };
            if sum.finish() != *expected {
                return Err(Failure::bad(
                    "BadDigest",
                    format!("the {name} you specified did not match what was received"),
                ));
            }
            compared.insert(name.to_owned(), expected.clone());
        }
        Ok(compared)
    }
}
