//! Putting and removing objects.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_app::{Condition, NewObject};
use stele_domain::bucket::Object;
use stele_domain::{Error, Kind};

use super::NAMESPACE;
use super::body::incoming;
use super::buckets::access;
use super::call::{Call, no_version};
use super::checksum::{is_checksum, type_of};
use super::error::{Failure, Result, xml_response};
use crate::xml::Xml;

/// The most objects that one request removes.
const MOST_DELETED: usize = 1_000;

pub(super) async fn put(mut call: Call) -> Result<Response> {
    let new = NewObject {
        bucket: call.bucket.clone(),
        key: call.key.clone(),
        head: call.head()?,
        condition: condition(&call.headers)?,
    };
    let mut body = incoming(&mut call)?;
    if body.length.is_none() {
        let message = "You must provide the Content-Length HTTP header.";
        return Err(Failure::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength", message));
    }
    let content = body.take();
    let refused = refused(&new.condition);
    let stored = call.app.object_put(&call.ctx, new, content).await;
    let object = stored.map_err(|error| body.failure().unwrap_or_else(|| refused(error)))?;
    Ok(stored_response(&object))
}

fn stored_response(object: &Object) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, quoted(&object.etag));
    headers.extend(checksums_of_whole(&object.head.headers).map(|(name, value)| (Some(name), value)));
    response
}

/// The checksums of an object among headers, and what they are of.
pub(super) fn checksums_of_whole(
    headers: &BTreeMap<String, String>,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let kind = type_of(headers).map(HeaderValue::from_static);
    checksums(headers).chain(kind.map(|kind| (HeaderName::from_static("x-amz-checksum-type"), kind)))
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
        (None, Some("*")) => Ok(Condition::Present),
        (None, Some(etag)) => Ok(Condition::Is(etag.trim_matches('"').to_owned())),
        _ => Err(Failure::not_offered("conditions on writes other than If-None-Match: * and If-Match")),
    }
}

/// What a write came to that had a condition.
pub(super) fn refused(condition: &Condition) -> impl Fn(Error) -> Failure + use<> {
    let name = if *condition == Condition::Absent { "If-None-Match" } else { "If-Match" };
    move |error| match error {
        Error::WrongState { kind: Kind::Object, .. } => Failure::precondition(name),
        other => other.into(),
    }
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    let condition = match condition(&call.headers)? {
        Condition::Absent => return Err(Failure::not_offered("If-None-Match on removals")),
        condition => condition,
    };
    let refused = refused(&condition);
    call.app.object_delete(&call.ctx, call.bucket, call.key, condition).await.map_err(refused)?;
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
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

pub(super) async fn delete_many(mut call: Call) -> Result<Response> {
    let Delete { object, quiet } = call.document().await?;
    if object.is_empty() || object.len() > MOST_DELETED {
        return Err(Failure::malformed());
    }
    call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
    let mut done: Vec<(String, Option<Failure>)> = Vec::new();
    for DeleteObject { key, version_id, etag } in object {
        let condition = match etag.as_deref() {
            None => Condition::None,
            Some("*") => Condition::Present,
            Some(etag) => Condition::Is(etag.trim_matches('"').to_owned()),
        };
        let failure = match version_id.as_deref() {
            None | Some("" | "null") => {
                let removed = call.app.object_delete(&call.ctx, call.bucket.clone(), key.clone(), condition).await;
                match removed {
                    Ok(()) => None,
                    Err(Error::LimitExceeded { message }) => Some(Failure::bad("KeyTooLongError", message)),
                    Err(error) => Some(error.into()),
                }
            }
            Some(version) => Some(no_version(version)),
        };
        // What failed here would fail for the others too.
        match failure {
            Some(failure) if !failure.is_of_client() => return Err(failure),
            failure => done.push((key, failure)),
        }
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
                Some(failure) => {
                    let (code, message) = failure.told();
                    xml.element("Error", |xml| {
                        xml.text("Key", key).text("Code", code).text("Message", message);
                    });
                }
            }
        }
    });
    Ok(xml_response(StatusCode::OK, document))
}

pub(super) async fn acl(call: Call) -> Result<Response> {
    call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    Ok(access(&call))
}
