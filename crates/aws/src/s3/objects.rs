use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use stele_app::{Checksums, Condition, Content, FoundObject, NewObject};
use stele_domain::Error;
use stele_domain::bucket::{Object, ObjectHead};
use stele_domain::id::Timestamp;

use super::NAMESPACE;
use super::body::incoming;
use super::buckets::access;
use super::call::Call;
use super::checksum::is_checksum;
use super::error::{Failure, Result, xml_response};
use crate::xml::{Xml, time};

/// The most objects that one request removes.
const MOST_DELETED: usize = 1_000;

/// What S3 calls bytes that nobody gave a type.
const ANY: &str = "binary/octet-stream";

pub(super) async fn put(mut call: Call) -> Result<Response> {
    let new = NewObject {
        bucket: call.bucket.clone(),
        key: call.key.clone(),
        head: call.head()?,
        condition: condition(&call.headers)?,
    };
    let mut body = incoming(&mut call)?;
    if body.length.is_none() {
        let message = "the length of the body must be said";
        return Err(Failure::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength", message));
    }
    let content = body.take();
    let stored = call.app.object_put(&call.ctx, new, content).await;
    let object = stored.map_err(|error| body.failure().unwrap_or_else(|| error.into()))?;
    Ok(stored_response(&object))
}

fn stored_response(object: &Object) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, quoted(&object.etag));
    for (name, value) in checksums(&object.head.headers) {
        headers.insert(name, value);
    }
    response
}

/// The checksums among headers.
pub(super) fn checksums(headers: &BTreeMap<String, String>) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let named = headers.iter().filter(|(name, _)| is_checksum(name));
    named.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
}

pub(super) fn quoted(etag: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{etag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

pub(super) fn condition(headers: &HeaderMap) -> Result<Condition> {
    let given = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (given(header::IF_NONE_MATCH), given(header::IF_MATCH)) {
        (None, None) => Ok(Condition::None),
        (Some("*"), None) => Ok(Condition::Absent),
        (None, Some(etag)) => Ok(Condition::Is(etag.trim_matches('"').to_owned())),
        _ => Err(Failure::not_offered("conditions on writes other than If-None-Match: * and If-Match")),
    }
}

pub(super) async fn get(method: &Method, call: Call) -> Result<Response> {
    let found = call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    let object = found.object.clone();
    let named =
        Conditions::of(&call.headers, ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]);
    match named.answer(&object) {
        Met::Yes => {}
        Met::Unchanged => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            response.headers_mut().insert(header::ETAG, quoted(&object.etag));
            return Ok(response);
        }
        Met::No => return Err(Failure::precondition("a condition of the request does not hold")),
    }
    if call.asks("partNumber") {
        return Err(Failure::not_offered("reading a part of an object by its number"));
    }
    let size = object.size;
    let (status, range) = match call.header("range").and_then(|text| asked_range(text, size)) {
        None => (StatusCode::OK, 0..size),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(None) => {
            let message = "the requested range is not satisfiable";
            return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message));
        }
    };
    let mut headers = described(&object, &call)?;
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, text.parse().unwrap_or(HeaderValue::from_static("bytes */*")));
    } else if call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")) {
        headers.extend(checksums(&object.head.headers).map(|(name, value)| (Some(name), value)));
    }
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(call.app.object_content(found, range)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The bytes that a `Range` header asks for; inner none when there are none, and outer none when the header is to be
/// left out of account, as headers that are not understood are.
fn asked_range(text: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (start, end) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (start.trim(), end.trim()) {
        ("", last) => size.saturating_sub(last.parse().ok()?)..size,
        (start, "") => start.parse().ok()?..size,
        (start, end) => {
            let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
            if end < start {
                return None;
            }
            start..end.saturating_add(1).min(size)
        }
    };
    Some((range.start < range.end).then_some(range))
}

/// The headers that say what an object is.
fn described(object: &Object, call: &Call) -> Result<HeaderMap> {
    let Object { key: _, size: _, etag, modified_at, head } = object;
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        // What a header cannot hold is not shown.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    set("content-type", ANY);
    for (name, value) in head.headers.iter().filter(|(name, _)| !is_checksum(name)) {
        set(name, value);
    }
    for (name, value) in &head.metadata {
        set(&format!("x-amz-meta-{name}"), value);
    }
    if !head.tags.is_empty() {
        set("x-amz-tagging-count", &head.tags.len().to_string());
    }
    set("accept-ranges", "bytes");
    set("last-modified", &httpdate::fmt_http_date(UNIX_EPOCH + since_epoch(*modified_at)));
    // Pages of strangers must not become pages of this server.
    set("content-security-policy", "sandbox");
    for (asked, value) in &call.query {
        if let Some(name) = asked.strip_prefix("response-") {
            let known =
                ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type"];
            if !known.contains(&name) && name != "expires" {
                return Err(Failure::argument(format!("'{asked}' is not a parameter of this request")));
            }
            set(name, value);
        }
    }
    headers.insert(header::ETAG, quoted(etag));
    Ok(headers)
}

fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}

