//! Buckets of objects, as clients of S3 know them. The names and keys follow S3's published rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;
use crate::{Error, Result};

/// The longest key, in bytes.
pub const MOST_KEY_BYTES: usize = 1024;
/// The most that the names and values of an object's metadata may take, in bytes.
pub const MOST_METADATA_BYTES: usize = 2048;
/// The most tags of an object.
pub const MOST_TAGS: usize = 10;
/// The most tags of a bucket.
pub const MOST_BUCKET_TAGS: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    pub created_at: Timestamp,
}

/// An object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// Without quotes: the MD5 of the bytes in hex, or that of the MD5s of the parts, `-`, and how many these are.
    pub etag: String,
    pub modified_at: Timestamp,
    pub head: ObjectHead,
}

/// What a client says about an object and gets back with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHead {
    /// Headers by their lowercase name, such as `content-type`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The client's own, by name without `x-amz-meta-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A stretch of the bytes of an object, stored as one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The name of the file, which the server makes: no key can say where anything lies.
    pub file: String,
    /// In bytes.
    pub size: u64,
}

/// An upload whose parts are still coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: String,
    pub key: String,
    pub started_at: Timestamp,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: u32,
    pub size: u64,
    /// The MD5 of the bytes in hex.
    pub etag: String,
    pub modified_at: Timestamp,
    /// What the bytes were compared with, by the lowercase name of its header.
    pub checksums: BTreeMap<String, String>,
}

/// How no bucket's name begins or ends, since S3 names other things so.
const RESERVED_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Refuses names that no bucket of S3 could have: 3 to 63 lowercase letters, digits, dots and hyphens, with a letter or
/// digit at both ends and no two dots together, not an address, and without what S3 keeps for itself.
pub fn check_bucket_name(name: &str) -> Result<()> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
    let fits = (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(is_inner)
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
        && !is_address
        && !RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        && !RESERVED_ENDS.iter().any(|end| name.ends_with(end));
    if fits { Ok(()) } else { Err(Error::invalid(format!("the specified bucket is not valid: '{name}'"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets_follow_the_published_rules() {
        for name in ["abc", "a-b.c", "0ab", &"a".repeat(63)] {
            assert!(check_bucket_name(name).is_ok(), "{name}");
        }
        for name in ["ab", "Abc", "a_b", "-ab", "ab.", "a..b", "10.0.0.1", "a/b", "", &"a".repeat(64), "ab\u{e9}"] {
            assert!(check_bucket_name(name).is_err(), "{name}");
        }
        for name in ["xn--abc", "sthree-abc", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3"]
        {
            assert!(check_bucket_name(name).is_err(), "{name}");
        }
        for name in ["axn--abc", "abc-s3alias-1", "mrap"] {
            assert!(check_bucket_name(name).is_ok(), "{name}");
        }
    }
}
