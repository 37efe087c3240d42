use stele_domain::artifact_uri::{UriParts, append_to_uri_path, local_path, place_in_folder, proxied_path};
use stele_domain::authz::{Permit, Place as InRecord, Visibility, WriteArtifact};
use stele_domain::id::RunId;
use stele_domain::registry::version_id;
use stele_domain::{ArtifactPath, Error, Kind, Result};
use stele_store::Tx;
use stele_store::blobs::Blobs;

use super::{Area, ArtifactRoot, ArtifactStorage};
use crate::{App, Ctx, DEFAULT_ARTIFACT_ROOT};

/// One file or folder: where it is kept, and how it is called in the record.
pub(super) struct Place {
    pub(super) blobs: Blobs,
    pub(super) path: ArtifactPath,
    pub(super) root_uri: String,
    pub(super) uri: String,
    /// One spelling for a file, whichever root it is reached by.
    pub(super) file: String,
}

impl App {
    /// The URI of an artifact root, as clients are told it.
    pub async fn artifact_root_uri(&self, ctx: &Ctx, root: &ArtifactRoot) -> Result<String> {
        let (visible, root) = (ctx.visible(), root.clone());
        match root {
            ArtifactRoot::Server => Ok(DEFAULT_ARTIFACT_ROOT.to_owned()),
            root => self.read(move |tx| root_uri(tx, &visible, &root)).await,
        }
    }

    /// Where a path is for somebody who reads it.
    pub(super) async fn artifact_place(&self, ctx: &Ctx, root: &ArtifactRoot, path: &ArtifactPath) -> Result<Place> {
        let (visible, storage) = (ctx.visible(), self.artifact_storage().clone());
        let located = self.locate(ctx, root, path, move |tx, root, _, path| match root {
            ArtifactRoot::Server => storage.require_seen(tx, &visible, path),
            // Its URI is found for those alone who see it.
            _ => Ok(()),
        });
        let (path, root_uri) = located.await?;
        self.place(root_uri?, &path).await
    }

    /// Where a path is for somebody who writes it; a denial is recorded.
    pub(super) async fn artifact_place_to_write(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
    ) -> Result<(Permit<WriteArtifact>, Place)> {
        let permit = self.authorize::<WriteArtifact>(ctx).await?;
        let asked = permit.clone();
        let storage = self.artifact_storage().clone();
        let located = self.locate(ctx, root, path, move |tx, root, area, path| {
            let visible = asked.visible();
            match root {
                ArtifactRoot::Server => {
                    area.require_no_others(path)?;
                    storage.require_writable(tx, &asked, path)
                }
                ArtifactRoot::Run(id) => {
                    let experiment = tx.run_info(visible, id)?.experiment;
                    asked.require(tx, InRecord::Experiment(experiment), Kind::Run, id)
                }
                ArtifactRoot::LoggedModel(id) => {
                    let experiment = tx.logged_model_get(visible, id)?.experiment;
                    asked.require(tx, InRecord::Experiment(experiment), Kind::LoggedModel, id)
                }
                ArtifactRoot::Trace(id) => {
                    let experiment = tx.trace_get(visible, id)?.experiment;
                    asked.require(tx, InRecord::Experiment(experiment), Kind::Trace, id.as_str())
                }
                ArtifactRoot::ModelVersion { model, number } => {
                    asked.require(tx, InRecord::Model(model), Kind::ModelVersion, version_id(model, *number))?;
                    let uri = append_to_uri_path(&root_uri(tx, visible, root)?, path.as_str())?;
                    storage.require_owners(tx, &asked, &uri)
                }
            }
        });
        let (path, root_uri) = located.await?;
        match root_uri {
            Ok(root_uri) => Ok((permit, self.place(root_uri, &path).await?)),
            Err(error) => Err(self.refused(ctx, &permit, path.as_str(), error).await?),
        }
    }

