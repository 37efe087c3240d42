//! Reading an object, or a part of it.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stele_app::FoundObject;
use stele_domain::bucket::Object;
use stele_domain::id::Timestamp;

use super::call::Call;
use super::checksum::is_checksum;
use super::error::{Failure, Result};
use super::objects::{checksums_of_whole, quoted};

/// What S3 calls bytes that nobody gave a type.
const ANY: &str = "binary/octet-stream";

pub(super) async fn get(call: Call) -> Result<Response> {
    answer(&Method::GET, call).await
}

pub(super) async fn head(call: Call) -> Result<Response> {
    answer(&Method::HEAD, call).await
}

async fn answer(method: &Method, call: Call) -> Result<Response> {
    let found = call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    let object = found.object.clone();
    match Conditions::of(&call.headers, &READ).answer(&object) {
        Met::Yes => {}
        Met::Unchanged(_) => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            response.headers_mut().insert(header::ETAG, quoted(&object.etag));
            return Ok(response);
        }
        Met::No(condition) => return Err(Failure::precondition(condition)),
    }
    let size = object.size;
    let part = asked_part(&call, &found)?;
    let asked = match &part {
        Some(part) => Some(Some(part.range.clone()).filter(|range| !range.is_empty())),
        None => call.header("range").and_then(|text| asked_range(text, size)),
    };
    let (status, range) = match asked {
        None => (StatusCode::OK, 0..size),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        // Of an object without bytes, whose first part is the whole.
        Some(None) if part.is_some() => (StatusCode::OK, 0..size),
        Some(None) => {
            let message = "The requested range is not satisfiable";
            let failure = Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message);
            let asked = call.header("range").unwrap_or_default();
            return Err(failure.about("ActualObjectSize", size.to_string()).about("RangeRequested", asked));
        }
    };
    let mut headers = described(&object, &call)?;
    if let Some(count) = part.and_then(|part| part.of) {
        headers.insert("x-amz-mp-parts-count", count.into());
    }
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, text.parse().unwrap_or(HeaderValue::from_static("bytes */*")));
    } else if call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")) {
        headers.extend(checksums_of_whole(&object.head.headers).map(|(name, value)| (Some(name), value)));
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

/// A part of an object that is asked for by its number.
struct AskedPart {
    range: Range<u64>,
    /// How many parts the object was uploaded in, if it was.
    of: Option<usize>,
}

/// Parts have the numbers from 1 on, whatever numbers they were uploaded with.
fn asked_part(call: &Call, found: &FoundObject) -> Result<Option<AskedPart>> {
    if !call.asks("partNumber") {
        return Ok(None);
    }
    if call.headers.contains_key(header::RANGE) {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(Failure::bad("InvalidRequest", message));
    }
    let number = usize::try_from(call.part_number()?).unwrap_or(usize::MAX);
    let parts = found.part_sizes();
    let (sizes, of) = match &parts {
        Some(parts) => (&parts[..], Some(parts.len())),
        None => (&[found.size()][..], None),
    };
    if number > sizes.len() {
        let message = "The requested partnumber is not satisfiable";
        let failure = Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidPartNumber", message);
        return Err(failure.about("PartNumberRequested", number.to_string()));
    }
    let start = sizes[..number - 1].iter().sum();
    Ok(Some(AskedPart { range: start..start + sizes[number - 1], of }))
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
    set("last-modified", &http_time(*modified_at));
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

pub(super) fn http_time(at: Timestamp) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0)))
}

/// Conditions on an object that is read or copied, each with the name by which a refusal tells of it.
pub(super) struct Conditions<'c> {
    is: Option<(&'c str, &'static str)>,
    is_not: Option<(&'c str, &'static str)>,
    since: Option<(Timestamp, &'static str)>,
    not_since: Option<(Timestamp, &'static str)>,
}

/// The headers of the conditions on what is read, and on what is copied.
const READ: [&str; 4] = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];
pub(super) const COPIED: [&str; 4] = [
    "x-amz-copy-source-If-Match",
    "x-amz-copy-source-If-None-Match",
    "x-amz-copy-source-If-Modified-Since",
    "x-amz-copy-source-If-Unmodified-Since",
];

pub(super) enum Met {
    Yes,
    /// The condition of this name does not hold.
    No(&'static str),
    /// The client has it already, as the condition of this name says.
    Unchanged(&'static str),
}

impl<'c> Conditions<'c> {
    pub(super) fn of(headers: &'c HeaderMap, names: &'static [&'static str; 4]) -> Conditions<'c> {
        let text = |name: &'static str| Some((headers.get(name)?.to_str().ok()?, name));
        let at = |name: &'static str| {
            let time = httpdate::parse_http_date(text(name)?.0).ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some((Timestamp(i64::try_from(time.as_millis()).ok()?), name))
        };
        let [is, is_not, since, not_since] = *names;
        Conditions { is: text(is), is_not: text(is_not), since: at(since), not_since: at(not_since) }
    }

    /// In the order that HTTP gives them; times count seconds.
    pub(super) fn answer(&self, object: &Object) -> Met {
        let names = |list: &str| {
            list.split(',')
                .map(|etag| etag.trim().trim_start_matches("W/").trim_matches('"'))
                .any(|etag| etag == "*" || etag == object.etag)
        };
        let second = object.modified_at.0.div_euclid(1000);
        match (self.is, self.not_since) {
            (Some((list, name)), _) if !names(list) => return Met::No(name),
            (None, Some((at, name))) if second > at.0.div_euclid(1000) => return Met::No(name),
            _ => {}
        }
        match (self.is_not, self.since) {
            (Some((list, name)), _) if names(list) => Met::Unchanged(name),
            (None, Some((at, name))) if second <= at.0.div_euclid(1000) => Met::Unchanged(name),
            _ => Met::Yes,
        }
    }
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
