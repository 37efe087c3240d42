//! Who uses the server: accounts, groups, grants and credentials, and what all servers of a database agree on.

mod account;
mod credential;
mod grant;
mod group;
mod login;

pub use self::account::NewAccount;
pub use self::credential::{FoundCredential, NewCredential};
pub use self::login::LoginAccount;

use stele_domain::Result;
use stele_domain::authz::{ManageIdentity, Permit};

use crate::Tx;
use crate::engine::params;

impl Tx<'_> {
    pub fn setting_get(&mut self, key: &str) -> Result<Option<String>> {
        const GET: &str = "SELECT value FROM setting WHERE key = $1";
        self.query_opt(GET, params![key], |row| row.text(0))
    }

    pub fn setting_set(&mut self, _permit: &Permit<ManageIdentity>, key: &str, value: &str) -> Result<()> {
        const SET: &str = "INSERT INTO setting (key, value) VALUES ($1, $2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.execute(SET, params![key, value]).map(|_| ())
    }
}
