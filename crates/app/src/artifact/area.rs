//! Which places are a workspace's own. Clients name places themselves, so that every one of them is held to its
//! workspace: behind the server each workspace has a folder, `workspaces/NAME`, and `default` has the rest; elsewhere a
//! workspace has the root that it was given, and `default` all that is no other's.

use stele_domain::artifact_uri::{
    append_to_uri_path, do_uris_overlap, is_uri_within, local_path, place_in_folder, proxied_path,
};
use stele_domain::id::WorkspaceId;
use stele_domain::{ArtifactPath, Error, Kind, Result};
use stele_store::{Areas, Tx};

use super::ArtifactStorage;
use crate::{App, Ctx, DEFAULT_ARTIFACT_ROOT};

/// What the folders of workspaces lie in.
const WORKSPACES: &str = "workspaces";
/// What the bytes of buckets lie in, which is nobody's to reach but through the buckets.
const BUCKETS: &str = "buckets";

/// What a workspace may reach.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    areas: Areas,
    /// Whether there are borders at all.
    is_divided: bool,
    /// The artifact destination as a path, when it is a folder.
    folder: Option<String>,
}

impl App {
    pub(crate) async fn area(&self, ctx: &Ctx) -> Result<Area> {
        let (storage, enabled, workspace) = (self.artifact_storage().clone(), self.workspaces_enabled(), ctx.workspace);
        self.read(move |tx| storage.area(tx, workspace, enabled)).await
    }
}

impl ArtifactStorage {
    pub(crate) fn area(&self, tx: &mut Tx, workspace: WorkspaceId, workspaces_enabled: bool) -> Result<Area> {
        let areas = tx.workspace_areas(workspace)?;
        let is_divided = workspaces_enabled || areas.has_others;
        Ok(Area { areas, is_divided, folder: self.folder.clone() })
    }
}

impl Area {
    /// Where the experiments of the workspace lie that were given no place.
    pub(crate) fn root(&self) -> Result<String> {
        match (&self.areas.own_root, &self.areas.own) {
            (Some(root), _) => self.place(root.clone(), "default artifact root"),
            (None, Some(own)) => append_to_uri_path(DEFAULT_ARTIFACT_ROOT, &format!("{WORKSPACES}/{own}")),
            (None, None) => Ok(DEFAULT_ARTIFACT_ROOT.to_owned()),
        }
    }

    /// The place that a client means by `uri`, which must be the workspace's own.
    pub(crate) fn place(&self, uri: String, field: &str) -> Result<String> {
        let place = match proxied_path(&uri)? {
            Some(path) if self.areas.own.is_some() => {
                append_to_uri_path(DEFAULT_ARTIFACT_ROOT, self.path(&path)?.as_str())?
            }
            _ => uri,
        };
        match self.owns(&place)? {
            true => Ok(place),
            false => Err(Error::invalid(format!(
                "the {field} '{place}' is not a place of this workspace, whose artifacts lie behind the server or in the \
                 default artifact root of the workspace"
            ))),
        }
    }

    /// The path below the artifact destination that a client means by `path`.
    pub(super) fn path(&self, path: &ArtifactPath) -> Result<ArtifactPath> {
        let scoped = match &self.areas.own {
            Some(own) if path.segments().next() != Some(WORKSPACES) => {
                ArtifactPath::parse_directory(&format!("{WORKSPACES}/{own}"))?.join(path)
            }
            _ => path.clone(),
        };
        match self.has(&scoped) {
            true => Ok(scoped),
            false => Err(Error::not_found(Kind::Artifact, path.as_str())),
        }
    }

    /// Refuses a place that is not the workspace's own, however the record came to name it.
    pub(super) fn require(&self, uri: &str) -> Result<()> {
        match self.owns(uri)? {
            true => Ok(()),
            false => Err(Error::Forbidden { message: format!("the place '{uri}' is not one of this workspace") }),
        }
    }

