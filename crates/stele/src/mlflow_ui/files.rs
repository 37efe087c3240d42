//! A folder of files that browsers may read: names that stay inside, kinds that browsers know, and answers that they
//! may keep.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// The files that pages of other origins show in a frame.
pub(super) const FRAMED: &str = "lib/notebook-trace-renderer/";

const LONGEST_NAME: usize = 512;
/// How much of a file is in memory at once.
const PIECE: usize = 64 * 1024;

#[derive(Clone)]
pub(super) struct Folder {
    root: Arc<PathBuf>,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Folder {
        Folder { root: Arc::new(root) }
    }

    /// The file of that name, or that the browser has it already, or that it is not there.
    pub(super) async fn answer(&self, name: &str, headers: &HeaderMap) -> Response {
        if !is_plain(name) {
            return not_found();
        }
        match self.open(name, accepts_gzip(headers)).await {
            Ok(found) => found.answer(name, headers),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => not_found(),
            Err(error) => {
                tracing::error!(%error, name, "a file of the web pages cannot be read");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    async fn open(&self, name: &str, gzip: bool) -> io::Result<Found> {
        if gzip && let Ok(found) = Found::open(self.root.join(format!("{name}.gz")), Encoding::Gzip).await {
            return Ok(found);
        }
        Found::open(self.root.join(name), Encoding::Plain).await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
}

struct Found {
    file: File,
    metadata: Metadata,
    encoding: Encoding,
}

impl Found {
    async fn open(path: PathBuf, encoding: Encoding) -> io::Result<Found> {
        let file = File::open(path).await?;
        let metadata = file.metadata().await?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Found { file, metadata, encoding })
    }

    fn answer(self, name: &str, headers: &HeaderMap) -> Response {
        let Found { file, metadata, encoding } = self;
        let etag = etag(&metadata);
        let known = is_known(headers, &etag);
        let length = metadata.len();
        let (status, body) = if known {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from_stream(pieces(file, length)))
        };
        let mut response = (status, body).into_response();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::ETAG, &etag);
        set(header::VARY, "Accept-Encoding");
        set(header::CACHE_CONTROL, if is_named_by_content(name) { FOR_EVER } else { "no-cache" });
        if !known {
            set(header::CONTENT_TYPE, &content_type(name));
            set(header::CONTENT_LENGTH, &length.to_string());
            if encoding == Encoding::Gzip {
                set(header::CONTENT_ENCODING, "gzip");
            }
        }
        response
    }
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not Found").into_response()
}

/// Whether a name can only be that of something inside: no segment is empty, begins with a dot, or has a character
/// that means something to anybody.
fn is_plain(name: &str) -> bool {
    let is_plain = |segment: &str| {
        !segment.starts_with('.')
            && !segment.is_empty()
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+~".contains(&byte))
    };
    name.len() <= LONGEST_NAME && name.split('/').all(is_plain)
}

/// Whether a name has the hash of what is in the file, as `main.c2f5f8d4.js` has, so that it never changes.
fn is_named_by_content(name: &str) -> bool {
    let is_hash = |part: &str| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.rsplit('/').next().is_some_and(|file| file.split('.').skip(1).any(is_hash))
}

/// Packages may be unpacked with constant times, so the number of the file counts as well.
fn etag(metadata: &Metadata) -> String {
    format!("\"{:x}-{:x}-{:x}.{:x}\"", metadata.len(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let Some(tags) = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    accepted.split(',').any(|coding| match coding.split_once(';') {
        None => coding.trim() == "gzip",
        Some((coding, quality)) => {
            let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
            coding.trim() == "gzip" && quality.is_some_and(|quality| quality > 0.0)
        }
    })
}

fn content_type(name: &str) -> String {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let is_text = kind.type_() == mime_guess::mime::TEXT || kind.subtype() == mime_guess::mime::JSON;
    if is_text { format!("{kind}; charset=utf-8") } else { kind.to_string() }
}

/// Exactly the first `length` bytes: a file that shrinks meanwhile breaks the answer off.
fn pieces(file: File, length: u64) -> impl futures::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        let size = (&mut file).take(left.min(PIECE as u64)).read_buf(&mut piece).await?;
        if size == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((piece.freeze(), (file, left - size as u64))))
    })
}
