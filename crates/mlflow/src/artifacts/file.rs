//! A file as an answer: streamed, whole or in part, with what browsers and caches want to know of it.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use stele_app::blobs::{Blob, BlobMeta, ByteRange, RangedBlob};
use stele_app::{App, ArtifactRoot, Ctx};
use stele_domain::{ArtifactPath, Result};

use super::content_type::content_type;
use super::disposition::attachment;

/// Answers a GET or HEAD of the file at `path`, as the request's headers want it.
pub async fn file_answer(
    app: &App,
    ctx: &Ctx,
    method: &Method,
    headers: &HeaderMap,
    root: &ArtifactRoot,
    path: &ArtifactPath,
) -> Result<Response> {
    if *method == Method::HEAD || is_conditional(headers) {
        let meta = app.artifact_head(ctx, root, path).await?;
        if is_known(headers, &meta) {
            return Ok(described(StatusCode::NOT_MODIFIED, path, &meta, Body::empty()));
        }
        if *method == Method::HEAD {
            let mut response = described(StatusCode::OK, path, &meta, Body::empty());
            set(&mut response, header::CONTENT_LENGTH, &meta.size.to_string());
            return Ok(response);
        }
    }
    let Some(range) = text(headers, header::RANGE).and_then(byte_range) else {
        return Ok(whole(path, app.artifact_get(ctx, root, path).await?));
    };
    match app.artifact_get_range(ctx, root, path, range).await? {
        RangedBlob::Part(blob) if is_same_version(headers, &blob.meta) => Ok(part(path, blob)),
        RangedBlob::Unsatisfiable { size } if !headers.contains_key(header::IF_RANGE) => Ok(unsatisfiable(size)),
        _ => Ok(whole(path, app.artifact_get(ctx, root, path).await?)),
    }
}

fn whole(path: &ArtifactPath, blob: Blob) -> Response {
    let mut response = described(StatusCode::OK, path, &blob.meta, Body::from_stream(blob.content));
    set(&mut response, header::CONTENT_LENGTH, &blob.meta.size.to_string());
    response
}

fn part(path: &ArtifactPath, blob: Blob) -> Response {
    let Blob { meta, range, content } = blob;
    let mut response = described(StatusCode::PARTIAL_CONTENT, path, &meta, Body::from_stream(content));
    let last = range.end.saturating_sub(1);
    set(&mut response, header::CONTENT_RANGE, &format!("bytes {}-{last}/{}", range.start, meta.size));
    set(&mut response, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    response
}

fn unsatisfiable(size: u64) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
    response
}

fn described(status: StatusCode, path: &ArtifactPath, meta: &BlobMeta, body: Body) -> Response {
    let name = path.file_name().unwrap_or_default();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, &content_type(name));
    set(&mut response, header::CONTENT_DISPOSITION, &attachment(name));
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::LAST_MODIFIED, &httpdate::fmt_http_date(meta.last_modified));
    // Files change under their name, so whoever keeps one must ask again.
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    if let Some(etag) = &meta.etag {
        set(&mut response, header::ETAG, etag);
    }
    response
}

/// Leaves out a value that no header can hold, such as a foreign entity tag with a line break.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// One range of bytes. Several ones, other units and nonsense are ignored, as RFC 9110 allows.
fn byte_range(value: &str) -> Option<ByteRange> {
    let (first, last) = value.strip_prefix("bytes=")?.trim().split_once('-')?;
    if first.is_empty() {
        return Some(ByteRange::Last { length: last.parse().ok()? });
    }
    let start: u64 = first.parse().ok()?;
    if last.is_empty() {
        return Some(ByteRange::From { start });
    }
    let last: u64 = last.parse().ok()?;
    (last >= start).then_some(ByteRange::Between { start, end: last.saturating_add(1) })
}

fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key(header::IF_MODIFIED_SINCE)
}

/// Whether the client has this version already.
fn is_known(headers: &HeaderMap, meta: &BlobMeta) -> bool {
    if let Some(tags) = text(headers, header::IF_NONE_MATCH) {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let etag = meta.etag.as_deref().map(opaque);
        return tags.trim() == "*" || tags.split(',').any(|tag| Some(opaque(tag)) == etag);
    }
    text(headers, header::IF_MODIFIED_SINCE)
        .and_then(|since| httpdate::parse_http_date(since).ok())
        .is_some_and(|since| in_seconds(meta.last_modified) <= in_seconds(since))
}

/// Whether a client that continues a download would continue this version.
fn is_same_version(headers: &HeaderMap, meta: &BlobMeta) -> bool {
    let Some(version) = text(headers, header::IF_RANGE) else { return true };
    meta.etag.as_deref() == Some(version) || version == httpdate::fmt_http_date(meta.last_modified)
}

fn in_seconds(time: SystemTime) -> Duration {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(since_epoch.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_read_and_others_ignored() {
        assert_eq!(byte_range("bytes=0-3"), Some(ByteRange::Between { start: 0, end: 4 }));
        assert_eq!(byte_range("bytes=6-"), Some(ByteRange::From { start: 6 }));
        assert_eq!(byte_range("bytes=-3"), Some(ByteRange::Last { length: 3 }));
        assert_eq!(byte_range("bytes=1-18446744073709551615"), Some(ByteRange::Between { start: 1, end: u64::MAX }));
        for ignored in ["bytes=3-1", "bytes=0-1,3-4", "items=0-1", "bytes=abc", "bytes=-", "bytes=", "bytes=+1-2x", ""]
        {
            assert_eq!(byte_range(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn a_known_version_is_recognised() {
        let meta = BlobMeta {
            size: 1,
            etag: Some("\"abc\"".to_owned()),
            last_modified: SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_500),
        };
        let known = |name: HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            is_known(&headers, &meta)
        };
        assert!(known(header::IF_NONE_MATCH, "\"x\", W/\"abc\""));
        assert!(known(header::IF_NONE_MATCH, "*"));
        assert!(!known(header::IF_NONE_MATCH, "\"x\""));
        assert!(known(header::IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:16:40 GMT"));
        assert!(!known(header::IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:16:39 GMT"));
        assert!(!known(header::IF_MODIFIED_SINCE, "yesterday"));
    }
}