    /// Refuses to write to what holds the folders of other workspaces.
    pub(super) fn require_no_others(&self, path: &ArtifactPath) -> Result<()> {
        match self.is_divided && path.is_root() {
            true => Err(Error::Forbidden {
                message: "the artifact destination as a whole is not one workspace's".to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn owns(&self, uri: &str) -> Result<bool> {
        if let Some(path) = proxied_path(uri)? {
            return Ok(self.has(&path));
        }
        if local_path(uri)?.is_some() {
            let place = self.folder.as_deref().map(|folder| place_in_folder(uri, folder)).transpose()?.flatten();
            // Folders elsewhere on this machine are not read for anybody.
            return Ok(place.map_or(self.areas.own.is_none(), |path| self.has(&path)));
        }
        Ok(match (&self.areas.own, &self.areas.own_root) {
            (Some(_), Some(root)) => is_uri_within(uri, root),
            (Some(_), None) => false,
            // What holds another one's root would lead there.
            (None, _) => !self.areas.roots_of_others.iter().any(|root| do_uris_overlap(uri, root)),
        })
    }

    fn has(&self, path: &ArtifactPath) -> bool {
        let mut segments = path.segments();
        match (segments.next(), segments.next(), &self.areas.own) {
            (Some(WORKSPACES), Some(area), Some(own)) => area == own,
            (_, _, Some(_)) => false,
            _ if !self.is_divided => true,
            (Some(WORKSPACES), Some(area), None) => self.areas.moved.iter().any(|moved| moved == area),
            (Some(WORKSPACES | BUCKETS), _, None) => false,
            (_, _, None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(own: Option<&str>, own_root: Option<&str>, others: &[&str]) -> Area {
        let text = |text: &&str| (*text).to_owned();
        Area {
            areas: Areas {
                own: own.map(str::to_owned),
                own_root: own_root.map(str::to_owned),
                moved: if own.is_none() { vec!["gone".to_owned()] } else { Vec::new() },
                roots_of_others: others.iter().map(text).collect(),
                has_others: true,
            },
            is_divided: true,
            folder: Some("/srv/artifacts".to_owned()),
        }
    }

    #[test]
    fn every_workspace_reaches_its_own_places_alone() {
        let a = area(Some("a"), Some("s3://bucket/a"), &["s3://bucket/b"]);
        let default = area(None, None, &["s3://bucket/a", "s3://bucket/b", "s3://shared/teams/c"]);
        let place = |area: &Area, uri: &str| area.place(uri.to_owned(), "location").ok();
        for (uri, in_a, in_default) in [
            ("mlflow-artifacts:/workspaces/a/1", Some("mlflow-artifacts:/workspaces/a/1"), false),
            ("mlflow-artifacts:/1/r", Some("mlflow-artifacts:/workspaces/a/1/r"), true),
            ("mlflow-artifacts:/workspaces/b/1", None, false),
            ("mlflow-artifacts:/workspaces", None, false),
            ("mlflow-artifacts:/workspaces/gone/1", None, true),
            ("/srv/artifacts/workspaces/a/1", Some("/srv/artifacts/workspaces/a/1"), false),
            ("/srv/artifacts/workspaces/b", None, false),
            ("/srv/artifacts/1", None, true),
            ("/etc", None, true),
            ("s3://bucket/a/x", Some("s3://bucket/a/x"), false),
            ("s3://bucket/ab", None, true),
            ("s3://bucket/b/x", None, false),
            ("s3a://bucket/b/x", None, false),
            ("s3a://bucket/a/x", Some("s3a://bucket/a/x"), false),
            ("s3://bucket", None, true),
            ("s3://shared/teams", None, false),
            ("s3://shared/teams/d", None, true),
        ] {
            assert_eq!(place(&a, uri).as_deref(), in_a, "{uri}");
            assert_eq!(place(&default, uri).is_some(), in_default, "{uri}");
            assert_eq!(default.require(uri).is_ok(), in_default, "{uri}");
        }
        assert!(default.path(&ArtifactPath::parse_directory("buckets/1").unwrap()).is_err());
        assert!(default.require_no_others(&ArtifactPath::root()).is_err());
        assert_eq!(a.root().unwrap(), "s3://bucket/a");
    }
}
