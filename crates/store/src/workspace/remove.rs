//! What becomes of the things in a workspace that is deleted.

use stele_domain::Result;
use stele_domain::authz::{ManageWorkspace, Permit};
use stele_domain::id::{ModelRow, Timestamp, WorkspaceId};

use crate::engine::params;
use crate::{ModelHead, Tx};

/// The tables whose rows people made, and what of them counts as there.
const THINGS: &[(&str, &str)] = &[
    ("experiment", ""),
    ("model", ""),
    ("evaluation_dataset", ""),
    ("resource", ""),
    ("association", ""),
    ("bucket", ""),
    ("webhook", " AND deleted_at IS NULL"),
    ("gate", " AND deleted_at IS NULL"),
];

/// Every table whose rows are in a workspace and leave it with what people made. Those that names are unique in have the
/// columns that make one up.
const TABLES: &[(&str, &[&str])] = &[
    ("experiment", &["name"]),
    ("run", &[]),
    ("run_alias", &["name"]),
    ("artifact", &["name"]),
    ("artifact_version", &[]),
    ("logged_model", &[]),
    ("model", &["name"]),
    ("evaluation_dataset", &[]),
    ("webhook", &[]),
    ("resource", &["kind", "name"]),
    ("association", &["source", "target"]),
    ("gate", &["name"]),
    ("gate_verdict", &[]),
    ("trace", &["public_id"]),
    ("bucket", &[]),
    ("artifact_garbage", &[]),
];

/// Those whose rows are of no use elsewhere: what was answered once, and what can be read again.
const FORGOTTEN: &[&str] = &["idempotency", "document_reading"];

/// Those whose rows stay with the workspace that is gone: the past, and its own rules, which are none for things that move
/// elsewhere.
#[cfg(test)]
const STAYING: &[&str] = &["audit_entry", "policy"];

/// Those whose rows go with the workspace itself, in [`Tx::workspace_delete`], whatever becomes of its things.
#[cfg(test)]
const GOING: &[&str] = &["account_group"];

/// The most names that are told of which both workspaces have.
const MOST_CONFLICTS: i64 = 10;

