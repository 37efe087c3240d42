use stele_domain::authz::{ManageLineage, Permit, Place, Verb, Visibility};
use stele_domain::id::Timestamp;
use stele_domain::lineage::Association;
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, list, params};

const COLUMNS: &str = "SELECT source, target, type, created_at FROM association";

impl Tx<'_> {
    pub fn association_add(&mut self, permit: &Permit<ManageLineage>, new: &Association) -> Result<()> {
        const ADD: &str = "INSERT INTO association (workspace_id, source, target, type, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, source, target) DO NOTHING";
        permit.require_workspace()?;
        let Association { source, target, kind, created_at } = new;
        match self.execute(ADD, params![permit.workspace(), source, target, kind, *created_at])? {
            0 => Err(Error::already_exists(Kind::Association, format!("{source} to {target}"))),
            _ => Ok(()),
        }
    }

    pub fn association_delete(&mut self, permit: &Permit<ManageLineage>, source: &str, target: &str) -> Result<()> {
        const DELETE: &str = "DELETE FROM association WHERE workspace_id = $1 AND source = $2 AND target = $3";
        permit.require_workspace()?;
        match self.execute(DELETE, params![permit.workspace(), source, target])? {
            0 => Err(Error::not_found(Kind::Association, format!("{source} to {target}"))),
            _ => Ok(()),
        }
    }

    /// Whether any edge ends at a thing that is about to be deleted, also one that the caller does not see.
    pub fn is_associated<V: Verb>(&mut self, permit: &Permit<V>, end: &str) -> Result<bool> {
        const SOME: &str =
            "SELECT id FROM association WHERE workspace_id = $1 AND (source = $2 OR target = $2) LIMIT 1";
        Ok(self.query_opt(SOME, params![permit.workspace(), end], |row| row.int(0))?.is_some())
    }

    /// The edges from any of `sources`, oldest first, at most `most`.
    pub fn associations_from(
        &mut self,
        visible: &Visibility,
        sources: &[String],
        most: i64,
    ) -> Result<Vec<Association>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let one_of = self.is_one_of_texts(2);
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 AND source {one_of} ORDER BY id LIMIT $3");
        let sources = list(sources.iter().map(String::as_str));
        self.query(&sql, params![visible.workspace(), sources, most], association)
    }

    /// The edges to any of `targets`, oldest first, at most `most`.
    pub fn associations_to(&mut self, visible: &Visibility, targets: &[String], most: i64) -> Result<Vec<Association>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let one_of = self.is_one_of_texts(2);
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 AND target {one_of} ORDER BY id LIMIT $3");
        let targets = list(targets.iter().map(String::as_str));
        self.query(&sql, params![visible.workspace(), targets, most], association)
    }

    /// All edges, oldest first, at most `most`.
    pub fn associations_all(&mut self, visible: &Visibility, most: i64) -> Result<Vec<Association>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 ORDER BY id LIMIT $2");
        self.query(&sql, params![visible.workspace(), most], association)
    }
}

fn association(row: &Row) -> Result<Association> {
    Ok(Association {
        source: row.text(0)?,
        target: row.text(1)?,
        kind: row.text(2)?,
        created_at: Timestamp(row.int(3)?),
    })
}
