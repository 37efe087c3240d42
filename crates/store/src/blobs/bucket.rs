//! A prefix of a bucket, as a folder of files.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3;
use object_store::azure::MicrosoftAzure;
use object_store::gcp::GoogleCloudStorage;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    GetOptions, GetRange, GetResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
};
use std::pin::pin;
use stele_domain::{ArtifactPath, Error, Result};
use tokio::task::JoinSet;

use super::error;
use super::types::{Blob, BlobMeta, ByteRange, Entry, EntryKind, Listing, RangedBlob};

/// The least part of an upload of unknown or moderate size; S3 takes 10,000 parts of at least 5 MiB.
const PART_BYTES: u64 = 16 * 1024 * 1024;
const MOST_PARTS: u64 = 9_000;
/// Parts on their way at once, each held in memory.
const PARTS_IN_FLIGHT: usize = 2;

#[derive(Clone)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    pub(super) provider: Provider,
    /// Whether clients may be led to it past this server.
    direct: bool,
}

/// What `object_store`'s common interface lacks, and the differences that matter there.
#[derive(Clone)]
pub(super) enum Provider {
    S3(Arc<AmazonS3>),
    Gcs(Arc<GoogleCloudStorage>),
    Azure(Arc<MicrosoftAzure>),
    Memory,
}

impl Provider {
    pub(super) fn signer(&self) -> Option<&dyn Signer> {
        match self {
            Provider::S3(store) => Some(store.as_ref()),
            Provider::Gcs(store) => Some(store.as_ref()),
            Provider::Azure(store) => Some(store.as_ref()),
            Provider::Memory => None,
        }
    }

    pub(super) fn parts(&self) -> Option<&dyn MultipartStore> {
        match self {
            Provider::S3(store) => Some(store.as_ref()),
            Provider::Gcs(store) => Some(store.as_ref()),
            Provider::Azure(store) => Some(store.as_ref()),
            Provider::Memory => None,
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({}/{})", self.store, self.prefix)
    }
}

impl Bucket {
    pub(super) fn s3(store: Arc<AmazonS3>) -> Bucket {
        Bucket::new(Arc::clone(&store) as _, Provider::S3(store))
    }

    pub(super) fn gcs(store: Arc<GoogleCloudStorage>) -> Bucket {
        Bucket::new(Arc::clone(&store) as _, Provider::Gcs(store))
    }

    pub(super) fn azure(store: Arc<MicrosoftAzure>) -> Bucket {
        Bucket::new(Arc::clone(&store) as _, Provider::Azure(store))
    }

    pub(super) fn in_memory() -> Bucket {
        Bucket::new(Arc::new(InMemory::new()), Provider::Memory)
    }

    fn new(store: Arc<dyn ObjectStore>, provider: Provider) -> Bucket {
        Bucket { store, prefix: Path::default(), provider, direct: true }
    }

    pub(super) fn with_prefix(self, prefix: Path) -> Bucket {
        Bucket { prefix, ..self }
    }

    pub(super) fn reached_directly(self, direct: bool) -> Bucket {
        Bucket { direct, ..self }
    }

    /// Whether clients can be handed URLs of it.
    pub(super) fn can_sign(&self) -> bool {
        self.direct && self.provider.signer().is_some()
    }

    pub(super) fn key(&self, path: &ArtifactPath) -> Result<Path> {
        let key = match (self.prefix.as_ref(), path.as_str()) {
            (prefix, "") => prefix.to_owned(),
            ("", path) => path.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        };
        Path::parse(key).map_err(|error| error::from_object_store("name", path, error.into()))
    }

    pub(super) async fn put<S, E>(&self, path: &ArtifactPath, length: Option<u64>, content: S) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: fmt::Display,
    {
        let failed = |error| error::from_object_store("store", path, error);
        let key = self.key(path)?;
        let part_bytes = length.map_or(0, |length| length.div_ceil(MOST_PARTS)).max(PART_BYTES);
        let mut content = pin!(content);
        let mut received: u64 = 0;
        let mut part = Part::default();
        let mut upload: Option<PartsUpload> = None;
        while let Some(chunk) = content.next().await {
            let mut chunk = chunk.map_err(|reason| error::broken_upload(path, reason))?;
            received += chunk.len() as u64;
            // S3's compatibles want all parts but the last to be of one size.
            while part.bytes + chunk.len() as u64 > part_bytes {
                part.push(chunk.split_to((part_bytes - part.bytes) as usize));
                let open = match &mut upload {
                    Some(open) => open,
                    None => upload.insert(PartsUpload::new(self.store.put_multipart(&key).await.map_err(failed)?)),
                };
                open.send(std::mem::take(&mut part)).await.map_err(failed)?;
            }
            part.push(chunk);
        }
        if let Some(length) = length.filter(|length| *length != received) {
            return Err(error::wrong_length(path, length, received));
        }
        match upload {
            Some(mut open) => {
                open.send(part).await.map_err(failed)?;
                open.finish().await.map_err(failed)?;
            }
            None => {
                self.store.put(&key, part.into_payload()).await.map_err(failed)?;
            }
        }
        Ok(received)
    }

