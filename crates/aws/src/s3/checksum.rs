//! Checksums of bodies, of parts, and of what parts come to, as S3's headers have them.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc, checksum_combine};
use stele_domain::bucket::Part;

use super::error::{Failure, Result};
use crate::xml::Xml;

pub(super) const CHECKSUMS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

pub(super) fn is_checksum(header: &str) -> bool {
    CHECKSUMS.contains(&header)
}

/// The header of the checksums of an algorithm, such as `SHA256`.
pub(super) fn header_of(algorithm: &str) -> Result<&'static str> {
    let known =
        CHECKSUMS.into_iter().find(|name| name.trim_start_matches("x-amz-checksum-").eq_ignore_ascii_case(algorithm));
    known.ok_or_else(|| {
        let message = format!("Checksum algorithm provided is unsupported: '{}'.", algorithm.escape_default());
        Failure::bad("InvalidRequest", message)
    })
}

/// The algorithm of the checksums of a header, as elements name it.
pub(super) fn algorithm(header: &str) -> String {
    header.strip_prefix("x-amz-checksum-").unwrap_or(header).to_ascii_uppercase()
}

/// A checksum on its way.
pub(super) enum Sum {
    /// With its length in bytes.
    Crc(Box<Crc>, usize),
    Hash(digest::Context),
}

impl Sum {
    pub(super) fn of(header: &str) -> Sum {
        match crc(header) {
            Some((algorithm, bytes)) => Sum::Crc(Box::new(Crc::new(algorithm)), bytes),
            None if header == "x-amz-checksum-sha1" => {
                Sum::Hash(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
            }
            None => Sum::Hash(digest::Context::new(&digest::SHA256)),
        }
    }

    pub(super) fn update(&mut self, part: &[u8]) {
        match self {
            Sum::Crc(crc, _) => crc.update(part),
            Sum::Hash(hash) => hash.update(part),
        }
    }

    /// In base64, as headers have it.
    pub(super) fn finish(self) -> String {
        match self {
            Sum::Crc(crc, bytes) => written(crc.finalize(), bytes),
            Sum::Hash(hash) => BASE64_STANDARD.encode(hash.finish().as_ref()),
        }
    }
}

/// The algorithm of a header and the bytes of its checksums, if it is one whose checksums can be put together.
fn crc(header: &str) -> Option<(CrcAlgorithm, usize)> {
    match header {
        "x-amz-checksum-crc32" => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
        "x-amz-checksum-crc32c" => Some((CrcAlgorithm::Crc32Iscsi, 4)),
        "x-amz-checksum-crc64nvme" => Some((CrcAlgorithm::Crc64Nvme, 8)),
        _ => None,
    }
}

fn written(crc: u64, bytes: usize) -> String {
    BASE64_STANDARD.encode(&crc.to_be_bytes()[8 - bytes..])
}

/// Takes the checksums of an object out of the headers of a request whose body is not that object.
pub(super) fn take(headers: &mut HeaderMap) -> Result<BTreeMap<String, String>> {
    let mut taken = BTreeMap::new();
    for name in CHECKSUMS {
        if let Some(value) = headers.remove(name) {
            let text = value.to_str().map_err(|_| malformed(name))?;
            let of_parts = text.rsplit_once('-').filter(|(_, count)| count.parse::<u32>().is_ok());
            if !is_well_formed(name, of_parts.map_or(text, |(checksum, _)| checksum)) {
                return Err(malformed(name));
            }
            taken.insert(name.to_owned(), text.to_owned());
        }
    }
    Ok(taken)
}

/// Whether a text is what the checksums of a header look like: the base64 of as many bytes as they have.
pub(super) fn is_well_formed(header: &str, text: &str) -> bool {
    let length = match (crc(header), header) {
        (Some((_, bytes)), _) => bytes,
        (None, "x-amz-checksum-sha1") => 20,
        (None, _) => 32,
    };
    BASE64_STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == length)
}

pub(super) fn malformed(header: &str) -> Failure {
    Failure::bad("InvalidRequest", format!("Value for {header} header is invalid."))
}

/// What the checksum of an object is of, if there is one: its bytes, or the checksums of its parts.
pub(super) fn type_of(headers: &BTreeMap<String, String>) -> Option<&'static str> {
    let (_, checksum) = headers.iter().find(|(name, _)| is_checksum(name))?;
    Some(if checksum.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" })
}

