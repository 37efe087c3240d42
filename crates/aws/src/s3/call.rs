//! A request on its way to a handler.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use stele_app::{App, Ctx, SignedBody};
use stele_domain::bucket::{MOST_KEY_BYTES, MOST_METADATA_BYTES, ObjectHead};
use stele_domain::id::Timestamp;

use super::error::{Failure, Result};
use crate::xml;

/// The largest document that a request brings, in bytes: ten thousand parts of an upload.
const MOST_DOCUMENT: usize = 2 * 1024 * 1024;

/// The class that an object has of which none is said.
pub(super) const STANDARD: &str = "STANDARD";
pub(super) const STORAGE_CLASS: &str = "x-amz-storage-class";
/// Classes whose objects can be read at once.
const AT_HAND: [&str; 5] = ["REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
/// Where a website, which is made of buckets elsewhere, leads who asks for an object.
pub(super) const REDIRECT: &str = "x-amz-website-redirect-location";

pub(super) struct Call {
    pub(super) app: App,
    pub(super) ctx: Ctx,
    pub(super) account: String,
    pub(super) region: String,
    /// Empty for requests about all buckets.
    pub(super) bucket: String,
    /// Empty for requests about a bucket.
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    /// Taken by the one who reads it. Behind a lock, since handlers share the rest of the call while they wait.
    pub(super) body: Mutex<Body>,
    /// What chunks of the body are signed with.
    pub(super) signed: Option<SignedBody>,
}

/// The bucket and the key in a path such as `/bucket/some/key`, each of which may be empty.
pub(super) fn place(path: &str) -> Result<(String, String)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| Failure::bad("InvalidURI", "the path is not UTF-8"))
    };
    let (bucket, key) = (decoded(bucket)?, decoded(key)?);
    if key.len() > MOST_KEY_BYTES {
        return Err(Failure::bad("KeyTooLongError", format!("a key has at most {MOST_KEY_BYTES} bytes")));
    }
    Ok((bucket, key))
}

pub(super) fn query(uri: &Uri) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned().collect()
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn asks(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// How many entries a listing gives, at most a thousand.
    pub(super) fn limit(&self, name: &'static str) -> Result<usize> {
        let limit = self.count(name)?.unwrap_or(1_000);
        Ok(usize::try_from(limit).unwrap_or(1_000).min(1_000))
    }

    /// A number among the parameters, if it is given.
    pub(super) fn count(&self, name: &'static str) -> Result<Option<u32>> {
        counted(name, self.parameter(name))
    }

    /// A number among the headers, if it is given.
    pub(super) fn count_in_header(&self, name: &'static str) -> Result<Option<u32>> {
        counted(name, self.header(name).unwrap_or(""))
    }

    /// A document in XML that the request brings.
    pub(super) async fn document<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let body = self.bytes().await?;
        let text = std::str::from_utf8(&body).map_err(|_| Failure::malformed())?;
        quick_xml::de::from_str(text).map_err(|_| Failure::malformed())
    }

    /// The whole body, as its checksums say it is.
    pub(super) async fn bytes(&mut self) -> Result<Vec<u8>> {
        use futures::TryStreamExt;
        let mut incoming = super::body::incoming(self)?;
        let content = std::mem::replace(&mut incoming.content, Box::pin(futures::stream::empty()));
        let read = content
            .try_fold(Vec::new(), |mut whole, part| async move {
                if whole.len() + part.len() > MOST_DOCUMENT {
                    return Err(format!("the document has more than {MOST_DOCUMENT} bytes"));
                }
                whole.extend_from_slice(&part);
                Ok(whole)
            })
            .await;
        read.map_err(|message| incoming.failure().unwrap_or_else(|| Failure::bad("MaxMessageLengthExceeded", message)))
    }

    /// What the headers say about an object that is to be stored.
    pub(super) fn head(&self) -> Result<ObjectHead> {
        const KEPT: [&str; 8] = [
            "cache-control",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-type",
            "expires",
            STORAGE_CLASS,
            REDIRECT,
        ];
        self.refuse_keys()?;
        self.check_storage_class()?;
        let mut head = ObjectHead { tags: self.tags_in_header()?, ..ObjectHead::default() };
        for (name, value) in &self.headers {
            let name = name.as_str();
            let text = || String::from_utf8_lossy(value.as_bytes()).into_owned();
            if let Some(name) = name.strip_prefix("x-amz-meta-") {
                head.metadata.insert(name.to_owned(), text());
            } else if KEPT.contains(&name) {
                head.headers.insert(name.to_owned(), text());
            }
        }
        if head.headers.get(STORAGE_CLASS).is_some_and(|class| class == STANDARD) {
            head.headers.remove(STORAGE_CLASS);
        }
        if let Some(place) = head.headers.get(REDIRECT)
            && !["/", "http://", "https://"].iter().any(|start| place.starts_with(start))
        {
            let message = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
            return Err(Failure::bad("InvalidRedirectLocation", message));
        }
        // That the body came in chunks is no part of what it is.
        let encoding = head.headers.get("content-encoding").map(|encoding| without_chunks(encoding));
        match encoding {
            Some(encoding) if encoding.is_empty() => drop(head.headers.remove("content-encoding")),
            Some(encoding) => drop(head.headers.insert("content-encoding".to_owned(), encoding)),
            None => {}
        }
        let bytes: usize = head.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MOST_METADATA_BYTES {
            let message = format!("the metadata takes {bytes} bytes, and at most {MOST_METADATA_BYTES} are kept");
            return Err(Failure::bad("MetadataTooLarge", message));
        }
        Ok(head)
    }

    /// Objects are not encrypted with keys that clients bring, so that who asks for it must not think they are.
    pub(super) fn refuse_keys(&self) -> Result<()> {
        let keys = ["x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key"];
        match keys.into_iter().find(|name| self.headers.contains_key(*name)) {
            Some(name) => Err(Failure::not_offered(&format!("encryption with keys of clients ({name})"))),
            None => Ok(()),
        }
    }

    /// Objects of every class are kept alike, so that those that would have to be brought back first are refused.
    fn check_storage_class(&self) -> Result<()> {
        match self.header(STORAGE_CLASS) {
            None | Some(STANDARD) => Ok(()),
            Some(class) if AT_HAND.contains(&class) => Ok(()),
            Some(class @ ("GLACIER" | "DEEP_ARCHIVE")) => {
                Err(Failure::not_offered(&format!("the storage class {class}")))
            }
            Some(class) => Err(Failure::bad("InvalidStorageClass", "The storage class you specified is not valid")
                .about("StorageClassRequested", class)),
        }
    }

    fn tags_in_header(&self) -> Result<BTreeMap<String, String>> {
        let given = self.header("x-amz-tagging").unwrap_or("");
        super::tags::checked(url::form_urlencoded::parse(given.as_bytes()).into_owned(), &super::tags::OF_OBJECTS)
    }

    /// Refuses versions, which objects do not have.
    pub(super) fn only_version(&self) -> Result<()> {
        match self.parameter("versionId") {
            "" | "null" => Ok(()),
            version => Err(no_version(version)),
        }
    }
}

