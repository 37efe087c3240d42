//! The rows of workspaces, and what they say about where artifacts may lie.

mod remove;

use stele_domain::authz::{ManageWorkspace, Permit, Visibility};
use stele_domain::id::{ExperimentId, Timestamp, WorkspaceId};
use stele_domain::workspace::{DEFAULT, MOST, Workspace};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, params};

const COLUMNS: &str = "id, name, description, artifact_root, created_at";

/// Where the artifacts of one workspace may lie, and where those of the others do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Areas {
    /// The folder below `workspaces/` that is the workspace's own; none for `default`.
    pub own: Option<String>,
    pub own_root: Option<String>,
    /// Folders below `workspaces/` of what has moved to this workspace.
    pub moved: Vec<String>,
    /// The places that other workspaces were given.
    pub roots_of_others: Vec<String>,
    /// Whether there are or were other workspaces at all.
    pub has_others: bool,
}

impl Tx<'_> {
    /// All workspaces there are, by name.
    pub fn workspaces_list(&mut self) -> Result<Vec<Workspace>> {
        let sql = format!("SELECT {COLUMNS} FROM workspace WHERE deleted_at IS NULL ORDER BY name");
        self.query(&sql, params![], workspace)
    }

    /// The rows of all workspaces that may hold something, also of deleted ones.
    pub fn workspace_rows(&mut self) -> Result<Vec<WorkspaceId>> {
        const ROWS: &str = "SELECT id FROM workspace WHERE moved = 0 ORDER BY id";
        self.query(ROWS, params![], |row| row.int(0).map(WorkspaceId))
    }

    pub fn workspace_get(&mut self, name: &str) -> Result<Workspace> {
        self.workspace_read(name, "")
    }

    /// Reads a workspace that this transaction is about to change; writers in it wait, or are waited for.
    pub fn workspace_open(&mut self, permit: &Permit<ManageWorkspace>, name: &str) -> Result<Workspace> {
        permit.require_workspace()?;
        self.workspace_read(name, self.for_update())
    }

    fn workspace_read(&mut self, name: &str, lock: &str) -> Result<Workspace> {
        let sql = format!("SELECT {COLUMNS} FROM workspace WHERE name = $1 AND deleted_at IS NULL{lock}");
        self.query_opt(&sql, params![name], workspace)?.ok_or_else(|| Error::not_found(Kind::Workspace, name))
    }

    /// Keeps a workspace from being deleted before this transaction ends; it must be there still.
    pub fn workspace_hold(&mut self, row: WorkspaceId, name: &str) -> Result<()> {
        let sql = format!("SELECT 1 FROM workspace WHERE id = $1 AND deleted_at IS NULL{}", self.for_share());
        let found = self.query_opt(&sql, params![row], |_| Ok(()))?;
        found.ok_or_else(|| Error::not_found(Kind::Workspace, name))
    }

    pub fn workspace_create(
        &mut self,
        permit: &Permit<ManageWorkspace>,
        name: &str,
        description: Option<&str>,
        artifact_root: Option<&str>,
        now: Timestamp,
    ) -> Result<Workspace> {
        const COUNT: &str = "SELECT COUNT(*) FROM workspace WHERE deleted_at IS NULL";
        // The area of a deleted workspace of this name may hold its files still.
        const USED: &str = "SELECT COUNT(*) FROM workspace WHERE area = $1 OR area LIKE $2";
        const INSERT: &str = "INSERT INTO workspace (name, description, artifact_root, area, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING RETURNING id";
        permit.require_workspace()?;
        if self.query_one(COUNT, params![], |row| row.int(0))? >= MOST as i64 {
            return Err(Error::LimitExceeded { message: format!("there are {MOST} workspaces, which is the most") });
        }
        let used = self.query_one(USED, params![name, format!("{name}.%")], |row| row.int(0))?;
        let area = if used == 0 { name.to_owned() } else { format!("{name}.{used}") };
        self.query_opt(INSERT, params![name, description, artifact_root, area, now], |row| row.int(0))?
            .ok_or_else(|| Error::already_exists(Kind::Workspace, name))?;
        self.workspace_get(name)
    }

    pub fn workspace_update(
        &mut self,
        permit: &Permit<ManageWorkspace>,
        row: WorkspaceId,
        description: Option<&str>,
        artifact_root: Option<&str>,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE workspace SET description = $2, artifact_root = $3 WHERE id = $1";
        permit.require_workspace()?;
        self.execute(UPDATE, params![row, description, artifact_root]).map(|_| ())
    }

    /// Whether one of the experiments that are seen is in the visible workspace.
    pub fn workspace_has_seen(&mut self, visible: &Visibility) -> Result<bool> {
        let mut values = params![visible.workspace()].to_vec();
        let seen = self.and_experiment_seen(visible, "id", &mut values);
        let sql = format!("SELECT 1 FROM experiment WHERE workspace_id = $1{seen} LIMIT 1");
        Ok(self.query_opt(&sql, &values, |_| Ok(()))?.is_some())
    }

    /// Whether an experiment is in the workspace, whoever asks.
    pub fn workspace_has_experiment(&mut self, workspace: WorkspaceId, id: ExperimentId) -> Result<bool> {
        const FIND: &str = "SELECT 1 FROM experiment WHERE workspace_id = $1 AND id = $2";
        Ok(self.query_opt(FIND, params![workspace, id], |_| Ok(()))?.is_some())
    }

    /// Where artifacts may lie.
    pub fn workspace_areas(&mut self, workspace: WorkspaceId) -> Result<Areas> {
        const ALL: &str = "SELECT id, name, area, artifact_root, moved FROM workspace ORDER BY id";
        let rows = self.query(ALL, params![], |row| {
            let (name, area) = (row.text(1)?, row.opt_text(2)?);
            Ok((WorkspaceId(row.int(0)?), name == DEFAULT, area, row.opt_text(3)?, row.bool(4)?))
        })?;
        let mut areas = Areas { has_others: rows.len() > 1, ..Areas::default() };
        for (row, is_default, area, root, moved) in rows {
            match (row == workspace, moved) {
                (true, _) => {
                    areas.own = area.filter(|_| !is_default);
                    areas.own_root = root;
                }
                (false, true) => areas.moved.extend(area),
                (false, false) => areas.roots_of_others.extend(root),
            }
        }
        // What is moved is in `default`.
        if areas.own.is_some() {
            areas.moved.clear();
        }
        Ok(areas)
    }
}

fn workspace(row: &Row) -> Result<Workspace> {
    Ok(Workspace {
        row: WorkspaceId(row.int(0)?),
        name: row.text(1)?,
        description: row.opt_text(2)?,
        artifact_root: row.opt_text(3)?,
        created_at: Timestamp(row.int(4)?),
    })
}
