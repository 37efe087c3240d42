use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stele_app::{Listed, ListedObject};

use super::NAMESPACE;
use super::buckets::owner;
use super::call::{Call, STANDARD, STORAGE_CLASS};
use super::checksum::{CHECKSUMS, algorithm, type_of};
use super::error::{Failure, Result, xml_response};
use crate::xml::{Xml, time};

/// What keys in the encoding of URLs keep as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

pub(super) async fn objects(call: Call) -> Result<Response> {
    match call.parameter("list-type") {
        "2" => second(call).await,
        "" => first(call).await,
        other => Err(Failure::argument(format!("there is no list type '{other}'"))),
    }
}

/// How the texts of a listing are written.
#[derive(Clone, Copy)]
pub(super) enum Texts {
    Plain,
    Url,
}

impl Texts {
    pub(super) fn of(call: &Call) -> Result<Texts> {
        match call.parameter("encoding-type") {
            "" => Ok(Texts::Plain),
            "url" => Ok(Texts::Url),
            other => Err(Failure::argument(format!("keys can be encoded as 'url', not as '{other}'"))),
        }
    }

    pub(super) fn write(self, text: &str) -> String {
        match self {
            Texts::Plain => text.to_owned(),
            Texts::Url => utf8_percent_encode(text, KEPT).to_string(),
        }
    }

    pub(super) fn say(self, xml: &mut Xml) {
        if let Texts::Url = self {
            xml.text("EncodingType", "url");
        }
    }
}

/// What is found after a text, and where the next page begins if there is one.
async fn page(call: &Call, after: &str, most: usize) -> Result<(Vec<Listed>, Option<String>)> {
    let (prefix, delimiter) = (call.parameter("prefix").to_owned(), call.parameter("delimiter").to_owned());
    let app = &call.app;
    if most == 0 {
        app.bucket_get(&call.ctx, call.bucket.clone()).await?;
        return Ok((Vec::new(), None));
    }
    let after = after.to_owned();
    let mut found = app.objects_list(&call.ctx, call.bucket.clone(), prefix, delimiter, after, most + 1).await?;
    let more = found.len() > most;
    found.truncate(most);
    let end = found.last().filter(|_| more).map(|last| match last {
        Listed::Object(object) => object.key.clone(),
        Listed::Prefix(prefix) => prefix.clone(),
    });
    Ok((found, end))
}

async fn first(call: Call) -> Result<Response> {
    let (texts, most) = (Texts::of(&call)?, call.limit("max-keys")?);
    let marker = call.parameter("marker").to_owned();
    let (found, next) = page(&call, &marker, most).await?;
    let document = Xml::document("ListBucketResult", NAMESPACE, |xml| {
        xml.text("Name", &call.bucket);
        xml.text("Prefix", texts.write(call.parameter("prefix")));
        xml.text("Marker", texts.write(&marker));
        rest(xml, &call, texts, most, next.is_some());
        // Without a delimiter, clients go on behind the last key.
        let next = next.as_deref().filter(|_| !call.parameter("delimiter").is_empty());
        xml.text_if("NextMarker", next.map(|next| texts.write(next)));
        entries(xml, &call, &found, texts, true);
    });
    Ok(xml_response(StatusCode::OK, document))
}

async fn second(call: Call) -> Result<Response> {
    let (texts, most) = (Texts::of(&call)?, call.limit("max-keys")?);
    let (start, token) = (call.parameter("start-after").to_owned(), call.parameter("continuation-token").to_owned());
    let after = if call.asks("continuation-token") { read_token(&token)? } else { start.clone() };
    let (found, next) = page(&call, &after, most).await?;
    let document = Xml::document("ListBucketResult", NAMESPACE, |xml| {
        xml.text("Name", &call.bucket);
        xml.text("Prefix", texts.write(call.parameter("prefix")));
        let started = Some(&start).filter(|start| !start.is_empty() && !call.asks("continuation-token"));
        xml.text_if("StartAfter", started.map(|start| texts.write(start)));
        xml.text_if("ContinuationToken", Some(&token).filter(|token| !token.is_empty()));
        rest(xml, &call, texts, most, next.is_some());
        xml.text("KeyCount", found.len());
        xml.text_if("NextContinuationToken", next.as_ref().map(|next| BASE64_URL_SAFE_NO_PAD.encode(next)));
        entries(xml, &call, &found, texts, call.parameter("fetch-owner") == "true");
    });
    Ok(xml_response(StatusCode::OK, document))
}