impl Tx<'_> {
    /// The kinds of things that are in a workspace, also in its trash, with how many there are.
    pub fn workspace_things(&mut self, workspace: WorkspaceId) -> Result<Vec<(&'static str, i64)>> {
        let mut things = Vec::new();
        for (table, condition) in THINGS {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE workspace_id = $1{condition}");
            let count = self.query_one(&sql, params![workspace], |row| row.int(0))?;
            if count > 0 {
                things.push((*table, count));
            }
        }
        Ok(things)
    }

    /// Names that things of both workspaces have, each with its kind.
    pub fn workspace_conflicts(&mut self, from: WorkspaceId, to: WorkspaceId) -> Result<Vec<(&'static str, String)>> {
        let mut conflicts = Vec::new();
        for (table, columns) in TABLES {
            let Some(shown) = columns.last() else { continue };
            let same: Vec<String> = columns.iter().map(|column| format!("theirs.{column} = mine.{column}")).collect();
            let sql = format!(
                "SELECT mine.{shown} FROM {table} AS mine JOIN {table} AS theirs ON {}
                 WHERE mine.workspace_id = $1 AND theirs.workspace_id = $2 ORDER BY mine.{shown} LIMIT $3",
                same.join(" AND ")
            );
            let found = self.query(&sql, params![from, to, MOST_CONFLICTS], |row| row.text(0))?;
            conflicts.extend(found.into_iter().map(|name| (*table, name)));
        }
        Ok(conflicts)
    }

    /// The models in a workspace.
    pub fn workspace_models(&mut self, workspace: WorkspaceId) -> Result<Vec<ModelHead>> {
        const MODELS: &str = "SELECT id, public_id, name FROM model WHERE workspace_id = $1 ORDER BY id";
        self.query(MODELS, params![workspace], |row| {
            let (row, id, name) = (ModelRow(row.int(0)?), row.text(1)?, row.text(2)?);
            Ok(ModelHead { row, id, name, description: None })
        })
    }

    /// Moves everything that is in one workspace to another one, where no names are taken.
    pub fn workspace_move(
        &mut self,
        permit: &Permit<ManageWorkspace>,
        from: WorkspaceId,
        to: WorkspaceId,
    ) -> Result<()> {
        permit.require_workspace()?;
        for table in FORGOTTEN {
            self.execute(&format!("DELETE FROM {table} WHERE workspace_id = $1"), params![from])?;
        }
        for (table, _) in TABLES {
            let sql = format!("UPDATE {table} SET workspace_id = $2 WHERE workspace_id = $1");
            self.execute(&sql, params![from, to])?;
        }
        Ok(())
    }

    /// Deletes what has no files, and puts the rest into the trash, which a purge frees with its files.
    pub fn workspace_empty(
        &mut self,
        permit: &Permit<ManageWorkspace>,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Result<()> {
        const GONE: [&str; 6] = [
            "DELETE FROM model WHERE workspace_id = $1",
            "DELETE FROM evaluation_dataset WHERE workspace_id = $1",
            "DELETE FROM association WHERE workspace_id = $1",
            "DELETE FROM resource WHERE workspace_id = $1",
            "DELETE FROM idempotency WHERE workspace_id = $1",
            "DELETE FROM document_reading WHERE workspace_id = $1",
        ];
        const TRASH: [&str; 5] = [
            "UPDATE webhook SET deleted_at = $2, updated_at = $2, secret = NULL
                 WHERE workspace_id = $1 AND deleted_at IS NULL",
            "UPDATE gate SET deleted_at = $2 WHERE workspace_id = $1 AND deleted_at IS NULL",
            "UPDATE logged_model SET presence = 'deleted', updated_at = $2, deleted_at = $2
                 WHERE workspace_id = $1 AND presence = 'active'",
            "UPDATE run SET presence = 'deleted', deleted_at = $2 WHERE workspace_id = $1 AND presence = 'active'",
            "UPDATE experiment SET presence = 'deleted', updated_at = $2
                 WHERE workspace_id = $1 AND presence = 'active'",
        ];
        permit.require_workspace()?;
        for statement in GONE {
            self.execute(statement, params![workspace])?;
        }
        for statement in TRASH {
            self.execute(statement, params![workspace, now])?;
        }
        Ok(())
    }

    /// Deletes the workspace itself, with the roles that were held on it and the groups that were for it alone. `moved`
    /// says that what was in it is in `default` now; roles on its experiments and models went along.
    pub fn workspace_delete(
        &mut self,
        permit: &Permit<ManageWorkspace>,
        workspace: WorkspaceId,
        name: &str,
        moved: bool,
        now: Timestamp,
    ) -> Result<()> {
        const GRANTS: &str = "DELETE FROM role_grant WHERE scope = 'workspace' AND scope_name = $1";
        const FOLLOW: &str = "UPDATE role_grant SET scope_name = SUBSTR(scope_name, $2)
             WHERE scope = 'model' AND scope_name LIKE $1";
        const MODELS: &str = "DELETE FROM role_grant WHERE scope = 'model' AND scope_name LIKE $1";
        const EXPERIMENTS: &str = "DELETE FROM role_grant WHERE scope = 'experiment' AND scope_name IN
             (SELECT CAST(id AS TEXT) FROM experiment WHERE workspace_id = $1)";
        const GROUPS: [&str; 2] = [
            "DELETE FROM account_group WHERE workspace_id = $1
                 AND NOT EXISTS (SELECT 1 FROM role_grant WHERE role_grant.group_id = account_group.id)",
            "UPDATE account_group SET workspace_id = NULL WHERE workspace_id = $1",
        ];
        const DELETE: &str = "UPDATE workspace SET name = $2, deleted_at = $3, moved = $4 WHERE id = $1";
        permit.require_workspace()?;
        self.execute(GRANTS, params![name])?;
        // Names of workspaces have none of the characters that LIKE knows.
        let models = format!("{name}/%");
        if moved {
            self.execute(FOLLOW, params![&models, name.len() as i64 + 2])?;
        } else {
            self.execute(MODELS, params![&models])?;
            self.execute(EXPERIMENTS, params![workspace])?;
        }
        // A group that holds something elsewhere stays, as one of all workspaces.
        for statement in GROUPS {
            self.execute(statement, params![workspace])?;
        }
        self.execute(DELETE, params![workspace, format!("{name}#{workspace}"), now, moved]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Row;
    use crate::{DatabaseUrl, Store};

    /// A table that is forgotten here keeps things in a workspace that is gone.
    #[tokio::test]
    async fn every_table_with_a_workspace_is_thought_of() {
        const FIND: &str = "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
             WHERE m.type = 'table' AND c.name = 'workspace_id' ORDER BY m.name";
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("stele.db"))).unwrap();
        let found = store.read(|tx| tx.query(FIND, params![], |row: &Row| row.text(0))).await.unwrap();
        let mut known: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        known.extend(FORGOTTEN.iter().chain(STAYING).chain(GOING));
        known.sort_unstable();
        assert_eq!(found, known);
    }
}
