use stele_domain::authz::{ManageGate, Permit, Place, Visibility};
use stele_domain::gate::{Gate, GateDefinition};
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Error, Kind, Result};

use super::{from_json, to_json};
use crate::Tx;
use crate::engine::{Row, params};

/// A gate with who made it so.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRecord {
    pub gate: Gate,
    pub applied_by: String,
    pub applied_at: Timestamp,
}

/// The most gates of a workspace; every promotion looks at all of them.
const MOST_GATES: i64 = 200;

const COLUMNS: &str = "SELECT gate.version, gate.definition, gate.applied_by, gate.applied_at FROM gate";

impl Tx<'_> {
    /// Makes a definition the newest version of its gate, unless it is that already. Says what the gate was before.
    pub fn gate_apply(
        &mut self,
        permit: &Permit<ManageGate>,
        definition: &GateDefinition,
        now: Timestamp,
    ) -> Result<(Option<GateRecord>, GateRecord)> {
        const COUNT: &str = "SELECT COUNT(*) FROM gate WHERE workspace_id = $1 AND deleted_at IS NULL AND name <> $2";
        const APPLY: &str = "INSERT INTO gate (workspace_id, name, version, definition, applied_by, applied_at)
             VALUES ($1, $2, 1, $3, $4, $5)
             ON CONFLICT (workspace_id, name) DO UPDATE SET version = gate.version + 1, definition = excluded.definition,
                 applied_by = excluded.applied_by, applied_at = excluded.applied_at, deleted_at = NULL
             RETURNING id, version";
        const KEEP: &str = "INSERT INTO gate_version (gate_id, version, definition, applied_by, applied_at)
             VALUES ($1, $2, $3, $4, $5)";
        permit.require_workspace()?;
        let before = self.gate_find(permit.workspace(), &definition.name, self.for_update())?;
        if let Some(before) = &before
            && before.gate.definition == *definition
        {
            return Ok((Some(before.clone()), before.clone()));
        }
        let others = self.query_one(COUNT, params![permit.workspace(), &definition.name], |row| row.int(0))?;
        if others >= MOST_GATES {
            return Err(Error::LimitExceeded { message: format!("a workspace has at most {MOST_GATES} gates") });
        }
        let (text, by) = (to_json(definition)?, permit.subject().principal.name().to_owned());
        let values = params![permit.workspace(), &definition.name, &text, &by, now];
        let (row, version) = self.query_one(APPLY, values, |row| Ok((row.int(0)?, row.int(1)?)))?;
        self.execute(KEEP, params![row, version, &text, &by, now])?;
        let gate = Gate { version, definition: definition.clone() };
        Ok((before, GateRecord { gate, applied_by: by, applied_at: now }))
    }

    /// Deletes a gate; its versions stay, and the next one counts on.
    pub fn gate_delete(&mut self, permit: &Permit<ManageGate>, name: &str, now: Timestamp) -> Result<GateRecord> {
        const DELETE: &str = "UPDATE gate SET deleted_at = $3 WHERE workspace_id = $1 AND name = $2";
        permit.require_workspace()?;
        let found = self.gate_find(permit.workspace(), name, self.for_update())?;
        let found = found.ok_or_else(|| Error::not_found(Kind::Gate, name))?;
        self.execute(DELETE, params![permit.workspace(), name, now])?;
        Ok(found)
    }

    fn gate_find(&mut self, workspace: WorkspaceId, name: &str, lock: &str) -> Result<Option<GateRecord>> {
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 AND name = $2 AND deleted_at IS NULL{lock}");
        self.query_opt(&sql, params![workspace, name], record)
    }

    pub fn gate_get(&mut self, visible: &Visibility, name: &str) -> Result<GateRecord> {
        visible.require(Place::Workspace, Kind::Gate, name)?;
        self.gate_find(visible.workspace(), name, "")?.ok_or_else(|| Error::not_found(Kind::Gate, name))
    }

    /// Every version that a gate has had, the newest first.
    pub fn gate_versions(&mut self, visible: &Visibility, name: &str) -> Result<Vec<GateRecord>> {
        const VERSIONS: &str = "SELECT kept.version, kept.definition, kept.applied_by, kept.applied_at
             FROM gate_version AS kept JOIN gate ON gate.id = kept.gate_id
             WHERE gate.workspace_id = $1 AND gate.name = $2 ORDER BY kept.version DESC LIMIT 1000";
        visible.require(Place::Workspace, Kind::Gate, name)?;
        let found = self.query(VERSIONS, params![visible.workspace(), name], record)?;
        if found.is_empty() { Err(Error::not_found(Kind::Gate, name)) } else { Ok(found) }
    }

    /// The gates of a workspace by name. Whoever moves a version is told of them, so that they are not filtered.
    pub fn gates(&mut self, workspace: WorkspaceId) -> Result<Vec<GateRecord>> {
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY name");
        self.query(&sql, params![workspace], record)
    }
}

fn record(row: &Row) -> Result<GateRecord> {
    Ok(GateRecord {
        gate: Gate { version: row.int(0)?, definition: from_json(&row.text(1)?)? },
        applied_by: row.text(2)?,
        applied_at: Timestamp(row.int(3)?),
    })
}