/// The versions of objects, each of which has one, as in a bucket that was never told to keep more.
pub(super) async fn versions(call: Call) -> Result<Response> {
    let (texts, most) = (Texts::of(&call)?, call.limit("max-keys")?);
    let (marker, version) = (call.parameter("key-marker").to_owned(), call.parameter("version-id-marker").to_owned());
    if marker.is_empty() && !version.is_empty() {
        let failure = Failure::argument("A version-id marker cannot be specified without a key marker.");
        return Err(failure.about("ArgumentName", "version-id-marker").about("ArgumentValue", version));
    }
    let (found, next) = page(&call, &marker, most).await?;
    let document = Xml::document("ListVersionsResult", NAMESPACE, |xml| {
        xml.text("Name", &call.bucket);
        xml.text("Prefix", texts.write(call.parameter("prefix")));
        xml.text("KeyMarker", texts.write(&marker)).text("VersionIdMarker", &version);
        rest(xml, &call, texts, most, next.is_some());
        xml.text_if("NextKeyMarker", next.as_deref().map(|next| texts.write(next)));
        let ends_with_object = matches!(found.last(), Some(Listed::Object(_)));
        xml.text_if("NextVersionIdMarker", next.as_ref().filter(|_| ends_with_object).map(|_| "null"));
        for listed in &found {
            if let Listed::Object(object) = listed {
                xml.element("Version", |xml| {
                    xml.text("VersionId", "null").text("IsLatest", true);
                    entry(xml, &call, object, texts, true);
                });
            }
        }
        prefixes(xml, &found, texts);
    });
    Ok(xml_response(StatusCode::OK, document))
}

fn read_token(token: &str) -> Result<String> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.filter(|key| !key.is_empty()).ok_or_else(|| {
        Failure::argument("The continuation token provided is incorrect")
            .about("ArgumentName", "continuation-token")
            .about("ArgumentValue", token)
    })
}

fn rest(xml: &mut Xml, call: &Call, texts: Texts, most: usize, more: bool) {
    let delimiter = Some(call.parameter("delimiter")).filter(|delimiter| !delimiter.is_empty());
    xml.text("MaxKeys", most).text_if("Delimiter", delimiter.map(|delimiter| texts.write(delimiter)));
    texts.say(xml);
    xml.text("IsTruncated", more);
}

fn entries(xml: &mut Xml, call: &Call, found: &[Listed], texts: Texts, with_owner: bool) {
    for listed in found {
        if let Listed::Object(object) = listed {
            xml.element("Contents", |xml| entry(xml, call, object, texts, with_owner));
        }
    }
    prefixes(xml, found, texts);
}

fn entry(xml: &mut Xml, call: &Call, object: &ListedObject, texts: Texts, with_owner: bool) {
    let ListedObject { key, size, etag, modified_at, head } = object;
    xml.text("Key", texts.write(key)).text("LastModified", time(*modified_at));
    xml.text("ETag", format!("\"{etag}\"")).text("Size", size);
    for name in CHECKSUMS.into_iter().filter(|name| head.headers.contains_key(*name)) {
        xml.text("ChecksumAlgorithm", algorithm(name));
    }
    xml.text_if("ChecksumType", type_of(&head.headers));
    if with_owner {
        owner(xml, call);
    }
    xml.text("StorageClass", head.headers.get(STORAGE_CLASS).map_or(STANDARD, String::as_str));
}

fn prefixes(xml: &mut Xml, found: &[Listed], texts: Texts) {
    for listed in found {
        if let Listed::Prefix(prefix) = listed {
            xml.element("CommonPrefixes", |xml| {
                xml.text("Prefix", texts.write(prefix));
            });
        }
    }
}
