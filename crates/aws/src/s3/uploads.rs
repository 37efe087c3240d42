//! Uploads in parts.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_app::{Checksums, CompletedPart, Content};
use stele_domain::bucket::Part;
use stele_domain::{Error, Kind};

use super::NAMESPACE;
use super::body::incoming;
use super::buckets::owner;
use super::call::Call;
use super::checksum::{self, CHECKSUMS};
use super::error::{Failure, Result, xml_response};
use super::listing::Texts;
use super::objects::{condition, copied, quoted, source};
use crate::xml::{Xml, time};

/// The most parts of an upload.
const MOST_PARTS: i64 = 10_000;

pub(super) async fn create(call: Call) -> Result<Response> {
    let head = call.head()?;
    let upload = call.app.upload_create(&call.ctx, call.bucket.clone(), call.key.clone(), head).await?;
    let document = Xml::document("InitiateMultipartUploadResult", NAMESPACE, |xml| {
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("UploadId", &upload.id);
    });
    Ok(xml_response(StatusCode::OK, document))
}

impl Call {
    fn upload(&self) -> (String, String) {
        (self.key.clone(), self.parameter("uploadId").to_owned())
    }

    fn part_number(&self) -> Result<u32> {
        let text = self.parameter("partNumber");
        let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
        number.ok_or_else(|| Failure::argument(format!("partNumber is a number from 1 to 10000, not '{text}'")))
    }
}

pub(super) async fn put_part(mut call: Call) -> Result<Response> {
    let (upload, number) = (call.upload(), call.part_number()?);
    call.refuse_keys()?;
    let mut body = incoming(&mut call)?;
    let content = body.take();
    let stored = call.app.upload_part(&call.ctx, call.bucket, upload, number, content).await;
    let part = stored.map_err(|error| body.failure().unwrap_or_else(|| error.into()))?;
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().insert(header::ETAG, quoted(&part.etag));
    for (name, value) in super::objects::checksums(&part.checksums) {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

pub(super) async fn copy_part(call: Call) -> Result<Response> {
    let (upload, number) = (call.upload(), call.part_number()?);
    let found = source(&call).await?;
    let size = found.size();
    let range = match call.header("x-amz-copy-source-range") {
        None => 0..size,
        Some(text) => {
            let bounds = text.strip_prefix("bytes=").and_then(|text| text.split_once('-'));
            let bounds = bounds.and_then(|(start, end)| Some((start.parse().ok()?, end.parse::<u64>().ok()?)));
            match bounds {
                Some((start, end)) if start <= end && end < size => start..end + 1,
                _ => return Err(Failure::argument(format!("'{text}' is not a range of the source of {size} bytes"))),
            }
        }
    };
    let length = range.end - range.start;
    let bytes = call.app.object_content(found, range);
    let content = Content { length: Some(length), bytes, checksums: Checksums::default() };
    let part = call.app.upload_part(&call.ctx, call.bucket, upload, number, content).await?;
    Ok(xml_response(StatusCode::OK, copied("CopyPartResult", &part.etag, part.modified_at)))
}

#[derive(Deserialize)]
struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    parts: Vec<NamedPart>,
}

#[derive(Deserialize)]
struct NamedPart {
    #[serde(rename = "PartNumber")]
    number: u32,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "ChecksumCRC32")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    sha256: Option<String>,
}

impl NamedPart {
    /// Refuses checksums that the part was not uploaded with.
    fn check(&self, uploaded: &Part) -> Result<()> {
        let NamedPart { number, etag: _, crc32, crc32c, crc64nvme, sha1, sha256 } = self;
        let named = CHECKSUMS.into_iter().zip([crc32, crc32c, crc64nvme, sha1, sha256]);
        for (name, said) in named {
            if said.is_some() && said.as_ref() != uploaded.checksums.get(name) {
                return Err(Failure::bad("InvalidPart", format!("part {number} was not uploaded with that {name}")));
            }
        }
        Ok(())
    }
}

