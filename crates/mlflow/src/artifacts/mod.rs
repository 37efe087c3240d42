//! Artifacts: the proxy to the server's own destination, the files of runs, logged models and model versions, and the
//! ways past the server.

mod content_type;
mod direct;
mod disposition;
mod file;
mod owned;
mod proxy;
mod upload;

use serde::Serialize;
use stele_app::blobs::{Entry, EntryKind};

pub(crate) use direct::{
    multipart_abort, multipart_complete, multipart_create, presigned_download, presigned_download_url,
    presigned_upload_url,
};
pub use file::file_answer;
pub(crate) use owned::{
    file_of_logged_model, file_of_model_version, file_of_run, list_of_logged_model, list_of_run, upload_to_run,
};
pub(crate) use proxy::{delete, download, download_root, list, upload, upload_root};
pub use upload::receive_file;

#[derive(Serialize)]
struct FileDto {
    path: String,
    is_dir: bool,
    /// MLflow leaves out a size of 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

/// A listing whose paths begin with `folder`.
fn file_dtos(folder: &str, entries: Vec<Entry>) -> Vec<FileDto> {
    let named = |name: String| if folder.is_empty() { name } else { format!("{folder}/{name}") };
    let dto = |Entry { name, kind }| {
        let (is_dir, file_size) = match kind {
            EntryKind::File { size } => (false, Some(size).filter(|size| *size > 0)),
            EntryKind::Directory => (true, None),
        };
        FileDto { path: named(name), is_dir, file_size }
    };
    entries.into_iter().map(dto).collect()
}
