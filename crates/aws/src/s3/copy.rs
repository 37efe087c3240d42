//! Copies of objects within the server.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use percent_encoding::percent_decode_str;
use stele_app::{Checksums, Content, FoundObject, NewObject};
use stele_domain::bucket::ObjectHead;
use stele_domain::id::Timestamp;

use super::NAMESPACE;
use super::call::{Call, REDIRECT, STORAGE_CLASS, no_version};
use super::checksum::{self, Sum, header_of, is_checksum};
use super::error::{Failure, Result, xml_response};
use super::objects::{condition, refused};
use super::read::{COPIED, Conditions, Met};
use crate::xml::{Xml, time};

/// The object that a copy is made of, as far as its conditions let it.
pub(super) async fn source(call: &Call) -> Result<FoundObject> {
    let text = call.header("x-amz-copy-source").unwrap_or("");
    let (path, version) = text.split_once('?').unwrap_or((text, ""));
    if !matches!(version, "" | "versionId=null") {
        return Err(no_version(version.trim_start_matches("versionId=")));
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
    match Conditions::of(&call.headers, &COPIED).answer(&found.object) {
        Met::Yes => Ok(found),
        Met::No(condition) | Met::Unchanged(condition) => Err(Failure::precondition(condition)),
    }
}

/// Headers that say what is kept beside the bytes; a copy has those of its own request.
const OF_ITS_OWN: [&str; 2] = [STORAGE_CLASS, REDIRECT];

pub(super) async fn copy(call: Call) -> Result<Response> {
    let found = source(&call).await?;
    let directive = |name: &str| match call.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(Failure::argument(format!("{name} is COPY or REPLACE, not '{other}'"))),
    };
    let (metadata, tags) = (directive("x-amz-metadata-directive")?, directive("x-amz-tagging-directive")?);
    let given = call.head()?;
    let is_itself = call.header("x-amz-copy-source").is_some_and(|source| {
        let source = percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy();
        source == format!("{}/{}", call.bucket, call.key)
    });
    let changes = metadata || CHANGING.iter().any(|name| call.headers.contains_key(*name));
    if is_itself && !changes {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing \
                       the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Failure::bad("InvalidRequest", message));
    }
    let old = found.object.head.clone();
    let (sums, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        old.headers.into_iter().partition(|(name, _)| is_checksum(name));
    let mut headers = if metadata { given.headers.clone() } else { others };
    headers.retain(|name, _| !OF_ITS_OWN.contains(&name.as_str()));
    headers.extend(given.headers.into_iter().filter(|(name, _)| OF_ITS_OWN.contains(&name.as_str())));
    let head = ObjectHead {
        headers,
        metadata: if metadata { given.metadata } else { old.metadata },
        tags: if tags { given.tags } else { old.tags },
    };
    let condition = condition(&call.headers)?;
    let new = NewObject { bucket: call.bucket.clone(), key: call.key.clone(), head, condition };
    let refused = refused(&new.condition);
    let content = content(&call, found, sums)?;
    let object = call.app.object_put(&call.ctx, new, content).await.map_err(refused)?;
    Ok(xml_response(StatusCode::OK, copied("CopyObjectResult", &object.etag, object.modified_at, &object.head.headers)))
}

/// With any of these a copy of an object to itself changes something.
const CHANGING: [&str; 4] =
    [STORAGE_CLASS, REDIRECT, "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"];

/// The bytes of a copy, with their checksum: the one that is asked for, or else those that the source has.
fn content(
    call: &Call,
    found: FoundObject,
    mut known: BTreeMap<String, String>,
) -> Result<Content<BoxStream<'static, stele_domain::Result<Bytes>>>> {
    // What parts came to is nothing that the copy, which has none, comes to.
    known.retain(|_, value| !value.contains('-'));
    let size = found.size();
    let mut bytes = call.app.object_content(found, 0..size);
    let sums = Checksums::default();
    let wanted = call.header("x-amz-checksum-algorithm").map(header_of).transpose()?;
    match wanted {
        Some(name) if !known.contains_key(name) => {
            let (told, mut sum) = (sums.clone(), Sum::of(name));
            let summed = async_stream::stream! {
                while let Some(part) = bytes.next().await {
                    if let Ok(part) = &part {
                        sum.update(part);
                    }
                    yield part;
                }
                told.set(BTreeMap::from([(name.to_owned(), sum.finish())]));
            };
            return Ok(Content { length: Some(size), bytes: summed.boxed(), checksums: sums });
        }
        Some(name) => known.retain(|known, _| known == name),
        None => {}
    }
    sums.set(known);
    Ok(Content { length: Some(size), bytes, checksums: sums })
}

pub(super) fn copied(root: &str, etag: &str, at: Timestamp, headers: &BTreeMap<String, String>) -> String {
    Xml::document(root, NAMESPACE, |xml| {
        xml.text("LastModified", time(at)).text("ETag", format!("\"{etag}\""));
        checksum::write(xml, headers);
        // A part has none: what its checksum is of is what the upload says.
        xml.text_if("ChecksumType", checksum::type_of(headers).filter(|_| root == "CopyObjectResult"));
    })
}