fn counted(name: &'static str, text: &str) -> Result<Option<u32>> {
    const MOST: i64 = i32::MAX as i64;
    let message = match text.parse::<i64>() {
        _ if text.is_empty() => return Ok(None),
        Ok(count @ 0..=MOST) => return Ok(u32::try_from(count).ok()),
        Ok(..0) => format!("Argument {name} must be an integer between 0 and {MOST}"),
        _ => format!("Provided {name} not an integer or within integer range"),
    };
    Err(Failure::argument(message).about("ArgumentName", name).about("ArgumentValue", text))
}

/// Clients look at whether a version is unknown or none that could be.
pub(super) fn no_version(version: &str) -> Failure {
    let fits = version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
    match fits {
        true => {
            Failure::not_found("NoSuchVersion", "The specified version does not exist.").about("VersionId", version)
        }
        false => Failure::argument("Invalid version id specified")
            .about("ArgumentName", "versionId")
            .about("ArgumentValue", version),
    }
}

/// Refuses a presigned URL whose time is over, also where nobody looks at signatures.
pub(super) fn refuse_late(query: &BTreeMap<String, String>, now: Timestamp) -> Result<()> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
    let ends = match query.get("X-Amz-Date") {
        Some(date) => {
            let made = chrono::NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok();
            made.zip(number("X-Amz-Expires")).map(|(made, seconds)| made.and_utc().timestamp().saturating_add(seconds))
        }
        None => number("Expires").filter(|_| query.contains_key("Signature")),
    };
    match ends {
        Some(ends) if now.0.div_euclid(1000) > ends => {
            let shown = |seconds: i64| xml::time(Timestamp(seconds.saturating_mul(1000)));
            Err(Failure::new(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired")
                .about("Expires", shown(ends))
                .about("ServerTime", shown(now.0.div_euclid(1000))))
        }
        _ => Ok(()),
    }
}

/// What presigned URLs say of an object, since clients put headers that are to be signed into the query.
pub(super) fn hoist(query: &BTreeMap<String, String>, headers: &mut HeaderMap) {
    let is_presigned = query.contains_key("X-Amz-Signature") || query.contains_key("Signature");
    for (name, value) in query.iter().filter(|_| is_presigned) {
        let name = name.to_ascii_lowercase();
        let is_of_object =
            name.starts_with("x-amz-meta-") || [STORAGE_CLASS, REDIRECT, "x-amz-tagging"].contains(&name.as_str());
        if let (true, Ok(name), Ok(value)) = (is_of_object, name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.entry(name).or_insert(value);
        }
    }
}

fn without_chunks(encoding: &str) -> String {
    let parts = encoding.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "aws-chunked");
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presigned_urls_end_when_they_say() {
        let in_time = |query: &str, second: i64| {
            let uri: Uri = format!("/b/k?{query}").parse().unwrap();
            refuse_late(&super::query(&uri), Timestamp(second * 1000)).is_ok()
        };
        // 2026-11-29T05:40:00Z
        let made = 1_795_930_800;
        let newer = "X-Amz-Date=20261129T054000Z&X-Amz-Expires=60&X-Amz-Signature=0";
        let older = format!("AWSAccessKeyId=a&Signature=0&Expires={}", made + 60);
        for query in [newer, older.as_str()] {
            assert!(in_time(query, made) && in_time(query, made + 60), "{query}");
            assert!(!in_time(query, made + 61), "{query}");
        }
        for query in ["", "Expires=1", "X-Amz-Date=today&X-Amz-Expires=1", "X-Amz-Date=20261129T054000Z"] {
            assert!(in_time(query, made * 2), "{query}");
        }
    }
}
