use stele_domain::Result;
use stele_domain::id::AccountRow;
use stele_domain::identity::{Account, AccountKind, Grant, Role};

use super::grant::scope;
use crate::Tx;
use crate::engine::{Row, Value, params};

/// An account with all that a login has to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAccount {
    pub row: AccountRow,
    /// With its own grants and those of its groups.
    pub account: Account,
    /// A hash in the PHC format.
    pub password: Option<String>,
    pub disabled: bool,
}

impl Tx<'_> {
    pub fn login_by_name(&mut self, name: &str) -> Result<Option<LoginAccount>> {
        self.login("name = $1", name.into())
    }

    pub fn login_by_row(&mut self, account: AccountRow) -> Result<Option<LoginAccount>> {
        self.login("id = $1", account.into())
    }

    fn login(&mut self, condition: &str, value: Value) -> Result<Option<LoginAccount>> {
        const GRANTS: &str = "SELECT DISTINCT role, scope, scope_name FROM role_grant
             WHERE account_id = $1 OR group_id IN (SELECT group_id FROM group_member WHERE account_id = $1)
             ORDER BY scope, scope_name, role";
        let sql =
            format!("SELECT id, name, kind, password, disabled FROM account WHERE {condition} AND deleted_at IS NULL");
        let found = self.query_opt(&sql, &[value], |row| {
            Ok((
                AccountRow(row.int(0)?),
                row.text(1)?,
                row.parsed(2, AccountKind::parse)?,
                row.opt_text(3)?,
                row.bool(4)?,
            ))
        })?;
        let Some((row, name, kind, password, disabled)) = found else { return Ok(None) };
        let groups = self.groups_of(row)?;
        let grants = self.query(GRANTS, params![row], grant)?;
        Ok(Some(LoginAccount { row, account: Account::new(name, kind, groups, grants), password, disabled }))
    }
}

fn grant(row: &Row) -> Result<Grant> {
    Ok(Grant { role: row.parsed(0, Role::parse)?, scope: scope(row, 1)? })
}