/// Writes the checksums of an object among headers as elements, and what they are of.
pub(super) fn write_whole(xml: &mut Xml, headers: &BTreeMap<String, String>) {
    write(xml, headers);
    xml.text_if("ChecksumType", type_of(headers));
}

/// Writes checksums among headers as elements, such as `ChecksumCRC32`.
pub(super) fn write(xml: &mut Xml, headers: &BTreeMap<String, String>) {
    for name in CHECKSUMS {
        xml.text_if(&format!("Checksum{}", algorithm(name)), headers.get(name));
    }
}

/// Compares what a client says of a whole object with what its parts come to.
pub(super) fn check_whole(said: &BTreeMap<String, String>, parts: &[&Part]) -> Result<()> {
    for (name, said) in said {
        let come_to = match said.contains('-') {
            true => composite(name, parts)?,
            false => full(name, parts)?,
        };
        if come_to != *said {
            return Err(Failure::bad("BadDigest", format!("the {name} you specified did not match the parts")));
        }
    }
    Ok(())
}

/// What parts come to that all came with a checksum of one algorithm, when the client says nothing of the whole.
pub(super) fn of_whole(parts: &[&Part]) -> Result<BTreeMap<String, String>> {
    let shared = |name: &&&str| parts.iter().all(|part| part.checksums.contains_key(**name));
    let Some(name) = CHECKSUMS.iter().find(shared).filter(|_| !parts.is_empty()) else { return Ok(BTreeMap::new()) };
    // There are no checksums of checksums of this one.
    let whole = if *name == "x-amz-checksum-crc64nvme" { full(name, parts)? } else { composite(name, parts)? };
    Ok(BTreeMap::from([((*name).to_owned(), whole)]))
}

/// The checksum of the checksums of parts, and how many these are.
fn composite(name: &str, parts: &[&Part]) -> Result<String> {
    let mut sum = Sum::of(name);
    for part in parts {
        sum.update(&of_part(name, part)?);
    }
    Ok(format!("{}-{}", sum.finish(), parts.len()))
}

/// The checksum of the bytes of all parts.
fn full(name: &str, parts: &[&Part]) -> Result<String> {
    let Some((algorithm, bytes)) = crc(name) else {
        return Err(Failure::not_offered(&format!("{name} of the whole of an upload in parts")));
    };
    // Of no bytes.
    let mut whole = 0;
    for part in parts {
        let crc = of_part(name, part)?.iter().fold(0, |crc, byte| crc << 8 | u64::from(*byte));
        whole = checksum_combine(algorithm, whole, crc, part.size);
    }
    Ok(written(whole, bytes))
}

fn of_part(name: &str, part: &Part) -> Result<Vec<u8>> {
    let kept = part.checksums.get(name).and_then(|text| BASE64_STANDARD.decode(text).ok());
    kept.ok_or_else(|| {
        let what = format!("comparing {name} of the whole when part {} was uploaded without one", part.number);
        Failure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", format!("this server does not offer {what}"))
    })
}

#[cfg(test)]
mod tests {
    use stele_domain::id::Timestamp;

    use super::*;

    fn sum(name: &str, bytes: &[u8]) -> String {
        let mut sum = Sum::of(name);
        sum.update(bytes);
        sum.finish()
    }

    #[test]
    fn checksums_of_parts_come_to_that_of_the_whole() {
        let texts: [&[u8]; 4] = [b"one part", b"", b"another, longer part", b"!"];
        for name in CHECKSUMS {
            let parts = texts.map(|text| Part {
                number: 1,
                size: text.len() as u64,
                etag: String::new(),
                modified_at: Timestamp(0),
                checksums: BTreeMap::from([(name.to_owned(), sum(name, text))]),
            });
            let parts: Vec<&Part> = parts.iter().collect();
            let said = |text: String| BTreeMap::from([(name.to_owned(), text)]);
            let all = check_whole(&said(sum(name, &texts.concat())), &parts);
            assert_eq!(all.is_ok(), crc(name).is_some(), "{name}");
            assert!(check_whole(&said(sum(name, b"other")), &parts).is_err(), "{name}");
            let of_sums: Vec<u8> =
                texts.iter().flat_map(|text| BASE64_STANDARD.decode(sum(name, text)).unwrap()).collect();
            assert!(check_whole(&said(format!("{}-4", sum(name, &of_sums))), &parts).is_ok(), "{name}");
            assert!(check_whole(&said(format!("{}-3", sum(name, &of_sums))), &parts).is_err(), "{name}");
        }
    }
}
