use stele_domain::authz::{ManageIdentity, Permit};
use stele_domain::directory::GroupRecord;
use stele_domain::id::{AccountRow, GroupRow, Timestamp, WorkspaceId};
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, params};

const SELECT: &str = "SELECT id, name, description,
         (SELECT workspace.name FROM workspace WHERE workspace.id = account_group.workspace_id) AS workspace,
         (SELECT COUNT(*) FROM group_member WHERE group_member.group_id = account_group.id), created_at
     FROM account_group";

impl Tx<'_> {
    pub fn group_create(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        name: &str,
        description: &str,
        workspace: Option<WorkspaceId>,
        now: Timestamp,
    ) -> Result<GroupRow> {
        const INSERT: &str = "INSERT INTO account_group (name, description, workspace_id, created_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING RETURNING id";
        self.query_opt(INSERT, params![name, description, workspace, now], |row| row.int(0))?
            .map(GroupRow)
            .ok_or_else(|| Error::already_exists(Kind::Group, name))
    }

    pub fn group_get(&mut self, name: &str) -> Result<GroupRecord> {
        let sql = format!("{SELECT} WHERE name = $1");
        self.query_opt(&sql, params![name], group)?.ok_or_else(|| Error::not_found(Kind::Group, name))
    }

    /// The group of a row, which some clients know it by.
    pub fn group_of_row(&mut self, row: GroupRow) -> Result<GroupRecord> {
        let sql = format!("{SELECT} WHERE id = $1");
        self.query_opt(&sql, params![row], group)?.ok_or_else(|| Error::not_found(Kind::Group, row.to_string()))
    }

    /// Those after a name, by name.
    pub fn groups_list(&mut self, after: &str, limit: i64) -> Result<Page<GroupRecord>> {
        let sql = format!("{SELECT} WHERE name > $1 ORDER BY name LIMIT $2");
        let found = self.query(&sql, params![after, limit + 1], group)?;
        Ok(Page::of(found, Window { offset: 0, limit }))
    }

    /// Those of a workspace and of all, by name.
    pub fn groups_in(&mut self, workspace: WorkspaceId, limit: i64) -> Result<Vec<GroupRecord>> {
        let sql = format!("{SELECT} WHERE workspace_id IS NULL OR workspace_id = $1 ORDER BY name LIMIT $2");
        self.query(&sql, params![workspace, limit], group)
    }

    /// The names of the groups of an account.
    pub fn groups_of(&mut self, account: AccountRow) -> Result<Vec<String>> {
        const GROUPS: &str = "SELECT account_group.name FROM group_member
             JOIN account_group ON account_group.id = group_member.group_id
             WHERE group_member.account_id = $1 ORDER BY account_group.name";
        self.query(GROUPS, params![account], |row| row.text(0))
    }

    /// The names of the members after a name, by name.
    pub fn group_members(&mut self, group: GroupRow, after: &str, limit: i64) -> Result<Page<String>> {
        const MEMBERS: &str = "SELECT account.name FROM group_member
             JOIN account ON account.id = group_member.account_id
             WHERE group_member.group_id = $1 AND account.name > $2 ORDER BY account.name LIMIT $3";
        let found = self.query(MEMBERS, params![group, after, limit + 1], |row| row.text(0))?;
        Ok(Page::of(found, Window { offset: 0, limit }))
    }

    pub fn group_change(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        group: GroupRow,
        name: &str,
        description: &str,
    ) -> Result<()> {
        const TAKEN: &str = "SELECT id FROM account_group WHERE name = $1 AND id <> $2";
        const UPDATE: &str = "UPDATE account_group SET name = $2, description = $3 WHERE id = $1";
        if self.query_opt(TAKEN, params![name, group], |row| row.int(0))?.is_some() {
            return Err(Error::already_exists(Kind::Group, name));
        }
        self.execute(UPDATE, params![group, name, description]).map(|_| ())
    }

    /// Deletes a group with its grants and memberships.
    pub fn group_delete(&mut self, _permit: &Permit<ManageIdentity>, group: GroupRow) -> Result<()> {
        const PARTS: [&str; 3] = [
            "DELETE FROM role_grant WHERE group_id = $1",
            "DELETE FROM group_member WHERE group_id = $1",
            "DELETE FROM account_group WHERE id = $1",
        ];
        for part in PARTS {
            self.execute(part, params![group])?;
        }
        Ok(())
    }

    /// Says whether it was none before.
    pub fn group_add_member(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        group: GroupRow,
        account: AccountRow,
    ) -> Result<bool> {
        const INSERT: &str = "INSERT INTO group_member (group_id, account_id) VALUES ($1, $2)
             ON CONFLICT (group_id, account_id) DO NOTHING";
        Ok(self.execute(INSERT, params![group, account])? > 0)
    }

    /// Says whether it was one before.
    pub fn group_remove_member(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        group: GroupRow,
        account: AccountRow,
    ) -> Result<bool> {
        const DELETE: &str = "DELETE FROM group_member WHERE group_id = $1 AND account_id = $2";
        Ok(self.execute(DELETE, params![group, account])? > 0)
    }

    /// Puts an account into the groups of these names that there are, and takes it out of those where an identity
    /// provider has put it before. What an administrator did stays. Says whether anything changed.
    pub fn groups_provided(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        account: AccountRow,
        names: &[String],
    ) -> Result<bool> {
        const PROVIDED: &str = "SELECT account_group.id, account_group.name FROM group_member
             JOIN account_group ON account_group.id = group_member.group_id
             WHERE group_member.account_id = $1 AND group_member.provided = 1";
        const REMOVE: &str = "DELETE FROM group_member WHERE group_id = $1 AND account_id = $2";
        const ADD: &str = "INSERT INTO group_member (group_id, account_id, provided)
             SELECT id, $2, 1 FROM account_group WHERE name = $1
             ON CONFLICT (group_id, account_id) DO NOTHING";
        let before = self.query(PROVIDED, params![account], |row| Ok((row.int(0)?, row.text(1)?)))?;
        let mut changed = 0;
        for (group, _) in before.iter().filter(|(_, name)| !names.contains(name)) {
            changed += self.execute(REMOVE, params![*group, account])?;
        }
        for name in names {
            changed += self.execute(ADD, params![name, account])?;
        }
        Ok(changed > 0)
    }
}

fn group(row: &Row) -> Result<GroupRecord> {
    Ok(GroupRecord {
        row: GroupRow(row.int(0)?),
        name: row.text(1)?,
        description: row.text(2)?,
        workspace: row.opt_text(3)?,
        members: row.int(4)?,
        created_at: Timestamp(row.int(5)?),
    })
}
