use stele_domain::Result;
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::workspace::DEFAULT;

use crate::Tx;
use crate::engine::params;

impl Tx<'_> {
    /// Makes what every record starts with: the workspace `default`, and in it experiment 0, `Default`.
    pub fn bootstrap(&mut self, default_location: &str, now: Timestamp) -> Result<WorkspaceId> {
        const WORKSPACE: &str =
            "INSERT INTO workspace (name, created_at) VALUES ($2, $1) ON CONFLICT (name) DO NOTHING";
        const FIND: &str = "SELECT id FROM workspace WHERE name = $1";
        const EXPERIMENT: &str = "INSERT INTO experiment
                 (id, workspace_id, name, artifact_location, presence, created_at, updated_at)
             SELECT 0, $1, 'Default', $2, 'active', $3, $3
             WHERE NOT EXISTS (SELECT 1 FROM experiment WHERE workspace_id = $1)
             ON CONFLICT DO NOTHING";
        self.execute(WORKSPACE, params![now, DEFAULT])?;
        let workspace = self.query_one(FIND, params![DEFAULT], |row| row.int(0)).map(WorkspaceId)?;
        self.execute(EXPERIMENT, params![workspace, default_location, now])?;
        Ok(workspace)
    }
}
