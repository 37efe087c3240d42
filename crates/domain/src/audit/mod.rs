//! The audit log: what an entry says, and the hash that ties it to the entry before it.
//!
//! Every writer of the record has a chain of its own, so that writers need not wait for each other. An entry's hash is
//! over the hash of the entry before it in its chain and over everything that the entry says, in an encoding that is
//! read in one way only; `docs/AUDIT.md` writes it down for those who verify it with other tools.

mod checkpoint;
mod verify;

use sha2::{Digest, Sha256};

pub use self::checkpoint::{CHECKPOINT, ends_of_json, ends_to_json, hash_of_hex};
pub use self::verify::{Fault, Faulty, Noted, Seen, Segment, Verification};
use crate::id::{Timestamp, WorkspaceId};

/// SHA-256.
pub type Hash = [u8; 32];

/// What the first entry of a chain comes after.
pub const NO_HASH: Hash = [0; 32];

/// Begins what is hashed; another encoding will begin in another way.
const FORMAT: &[u8; 14] = b"stele-audit/1\n";

/// How a text that is absent is written, where its length would be.
const ABSENT: u32 = u32::MAX;

/// Where a chain ends: the place and the hash of its newest entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainEnd {
    pub seq: i64,
    pub hash: Hash,
}

/// One entry as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in the listing of all entries; ascends along each chain.
    pub id: i64,
    pub chain: i64,
    /// Its place in its chain, from 1 without gaps.
    pub seq: i64,
    pub at: Timestamp,
    pub workspace: WorkspaceId,
    pub principal: String,
    /// The wire API that the request came through.
    pub script: String,
    /// Where the request came from, if it came over the network.
    pub address: Option<String>,
    pub request_id: String,
    pub action: String,
    pub kind: String,
    /// The public id or name of what it is about.
    pub object: String,
    /// The id that the object, or the model that it is a part of, keeps whatever it is called.
    pub subject: Option<String>,
    /// `done` or `denied`.
    pub outcome: String,
    /// JSON texts, kept to the letter.
    pub before: Option<String>,
    pub after: Option<String>,
    pub hash: Hash,
}

/// Everything that an entry's hash is over, but for the hash before it.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    pub chain: i64,
    pub seq: i64,
    pub at: Timestamp,
    pub workspace: WorkspaceId,
    pub principal: &'a str,
    pub script: &'a str,
    pub address: Option<&'a str>,
    pub request_id: &'a str,
    pub action: &'a str,
    pub kind: &'a str,
    pub object: &'a str,
    pub subject: Option<&'a str>,
    pub outcome: &'a str,
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
}

impl Statement<'_> {
    /// The hash of the entry that says this after the one with the hash `previous`. `buffer` is room to write in, which
    /// callers that hash much keep.
    pub fn hash(&self, previous: &Hash, buffer: &mut Vec<u8>) -> Hash {
        let Statement {
            chain,
            seq,
            at,
            workspace,
            principal,
            script,
            address,
            request_id,
            action,
            kind,
            object,
            subject,
            outcome,
            before,
            after,
        } = *self;
        buffer.clear();
        buffer.extend_from_slice(FORMAT);
        buffer.extend_from_slice(previous);
        for number in [chain, seq, at.0, workspace.0] {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        let texts = [
            Some(principal),
            Some(script),
            address,
            Some(request_id),
            Some(action),
            Some(kind),
            Some(object),
            subject,
            Some(outcome),
            before,
            after,
        ];
        for text in texts {
            // A text of four gigabytes fits into no row.
            let length = text.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT - 1));
            buffer.extend_from_slice(&length.to_be_bytes());
            buffer.extend_from_slice(text.unwrap_or_default().as_bytes());
        }
        Sha256::digest(&buffer).into()
    }
}

impl AuditEntry {
    pub fn statement(&self) -> Statement<'_> {
        let AuditEntry {
            id: _,
            chain,
            seq,
            at,
            workspace,
            principal,
            script,
            address,
            request_id,
            action,
            kind,
            object,
            subject,
            outcome,
            before,
            after,
            hash: _,
        } = self;
        Statement {
            chain: *chain,
            seq: *seq,
            at: *at,
            workspace: *workspace,
            principal,
            script,
            address: address.as_deref(),
            request_id,
            action,
            kind,
            object,
            subject: subject.as_deref(),
            outcome,
            before: before.as_deref(),
            after: after.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;
