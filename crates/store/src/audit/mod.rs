//! The audit log: entries in chains of hashes.

mod chain;
mod read;

pub(crate) use self::chain::{Chain, Mark};
pub use self::read::{AuditFilter, AuditPage, Extent};
