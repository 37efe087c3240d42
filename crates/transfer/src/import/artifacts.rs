//! Artifacts of a source on their way to this server.

use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use stele_app::{App, ArtifactRoot, Ctx, DEFAULT_ARTIFACT_ROOT};
use stele_domain::artifact_uri::{append_to_uri_path, local_path, proxied_path};
use stele_domain::{ArtifactPath, Error, Result};
use tokio_util::io::ReaderStream;

use super::report::{Artifacts, Tally};
use super::{ArtifactChoice, ImportOptions, Source};
use crate::server::Client;

/// How many files are copied at a time.
const AT_A_TIME: usize = 8;

pub(super) struct ArtifactCopier {
    app: App,
    ctx: Ctx,
    choice: ArtifactChoice,
    /// What `mlflow-artifacts:` places lie in.
    destination: Option<PathBuf>,
    server: Option<Client>,
    files: u64,
    bytes: u64,
    left: Tally,
}

/// Where the files of a root are read from.
enum Readable {
    Folder(PathBuf),
    /// Below the artifact route of the source's server.
    Served(String),
}

impl ArtifactCopier {
    pub(super) fn new(app: &App, ctx: &Ctx, source: &Source, options: &ImportOptions) -> Result<ArtifactCopier> {
        let server = match source {
            Source::Server(url) => Some(Client::new(url)?),
            Source::Folder(_) | Source::Sqlite(_) | Source::Postgres(_) => None,
        };
        Ok(ArtifactCopier {
            app: app.clone(),
            ctx: ctx.clone(),
            choice: options.artifacts,
            destination: options.artifacts_destination.clone(),
            server,
            files: 0,
            bytes: 0,
            left: Tally::default(),
        })
    }

    /// Whether the artifacts of an experiment that lies at `location` come to this server.
    pub(super) fn comes_here(&self, location: &str) -> bool {
        self.choice == ArtifactChoice::Copy && (is_local(location) || proxied_path(location).ok().flatten().is_some())
    }

    /// Copies the files of the root `uri` to `place` behind this server, and gives the URI that they have then; the old
    /// one when they stay.
    pub(super) async fn bring(&mut self, uri: &str, place: &str) -> Result<String> {
        if self.choice == ArtifactChoice::Keep || uri.is_empty() {
            return Ok(uri.to_owned());
        }
        let readable = match self.readable(uri) {
            Ok(Some(readable)) => readable,
            Ok(None) => return Ok(uri.to_owned()),
            Err(why) => {
                self.left.add("", why, 1, Some(uri.to_owned()));
                return Ok(uri.to_owned());
            }
        };
        let target = ArtifactPath::parse_directory(place)?;
        match readable {
            Readable::Folder(folder) => self.copy_folder(&folder, &target).await?,
            Readable::Served(path) => self.copy_served(&path, &target).await?,
        }
        append_to_uri_path(DEFAULT_ARTIFACT_ROOT, place)
    }

    /// Copies the files of a root, if there are any, to a place that its URI follows from.
    pub(super) async fn bring_to(&mut self, uri: &str, place: &str) -> Result<()> {
        if self.choice == ArtifactChoice::Keep {
            return Ok(());
        }
        let target = ArtifactPath::parse_directory(place)?;
        match self.readable(uri) {
            Ok(Some(Readable::Folder(folder))) => self.copy_folder(&folder, &target).await,
            Ok(Some(Readable::Served(path))) => self.copy_served(&path, &target).await,
            Err(why) => {
                self.left.add("", why, 1, Some(uri.to_owned()));
                Ok(())
            }
            Ok(None) => Ok(()),
        }
    }

