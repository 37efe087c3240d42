use std::collections::BTreeMap;
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::BoxStream;
use stele_domain::Result;

pub type ByteStream = BoxStream<'static, Result<Bytes>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobMeta {
    /// In bytes, of the whole file.
    pub size: u64,
    /// As it goes into an `ETag` header, quotes included.
    pub etag: Option<String>,
    pub last_modified: SystemTime,
}

/// A file, or a part of it, being read. What was there when it was opened is what is streamed.
pub struct Blob {
    pub meta: BlobMeta,
    /// The bytes of the file that `content` brings.
    pub range: Range<u64>,
    pub content: ByteStream,
}

pub enum RangedBlob {
    Part(Blob),
    /// The range begins behind the end of the file or is empty.
    Unsatisfiable {
        size: u64,
    },
}

/// A range as an HTTP `Range` header states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From `start` to the end of the file.
    From { start: u64 },
    /// From `start` up to and without `end`, or to the end of the file if that comes first.
    Between { start: u64, end: u64 },
    /// The last `length` bytes.
    Last { length: u64 },
}

impl ByteRange {
    /// The bytes this means in a file of `size` bytes; `None` when there are none.
    pub(super) fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            ByteRange::From { start } => start..size,
            ByteRange::Between { start, end } => start..end.min(size),
            ByteRange::Last { length } => size.saturating_sub(length)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    Directory(Vec<Entry>),
    /// The path is itself a file; MLflow lists nothing then.
    File,
    Missing,
}

impl Listing {
    /// What MLflow's listing shows: nothing for a file and for a path that is not there.
    pub fn into_entries(self) -> Vec<Entry> {
        match self {
            Listing::Directory(entries) => entries,
            Listing::File | Listing::Missing => Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The last segment of the path.
    pub name: String,
    pub kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// `size` is in bytes.
    File {
        size: u64,
    },
    Directory,
}

/// A multipart upload that a client carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartUpload {
    /// `None` where uploads have no id (Azure).
    pub upload_id: Option<String>,
    pub parts: Vec<PartUrl>,
}

/// Where and how to PUT one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartUrl {
    /// Counted from 1.
    pub part_number: u32,
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

/// A part as the client reports it when all are uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedPart {
    pub part_number: u32,
    pub etag: Option<String>,
    /// The URL it was uploaded to; Azure's block id is in it.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresignedUrl {
    pub url: String,
    /// Headers that the client must send as they are.
    pub headers: BTreeMap<String, String>,
    /// Of the file to download, in bytes.
    pub size: Option<u64>,
}