/// Conditions on an object that is read or copied.
struct Conditions<'c> {
    is: Option<&'c str>,
    is_not: Option<&'c str>,
    since: Option<Timestamp>,
    not_since: Option<Timestamp>,
}

enum Met {
    Yes,
    No,
    /// The client has it already.
    Unchanged,
}

impl<'c> Conditions<'c> {
    fn of(headers: &'c HeaderMap, names: [&str; 4]) -> Conditions<'c> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let at = |name: &str| {
            let time = httpdate::parse_http_date(text(name)?).ok()?.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(time.as_millis()).ok().map(Timestamp)
        };
        let [is, is_not, since, not_since] = names;
        Conditions { is: text(is), is_not: text(is_not), since: at(since), not_since: at(not_since) }
    }

    /// In the order that HTTP gives them; times count seconds.
    fn answer(&self, object: &Object) -> Met {
        let names = |list: &str| {
            list.split(',')
                .map(|etag| etag.trim().trim_start_matches("W/").trim_matches('"'))
                .any(|etag| etag == "*" || etag == object.etag)
        };
        let second = object.modified_at.0.div_euclid(1000);
        match (self.is, self.not_since) {
            (Some(list), _) if !names(list) => return Met::No,
            (None, Some(at)) if second > at.0.div_euclid(1000) => return Met::No,
            _ => {}
        }
        match (self.is_not, self.since) {
            (Some(list), _) if names(list) => Met::Unchanged,
            (None, Some(at)) if second <= at.0.div_euclid(1000) => Met::Unchanged,
            _ => Met::Yes,
        }
    }
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.object_delete(&call.ctx, call.bucket, call.key).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    #[serde(default)]
    object: Vec<DeleteObject>,
    #[serde(default)]
    quiet: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteObject {
    key: String,
    version_id: Option<String>,
}

pub(super) async fn delete_many(mut call: Call) -> Result<Response> {
    let Delete { object, quiet } = call.document().await?;
    if object.is_empty() || object.len() > MOST_DELETED {
        let message = format!("from 1 to {MOST_DELETED} objects are removed at once");
        return Err(Failure::bad("MalformedXML", message));
    }
    call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
    let mut done: Vec<(String, Option<(&str, String)>)> = Vec::new();
    for DeleteObject { key, version_id } in object {
        let failure = match version_id.as_deref() {
            None | Some("" | "null") => {
                let removed = call.app.object_delete(&call.ctx, call.bucket.clone(), key.clone()).await;
                match removed {
                    Ok(()) => None,
                    Err(Error::Forbidden { message }) => Some(("AccessDenied", message)),
                    Err(Error::LimitExceeded { message }) => Some(("KeyTooLongError", message)),
                    Err(Error::Invalid { message }) => Some(("InvalidArgument", message)),
                    Err(error) => return Err(error.into()),
                }
            }
            Some(version) => Some(("NoSuchVersion", format!("there is no version '{version}'"))),
        };
        done.push((key, failure));
    }
    let document = Xml::document("DeleteResult", NAMESPACE, |xml| {
        for (key, failure) in &done {
            match failure {
                None if quiet => {}
                None => {
                    xml.element("Deleted", |xml| {
                        xml.text("Key", key);
                    });
                }
                Some((code, message)) => {
                    xml.element("Error", |xml| {
                        xml.text("Key", key).text("Code", code).text("Message", message);
                    });
                }
            }
        }
    });
    Ok(xml_response(StatusCode::OK, document))
}

/// The object that a copy is made of, as far as its conditions let it.
pub(super) async fn source(call: &Call) -> Result<FoundObject> {
    let text = call.header("x-amz-copy-source").unwrap_or("");
    let (path, version) = text.split_once('?').unwrap_or((text, ""));
    if !matches!(version, "" | "versionId=null") {
        return Err(Failure::not_found("NoSuchVersion", "objects have no versions here"));
    }
    let decoded = percent_decode_str(path).decode_utf8();
    let decoded = decoded.map_err(|_| Failure::argument("the source of the copy is not UTF-8"))?;
    let (bucket, key) = decoded
        .strip_prefix('/')
        .unwrap_or(&decoded)
        .split_once('/')
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(|| Failure::argument("the source of a copy is <bucket>/<key>"))?;
    let found = call.app.object_get(&call.ctx, bucket.to_owned(), key.to_owned()).await?;
    let conditions = Conditions::of(
        &call.headers,
        [
            "x-amz-copy-source-if-match",
            "x-amz-copy-source-if-none-match",
            "x-amz-copy-source-if-modified-since",
            "x-amz-copy-source-if-unmodified-since",
        ],
    );
    match conditions.answer(&found.object) {
        Met::Yes => Ok(found),
        Met::No | Met::Unchanged => Err(Failure::precondition("a condition on the source of the copy does not hold")),
    }
}

pub(super) async fn copy(call: Call) -> Result<Response> {
    let found = source(&call).await?;
    let directive = |name: &str| match call.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Failure::argument(format!("{name} is COPY or REPLACE, not '{other}'"))),
    };
    let (metadata, tags) = (directive("x-amz-metadata-directive")?, directive("x-amz-tagging-directive")?);
    let given = call.head()?;
    let mut old = found.object.head.clone();
    // What parts came to is nothing that the copy, which has none, comes to.
    old.headers.retain(|name, value| !(is_checksum(name) && value.contains('-')));
    let kept = old.headers.clone().into_iter().filter(|(name, _)| is_checksum(name));
    let sums = Checksums::default();
    sums.set(kept.collect());
    let head = ObjectHead {
        headers: if metadata { given.headers } else { old.headers },
        metadata: if metadata { given.metadata } else { old.metadata },
        tags: if tags { given.tags } else { old.tags },
    };
    let is_itself = call.header("x-amz-copy-source").is_some_and(|source| {
        let source = percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy();
        source == format!("{}/{}", call.bucket, call.key)
    });
    if is_itself && !metadata {
        let message = "an object is copied to itself only with other metadata";
        return Err(Failure::bad("InvalidRequest", message));
    }
    let new =
        NewObject { bucket: call.bucket.clone(), key: call.key.clone(), head, condition: condition(&call.headers)? };
    let size = found.size();
    let bytes = call.app.object_content(found, 0..size);
    let content = Content { length: Some(size), bytes, checksums: sums };
    let object = call.app.object_put(&call.ctx, new, content).await?;
    Ok(xml_response(StatusCode::OK, copied("CopyObjectResult", &object.etag, object.modified_at)))
}