    /// How the files of a root can be read; nothing if they need not come, or why they cannot.
    fn readable(&self, uri: &str) -> Result<Option<Readable>, &'static str> {
        if let Ok(Some(path)) = proxied_path(uri) {
            if self.server.is_some() {
                return Ok(Some(Readable::Served(path.as_str().to_owned())));
            }
            return match &self.destination {
                Some(folder) => Ok(Some(Readable::Folder(folder.join(path.as_str())))),
                None => Err("it lies behind the old server: name the folder of its --artifacts-destination with \
                     --artifacts-destination, or copy that folder into the artifact folder of this server"),
            };
        }
        let Ok(Some(path)) = local_path(uri) else { return Ok(None) };
        let path = PathBuf::from(path);
        // A root without files often has no folder, but somebody must have made the one above it.
        let has_parents = path.parent().and_then(Path::parent).is_some_and(Path::is_dir);
        if path.is_dir() || has_parents {
            return Ok(Some(Readable::Folder(path)));
        }
        Err("the folder is not on this machine: import where it is, or mount it at the same path")
    }

    async fn copy_folder(&mut self, folder: &Path, target: &ArtifactPath) -> Result<()> {
        let root = folder.to_owned();
        let files = tokio::task::spawn_blocking(move || files_below(&root));
        let files = files.await.map_err(|error| Error::internal(format!("listing did not finish: {error}")))?;
        let files = files.map_err(|error| unreadable(folder, &error))?;
        let copies = files.into_iter().map(|relative| {
            let (app, ctx, target) = (self.app.clone(), self.ctx.clone(), target.clone());
            let path = folder.join(&relative);
            async move {
                let place = target.join(&ArtifactPath::parse_file(&encoded(&relative)?)?);
                let file = tokio::fs::File::open(&path).await.map_err(|error| unreadable(&path, &error))?;
                let length = file.metadata().await.map_err(|error| unreadable(&path, &error))?.len();
                app.artifact_put(&ctx, &ArtifactRoot::Server, &place, Some(length), ReaderStream::new(file)).await
            }
        });
        let sizes: Vec<u64> = futures::stream::iter(copies).buffer_unordered(AT_A_TIME).try_collect().await?;
        self.files += sizes.len() as u64;
        self.bytes += sizes.iter().sum::<u64>();
        Ok(())
    }

    async fn copy_served(&mut self, path: &str, target: &ArtifactPath) -> Result<()> {
        let Some(server) = self.server.clone() else { return Ok(()) };
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let listing = server.artifacts(&join(path, &folder)).await?;
            let mut files = Vec::new();
            for entry in listing {
                let relative = join(&folder, &entry.name);
                if entry.is_folder { folders.push(relative) } else { files.push(relative) }
            }
            let copies = files.into_iter().map(|relative| {
                let (app, ctx, server) = (self.app.clone(), self.ctx.clone(), server.clone());
                let (target, source) = (target.clone(), join(path, &relative));
                async move {
                    let place = target.join(&ArtifactPath::parse_file(&encoded(Path::new(&relative))?)?);
                    let (length, content) = server.artifact(&source).await?;
                    app.artifact_put(&ctx, &ArtifactRoot::Server, &place, length, content).await
                }
            });
            let sizes: Vec<u64> = futures::stream::iter(copies).buffer_unordered(AT_A_TIME).try_collect().await?;
            self.files += sizes.len() as u64;
            self.bytes += sizes.iter().sum::<u64>();
        }
        Ok(())
    }

    pub(super) fn report(&self) -> Artifacts {
        Artifacts { copied_files: self.files, copied_bytes: self.bytes, left: self.left.left() }
    }
}

fn is_local(uri: &str) -> bool {
    matches!(local_path(uri), Ok(Some(_)))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Paths are decoded where they are parsed, so that a percent sign in a name of a file must be encoded.
fn encoded(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::invalid(format!("{} is not UTF-8", path.display())))?;
    Ok(text.replace('%', "%25"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable { message: format!("cannot read the artifact {}: {error}", path.display()) }
}

/// The files below a folder, relative to it. Symbolic links are followed to files only, so that there is no circle.
fn files_below(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.as_os_str().is_empty() => break,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let relative = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(relative);
            } else if std::fs::metadata(entry.path())?.is_file() {
                files.push(relative);
            }
        }
    }
    files.sort();
    Ok(files)
}
