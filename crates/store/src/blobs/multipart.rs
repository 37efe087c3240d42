//! Uploads and downloads that go between client and storage directly, by signed URLs.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer, Url};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use stele_domain::{ArtifactPath, Error, Result};

use super::bucket::{Bucket, Provider};
use super::error;
use super::types::{MultipartUpload, PartUrl, PresignedUrl, UploadedPart};

/// S3's limit.
const MOST_PARTS: u32 = 10_000;
/// As MLflow's part URLs; a slow client may take long to come to the last part.
const PART_URL_LIFETIME: Duration = Duration::from_secs(60 * 60);

impl Bucket {
    pub(super) async fn multipart_create(&self, path: &ArtifactPath, parts: u32) -> Result<MultipartUpload> {
        if !(1..=MOST_PARTS).contains(&parts) {
            return Err(Error::invalid(format!("a multipart upload has 1 to {MOST_PARTS} parts, not {parts}")));
        }
        let key = self.key(path)?;
        let upload_id = self.part_store()?.create_multipart(&key).await.map_err(|e| storing(path, e))?;
        let mut part_urls = Vec::with_capacity(parts as usize);
        for part_number in 1..=parts {
            let url = self.part_url(path, &key, &upload_id, part_number).await?;
            part_urls.push(PartUrl { part_number, url: url.into(), headers: BTreeMap::new() });
        }
        Ok(MultipartUpload { upload_id: Some(upload_id).filter(|id| !id.is_empty()), parts: part_urls })
    }

    pub(super) async fn multipart_complete(
        &self,
        path: &ArtifactPath,
        upload_id: &str,
        parts: &[UploadedPart],
    ) -> Result<()> {
        let mut parts: Vec<&UploadedPart> = parts.iter().collect();
        parts.sort_by_key(|part| part.part_number);
        let is_complete = !parts.is_empty() && parts.iter().zip(1..).all(|(part, number)| part.part_number == number);
        if !is_complete {
            return Err(Error::invalid(format!("the parts of artifact '{path}' are not numbered from 1 without gaps")));
        }
        let ids = parts.into_iter().map(|part| self.part_id(part)).collect::<Result<Vec<_>>>()?;
        let key = self.key(path)?;
        let completed = self.part_store()?.complete_multipart(&key, &upload_id.to_owned(), ids).await;
        completed.map(drop).map_err(|error| storing(path, error))
    }

    pub(super) async fn multipart_abort(&self, path: &ArtifactPath, upload_id: &str) -> Result<()> {
        let key = self.key(path)?;
        self.part_store()?.abort_multipart(&key, &upload_id.to_owned()).await.map_err(|error| storing(path, error))
    }

    pub(super) async fn presigned_get(&self, path: &ArtifactPath, lifetime: Duration) -> Result<PresignedUrl> {
        let meta = self.head(path).await?;
        let options = match self.provider {
            // Without it, a browser would show HTML from the bucket instead of saving it.
            Provider::S3(_) | Provider::Gcs(_) => {
                SignedUrlOptions::new().with_query([("response-content-disposition", attachment(path))])
            }
            Provider::Azure(_) | Provider::Memory => SignedUrlOptions::new(),
        };
        let url = self.sign(path, Method::GET, lifetime, &options).await?;
        Ok(PresignedUrl { url: url.into(), headers: BTreeMap::new(), size: Some(meta.size) })
    }

    pub(super) async fn presigned_put(
        &self,
        path: &ArtifactPath,
        content_type: &str,
        lifetime: Duration,
    ) -> Result<PresignedUrl> {
        let value = HeaderValue::from_str(content_type)
            .map_err(|_| Error::invalid(format!("'{content_type}' is no content type")))?;
        let mut headers = BTreeMap::from([("Content-Type".to_owned(), content_type.to_owned())]);
        let options = match self.provider {
            Provider::S3(_) | Provider::Gcs(_) => {
                SignedUrlOptions::new().with_signed_header(HeaderName::from_static("content-type"), value)
            }
            Provider::Azure(_) => {
                headers.insert("x-ms-blob-type".to_owned(), "BlockBlob".to_owned());
                SignedUrlOptions::new()
            }
            Provider::Memory => SignedUrlOptions::new(),
        };
        let url = self.sign(path, Method::PUT, lifetime, &options).await?;
        Ok(PresignedUrl { url: url.into(), headers, size: None })
    }

