use stele_domain::authz::{ManageIdentity, Permit};
use stele_domain::directory::{GrantRecord, Holder};
use stele_domain::id::{AccountRow, GrantRow, GroupRow, ModelRow, Timestamp};
use stele_domain::identity::{Role, Scope};
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, params};

const SELECT: &str = "SELECT role_grant.id, account.name, account_group.name, role_grant.role, role_grant.scope,
         role_grant.scope_name, role_grant.granted_by, role_grant.created_at
     FROM role_grant
     LEFT JOIN account ON account.id = role_grant.account_id
     LEFT JOIN account_group ON account_group.id = role_grant.group_id";

impl Tx<'_> {
    /// Grants a role, if it is not granted already.
    pub fn grant_create(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        holder: &Holder,
        role: Role,
        scope: &Scope,
        granted_by: &str,
        now: Timestamp,
    ) -> Result<GrantRecord> {
        const INSERT: &str = "INSERT INTO role_grant
                 (account_id, group_id, role, scope, scope_name, granted_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let (account, group) = self.holder(holder)?;
        let values = params![account, group, role.as_str(), scope.kind(), scope.name(), granted_by, now];
        self.execute(INSERT, values)?;
        let sql = format!(
            "{SELECT} WHERE COALESCE(role_grant.account_id, 0) = $1 AND COALESCE(role_grant.group_id, 0) = $2
                 AND role_grant.scope = $3 AND role_grant.scope_name = $4 AND role_grant.role = $5"
        );
        let values = params![
            account.map_or(0, |row| row.0),
            group.map_or(0, |row| row.0),
            scope.kind(),
            scope.name(),
            role.as_str()
        ];
        self.query_one(&sql, values, grant)
    }

    fn holder(&mut self, holder: &Holder) -> Result<(Option<AccountRow>, Option<GroupRow>)> {
        Ok(match holder {
            Holder::Account(name) => (Some(self.account_open(name)?.row), None),
            Holder::Group(name) => (None, Some(self.group_get(name)?.row)),
        })
    }

    pub fn grant_get(&mut self, row: GrantRow) -> Result<GrantRecord> {
        let sql = format!("{SELECT} WHERE role_grant.id = $1");
        self.query_opt(&sql, params![row], grant)?.ok_or_else(|| Error::not_found(Kind::Grant, row.to_string()))
    }

    /// The grants of a holder itself, or of everybody, after a row.
    pub fn grants_list(&mut self, holder: Option<&Holder>, after: GrantRow, limit: i64) -> Result<Page<GrantRecord>> {
        let (condition, name): (&str, Value) = match holder {
            None => ("$3 = ''", "".into()),
            Some(Holder::Account(name)) => ("account.name = $3 AND account.deleted_at IS NULL", name.into()),
            Some(Holder::Group(name)) => ("account_group.name = $3", name.into()),
        };
        let sql = format!("{SELECT} WHERE role_grant.id > $1 AND {condition} ORDER BY role_grant.id LIMIT $2");
        let found = self.query(&sql, &[after.into(), (limit + 1).into(), name], grant)?;
        Ok(Page::of(found, Window { offset: 0, limit }))
    }

    /// Makes a grant one of another role, which its holder does not hold on the scope already.
    pub fn grant_set_role(&mut self, _permit: &Permit<ManageIdentity>, row: GrantRow, role: Role) -> Result<()> {
        const UPDATE: &str = "UPDATE role_grant SET role = $2 WHERE id = $1";
        self.execute(UPDATE, params![row, role.as_str()]).map(|_| ())
    }

    pub fn grant_delete(&mut self, _permit: &Permit<ManageIdentity>, row: GrantRow) -> Result<()> {
        const DELETE: &str = "DELETE FROM role_grant WHERE id = $1";
        self.execute(DELETE, params![row]).map(|_| ())
    }

    /// Lets the roles that are held on a model follow its new name, or takes them away with it, so that another model of
    /// the old name does not come by them.
    pub(crate) fn grants_of_model_follow(&mut self, model: ModelRow, name: Option<&str>) -> Result<()> {
        const FIND: &str = "SELECT workspace.name, model.name FROM model
             JOIN workspace ON workspace.id = model.workspace_id WHERE model.id = $1";
        const RENAME: &str = "UPDATE role_grant SET scope_name = $2 WHERE scope = 'model' AND scope_name = $1";
        const DELETE: &str = "DELETE FROM role_grant WHERE scope = 'model' AND scope_name = $1";
        let (workspace, old) = self.query_one(FIND, params![model], |row| Ok((row.text(0)?, row.text(1)?)))?;
        let old = Scope::model_in(&workspace, &old);
        match name {
            Some(name) => self.execute(RENAME, params![old.name(), Scope::model_in(&workspace, name).name()]),
            None => self.execute(DELETE, params![old.name()]),
        }
        .map(|_| ())
    }

    /// How many accounts that are not disabled administer the organisation, by themselves or through a group.
    pub fn administrators_count(&mut self) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM account WHERE deleted_at IS NULL AND disabled = 0 AND EXISTS (
                 SELECT 1 FROM role_grant WHERE role = 'administrator' AND scope = 'organisation'
                     AND (role_grant.account_id = account.id OR role_grant.group_id IN (
                         SELECT group_id FROM group_member WHERE group_member.account_id = account.id)))";
        self.query_one(COUNT, params![], |row| row.int(0))
    }
}

fn grant(row: &Row) -> Result<GrantRecord> {
    let holder = match (row.opt_text(1)?, row.opt_text(2)?) {
        (Some(account), _) => Holder::Account(account),
        (None, Some(group)) => Holder::Group(group),
        (None, None) => return Err(Error::internal("a grant in the database has no holder")),
    };
    Ok(GrantRecord {
        row: GrantRow(row.int(0)?),
        holder,
        role: row.parsed(3, Role::parse)?,
        scope: scope(row, 4)?,
        granted_by: row.text(6)?,
        created_at: Timestamp(row.int(7)?),
    })
}

/// Reads a scope from two columns.
pub(super) fn scope(row: &Row, column: usize) -> Result<Scope> {
    let (kind, name) = (row.text(column)?, row.text(column + 1)?);
    Scope::of(&kind, &name).ok_or_else(|| Error::internal(format!("unknown scope '{kind}' '{name}' in the database")))
}
