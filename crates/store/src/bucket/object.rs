use stele_domain::authz::{Permit, Visibility, WriteObject};
use stele_domain::bucket::{Object, ObjectHead, Piece};
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Error, Kind, Result};

use super::BucketRow;
use crate::Tx;
use crate::artifact_file::{ArtifactFiles, MOST_FILES, digest_of_files};
use crate::engine::{Row, params};
use crate::facets::parse;
use crate::search::first_after_prefix;

/// An object with the files that hold its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    pub object: Object,
    pub pieces: Vec<Piece>,
}

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    /// In bytes.
    pub size: u64,
    pub etag: String,
    pub modified_at: Timestamp,
    pub head: ObjectHead,
}

/// What a listing meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    Object(ListedObject),
    /// All keys that begin with this text, which ends with the delimiter.
    Prefix(String),
}

const COLUMNS: &str = "SELECT key, size, etag, modified_at, head, pieces FROM bucket_object";

/// How often an object is put that others put and remove meanwhile.
const MOST_TRIES: usize = 10;

/// How many rows a listing reads at a time: few where they may be folded into one entry, and more as long as they are
/// not.
const AT_A_TIME: i64 = 1_000;
const AT_FIRST: i64 = 8;

impl Tx<'_> {
    pub fn object_get(&mut self, visible: &Visibility, bucket: &str, key: &str) -> Result<ObjectRow> {
        let bucket = self.bucket_read(visible, bucket)?;
        self.object_find(bucket, key, "")?.ok_or_else(|| Error::not_found(Kind::Object, key))
    }

    /// An object that the server itself looks at, whoever asks it to.
    pub fn object_of_workspace(
        &mut self,
        workspace: WorkspaceId,
        bucket: &str,
        key: &str,
    ) -> Result<Option<ObjectRow>> {
        match self.bucket_of_workspace(workspace, bucket)? {
            Some(bucket) => self.object_find(bucket, key, ""),
            None => Ok(None),
        }
    }

    /// The objects at a key or below it as a folder, whose bytes are told by the files that hold them; `None` if there
    /// are none.
    pub fn object_files(&mut self, workspace: WorkspaceId, bucket: &str, key: &str) -> Result<Option<ArtifactFiles>> {
        const FILES: &str = "SELECT key, size, pieces FROM bucket_object
             WHERE bucket_id = $1 AND (key = $2 OR (key >= $3 AND key < $4)) ORDER BY key LIMIT $5";
        const ALL: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT), MAX(modified_at)
             FROM bucket_object WHERE bucket_id = $1 AND (key = $2 OR (key >= $3 AND key < $4))";
        let Some(bucket) = self.bucket_of_workspace(workspace, bucket)? else { return Ok(None) };
        let folder = format!("{}/", key.trim_end_matches('/'));
        let end = first_after_prefix(&folder).unwrap_or_default();
        let (count, size, modified_at) = self.query_one(ALL, params![bucket.0, key, &folder, &end], |row| {
            Ok((row.int(0)?, row.int(1)?, row.opt_int(2)?))
        })?;
        if count == 0 {
            return Ok(None);
        }
        let files = self.query(FILES, params![bucket.0, key, &folder, &end, MOST_FILES], |row| {
            Ok((row.text(0)?, row.int(1)?, row.text(2)?))
        })?;
        let digest = digest_of_files(files, (count, size, modified_at));
        Ok(Some(ArtifactFiles { digest, replaced_at: None }))
    }

    /// An object that this transaction is about to replace or remove, if it is there.
    pub fn object_open(
        &mut self,
        permit: &Permit<WriteObject>,
        bucket: BucketRow,
        key: &str,
    ) -> Result<Option<ObjectRow>> {
        permit.require_workspace()?;
        let lock = self.for_update();
        self.object_find(bucket, key, lock)
    }

    fn object_find(&mut self, bucket: BucketRow, key: &str, lock: &str) -> Result<Option<ObjectRow>> {
        let sql = format!("{COLUMNS} WHERE bucket_id = $1 AND key = $2{lock}");
        self.query_opt(&sql, params![bucket.0, key], object_row)
    }

    /// Puts an object in the place of the one of its key, if `allowed` says so of that one; its files go. Gives what
    /// was there.
    pub fn object_put(
        &mut self,
        permit: &Permit<WriteObject>,
        bucket: BucketRow,
        new: &ObjectRow,
        now: Timestamp,
        allowed: impl Fn(Option<&Object>) -> Result<()>,
    ) -> Result<Option<Object>> {
        const ADD: &str = "INSERT INTO bucket_object (bucket_id, key, size, etag, pieces, head, modified_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (bucket_id, key) DO NOTHING";
        const REPLACE: &str = "UPDATE bucket_object SET size = $3, etag = $4, pieces = $5, head = $6, modified_at = $7
             WHERE bucket_id = $1 AND key = $2";
        permit.require_workspace()?;
        let ObjectRow { object: Object { key, size, etag, modified_at: _, head }, pieces } = new;
        let (size, pieces_text, head) = (bytes(*size)?, written(pieces)?, written(head)?);
        let values = params![bucket.0, key, size, etag, &pieces_text, &head, now];
        for _ in 0..MOST_TRIES {
            // A row that is not there cannot be locked: only adding it tells whether somebody else adds it as well.
            if self.execute(ADD, values)? == 1 {
                return allowed(None).map(|()| None);
            }
            // Whoever added it may have removed it again.
            let Some(old) = self.object_open(permit, bucket, key)? else { continue };
            allowed(Some(&old.object))?;
            let gone: Vec<Piece> = old.pieces.into_iter().filter(|piece| !pieces.contains(piece)).collect();
            self.files_discard(permit, &gone, now)?;
            self.execute(REPLACE, values)?;
            return Ok(Some(old.object));
        }
        Err(Error::conflict(format!("the object '{key}' is put and removed by others at this moment")))
    }

    /// Removes an object with its files, if `allowed` says so of it. Says whether it was there.
    pub fn object_delete(
        &mut self,
        permit: &Permit<WriteObject>,
        bucket: BucketRow,
        key: &str,
        now: Timestamp,
        allowed: impl Fn(Option<&Object>) -> Result<()>,
    ) -> Result<bool> {
        const DELETE: &str = "DELETE FROM bucket_object WHERE bucket_id = $1 AND key = $2";
        let old = self.object_open(permit, bucket, key)?;
        allowed(old.as_ref().map(|old| &old.object))?;
        let Some(old) = old else { return Ok(false) };
        self.files_discard(permit, &old.pieces, now)?;
        self.execute(DELETE, params![bucket.0, key])?;
        Ok(true)
    }

    /// Replaces what is said about an object that [`Tx::object_open`] found.
    pub fn object_describe(
        &mut self,
        permit: &Permit<WriteObject>,
        bucket: BucketRow,
        key: &str,
        head: &ObjectHead,
    ) -> Result<()> {
        const SET: &str = "UPDATE bucket_object SET head = $3 WHERE bucket_id = $1 AND key = $2";
        permit.require_workspace()?;
        self.execute(SET, params![bucket.0, key, written(head)?]).map(|_| ())
    }

    /// What is in a bucket after a text, in the order of the keys' bytes. Keys with `delimiter` after `prefix` are
    /// folded into one entry each.
    pub fn objects_list(
        &mut self,
        visible: &Visibility,
        bucket: &str,
        prefix: &str,
        delimiter: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<Listed>> {
        const LIST: &str = "SELECT key, size, etag, modified_at, head FROM bucket_object
             WHERE bucket_id = $1 AND key >= $2 ORDER BY key LIMIT $3";
        let bucket = self.bucket_read(visible, bucket)?;
        let mut listed: Vec<Listed> = Vec::new();
        // What was given as a folded entry is passed over as a whole.
        let mut next = match folded(after, prefix, delimiter) {
            Some(whole) if whole == after => first_after_prefix(whole),
            _ if after < prefix => Some(prefix.to_owned()),
            _ => Some(after_key(after)),
        };
        let first = if delimiter.is_empty() { AT_A_TIME } else { AT_FIRST };
        let mut at_a_time = first;
        while let Some(from) = next.take().filter(|_| listed.len() < most) {
            let left = i64::try_from(most - listed.len()).unwrap_or(AT_A_TIME);
            let limit = at_a_time.min(left);
            let rows = self.query(LIST, params![bucket.0, &from, limit], listed_object)?;
            let is_full = rows.len() as i64 == limit;
            at_a_time = (at_a_time * 4).min(AT_A_TIME);
            for object in rows {
                if !object.key.starts_with(prefix) || listed.len() == most {
                    return Ok(listed);
                }
                if let Some(whole) = folded(&object.key, prefix, delimiter) {
                    // There may be any number of keys below it.
                    next = first_after_prefix(whole);
                    at_a_time = first;
                    listed.push(Listed::Prefix(whole.to_owned()));
                    break;
                }
                next = is_full.then(|| after_key(&object.key));
                listed.push(Listed::Object(object));
            }
        }
        Ok(listed)
    }
}

