//! The files of runs, logged models and model versions, wherever their roots lie.

mod area;
mod direct;
mod owner;
mod place;
mod read;
mod remove;
mod write;

pub(crate) use self::area::Area;
pub(crate) use self::place::{file_behind_server, files_of_version};
use stele_domain::artifact_uri::{absolute_location, local_path};
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::trace::TraceId;
use stele_domain::{Error, Result};
use stele_store::blobs::{BlobOptions, BlobStores, Blobs, Entry};

/// What the use cases of artifacts take and give.
pub mod blobs {
    pub use stele_store::blobs::{
        Blob, BlobMeta, BlobOptions, ByteRange, Entry, EntryKind, MultipartUpload, PartUrl, PresignedUrl, RangedBlob,
        UploadedPart,
    };
}

/// Whose files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactRoot {
    /// The whole artifact destination of this server.
    Server,
    Run(RunId),
    LoggedModel(LoggedModelId),
    Trace(TraceId),
    ModelVersion {
        model: String,
        number: i64,
    },
}

/// The files and folders directly in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactListing {
    /// The root that was listed.
    pub root_uri: String,
    pub entries: Vec<Entry>,
}

/// What is found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactAt {
    Folder(Vec<Entry>),
    /// `size` is in bytes.
    File {
        size: u64,
    },
}

/// Where this server keeps artifacts, and how it reaches those that lie elsewhere.
#[derive(Clone)]
pub struct ArtifactStorage {
    destination: Blobs,
    /// The destination as a path, when it is a folder.
    folder: Option<String>,
    stores: BlobStores,
    working_directory: String,
}

impl ArtifactStorage {
    /// Opens `destination`, a folder or a bucket URI. `working_directory` is what relative locations start from.
    pub async fn open(destination: &str, options: BlobOptions, working_directory: &str) -> Result<ArtifactStorage> {
        let destination = absolute_location(destination, working_directory);
        let folder = local_path(&destination)?;
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::Unavailable { message: format!("cannot make the folder {folder}: {error}") })?;
        }
        let stores = BlobStores::new(options);
        Ok(ArtifactStorage {
            destination: stores.open(&destination).await?,
            folder,
            stores,
            working_directory: working_directory.to_owned(),
        })
    }

    /// An artifact location that a client gave, made independent of the working directory.
    pub(crate) fn absolute(&self, location: &str) -> String {
        absolute_location(location, &self.working_directory)
    }
}

impl crate::App {
    pub(crate) fn artifact_storage(&self) -> &ArtifactStorage {
        &self.parts.artifacts
    }

    /// Whether clients can move artifacts of this server's destination past the server, in parts and by signed URLs.
    pub fn artifacts_move_directly(&self) -> bool {
        let destination = &self.artifact_storage().destination;
        destination.supports_multipart() && destination.supports_presigned()
    }
}
