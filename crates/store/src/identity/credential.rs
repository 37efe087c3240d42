use stele_domain::authz::{ManageCredential, Permit};
use stele_domain::directory::{CredentialKind, CredentialRecord};
use stele_domain::id::{AccountRow, Timestamp};
use stele_domain::identity::Role;
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, params};

/// A credential to be made.
#[derive(Debug, Clone)]
pub struct NewCredential {
    pub id: String,
    pub account: AccountRow,
    pub kind: CredentialKind,
    pub name: String,
    /// What a request that uses it is found by.
    pub lookup: String,
    /// The secret half of an access key, sealed.
    pub secret: Option<Vec<u8>>,
    pub roles: Option<Vec<Role>>,
    pub expires_at: Option<Timestamp>,
}

/// A credential as a request is checked against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCredential {
    pub id: String,
    pub account: AccountRow,
    pub kind: CredentialKind,
    pub secret: Option<Vec<u8>>,
    pub roles: Option<Vec<Role>>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT credential.public_id, account.name, credential.kind, credential.name, credential.roles,
         credential.created_at, credential.expires_at, credential.last_used_at
     FROM credential JOIN account ON account.id = credential.account_id";

impl Tx<'_> {
    pub fn credential_create(
        &mut self,
        _permit: &Permit<ManageCredential>,
        new: &NewCredential,
        now: Timestamp,
    ) -> Result<()> {
        self.credential_insert(new, now)
    }

    /// Begins a session of an account that has just proved itself, and forgets sessions that are over.
    pub fn session_create(&mut self, new: &NewCredential, now: Timestamp) -> Result<()> {
        const TIDY: &str = "DELETE FROM credential WHERE kind = 'session' AND expires_at < $1";
        self.execute(TIDY, params![now])?;
        self.credential_insert(new, now)
    }

    fn credential_insert(&mut self, new: &NewCredential, now: Timestamp) -> Result<()> {
        const INSERT: &str = "INSERT INTO credential
                 (public_id, account_id, kind, name, lookup, secret, roles, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let NewCredential { id, account, kind, name, lookup, secret, roles, expires_at } = new;
        let roles = roles.as_deref().map(written);
        let values = params![id, *account, kind.as_str(), name, lookup, secret.as_deref(), roles, now, *expires_at];
        self.execute(INSERT, values).map(|_| ())
    }

    /// The credential that a request uses, if it has not been revoked.
    pub fn credential_find(&mut self, lookup: &str) -> Result<Option<FoundCredential>> {
        const FIND: &str = "SELECT public_id, account_id, kind, secret, roles, expires_at, last_used_at
             FROM credential WHERE lookup = $1 AND revoked_at IS NULL";
        self.query_opt(FIND, params![lookup], |row| {
            Ok(FoundCredential {
                id: row.text(0)?,
                account: AccountRow(row.int(1)?),
                kind: row.parsed(2, CredentialKind::parse)?,
                secret: row.opt_blob(3)?,
                roles: roles(row, 4)?,
                expires_at: row.opt_int(5)?.map(Timestamp),
                last_used_at: row.opt_int(6)?.map(Timestamp),
            })
        })
    }

    pub fn credential_get(&mut self, kind: CredentialKind, id: &str) -> Result<CredentialRecord> {
        let sql = format!("{SELECT} WHERE credential.kind = $1 AND credential.public_id = $2 AND revoked_at IS NULL");
        self.query_opt(&sql, params![kind.as_str(), id], credential)?
            .ok_or_else(|| Error::not_found(Kind::Credential, id))
    }

    /// The credentials of an account, or of everybody if that is empty, after an id, by id.
    pub fn credentials_list(
        &mut self,
        account: &str,
        kind: CredentialKind,
        after: &str,
        limit: i64,
    ) -> Result<Page<CredentialRecord>> {
        let sql = format!(
            "{SELECT} WHERE credential.kind = $1 AND credential.public_id > $2 AND revoked_at IS NULL
                 AND ($3 = '' OR account.name = $3) ORDER BY credential.public_id LIMIT $4"
        );
        let found = self.query(&sql, params![kind.as_str(), after, account, limit + 1], credential)?;
        Ok(Page::of(found, Window { offset: 0, limit }))
    }

    /// How many credentials of a kind an account has.
    pub fn credentials_count(&mut self, account: AccountRow, kind: CredentialKind) -> Result<i64> {
        const COUNT: &str =
            "SELECT COUNT(*) FROM credential WHERE account_id = $1 AND kind = $2 AND revoked_at IS NULL";
        self.query_one(COUNT, params![account, kind.as_str()], |row| row.int(0))
    }

    pub fn credential_revoke(&mut self, _permit: &Permit<ManageCredential>, id: &str, now: Timestamp) -> Result<()> {
        const REVOKE: &str = "UPDATE credential SET revoked_at = $2, secret = NULL WHERE public_id = $1";
        self.execute(REVOKE, params![id, now]).map(|_| ())
    }

    /// Ends a session, whoever asks: it has been proved to be theirs.
    pub fn session_end(&mut self, lookup: &str, now: Timestamp) -> Result<()> {
        const END: &str = "UPDATE credential SET revoked_at = $2 WHERE lookup = $1 AND kind = 'session'";
        self.execute(END, params![lookup, now]).map(|_| ())
    }

    pub fn credential_used(&mut self, id: &str, now: Timestamp) -> Result<()> {
        const USED: &str = "UPDATE credential SET last_used_at = $2 WHERE public_id = $1";
        self.execute(USED, params![id, now]).map(|_| ())
    }
}

fn written(roles: &[Role]) -> String {
    serde_json::Value::from_iter(roles.iter().map(|role| role.as_str())).to_string()
}

fn roles(row: &Row, column: usize) -> Result<Option<Vec<Role>>> {
    let Some(text) = row.opt_text(column)? else { return Ok(None) };
    let damaged = || Error::internal(format!("unknown roles '{text}' in the database"));
    let names: Vec<String> = serde_json::from_str(&text).map_err(|_| damaged())?;
    names.iter().map(|name| Role::parse(name)).collect::<Option<Vec<Role>>>().ok_or_else(damaged).map(Some)
}

fn credential(row: &Row) -> Result<CredentialRecord> {
    Ok(CredentialRecord {
        id: row.text(0)?,
        account: row.text(1)?,
        kind: row.parsed(2, CredentialKind::parse)?,
        name: row.text(3)?,
        roles: roles(row, 4)?,
        created_at: Timestamp(row.int(5)?),
        expires_at: row.opt_int(6)?.map(Timestamp),
        last_used_at: row.opt_int(7)?.map(Timestamp),
    })
}
