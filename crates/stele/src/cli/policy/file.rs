//! Files of rules.

use std::path::Path;

use anyhow::Result;
use stele_domain::policy::Policy;

use crate::cli::{Failure, given};

/// The largest file, in bytes.
const MOST: u64 = 1024 * 1024;

/// What helps with rules that are refused.
pub(super) const HINT: &str = "`stele policy schema` prints what rules can speak of; docs/POLICY.md explains it";

/// Reads a text that is not larger than a file of rules or cases may be.
pub(super) fn text(path: &Path) -> Result<String> {
    Ok(given::text(path, MOST)?)
}

/// Reads the policy of a file, which has its name.
pub(super) fn read(path: &Path) -> Result<Policy> {
    let name = match path.extension() {
        Some(extension) if extension == "cedar" => path.file_stem().and_then(|stem| stem.to_str()),
        _ => None,
    };
    let name = name.ok_or_else(|| {
        Failure::usage(format!("{} is no file of rules", path.display()))
            .hint("policy `critical` is in a file with the name critical.cedar")
    })?;
    let policy = Policy { name: name.to_owned(), text: text(path)?, enabled: true };
    policy.check().map_err(|error| Failure::usage(error.to_string()).hint(HINT))?;
    Ok(policy)
}