/// The beginning of a key up to the first delimiter after the prefix, with it.
fn folded<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    let rest = key.strip_prefix(prefix).filter(|_| !delimiter.is_empty())?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(&key[..prefix.len() + end])
}

/// The least text after a key that can be one, since none holds a NUL.
fn after_key(key: &str) -> String {
    format!("{key}\u{1}")
}

fn listed_object(row: &Row) -> Result<ListedObject> {
    Ok(ListedObject {
        key: row.text(0)?,
        size: u64::try_from(row.int(1)?).unwrap_or(0),
        etag: row.text(2)?,
        modified_at: Timestamp(row.int(3)?),
        head: parse(&row.text(4)?)?,
    })
}

fn object_row(row: &Row) -> Result<ObjectRow> {
    let object = Object {
        key: row.text(0)?,
        size: u64::try_from(row.int(1)?).unwrap_or(0),
        etag: row.text(2)?,
        modified_at: Timestamp(row.int(3)?),
        head: parse(&row.text(4)?)?,
    };
    Ok(ObjectRow { object, pieces: parse(&row.text(5)?)? })
}

pub(super) fn written(value: &(impl serde::Serialize + ?Sized)) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("a document cannot be written: {error}")))
}

pub(super) fn bytes(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(|_| Error::invalid(format!("an object of {size} bytes is too large")))
}
