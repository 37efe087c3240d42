//! Named artifacts and their numbered versions, which datasets and logged models are.

use stele_domain::Result;
use stele_domain::id::{ArtifactRow, Timestamp, WorkspaceId};

use crate::Tx;
use crate::engine::params;

/// A version to be made of the artifact called `name`, which is made as well when it is the first.
pub(crate) struct NewArtifactVersion<'a> {
    pub(crate) public_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: ArtifactType,
    pub(crate) uri: &'a str,
    pub(crate) digest: Option<&'a str>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ArtifactType {
    Model,
    Data,
}

impl ArtifactType {
    fn as_str(self) -> &'static str {
        match self {
            ArtifactType::Model => "model",
            ArtifactType::Data => "data",
        }
    }
}

impl Tx<'_> {
    /// Takes the next number of the named artifact. Transactions that do so for one artifact take turns.
    pub(crate) fn artifact_version_create(
        &mut self,
        workspace: WorkspaceId,
        new: &NewArtifactVersion,
        now: Timestamp,
    ) -> Result<ArtifactRow> {
        const NUMBER: &str = "INSERT INTO artifact (workspace_id, name, last_number, created_at) VALUES ($1, $2, 1, $3)
             ON CONFLICT (workspace_id, name) DO UPDATE SET last_number = artifact.last_number + 1
             RETURNING id, last_number";
        const INSERT: &str = "INSERT INTO artifact_version (public_id, workspace_id, artifact_id, number, type, uri,
                 digest, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
        let (artifact, number) =
            self.query_one(NUMBER, params![workspace, new.name, now], |row| Ok((row.int(0)?, row.int(1)?)))?;
        let values = params![new.public_id, workspace, artifact, number, new.kind.as_str(), new.uri, new.digest, now];
        self.query_one(INSERT, values, |row| row.int(0)).map(ArtifactRow)
    }

    /// Makes other transactions that make versions of the named artifact wait for this one.
    pub(crate) fn artifact_lock(&mut self, workspace: WorkspaceId, name: &str, now: Timestamp) -> Result<()> {
        const LOCK: &str = "INSERT INTO artifact (workspace_id, name, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (workspace_id, name) DO UPDATE SET last_number = artifact.last_number";
        self.execute(LOCK, params![workspace, name, now]).map(|_| ())
    }
}