    /// Finds in one read what is meant by a path, and the URI of the root that it is below, if `check` lets somebody at
    /// it and it is a place of their workspace.
    async fn locate(
        &self,
        ctx: &Ctx,
        root: &ArtifactRoot,
        path: &ArtifactPath,
        check: impl FnOnce(&mut Tx, &ArtifactRoot, &Area, &ArtifactPath) -> Result<()> + Send + 'static,
    ) -> Result<(ArtifactPath, Result<String>)> {
        let (visible, workspace) = (ctx.visible(), ctx.workspace);
        let (storage, enabled) = (self.artifact_storage().clone(), self.workspaces_enabled());
        let (root, path) = (root.clone(), path.clone());
        self.read(move |tx| {
            let area = storage.area(tx, workspace, enabled)?;
            let path = if root == ArtifactRoot::Server { area.path(&path)? } else { path };
            let found = check(tx, &root, &area, &path).and_then(|()| root_uri(tx, &visible, &root));
            let found = found.and_then(|root_uri| match root {
                // The path was looked at already.
                ArtifactRoot::Server => Ok(root_uri),
                _ => area.require(&root_uri).map(|()| root_uri),
            });
            Ok((path, found))
        })
        .await
    }

    async fn place(&self, root_uri: String, path: &ArtifactPath) -> Result<Place> {
        let (blobs, base) = self.artifact_storage().root(&root_uri).await?;
        let uri = append_to_uri_path(&root_uri, path.as_str())?;
        let is_ours = proxied_path(&root_uri)?.is_some() || local_path(&root_uri)?.is_some();
        let path = base.join(path);
        let file = if is_ours { file_behind_server(&path) } else { uri.clone() };
        Ok(Place { blobs, path, root_uri, uri, file })
    }
}

/// The one spelling that the record knows a file in the artifact destination by.
pub(crate) fn file_behind_server(path: &ArtifactPath) -> String {
    format!("{DEFAULT_ARTIFACT_ROOT}{}", path.as_str())
}

fn root_uri(tx: &mut Tx, visible: &Visibility, root: &ArtifactRoot) -> Result<String> {
    match root {
        ArtifactRoot::Server => Ok(DEFAULT_ARTIFACT_ROOT.to_owned()),
        ArtifactRoot::Run(id) => Ok(tx.run_info(visible, id)?.artifact_uri),
        ArtifactRoot::LoggedModel(id) => Ok(tx.logged_model_root(visible, id)?.artifact_uri),
        ArtifactRoot::Trace(id) => tx.trace_artifact_uri(visible, id),
        ArtifactRoot::ModelVersion { model, number } => {
            let version = tx.model_version_get(visible, model, *number)?;
            below_run(tx, visible, version.storage_uri)
        }
    }
}

/// Where the files of a version lie, in the one spelling that the record knows files by.
pub(crate) fn files_of_version(tx: &mut Tx, visible: &Visibility, storage_uri: &str) -> Result<String> {
    let uri = below_run(tx, visible, storage_uri.to_owned())?;
    Ok(match proxied_path(&uri)? {
        Some(path) => file_behind_server(&path),
        None => uri,
    })
}

/// Versions may lie at `runs:/<run id>/<path>`, which is below the artifact root of the run.
fn below_run(tx: &mut Tx, visible: &Visibility, uri: String) -> Result<String> {
    let parts = UriParts::split(&uri);
    if parts.scheme != "runs" {
        return Ok(uri);
    }
    let (run, path) = parts.path.trim_start_matches('/').split_once('/').unwrap_or((parts.path, ""));
    let root = tx.run_info(visible, &RunId(run.trim_matches('/').to_owned()))?.artifact_uri;
    append_to_uri_path(&root, ArtifactPath::parse_directory(path)?.as_str())
}

impl ArtifactStorage {
    /// Opens a root, and says where in what was opened it begins.
    ///
    /// Clients choose the locations of experiments, so folders of this machine other than the destination are not
    /// read: whoever can create an experiment could read any file of the server.
    pub(crate) async fn root(&self, uri: &str) -> Result<(Blobs, ArtifactPath)> {
        if let Some(place) = proxied_path(uri)? {
            return Ok((self.destination.clone(), place));
        }
        if local_path(uri)?.is_some() {
            let place = self.folder.as_deref().map(|folder| place_in_folder(uri, folder)).transpose()?.flatten();
            let Some(place) = place else {
                return Err(Error::Forbidden {
                    message: format!(
                        "The artifact root '{uri}' is a folder outside of the artifact destination of this server, \
                         which does not read it for clients"
                    ),
                });
            };
            return Ok((self.destination.clone(), place));
        }
        let blobs = self.stores.open(uri).await.map_err(|error| match error {
            // It is the location that is at fault, not what was asked of it.
            Error::Unsupported { message } => Error::Invalid { message },
            other => other,
        })?;
        Ok((blobs, ArtifactPath::root()))
    }
}
