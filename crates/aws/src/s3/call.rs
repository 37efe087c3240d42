//! A request on its way to a handler.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, Uri};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use stele_app::{App, Ctx, SignedBody};
use stele_domain::bucket::{MOST_KEY_BYTES, MOST_METADATA_BYTES, ObjectHead};

use super::error::{Failure, Result};

/// The largest document that a request brings, in bytes: ten thousand parts of an upload.
const MOST_DOCUMENT: usize = 2 * 1024 * 1024;

pub(super) struct Call {
    pub(super) app: App,
    pub(super) ctx: Ctx,
    pub(super) account: String,
    pub(super) region: String,
    /// Empty for requests about all buckets.
    pub(super) bucket: String,
    /// Empty for requests about a bucket.
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    /// Taken by the one who reads it. Behind a lock, since handlers share the rest of the call while they wait.
    pub(super) body: Mutex<Body>,
    /// What chunks of the body are signed with.
    pub(super) signed: Option<SignedBody>,
}

/// The bucket and the key in a path such as `/bucket/some/key`, each of which may be empty.
pub(super) fn place(path: &str) -> Result<(String, String)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| Failure::bad("InvalidURI", "the path is not UTF-8"))
    };
    let (bucket, key) = (decoded(bucket)?, decoded(key)?);
    if key.len() > MOST_KEY_BYTES {
        return Err(Failure::bad("KeyTooLongError", format!("a key has at most {MOST_KEY_BYTES} bytes")));
    }
    Ok((bucket, key))
}

pub(super) fn query(uri: &Uri) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned().collect()
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn asks(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// How many entries a listing gives, at most a thousand.
    pub(super) fn limit(&self, name: &str) -> Result<usize> {
        match self.parameter(name) {
            "" => Ok(1_000),
            text => match text.parse::<i64>() {
                Ok(limit @ 0..) => Ok(usize::try_from(limit).unwrap_or(1_000).min(1_000)),
                _ => Err(Failure::argument(format!("{name} is not a number from 0 on: '{text}'"))),
            },
        }
    }

    /// A document in XML that the request brings.
    pub(super) async fn document<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let body = self.bytes().await?;
        let malformed = || Failure::bad("MalformedXML", "the XML you provided was not well-formed or does not fit");
        let text = std::str::from_utf8(&body).map_err(|_| malformed())?;
        quick_xml::de::from_str(text).map_err(|_| malformed())
    }

    /// The whole body, as its checksums say it is.
    pub(super) async fn bytes(&mut self) -> Result<Vec<u8>> {
        use futures::TryStreamExt;
        let mut incoming = super::body::incoming(self)?;
        let content = std::mem::replace(&mut incoming.content, Box::pin(futures::stream::empty()));
        let read = content
            .try_fold(Vec::new(), |mut whole, part| async move {
                if whole.len() + part.len() > MOST_DOCUMENT {
                    return Err(format!("the document has more than {MOST_DOCUMENT} bytes"));
                }
                whole.extend_from_slice(&part);
                Ok(whole)
            })
            .await;
        read.map_err(|message| incoming.failure().unwrap_or_else(|| Failure::bad("MaxMessageLengthExceeded", message)))
    }

    /// What the headers say about an object that is to be stored.
    pub(super) fn head(&self) -> Result<ObjectHead> {
        const KEPT: [&str; 6] =
            ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
        self.refuse_keys()?;
        let mut head = ObjectHead { tags: self.tags_in_header()?, ..ObjectHead::default() };
        for (name, value) in &self.headers {
            let name = name.as_str();
            let text = || String::from_utf8_lossy(value.as_bytes()).into_owned();
            if let Some(name) = name.strip_prefix("x-amz-meta-") {
                head.metadata.insert(name.to_owned(), text());
            } else if KEPT.contains(&name) {
                head.headers.insert(name.to_owned(), text());
            }
        }
        // That the body came in chunks is no part of what it is.
        let encoding = head.headers.get("content-encoding").map(|encoding| without_chunks(encoding));
        match encoding {
            Some(encoding) if encoding.is_empty() => drop(head.headers.remove("content-encoding")),
            Some(encoding) => drop(head.headers.insert("content-encoding".to_owned(), encoding)),
            None => {}
        }
        let bytes: usize = head.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MOST_METADATA_BYTES {
            let message = format!("the metadata takes {bytes} bytes, and at most {MOST_METADATA_BYTES} are kept");
            return Err(Failure::bad("MetadataTooLarge", message));
        }
        Ok(head)
    }

    /// Objects are not encrypted with keys that clients bring, so that who asks for it must not think they are.
    pub(super) fn refuse_keys(&self) -> Result<()> {
        let keys = ["x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key"];
        match keys.into_iter().find(|name| self.headers.contains_key(*name)) {
            Some(name) => Err(Failure::not_offered(&format!("encryption with keys of clients ({name})"))),
            None => Ok(()),
        }
    }

    fn tags_in_header(&self) -> Result<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        let given = self.header("x-amz-tagging").unwrap_or("");
        for (key, value) in url::form_urlencoded::parse(given.as_bytes()).into_owned() {
            if tags.insert(key.clone(), value).is_some() {
                return Err(Failure::bad("InvalidTag", format!("the tag '{key}' is given twice")));
            }
        }
        Ok(tags)
    }

    /// Refuses versions, which objects do not have.
    pub(super) fn only_version(&self) -> Result<()> {
        match self.parameter("versionId") {
            "" | "null" => Ok(()),
            version => Err(Failure::not_found("NoSuchVersion", format!("there is no version '{version}'"))),
        }
    }
}

fn without_chunks(encoding: &str) -> String {
    let parts = encoding.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "aws-chunked");
    parts.collect::<Vec<_>>().join(",")
}