pub(super) fn copied(root: &str, etag: &str, at: Timestamp) -> String {
    Xml::document(root, NAMESPACE, |xml| {
        xml.text("LastModified", time(at)).text("ETag", format!("\"{etag}\""));
    })
}

pub(super) async fn acl(call: Call) -> Result<Response> {
    call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    Ok(access(&call))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet {
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

pub(super) async fn tagging(call: Call) -> Result<Response> {
    let found = call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    let document = Xml::document("Tagging", NAMESPACE, |xml| {
        xml.element("TagSet", |xml| {
            for (key, value) in &found.object.head.tags {
                xml.element("Tag", |xml| {
                    xml.text("Key", key).text("Value", value);
                });
            }
        });
    });
    Ok(xml_response(StatusCode::OK, document))
}

pub(super) async fn set_tagging(mut call: Call) -> Result<Response> {
    let Tagging { tag_set: TagSet { tag } } = call.document().await?;
    let count = tag.len();
    let tags: BTreeMap<String, String> = tag.into_iter().map(|Tag { key, value }| (key, value)).collect();
    if tags.len() != count {
        return Err(Failure::bad("InvalidTag", "a tag is given twice"));
    }
    call.app.object_tag(&call.ctx, call.bucket, call.key, tags).await?;
    Ok(StatusCode::OK.into_response())
}

pub(super) async fn delete_tagging(call: Call) -> Result<Response> {
    call.app.object_tag(&call.ctx, call.bucket, call.key, BTreeMap::new()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        assert_eq!(asked_range("bytes=0-4", 10), Some(Some(0..5)));
        assert_eq!(asked_range("bytes=5-", 10), Some(Some(5..10)));
        assert_eq!(asked_range("bytes=-3", 10), Some(Some(7..10)));
        assert_eq!(asked_range("bytes=-30", 10), Some(Some(0..10)));
        assert_eq!(asked_range("bytes=8-100", 10), Some(Some(8..10)));
        assert_eq!(asked_range("bytes=10-", 10), Some(None));
        assert_eq!(asked_range("bytes=-0", 10), Some(None));
        for odd in ["bytes=5-4", "items=0-4", "bytes=a-b", "bytes=1-2,4-5"] {
            assert_eq!(asked_range(odd, 10), None, "{odd}");
        }
    }
}
