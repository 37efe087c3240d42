//! Accounts, groups, grants and credentials as those see them who look after them.

use crate::id::{AccountRow, GrantRow, GroupRow, Timestamp};
use crate::identity::{AccountKind, Role, Scope};
use crate::{Error, Result};

/// An account as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    pub row: AccountRow,
    pub name: String,
    pub kind: AccountKind,
    /// What people call it; may be empty.
    pub display_name: String,
    pub has_password: bool,
    /// The identity provider that it comes from.
    pub issuer: Option<String>,
    pub disabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    pub row: GroupRow,
    pub name: String,
    pub description: String,
    /// The name of the workspace that it was made for, if it is of one alone.
    pub workspace: Option<String>,
    pub members: i64,
    pub created_at: Timestamp,
}

/// Whoever holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    Account(String),
    Group(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    pub row: GrantRow,
    pub holder: Holder,
    pub role: Role,
    pub scope: Scope,
    pub granted_by: String,
    pub created_at: Timestamp,
}

/// What an account proves itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A text that is sent with each request.
    Token,
    /// A pair whose secret half signs requests.
    Key,
    /// A token that a browser holds as a cookie.
    Session,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// Of an access key, what clients send; of a token, a name for it that says nothing.
    pub id: String,
    pub account: String,
    pub kind: CredentialKind,
    pub name: String,
    /// What it is narrowed to; none is all that the account may do.
    pub roles: Option<Vec<Role>>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl CredentialKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Token => "token",
            CredentialKind::Key => "key",
            CredentialKind::Session => "session",
        }
    }

    pub fn parse(name: &str) -> Option<CredentialKind> {
        let all = [CredentialKind::Token, CredentialKind::Key, CredentialKind::Session];
        all.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Names that the audit log uses for others than accounts.
const RESERVED: [&str; 5] = ["local-owner", "anonymous", "system", "token", "identity-provider"];

/// Refuses names that an account or group cannot have; `what` is which of these it is.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let length = name.chars().count();
    if !(1..=128).contains(&length) {
        return Err(Error::invalid(format!("the name of {what} has 1 to 128 characters, not {length}")));
    }
    // A colon ends the name in HTTP's Basic authentication, and a slash would end it in a path.
    if let Some(wrong) = name.chars().find(|c| c.is_control() || c.is_whitespace() || ":/\\?#%\"<>".contains(*c)) {
        return Err(Error::invalid(format!("the name of {what} cannot contain {wrong:?}")));
    }
    if RESERVED.contains(&name) || name.starts_with("stele_") {
        return Err(Error::invalid(format!("the name '{name}' is reserved")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["ann", "ann@example.org", "Ånn-1", "o'hara+x"] {
            check_name("an account", name).unwrap();
        }
        for name in ["", "a b", "a:b", "a/b", "a\0b", "token", "local-owner", "stele_x", &"a".repeat(129)] {
            assert!(check_name("an account", name).is_err(), "{name}");
        }
    }
}
