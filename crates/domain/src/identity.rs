//! Who uses the server: accounts, the groups they are in, and the roles they hold.

use std::sync::Arc;

use crate::workspace::DEFAULT;

/// One person or program, as it was when it was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Unique among all accounts, and never given to another one.
    pub name: String,
    pub kind: AccountKind,
    pub groups: Vec<String>,
    /// The account's own roles and those of its groups.
    pub grants: Vec<Grant>,
    /// What the credential that was used is narrowed to: nothing gives it more than these roles allow.
    pub ceiling: Option<Vec<Role>>,
    /// Whether the credential that was used is one for a while. What it makes must not outlast it.
    pub is_lent: bool,
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
    /// By name, with its versions. Outside of the workspace `default` the name of the workspace and a slash come before
    /// it, see [`Scope::model_in`].
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

impl Role {
    /// Whether this role allows all that the other one does.
    pub fn covers(self, other: Role) -> bool {
        self == other || self == Role::Administrator || other == Role::Viewer
    }

    /// What both roles allow.
    #[must_use]
    pub fn meet(self, other: Role) -> Role {
        match (self.covers(other), other.covers(self)) {
            (true, _) => other,
            (_, true) => self,
            _ => Role::Viewer,
        }
    }
}

impl AccountKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AccountKind::User => "user",
            AccountKind::Service => "service",
        }
    }

    pub fn parse(name: &str) -> Option<AccountKind> {
        [AccountKind::User, AccountKind::Service].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Scope {
    /// A model of a workspace. No model has a slash in its name.
    pub fn model_in(workspace: &str, model: &str) -> Scope {
        match workspace {
            DEFAULT => Scope::Model(model.to_owned()),
            other => Scope::Model(format!("{other}/{model}")),
        }
    }

    /// The name of the model that the text of a scope means, if it is one of the workspace.
    pub fn model_of<'a>(text: &'a str, workspace: &str) -> Option<&'a str> {
        match text.split_once('/') {
            None => (workspace == DEFAULT).then_some(text),
            Some((of, model)) => (workspace != DEFAULT && of == workspace).then_some(model),
        }
    }

    /// The kind of scope, as grants are written.
    pub fn kind(&self) -> &'static str {
        match self {
            Scope::Organisation => "organisation",
            Scope::Workspace(_) => "workspace",
            Scope::Experiment(_) => "experiment",
            Scope::Model(_) => "model",
        }
    }

    /// What it is the scope of; empty for the organisation.
    pub fn name(&self) -> &str {
        match self {
            Scope::Organisation => "",
            Scope::Workspace(name) | Scope::Experiment(name) | Scope::Model(name) => name,
        }
    }

    /// The scope of a kind, which has a name unless it is the organisation.
    pub fn of(kind: &str, name: &str) -> Option<Scope> {
        match (kind, name.is_empty()) {
            ("organisation", true) => Some(Scope::Organisation),
            ("workspace", false) => Some(Scope::Workspace(name.to_owned())),
            ("experiment", false) => Some(Scope::Experiment(name.to_owned())),
            ("model", false) => Some(Scope::Model(name.to_owned())),
            _ => None,
        }
    }
}

impl Account {
    /// An account with all that it holds.
    pub fn new(name: impl Into<String>, kind: AccountKind, groups: Vec<String>, grants: Vec<Grant>) -> Account {
        Account { name: name.into(), kind, groups, grants, ceiling: None, is_lent: false }
    }

    /// The account as a credential shows it that was narrowed to some roles: on no scope more than they allow, and
    /// nowhere more than the account holds.
    #[must_use]
    pub fn narrowed(&self, roles: &[Role]) -> Account {
        let mut grants = Vec::new();
        for grant in &self.grants {
            for role in roles {
                let grant = Grant { role: grant.role.meet(*role), scope: grant.scope.clone() };
                if !grants.contains(&grant) {
                    grants.push(grant);
                }
            }
        }
        Account { grants, ceiling: Some(roles.to_vec()), ..self.clone() }
    }

    /// The account as a credential for a while lets it in.
    #[must_use]
    pub fn lent(&self) -> Account {
        Account { is_lent: true, ..self.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_roles_allow_is_allowed_by_each() {
        for one in Role::ALL {
            for other in Role::ALL {
                let both = one.meet(other);
                assert!(one.covers(both) && other.covers(both), "{one:?} {other:?}");
                assert_eq!(both, other.meet(one));
            }
        }
        assert_eq!(Role::Approver.meet(Role::Contributor), Role::Viewer);
        assert_eq!(Role::Administrator.meet(Role::Deployer), Role::Deployer);
    }

    #[test]
    fn a_narrowed_account_holds_less_and_never_more() {
        let grant = |role, name: &str| Grant { role, scope: Scope::Model(name.to_owned()) };
        let grants = vec![grant(Role::Administrator, "a"), grant(Role::Viewer, "b")];
        let account = Account::new("ann", AccountKind::User, Vec::new(), grants);
        let narrowed = account.narrowed(&[Role::Contributor, Role::Approver]);
        assert_eq!(
            narrowed.grants,
            [grant(Role::Contributor, "a"), grant(Role::Approver, "a"), grant(Role::Viewer, "b")]
        );
        assert_eq!(account.narrowed(&[]).grants, []);
    }
}
