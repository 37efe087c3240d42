//! Workspaces: the borders between tenants. Names of experiments, models and the like are unique within one.

use crate::id::{Timestamp, WorkspaceId};
use crate::{Error, Result};

/// The workspace that every record starts with, and that requests are in which name none. It cannot be deleted.
pub const DEFAULT: &str = "default";

/// The most workspaces that one record has.
pub const MOST: usize = 1_000;

/// Names that paths of clients begin with.
const RESERVED: [&str; 4] = ["workspaces", "api", "ajax-api", "static-files"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub row: WorkspaceId,
    pub name: String,
    pub description: Option<String>,
    /// Where the artifacts of its experiments lie; without one they lie in its area behind the server.
    pub artifact_root: Option<String>,
    pub created_at: Timestamp,
}

/// What becomes of the things in a workspace that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// There must be none.
    Restrict,
    /// They move to the workspace `default`.
    SetDefault,
    /// They go with it.
    Cascade,
}

impl Removal {
    pub const ALL: [Removal; 3] = [Removal::SetDefault, Removal::Cascade, Removal::Restrict];

    pub fn as_str(self) -> &'static str {
        match self {
            Removal::Restrict => "RESTRICT",
            Removal::SetDefault => "SET_DEFAULT",
            Removal::Cascade => "CASCADE",
        }
    }

    pub fn parse(name: &str) -> Option<Removal> {
        Removal::ALL.into_iter().find(|removal| removal.as_str() == name)
    }
}

/// Refuses what no workspace can be called.
pub fn check_name(name: &str) -> Result<()> {
    let problem = if !(2..=63).contains(&name.chars().count()) {
        "must have between 2 and 63 characters"
    } else if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        || name.starts_with('-')
        || name.ends_with('-')
    {
        "must consist of lowercase letters and digits, with hyphens only inside"
    } else if RESERVED.contains(&name) {
        "is reserved"
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(100).collect();
    Err(Error::invalid(format!("the workspace name '{shown}' {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes_namespaces() {
        for good in ["ab", "a1", "1a", "team-a", "a--b", "default", &"x".repeat(63)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(64);
        for bad in
            ["", "a", &long, "-ab", "ab-", "Team", "a_b", "a b", "a/b", "a.b", "ünï", "ab\n", "api", "workspaces"]
        {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