    pub(super) async fn get(&self, path: &ArtifactPath) -> Result<Blob> {
        let key = self.key(path)?;
        let result = self.store.get(&key).await.map_err(|error| error::from_object_store("read", path, error))?;
        Ok(blob(path, result))
    }

    pub(super) async fn get_range(&self, path: &ArtifactPath, range: ByteRange) -> Result<RangedBlob> {
        let meta = self.head(path).await?;
        let Some(range) = range.within(meta.size) else { return Ok(RangedBlob::Unsatisfiable { size: meta.size }) };
        // The match keeps the range and the bytes of one version together.
        let options =
            GetOptions { range: Some(GetRange::Bounded(range)), if_match: meta.etag, ..GetOptions::default() };
        let result = self.store.get_opts(&self.key(path)?, options).await;
        Ok(RangedBlob::Part(blob(path, result.map_err(|error| error::from_object_store("read", path, error))?)))
    }

    pub(super) async fn head(&self, path: &ArtifactPath) -> Result<BlobMeta> {
        if path.is_root() {
            return Err(error::is_directory(path));
        }
        let found = self.store.head(&self.key(path)?).await;
        found.map(blob_meta).map_err(|error| error::from_object_store("read", path, error))
    }

    pub(super) async fn list(&self, path: &ArtifactPath) -> Result<Listing> {
        let key = self.key(path)?;
        let found = self.store.list_with_delimiter(Some(&key)).await;
        let found = found.map_err(|error| error::from_object_store("list", path, error))?;
        let folders = found.common_prefixes.iter().map(|folder| (folder, EntryKind::Directory));
        // An object that ends in a slash marks an empty folder; parsed, it has the folder's own name.
        let files = found.objects.iter().filter(|object| object.location != key);
        let files = files.map(|object| (&object.location, EntryKind::File { size: object.size }));
        let mut entries: Vec<Entry> = folders
            .chain(files)
            .filter_map(|(location, kind)| Some(Entry { name: location.filename()?.to_owned(), kind }))
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if !entries.is_empty() || !found.objects.is_empty() || path.is_root() {
            return Ok(Listing::Directory(entries));
        }
        match self.head(path).await {
            Ok(_) => Ok(Listing::File),
            Err(Error::NotFound { .. }) => Ok(Listing::Missing),
            Err(error) => Err(error),
        }
    }

    /// Bucket folders are only the names in them, so this removes the file `path` and all files below it.
    pub(super) async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        let key = self.key(path)?;
        let below = self.store.list(Some(&key)).map_ok(|object| object.location).boxed();
        let all = stream::once(async move { Ok(key) }).chain(below).boxed();
        let mut deleted = self.store.delete_stream(all);
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error::from_object_store("delete", path, error)),
            }
        }
        Ok(())
    }
}

fn blob(path: &ArtifactPath, result: GetResult) -> Blob {
    let path = path.clone();
    Blob {
        meta: blob_meta(result.meta.clone()),
        range: result.range.clone(),
        content: result.into_stream().map_err(move |error| error::from_object_store("read", &path, error)).boxed(),
    }
}

fn blob_meta(meta: ObjectMeta) -> BlobMeta {
    BlobMeta { size: meta.size, etag: meta.e_tag, last_modified: meta.last_modified.into() }
}

#[derive(Default)]
struct Part {
    chunks: Vec<Bytes>,
    bytes: u64,
}

impl Part {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len() as u64;
        self.chunks.push(chunk);
    }

    fn into_payload(self) -> PutPayload {
        self.chunks.into_iter().collect()
    }
}

/// An upload in parts that is aborted when it is dropped unfinished, so that the parts do not stay and cost.
struct PartsUpload {
    open: Option<(Box<dyn MultipartUpload>, PartTasks)>,
}

type PartTasks = JoinSet<object_store::Result<()>>;

impl PartsUpload {
    fn new(upload: Box<dyn MultipartUpload>) -> PartsUpload {
        PartsUpload { open: Some((upload, JoinSet::new())) }
    }

    async fn send(&mut self, part: Part) -> object_store::Result<()> {
        let Some((upload, tasks)) = &mut self.open else { return Ok(()) };
        while tasks.len() >= PARTS_IN_FLIGHT {
            join_one(tasks).await?;
        }
        tasks.spawn(upload.put_part(part.into_payload()));
        Ok(())
    }

    async fn finish(mut self) -> object_store::Result<()> {
        let Some((upload, tasks)) = &mut self.open else { return Ok(()) };
        while !tasks.is_empty() {
            join_one(tasks).await?;
        }
        upload.complete().await?;
        self.open = None;
        Ok(())
    }
}

async fn join_one(tasks: &mut PartTasks) -> object_store::Result<()> {
    match tasks.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(source)) => Err(object_store::Error::JoinError { source }),
        None => Ok(()),
    }
}

impl Drop for PartsUpload {
    fn drop(&mut self) {
        let Some((mut upload, mut tasks)) = self.open.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tasks.shutdown().await;
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "cannot abort a broken multipart upload");
            }
        });
    }
}
