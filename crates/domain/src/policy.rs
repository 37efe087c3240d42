//! A team's own rules as texts. What they may say is the matter of the crate that reads them.

use crate::id::Timestamp;
use crate::{Error, Result};

/// Rules under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    pub text: String,
    /// Otherwise it is kept and not asked.
    pub enabled: bool,
}

/// A version of a policy, with who made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    pub policy: Policy,
    /// Counts from 1.
    pub version: i64,
    /// How many rules are in the text.
    pub rules: i64,
    pub applied_by: String,
    pub applied_at: Timestamp,
}

/// The most bytes of one text.
const LONGEST: usize = 64 * 1024;
const LONGEST_NAME: usize = 100;

impl Policy {
    /// Refuses names that messages and paths could not say, and texts that are too long.
    pub fn check(&self) -> Result<()> {
        let Policy { name, text, enabled: _ } = self;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            return Err(Error::invalid(format!(
                "'{name}' is not a name of a policy: that has up to {LONGEST_NAME} letters, digits, dashes, dots and \
                 underscores, and starts with a letter or digit"
            )));
        }
        if text.len() > LONGEST {
            return Err(Error::LimitExceeded {
                message: format!("policy '{name}' has {} bytes, and at most {LONGEST} are allowed", text.len()),
            });
        }
        if text.contains('\0') {
            return Err(Error::invalid(format!("policy '{name}' contains a NUL character")));
        }
        Ok(())
    }
}
