//! What an object is, without its bytes.

use axum::http::{StatusCode, header};
use axum::response::Response;

use super::NAMESPACE;
use super::call::{Call, STANDARD, STORAGE_CLASS};
use super::checksum::{self, is_checksum};
use super::error::{Failure, Result, xml_response};
use super::read::http_time;
use crate::xml::Xml;

const ATTRIBUTES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(super) async fn get(call: Call) -> Result<Response> {
    let asked = call.headers.get_all("x-amz-object-attributes").iter().filter_map(|value| value.to_str().ok());
    let asked: Vec<&str> =
        asked.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = asked.iter().find(|name| !ATTRIBUTES.contains(name)) {
        let failure = Failure::argument("Invalid attribute name specified.");
        return Err(failure.about("ArgumentName", "x-amz-object-attributes").about("ArgumentValue", *unknown));
    }
    let most = call.count_in_header("x-amz-max-parts")?.unwrap_or(1_000).min(1_000);
    let after = call.count_in_header("x-amz-part-number-marker")?.unwrap_or(0);
    let found = call.app.object_get(&call.ctx, call.bucket.clone(), call.key.clone()).await?;
    let (object, parts) = (&found.object, found.part_sizes());
    let wants = |name: &str| asked.contains(&name);
    let document = Xml::document("GetObjectAttributesResponse", NAMESPACE, |xml| {
        if wants("ETag") {
            xml.text("ETag", &object.etag);
        }
        if wants("Checksum") && object.head.headers.keys().any(|name| is_checksum(name)) {
            xml.element("Checksum", |xml| checksum::write_whole(xml, &object.head.headers));
        }
        if let Some(sizes) = parts.filter(|_| wants("ObjectParts")) {
            xml.element("ObjectParts", |xml| write_parts(xml, &sizes, after, most));
        }
        if wants("StorageClass") {
            xml.text("StorageClass", object.head.headers.get(STORAGE_CLASS).map_or(STANDARD, String::as_str));
        }
        if wants("ObjectSize") {
            xml.text("ObjectSize", object.size);
        }
    });
    let mut response = xml_response(StatusCode::OK, document);
    if let Ok(modified) = http_time(object.modified_at).parse() {
        response.headers_mut().insert(header::LAST_MODIFIED, modified);
    }
    Ok(response)
}

/// A page of the parts after a number.
fn write_parts(xml: &mut Xml, sizes: &[u64], after: u32, most: u32) {
    let numbered = (1_u32..).zip(sizes).filter(|(number, _)| *number > after);
    let page: Vec<(u32, &u64)> = numbered.take(usize::try_from(most).unwrap_or(1_000)).collect();
    let last = page.last().map_or(after, |(number, _)| *number);
    let more = usize::try_from(last).is_ok_and(|last| last < sizes.len());
    xml.text("PartsCount", sizes.len()).text("PartNumberMarker", after).text("NextPartNumberMarker", last);
    xml.text("MaxParts", most).text("IsTruncated", more);
    for (number, size) in page {
        xml.element("Part", |xml| {
            xml.text("PartNumber", number).text("Size", size);
        });
    }
}
