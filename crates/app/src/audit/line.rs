//! An entry as a line of an export: a JSON object with everything that its hash is over.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stele_domain::audit::{AuditEntry, Hash, Seen, Statement, hash_of_hex};
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Error, Result};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    id: i64,
    chain: i64,
    seq: i64,
    /// Milliseconds since 1970.
    at: i64,
    workspace: i64,
    #[serde(borrow)]
    principal: Cow<'a, str>,
    #[serde(borrow)]
    script: Cow<'a, str>,
    #[serde(borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_id: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: Cow<'a, str>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    /// To the letter, since the hash is over the letters.
    #[serde(borrow)]
    before: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
    #[serde(borrow)]
    hash: Cow<'a, str>,
}

/// Writes an entry as one line.
pub fn write_line(entry: &AuditEntry, out: &mut Vec<u8>) -> Result<()> {
    let (before, after) = (state(entry.before.as_deref())?, state(entry.after.as_deref())?);
    let line = Line {
        id: entry.id,
        chain: entry.chain,
        seq: entry.seq,
        at: entry.at.0,
        workspace: entry.workspace.0,
        principal: (&entry.principal).into(),
        script: (&entry.script).into(),
        address: entry.address.as_deref().map(Cow::from),
        request_id: (&entry.request_id).into(),
        action: (&entry.action).into(),
        kind: (&entry.kind).into(),
        object: (&entry.object).into(),
        subject: entry.subject.as_deref().map(Cow::from),
        outcome: (&entry.outcome).into(),
        before: before.as_deref(),
        after: after.as_deref(),
        hash: hex::encode(entry.hash).into(),
    };
    serde_json::to_writer(&mut *out, &line).map_err(|error| Error::internal(error.to_string()))?;
    out.push(b'\n');
    Ok(())
}

/// The JSON text of a state. One that somebody damaged becomes a JSON text, whose hash will not fit.
fn state(text: Option<&str>) -> Result<Option<Box<RawValue>>> {
    let Some(text) = text else { return Ok(None) };
    let raw = match RawValue::from_string(text.to_owned()) {
        Ok(raw) if !text.contains('\n') => raw,
        _ => serde_json::value::to_raw_value(text).map_err(|error| Error::internal(error.to_string()))?,
    };
    Ok(Some(raw))
}

/// Reads a line and hands the entry on, without copies where that can be.
pub fn read_line<T>(line: &str, take: impl FnOnce(&Seen<'_>) -> T) -> Result<T> {
    let Line {
        id,
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
        hash,
    } = serde_json::from_str(line).map_err(|error| Error::invalid(format!("it is no audit entry: {error}")))?;
    let hash: Hash = hash_of_hex(&hash).ok_or_else(|| Error::invalid("its hash is not of 64 hex digits"))?;
    let statement = Statement {
        chain,
        seq,
        at: Timestamp(at),
        workspace: WorkspaceId(workspace),
        principal: &principal,
        script: &script,
        address: address.as_deref(),
        request_id: &request_id,
        action: &action,
        kind: &kind,
        object: &object,
        subject: subject.as_deref(),
        outcome: &outcome,
        before: before.map(RawValue::get),
        after: after.map(RawValue::get),
    };
    Ok(take(&Seen { id, statement, hash }))
}
