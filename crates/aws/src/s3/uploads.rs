//! Uploads in parts.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_app::{Checksums, CompletedPart, Content};
use stele_domain::bucket::{Part, Upload};
use stele_domain::{Error, Kind};

use super::NAMESPACE;
use super::body::incoming;
use super::buckets::owner;
use super::call::Call;
use super::checksum::{self, CHECKSUMS};
use super::copy::{copied, source};
use super::error::{Failure, Result, xml_response};
use super::listing::Texts;
use super::objects::{condition, quoted, refused};
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

    pub(super) fn part_number(&self) -> Result<u32> {
        let text = self.parameter("partNumber");
        let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
        number.ok_or_else(|| {
            Failure::argument("Part number must be an integer between 1 and 10000, inclusive")
                .about("ArgumentName", "partNumber")
                .about("ArgumentValue", text)
        })
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
    Ok(xml_response(StatusCode::OK, copied("CopyPartResult", &part.etag, part.modified_at, &part.checksums)))
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
    let mut checksums = checksum::take(&mut call.headers)?;
    let CompleteMultipartUpload { parts } = call.document().await?;
    if parts.is_empty() || parts.len() > 10_000 {
        return Err(Failure::malformed());
    }
    if !parts.is_sorted_by(|a, b| a.number < b.number) {
        let message = "The list of parts was not in ascending order. The parts list must be specified in order by part \
                       number.";
        return Err(Failure::bad("InvalidPartOrder", message));
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
        if checksums.is_empty() {
            checksums = checksum::of_whole(&chosen)?;
        }
    }
    let parts = parts.into_iter().map(|part| {
        let etag = part.etag.trim_matches('"').to_owned();
        CompletedPart { number: part.number, etag }
    });
    let condition = condition(&call.headers)?;
    let (app, bucket) = (&call.app, call.bucket.clone());
    let (refused, id) = (refused(&condition), upload.1.clone());
    let made = app.upload_complete(&call.ctx, bucket, upload, parts.collect(), checksums, condition).await;
    let object = made.map_err(|error| match error {
        Error::NotFound { kind: Kind::Part, id: part } => {
            let message = "One or more of the specified parts could not be found.  The part may not have been \
                           uploaded, or the specified entity tag may not match the part's entity tag.";
            let number = part.trim_start_matches(|character: char| !character.is_ascii_digit()).to_owned();
            Failure::bad("InvalidPart", message).about("UploadId", id.as_str()).about("PartNumber", number)
        }
        Error::LimitExceeded { message } => {
            let told = "Your proposed upload is smaller than the minimum allowed object size.";
            Failure::bad("EntityTooSmall", told).about("Cause", message)
        }
        other => refused(other),
    })?;
    let document = Xml::document("CompleteMultipartUploadResult", NAMESPACE, |xml| {
        xml.text("Location", format!("/{}/{}", call.bucket, call.key));
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("ETag", format!("\"{}\"", object.etag));
        checksum::write_whole(xml, &object.head.headers);
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
    let after = call.count("part-number-marker")?.unwrap_or(0);
    let upload = call.upload();
    let wanted = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut parts = call.app.upload_parts(&call.ctx, call.bucket.clone(), upload.clone(), after, wanted).await?;
    let more = parts.len() > most;
    parts.truncate(most);
    let document = Xml::document("ListPartsResult", NAMESPACE, |xml| {
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("UploadId", &upload.1);
        owner(xml, &call);
        xml.text("StorageClass", "STANDARD").text("PartNumberMarker", after);
        xml.text("NextPartNumberMarker", parts.last().map_or(0, |part| part.number));
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
    let (prefix, delimiter) = (call.parameter("prefix").to_owned(), call.parameter("delimiter").to_owned());
    let after = (call.parameter("key-marker").to_owned(), call.parameter("upload-id-marker").to_owned());
    let (found, next) = page(&call, &prefix, &delimiter, after, most).await?;
    let document = Xml::document("ListMultipartUploadsResult", NAMESPACE, |xml| {
        xml.text("Bucket", &call.bucket).text("KeyMarker", texts.write(call.parameter("key-marker")));
        xml.text("UploadIdMarker", call.parameter("upload-id-marker"));
        xml.text_if("NextKeyMarker", next.as_ref().map(|(key, _)| texts.write(key)));
        xml.text_if("NextUploadIdMarker", next.as_ref().map(|(_, id)| id));
        xml.text("Prefix", texts.write(&prefix)).text("MaxUploads", most).text("IsTruncated", next.is_some());
        xml.text_if("Delimiter", Some(&delimiter).filter(|text| !text.is_empty()).map(|text| texts.write(text)));
        texts.say(xml);
        for upload in found.iter().filter_map(Met::upload) {
            xml.element("Upload", |xml| {
                xml.text("Key", texts.write(&upload.key)).text("UploadId", &upload.id);
                owner(xml, &call);
                xml.text("StorageClass", "STANDARD").text("Initiated", time(upload.started_at));
            });
        }
        for folded in found.iter().filter_map(Met::folded) {
            xml.element("CommonPrefixes", |xml| {
                xml.text("Prefix", texts.write(folded));
            });
        }
    });
    Ok(xml_response(StatusCode::OK, document))
}

/// What a listing of uploads meets.
enum Met {
    Upload(Upload),
    /// All uploads of keys that begin with this text, which ends with the delimiter.
    Folded(String),
}

impl Met {
    fn upload(&self) -> Option<&Upload> {
        match self {
            Met::Upload(upload) => Some(upload),
            Met::Folded(_) => None,
        }
    }

    fn folded(&self) -> Option<&str> {
        match self {
            Met::Upload(_) => None,
            Met::Folded(prefix) => Some(prefix),
        }
    }

    /// Where a listing goes on after it.
    fn end(&self) -> (String, String) {
        match self {
            Met::Upload(upload) => (upload.key.clone(), upload.id.clone()),
            Met::Folded(prefix) => (prefix.clone(), String::new()),
        }
    }
}

/// At most so many uploads after one of a key and id, folded at the delimiter, and where the next page begins if there is
/// one.
async fn page(
    call: &Call,
    prefix: &str,
    delimiter: &str,
    after: (String, String),
    most: usize,
) -> Result<(Vec<Met>, Option<(String, String)>)> {
    const AT_A_TIME: i64 = 1_000;
    let fold = |key: &str| {
        let rest = key.strip_prefix(prefix).filter(|_| !delimiter.is_empty())?;
        let end = rest.find(delimiter)? + delimiter.len();
        Some(key[..prefix.len() + end].to_owned())
    };
    let beyond = |prefix: &str| (format!("{prefix}{}", char::MAX), char::MAX.to_string());
    let mut from = match after {
        // Without an id all uploads of the key have been given, and all of a folded entry.
        (key, id) if !key.is_empty() && id.is_empty() => match fold(&key).filter(|whole| *whole == key) {
            Some(whole) => beyond(&whole),
            None => (key, char::MAX.to_string()),
        },
        given => given,
    };
    let mut met = Vec::new();
    if most == 0 {
        call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
        return Ok((met, None));
    }
    loop {
        let (bucket, prefix) = (call.bucket.clone(), prefix.to_owned());
        let found = call.app.uploads_list(&call.ctx, bucket, prefix, from.clone(), AT_A_TIME).await?;
        let is_full = found.len() as i64 == AT_A_TIME;
        for upload in found {
            if (&upload.key, &upload.id) <= (&from.0, &from.1) {
                continue;
            }
            if met.len() == most {
                let end = met.last().map(Met::end);
                return Ok((met, end));
            }
            match fold(&upload.key) {
                Some(whole) => {
                    from = beyond(&whole);
                    met.push(Met::Folded(whole));
                }
                None => {
                    from = (upload.key.clone(), upload.id.clone());
                    met.push(Met::Upload(upload));
                }
            }
        }
        if !is_full {
            return Ok((met, None));
        }
    }
}
