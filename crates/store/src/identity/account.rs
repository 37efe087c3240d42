use stele_domain::authz::{ManageCredential, ManageIdentity, Permit};
use stele_domain::directory::AccountRecord;
use stele_domain::id::{AccountRow, Timestamp};
use stele_domain::identity::AccountKind;
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, params};

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub name: String,
    pub kind: AccountKind,
    pub display_name: String,
    /// A hash in the PHC format.
    pub password: Option<String>,
    /// What an identity provider knows the user by: the provider and its id there.
    pub subject: Option<(String, String)>,
}

const COLUMNS: &str = "id, name, kind, display_name, CAST(CASE WHEN password IS NULL THEN 0 ELSE 1 END AS BIGINT), \
     issuer, disabled, created_at, updated_at";

impl Tx<'_> {
    pub fn account_create(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        new: &NewAccount,
        now: Timestamp,
    ) -> Result<AccountRow> {
        const INSERT: &str = "INSERT INTO account
                 (name, kind, display_name, password, issuer, subject, disabled, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $7) ON CONFLICT (name) DO NOTHING RETURNING id";
        let NewAccount { name, kind, display_name, password, subject } = new;
        let (issuer, subject) = subject.as_ref().map(|(issuer, subject)| (issuer.as_str(), subject.as_str())).unzip();
        let values = params![name, kind.as_str(), display_name, password.as_deref(), issuer, subject, now];
        self.query_opt(INSERT, values, |row| row.int(0))?
            .map(AccountRow)
            .ok_or_else(|| Error::already_exists(Kind::Account, name))
    }

    pub fn account_get(&mut self, name: &str) -> Result<AccountRecord> {
        self.account_read(name, "")
    }

    /// Reads an account that this transaction is about to change.
    pub fn account_open(&mut self, name: &str) -> Result<AccountRecord> {
        self.account_read(name, self.for_update())
    }

    fn account_read(&mut self, name: &str, lock: &str) -> Result<AccountRecord> {
        let sql = format!("SELECT {COLUMNS} FROM account WHERE name = $1 AND deleted_at IS NULL{lock}");
        self.query_opt(&sql, params![name], account)?.ok_or_else(|| Error::not_found(Kind::Account, name))
    }

    /// The account of a user of an identity provider.
    pub fn account_of_subject(&mut self, issuer: &str, subject: &str) -> Result<Option<AccountRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM account WHERE issuer = $1 AND subject = $2 AND deleted_at IS NULL");
        self.query_opt(&sql, params![issuer, subject], account)
    }

    /// Those after a name, by name.
    pub fn accounts_list(&mut self, after: &str, limit: i64) -> Result<Page<AccountRecord>> {
        let sql =
            format!("SELECT {COLUMNS} FROM account WHERE deleted_at IS NULL AND name > $1 ORDER BY name LIMIT $2");
        let found = self.query(&sql, params![after, limit + 1], account)?;
        Ok(Page::of(found, Window { offset: 0, limit }))
    }

    pub fn account_rename_display(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        account: AccountRow,
        display_name: &str,
        now: Timestamp,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE account SET display_name = $2, updated_at = $3 WHERE id = $1";
        self.execute(UPDATE, params![account, display_name, now]).map(|_| ())
    }

    pub fn account_disable(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        account: AccountRow,
        disabled: bool,
        now: Timestamp,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE account SET disabled = $2, updated_at = $3 WHERE id = $1";
        self.execute(UPDATE, params![account, disabled, now]).map(|_| ())
    }

    /// Sets a password, and ends the sessions that began with the one before.
    pub fn account_set_password(
        &mut self,
        _permit: &Permit<ManageCredential>,
        account: AccountRow,
        hash: &str,
        now: Timestamp,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE account SET password = $2, updated_at = $3 WHERE id = $1";
        const END: &str =
            "UPDATE credential SET revoked_at = $2 WHERE account_id = $1 AND kind = 'session' AND revoked_at IS NULL";
        self.execute(UPDATE, params![account, hash, now])?;
        self.execute(END, params![account, now]).map(|_| ())
    }

    /// Deletes an account with its credentials, grants and memberships. Its name stays taken.
    pub fn account_delete(
        &mut self,
        _permit: &Permit<ManageIdentity>,
        account: AccountRow,
        now: Timestamp,
    ) -> Result<()> {
        const DELETE: &str = "UPDATE account SET deleted_at = $2, updated_at = $2, password = NULL WHERE id = $1";
        const PARTS: [&str; 3] = [
            "DELETE FROM credential WHERE account_id = $1",
            "DELETE FROM role_grant WHERE account_id = $1",
            "DELETE FROM group_member WHERE account_id = $1",
        ];
        for part in PARTS {
            self.execute(part, params![account])?;
        }
        self.execute(DELETE, params![account, now]).map(|_| ())
    }
}

fn account(row: &Row) -> Result<AccountRecord> {
    Ok(AccountRecord {
        row: AccountRow(row.int(0)?),
        name: row.text(1)?,
        kind: row.parsed(2, AccountKind::parse)?,
        display_name: row.text(3)?,
        has_password: row.bool(4)?,
        issuer: row.opt_text(5)?,
        disabled: row.bool(6)?,
        created_at: Timestamp(row.int(7)?),
        updated_at: Timestamp(row.int(8)?),
    })
}
