//! Whose a path below the artifact destination is. Clients name such paths themselves, so that those who may not see or
//! change everything are held to what belongs to them.

use stele_domain::artifact_uri::{local_path, place_in_folder, proxied_path};
use stele_domain::authz::{Extent, Permit, Place, Visibility, WriteArtifact};
use stele_domain::{ArtifactPath, Error, Kind, Result};
use stele_store::{OwnedRoot, Tx};

use super::ArtifactStorage;

impl ArtifactStorage {
    /// Lets a path be read by those who see all that it may belong to, or a model version whose files hold it.
    pub(super) fn require_seen(&self, tx: &mut Tx, visible: &Visibility, path: &ArtifactPath) -> Result<()> {
        if *visible.extent() == Extent::Whole {
            return Ok(());
        }
        let owners = self.owners(tx, visible, path)?;
        if !owners.is_empty() && owners.iter().all(|owner| visible.sees(Place::Experiment(owner.experiment))) {
            return Ok(());
        }
        let of_models = tx.artifact_roots_of_models(visible)?;
        if of_models.iter().any(|uri| self.holds(uri, path)) {
            return Ok(());
        }
        Err(Error::not_found(Kind::Artifact, path.as_str()))
    }

    /// Lets a path be written by those who may do so to all that it may belong to.
    pub(super) fn require_writable(
        &self,
        tx: &mut Tx,
        permit: &Permit<WriteArtifact>,
        path: &ArtifactPath,
    ) -> Result<()> {
        let owners = self.owners(tx, permit.visible(), path)?;
        if owners.is_empty() {
            return permit.require(tx, Place::Workspace, Kind::Artifact, path.as_str());
        }
        for owner in owners {
            permit.require(tx, Place::Experiment(owner.experiment), Kind::Artifact, path.as_str())?;
        }
        Ok(())
    }

    /// Lets the file of a version be written by those who may write to all that it may belong to besides the model: it
    /// mostly lies in the folder of a run.
    pub(super) fn require_owners(&self, tx: &mut Tx, permit: &Permit<WriteArtifact>, uri: &str) -> Result<()> {
        let Some(path) = self.place_of(uri) else { return Ok(()) };
        for owner in self.owners(tx, permit.visible(), &path)? {
            permit.require(tx, Place::Experiment(owner.experiment), Kind::Artifact, path.as_str())?;
        }
        Ok(())
    }

    fn owners(&self, tx: &mut Tx, visible: &Visibility, path: &ArtifactPath) -> Result<Vec<OwnedRoot>> {
        let names: Vec<String> = path.as_str().split('/').map(str::to_owned).collect();
        let first = names.first().and_then(|name| name.parse().ok());
        let mut roots = tx.artifact_roots(visible, first, &names)?;
        roots.retain(|root| self.holds(&root.uri, path));
        Ok(roots)
    }

    /// Whether a path below the destination lies at or below a root.
    fn holds(&self, root: &str, path: &ArtifactPath) -> bool {
        self.place_of(root).is_some_and(|root| {
            let rest = path.as_str().strip_prefix(root.as_str());
            root.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The path below the destination that a URI means, if it means one.
    fn place_of(&self, uri: &str) -> Option<ArtifactPath> {
        if let Ok(Some(place)) = proxied_path(uri) {
            return Some(place);
        }
        let folder = self.folder.as_ref().filter(|_| matches!(local_path(uri), Ok(Some(_))))?;
        place_in_folder(uri, folder).ok().flatten()
    }
}