pub(super) async fn complete(mut call: Call) -> Result<Response> {
    let upload = call.upload();
    // They are about the object, not about the document that comes.
    let checksums = checksum::take(&mut call.headers)?;
    let CompleteMultipartUpload { parts } = call.document().await?;
    if parts.is_empty() || parts.len() > 10_000 {
        return Err(Failure::bad("MalformedXML", "from 1 to 10000 parts complete an upload"));
    }
    if !parts.is_sorted_by(|a, b| a.number < b.number) {
        return Err(Failure::bad("InvalidPartOrder", "the parts must be listed in the order of their numbers"));
    }
    let uploaded = call.app.upload_parts(&call.ctx, call.bucket.clone(), upload.clone(), 0, MOST_PARTS).await?;
    let mut chosen = Vec::with_capacity(parts.len());
    for part in &parts {
        // A part that is not there, or is another one by the time the object is made, is refused then.
        if let Ok(at) = uploaded.binary_search_by_key(&part.number, |uploaded| uploaded.number) {
            part.check(&uploaded[at])?;
            chosen.push(&uploaded[at]);
        }
    }
    if chosen.len() == parts.len() {
        checksum::check_whole(&checksums, &chosen)?;
    }
    let parts = parts.into_iter().map(|part| {
        let etag = part.etag.trim_matches('"').to_owned();
        CompletedPart { number: part.number, etag }
    });
    let condition = condition(&call.headers)?;
    let (app, bucket) = (&call.app, call.bucket.clone());
    let made = app.upload_complete(&call.ctx, bucket, upload, parts.collect(), checksums, condition).await;
    let object = made.map_err(|error| match error {
        Error::NotFound { kind: Kind::Part, id } => {
            Failure::bad("InvalidPart", format!("{id} was not uploaded, or its ETag is another one"))
        }
        Error::LimitExceeded { message } => Failure::bad("EntityTooSmall", message),
        other => other.into(),
    })?;
    let document = Xml::document("CompleteMultipartUploadResult", NAMESPACE, |xml| {
        xml.text("Location", format!("/{}/{}", call.bucket, call.key));
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("ETag", format!("\"{}\"", object.etag));
        checksum::write(xml, &object.head.headers);
    });
    Ok(xml_response(StatusCode::OK, document))
}

pub(super) async fn abort(call: Call) -> Result<Response> {
    let (key, id) = call.upload();
    call.app.upload_abort(&call.ctx, call.bucket, key, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list_parts(call: Call) -> Result<Response> {
    let most = call.limit("max-parts")?;
    let after: u32 = match call.parameter("part-number-marker") {
        "" => 0,
        text => text.parse().map_err(|_| Failure::argument(format!("'{text}' is not the number of a part")))?,
    };
    let upload = call.upload();
    let wanted = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut parts = call.app.upload_parts(&call.ctx, call.bucket.clone(), upload.clone(), after, wanted).await?;
    let more = parts.len() > most;
    parts.truncate(most);
    let document = Xml::document("ListPartsResult", NAMESPACE, |xml| {
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("UploadId", &upload.1);
        owner(xml, &call);
        xml.text("StorageClass", "STANDARD").text("PartNumberMarker", after);
        xml.text_if("NextPartNumberMarker", parts.last().map(|part| part.number));
        xml.text("MaxParts", most).text("IsTruncated", more);
        for part in &parts {
            xml.element("Part", |xml| {
                xml.text("PartNumber", part.number).text("LastModified", time(part.modified_at));
                xml.text("ETag", format!("\"{}\"", part.etag)).text("Size", part.size);
                checksum::write(xml, &part.checksums);
            });
        }
    });
    Ok(xml_response(StatusCode::OK, document))
}

pub(super) async fn list(call: Call) -> Result<Response> {
    let (texts, most) = (Texts::of(&call)?, call.limit("max-uploads")?);
    if call.asks("delimiter") && !call.parameter("delimiter").is_empty() {
        return Err(Failure::not_offered("folding the uploads of a bucket at a delimiter"));
    }
    let prefix = call.parameter("prefix").to_owned();
    let after = (call.parameter("key-marker").to_owned(), call.parameter("upload-id-marker").to_owned());
    // Without an id all uploads of the key have been given.
    let after = match after {
        (key, id) if !key.is_empty() && id.is_empty() => (key, char::MAX.to_string()),
        given => given,
    };
    let wanted = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut found = call.app.uploads_list(&call.ctx, call.bucket.clone(), prefix.clone(), after, wanted).await?;
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more);
    let document = Xml::document("ListMultipartUploadsResult", NAMESPACE, |xml| {
        xml.text("Bucket", &call.bucket).text("KeyMarker", texts.write(call.parameter("key-marker")));
        xml.text("UploadIdMarker", call.parameter("upload-id-marker"));
        xml.text_if("NextKeyMarker", next.map(|upload| texts.write(&upload.key)));
        xml.text_if("NextUploadIdMarker", next.map(|upload| &upload.id));
        xml.text("Prefix", texts.write(&prefix)).text("MaxUploads", most).text("IsTruncated", more);
        texts.say(xml);
        for upload in &found {
            xml.element("Upload", |xml| {
                xml.text("Key", texts.write(&upload.key)).text("UploadId", &upload.id);
                owner(xml, &call);
                xml.text("StorageClass", "STANDARD").text("Initiated", time(upload.started_at));
            });
        }
    });
    Ok(xml_response(StatusCode::OK, document))
}
