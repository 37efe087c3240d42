//! Artifact bytes: streamed in constant memory to and from a local folder, S3 and its compatibles, GCS or Azure.
//!
//! Everything takes an [`ArtifactPath`], so nothing unvalidated reaches a file system or a bucket.

mod bucket;
mod connect;
mod error;
mod local;
mod location;
mod multipart;
mod stores;
mod types;

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use stele_domain::{ArtifactPath, Error, Result};

pub use connect::BlobOptions;
pub use stores::BlobStores;
pub use types::{
    Blob, BlobMeta, ByteRange, ByteStream, Entry, EntryKind, Listing, MultipartUpload, PartUrl, PresignedUrl,
    RangedBlob, UploadedPart,
};

use bucket::Bucket;
use local::LocalFolder;
use location::Location;

/// One artifact root and all that can be done below it. Clones share the connection pool.
#[derive(Debug, Clone)]
pub struct Blobs {
    backend: Backend,
}

#[derive(Debug, Clone)]
enum Backend {
    Local(LocalFolder),
    Bucket(Bucket),
}

impl Blobs {
    /// Opens the root that `uri` names: a folder path, `file:`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `wasbs://` or `abfss://container@account.host/prefix`, or `az://container/prefix`.
    ///
    /// A local folder is made by the first upload; what a killed process left behind in it is removed now.
    pub async fn open(uri: &str, options: &BlobOptions) -> Result<Blobs> {
        match Location::parse(uri)? {
            Location::Folder(path) => Blobs::open_folder(LocalFolder::new(path)).await,
            Location::Bucket(location) => {
                Ok(Blobs::in_bucket(connect::connect(&location.bucket, options)?, location.prefix))
            }
        }
    }

    /// A root that forgets everything with the process, for tests.
    pub fn in_memory() -> Blobs {
        Blobs { backend: Backend::Bucket(Bucket::in_memory()) }
    }

    async fn open_folder(folder: LocalFolder) -> Result<Blobs> {
        folder.remove_leftovers().await?;
        Ok(Blobs::in_folder(folder))
    }

    fn in_folder(folder: LocalFolder) -> Blobs {
        Blobs { backend: Backend::Local(folder) }
    }

    fn in_bucket(bucket: Bucket, prefix: object_store::path::Path) -> Blobs {
        Blobs { backend: Backend::Bucket(bucket.with_prefix(prefix)) }
    }

    /// Stores `content` as the file at `path`, replacing one that is there, and returns its size in bytes.
    ///
    /// When this returns, the file is durable. Until then nobody sees any of it: an error in `content`, a `length`
    /// that differs from what arrived, or dropping the future leaves what was there before.
    pub async fn put<S, E>(&self, path: &ArtifactPath, length: Option<u64>, content: S) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        match &self.backend {
            Backend::Local(folder) => folder.put(path, length, content).await,
            Backend::Bucket(bucket) => bucket.put(path, length, content).await,
        }
    }

    pub async fn get(&self, path: &ArtifactPath) -> Result<Blob> {
        match &self.backend {
            Backend::Local(folder) => folder.get(path).await,
            Backend::Bucket(bucket) => bucket.get(path).await,
        }
    }

    pub async fn get_range(&self, path: &ArtifactPath, range: ByteRange) -> Result<RangedBlob> {
        match &self.backend {
            Backend::Local(folder) => folder.get_range(path, range).await,
            Backend::Bucket(bucket) => bucket.get_range(path, range).await,
        }
    }

    /// What is known of the file at `path`; a folder is `Invalid` where folders exist, else `NotFound`.
    pub async fn head(&self, path: &ArtifactPath) -> Result<BlobMeta> {
        match &self.backend {
            Backend::Local(folder) => folder.head(path).await,
            Backend::Bucket(bucket) => bucket.head(path).await,
        }
    }

    /// The files and folders directly in `path`, sorted by name.
    pub async fn list(&self, path: &ArtifactPath) -> Result<Listing> {
        match &self.backend {
            Backend::Local(folder) => folder.list(path).await,
            Backend::Bucket(bucket) => bucket.list(path).await,
        }
    }

    /// Whether a file or a folder is at `path`.
    pub async fn exists(&self, path: &ArtifactPath) -> Result<bool> {
        Ok(!matches!(self.list(path).await?, Listing::Missing))
    }

    /// Removes the file or the whole folder at `path`; that nothing is there is fine, since clients retry.
    pub async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        if path.is_root() {
            return Err(Error::invalid("refusing to delete a whole artifact root"));
        }
        match &self.backend {
            Backend::Local(folder) => folder.delete(path).await,
            Backend::Bucket(bucket) => bucket.delete(path).await,
        }
    }

    /// Whether clients can upload parts straight to the storage.
    pub fn supports_multipart(&self) -> bool {
        self.cloud().is_some()
    }

    /// Whether clients can be handed URLs that read or write the storage without its credentials.
    pub fn supports_presigned(&self) -> bool {
        self.cloud().is_some()
    }

    /// Begins an upload of `parts` parts (1 to 10,000), which the client sends to the URLs in the answer.
    pub async fn multipart_create(&self, path: &ArtifactPath, parts: u32) -> Result<MultipartUpload> {
        self.cloud_for("Multipart upload")?.multipart_create(path, parts).await
    }

    /// Makes one file of the parts that the client reports as uploaded.
    pub async fn multipart_complete(&self, path: &ArtifactPath, upload_id: &str, parts: &[UploadedPart]) -> Result<()> {
        self.cloud_for("Multipart upload")?.multipart_complete(path, upload_id, parts).await
    }

    pub async fn multipart_abort(&self, path: &ArtifactPath, upload_id: &str) -> Result<()> {
        self.cloud_for("Multipart upload")?.multipart_abort(path, upload_id).await
    }

    /// A URL that serves the file at `path` as a download for `lifetime`.
    pub async fn presigned_get(&self, path: &ArtifactPath, lifetime: Duration) -> Result<PresignedUrl> {
        self.cloud_for("Presigned download")?.presigned_get(path, lifetime).await
    }

    /// A URL that takes the file at `path` in one PUT with exactly the headers of the answer.
    pub async fn presigned_put(
        &self,
        path: &ArtifactPath,
        content_type: &str,
        lifetime: Duration,
    ) -> Result<PresignedUrl> {
        self.cloud_for("Presigned upload")?.presigned_put(path, content_type, lifetime).await
    }

    fn cloud(&self) -> Option<&Bucket> {
        match &self.backend {
            Backend::Bucket(bucket) if bucket.can_sign() => Some(bucket),
            Backend::Bucket(_) | Backend::Local(_) => None,
        }
    }

    fn cloud_for(&self, operation: &str) -> Result<&Bucket> {
        // Clients match this text to fall back to uploading through the server.
        self.cloud().ok_or_else(|| {
            Error::unsupported(format!("{operation} is not supported for the current artifact repository"))
        })
    }
}
