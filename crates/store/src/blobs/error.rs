//! Storage errors, mapped once.

use std::io;

use rustix::io::Errno;
use stele_domain::{ArtifactPath, Error, Kind};

pub(super) fn no_such_artifact(path: &ArtifactPath) -> Error {
    Error::not_found(Kind::Artifact, path.as_str())
}

pub(super) fn is_directory(path: &ArtifactPath) -> Error {
    Error::invalid(format!("Artifact path refers to a directory, not a file: '{path}'"))
}

pub(super) fn broken_upload(path: &ArtifactPath, reason: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the upload of artifact '{path}' broke off: {reason}"))
}

pub(super) fn wrong_length(path: &ArtifactPath, announced: u64, received: u64) -> Error {
    broken_upload(path, format_args!("{announced} bytes were announced and {received} received"))
}

/// `operation` completes the sentence "cannot .. artifact".
pub(super) fn from_io(operation: &str, path: &ArtifactPath, error: io::Error) -> Error {
    // A symbolic link below the root; whatever it points to is not part of the root.
    if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
        return Error::invalid("Invalid path: resolved path is outside the artifact directory");
    }
    let message = format!("cannot {operation} artifact '{path}': {error}");
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => no_such_artifact(path),
        io::ErrorKind::IsADirectory => is_directory(path),
        io::ErrorKind::InvalidFilename => Error::invalid(message),
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::StaleNetworkFileHandle
        | io::ErrorKind::TimedOut => Error::Unavailable { message },
        _ => Error::internal(message),
    }
}

/// `operation` completes the sentence "cannot .. artifact".
pub(super) fn from_object_store(operation: &str, path: &ArtifactPath, error: object_store::Error) -> Error {
    let message = format!("cannot {operation} artifact '{path}': {error}");
    match error {
        object_store::Error::NotFound { .. } => no_such_artifact(path),
        object_store::Error::InvalidPath { .. } => Error::invalid(message),
        object_store::Error::AlreadyExists { .. }
        | object_store::Error::Precondition { .. }
        | object_store::Error::NotModified { .. } => Error::Conflict { message },
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            Error::unsupported(message)
        }
        // Refused credentials are the server's own, so the client can do nothing about them.
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. }
        | object_store::Error::Generic { .. } => Error::Unavailable { message },
        _ => Error::internal(message),
    }
}
