//! Files of rules.

use std::path::Path;

use anyhow::{Context, Result};
use stele_domain::policy::Policy;

use crate::cli::Failure;

/// The largest file, in bytes.
const MOST: u64 = 1024 * 1024;

/// Reads a text that is not larger than a file of rules or cases may be.
pub(super) fn text(path: &Path) -> Result<String> {
    let shown = path.display();
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
    if length > MOST {
        return Err(Failure::usage(format!("{shown} has {length} bytes and may have {MOST}")).into());
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))
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
    policy.check().map_err(|error| Failure::usage(error.to_string()))?;
    Ok(policy)
}
