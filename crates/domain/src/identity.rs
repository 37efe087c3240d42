//! Who uses the server: accounts, the groups they are in, and the roles they hold.

use std::sync::Arc;

/// One person or program, as it was when it was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Unique among all accounts, and never given to another one.
    pub name: String,
    pub kind: AccountKind,
    pub groups: Vec<String>,
    /// The account's own roles and those of its groups.
    pub grants: Vec<Grant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    User,
    /// A program; it has tokens and access keys but no password.
    Service,
}

/// A role that is held on everything within a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    pub scope: Scope,
}

/// What somebody may do, from least to most. Approvers and deployers are not contributors: who decides on a version
/// need not be able to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads, logs and registers.
    Contributor,
    /// Reads, and decides on versions.
    Approver,
    /// Reads, and moves versions to stages and aliases.
    Deployer,
    /// Does everything, and says who may do what.
    Administrator,
}

/// The part of the record that a role is held on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every workspace, and the accounts themselves.
    Organisation,
    /// By name.
    Workspace(String),
    /// By the experiment's decimal id, with what is in it.
    Experiment(String),
    /// By name, with its versions.
    Model(String),
}

/// Whoever asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever reaches a server that runs without authentication, which only listens on loopback.
    LocalOwner,
    /// Somebody who proved to be this account.
    Account(Arc<Account>),
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Contributor, Role::Approver, Role::Deployer, Role::Administrator];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Contributor => "contributor",
            Role::Approver => "approver",
            Role::Deployer => "deployer",
            Role::Administrator => "administrator",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl Principal {
    /// What the audit log and records of authorship know them by.
    pub fn name(&self) -> &str {
        match self {
            Principal::LocalOwner => "local-owner",
            Principal::Account(account) => &account.name,
        }
    }

    /// The groups they are in.
    pub fn groups(&self) -> &[String] {
        match self {
            Principal::LocalOwner => &[],
            Principal::Account(account) => &account.groups,
        }
    }
}
