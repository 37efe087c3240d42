use serde::{Deserialize, Serialize};
use stele_domain::Result;
use stele_domain::gate::Measured;
use stele_domain::id::WorkspaceId;

use super::{from_json, to_json};
use crate::Tx;
use crate::engine::params;

/// What reading a document in a bucket brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Of its bytes, if they could be had.
    pub sha256: Option<String>,
    pub outcome: Result<Measured, String>,
}

impl Tx<'_> {
    /// What was read at a URI, if it was these bytes.
    pub fn document_reading(&mut self, workspace: WorkspaceId, uri: &str, bytes: &str) -> Result<Option<Reading>> {
        const FIND: &str = "SELECT reading FROM document_reading WHERE workspace_id = $1 AND uri = $2 AND bytes = $3";
        let found = self.query_opt(FIND, params![workspace, uri, bytes], |row| row.text(0))?;
        found.map(|reading| from_json(&reading)).transpose()
    }

    /// Keeps what was read, in the place of what was read before. It follows from the bytes, so that it is no change of
    /// the record.
    pub fn document_reading_keep(
        &mut self,
        workspace: WorkspaceId,
        uri: &str,
        bytes: &str,
        reading: &Reading,
    ) -> Result<()> {
        const KEEP: &str = "INSERT INTO document_reading (workspace_id, uri, bytes, reading) VALUES ($1, $2, $3, $4)
             ON CONFLICT (workspace_id, uri) DO UPDATE SET bytes = excluded.bytes, reading = excluded.reading";
        self.execute(KEEP, params![workspace, uri, bytes, to_json(reading)?]).map(|_| ())
    }
}