    async fn part_url(&self, path: &ArtifactPath, key: &Path, upload_id: &str, part_number: u32) -> Result<Url> {
        let signed = match self.provider {
            Provider::Azure(_) => {
                let url = self.signer()?.signed_url(Method::PUT, key, PART_URL_LIFETIME).await;
                url.map(|mut url| {
                    let block = BASE64_STANDARD.encode(block_id(part_number));
                    url.query_pairs_mut().append_pair("comp", "block").append_pair("blockid", &block);
                    url
                })
            }
            Provider::S3(_) | Provider::Gcs(_) | Provider::Memory => {
                let options = SignedUrlOptions::new()
                    .with_query([("partNumber", part_number.to_string()), ("uploadId", upload_id.to_owned())]);
                self.signer()?.signed_url_opts(Method::PUT, key, PART_URL_LIFETIME, &options).await
            }
        };
        signed.map_err(|error| storing(path, error))
    }

    /// What the storage calls the part: its entity tag, or on Azure the block id in the URL it was sent to.
    fn part_id(&self, part: &UploadedPart) -> Result<PartId> {
        let content_id = match self.provider {
            Provider::Azure(_) => part.url.as_deref().and_then(block_id_in_url),
            Provider::S3(_) | Provider::Gcs(_) | Provider::Memory => part.etag.clone(),
        };
        let content_id = content_id
            .ok_or_else(|| Error::invalid(format!("part {} comes without its etag or url", part.part_number)))?;
        Ok(PartId { content_id })
    }

    async fn sign(
        &self,
        path: &ArtifactPath,
        method: Method,
        lifetime: Duration,
        options: &SignedUrlOptions,
    ) -> Result<Url> {
        let signed = self.signer()?.signed_url_opts(method, &self.key(path)?, lifetime, options).await;
        signed.map_err(|error| error::from_object_store("sign a URL for", path, error))
    }

    fn signer(&self) -> Result<&dyn Signer> {
        self.provider.signer().ok_or_else(|| Error::unsupported("this storage signs no URLs"))
    }

    fn part_store(&self) -> Result<&dyn MultipartStore> {
        self.provider.parts().ok_or_else(|| Error::unsupported("this storage takes no parts"))
    }
}

fn storing(path: &ArtifactPath, error: object_store::Error) -> Error {
    error::from_object_store("store", path, error)
}

/// Azure wants all block ids of a blob to be of one length.
fn block_id(part_number: u32) -> String {
    format!("part-{part_number:05}")
}

fn block_id_in_url(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (_, block) = url.query_pairs().find(|(name, _)| name == "blockid")?;
    String::from_utf8(BASE64_STANDARD.decode(block.as_bytes()).ok()?).ok()
}

/// The `Content-Disposition` that saves the file under its own name (RFC 6266).
fn attachment(path: &ArtifactPath) -> String {
    let name = path.file_name().unwrap_or_default();
    if name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        format!("attachment; filename=\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_id_is_found_again_in_its_url() {
        let mut url = Url::parse("https://a.blob.core.windows.net/c/x?sig=a%2Bb").unwrap();
        url.query_pairs_mut().append_pair("blockid", &BASE64_STANDARD.encode(block_id(42)));
        assert_eq!(block_id_in_url(url.as_str()).as_deref(), Some("part-00042"));
        assert_eq!(block_id_in_url("https://h/x?sig=1"), None);
        assert_eq!(block_id_in_url("nonsense"), None);
    }

    #[test]
    fn file_names_become_dispositions() {
        for (path, expected) in [
            ("a/b c.txt", "attachment; filename=\"b c.txt\""),
            ("a/b\"c.txt", "attachment; filename=\"b\\\"c.txt\""),
            ("a/ü", "attachment; filename*=UTF-8''%C3%BC"),
        ] {
            assert_eq!(attachment(&ArtifactPath::parse(path).unwrap()), expected);
        }
    }
}
