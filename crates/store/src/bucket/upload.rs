use stele_domain::authz::{Permit, Place, Visibility, WriteObject};
use stele_domain::bucket::{ObjectHead, Part, Piece, Upload};
use stele_domain::id::Timestamp;
use stele_domain::{Error, Kind, Result};

use super::BucketRow;
use super::object::{bytes, written};
use crate::Tx;
use crate::engine::{Row, params};
use crate::facets::parse;

/// An upload that this transaction works on.
#[derive(Debug, Clone)]
pub struct OpenUpload {
    row: i64,
    pub bucket: BucketRow,
    pub head: ObjectHead,
}

/// An upload that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleUpload {
    pub row: i64,
    pub bucket: String,
    pub key: String,
    pub id: String,
}

/// A part with the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    pub part: Part,
    pub file: String,
}

const PARTS: &str = "SELECT number, size, etag, file, modified_at, checksums FROM bucket_upload_part
     WHERE upload_id = $1";

impl Tx<'_> {
    pub fn upload_create(
        &mut self,
        permit: &Permit<WriteObject>,
        bucket: BucketRow,
        upload: &Upload,
        head: &ObjectHead,
    ) -> Result<()> {
        const INSERT: &str = "INSERT INTO bucket_upload (public_id, bucket_id, key, head, started_at)
             VALUES ($1, $2, $3, $4, $5)";
        permit.require_workspace()?;
        let values = params![&upload.id, bucket.0, &upload.key, written(head)?, upload.started_at];
        self.execute(INSERT, values).map(|_| ())
    }

    /// An upload that this transaction adds a part to or ends; others who do so wait.
    pub fn upload_open(
        &mut self,
        permit: &Permit<WriteObject>,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<OpenUpload> {
        let bucket = self.bucket_open(permit, bucket)?;
        let lock = self.for_update();
        self.upload_find(bucket, key, id, lock)
    }

    fn upload_find(&mut self, bucket: BucketRow, key: &str, id: &str, lock: &str) -> Result<OpenUpload> {
        let sql =
            format!("SELECT id, head FROM bucket_upload WHERE public_id = $1 AND bucket_id = $2 AND key = $3{lock}");
        let found = self.query_opt(&sql, params![id, bucket.0, key], |row| {
            Ok(OpenUpload { row: row.int(0)?, bucket, head: parse(&row.text(1)?)? })
        })?;
        found.ok_or_else(|| Error::not_found(Kind::Upload, id))
    }

    /// Adds a part, in the place of the one of its number.
    pub fn upload_part_put(
        &mut self,
        permit: &Permit<WriteObject>,
        upload: &OpenUpload,
        part: &StoredPart,
        now: Timestamp,
    ) -> Result<()> {
        const PUT: &str = "INSERT INTO bucket_upload_part (upload_id, number, size, etag, file, modified_at, checksums)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (upload_id, number) DO UPDATE SET size = excluded.size, etag = excluded.etag,
                 file = excluded.file, modified_at = excluded.modified_at, checksums = excluded.checksums";
        let StoredPart { part: Part { number, size, etag, modified_at: _, checksums }, file } = part;
        let old =
            self.query(&format!("{PARTS} AND number = $2"), params![upload.row, i64::from(*number)], stored_part)?;
        let gone: Vec<Piece> = old.into_iter().map(piece).collect();
        self.files_discard(permit, &gone, now)?;
        let values = params![upload.row, i64::from(*number), bytes(*size)?, etag, file, now, written(checksums)?];
        self.execute(PUT, values).map(|_| ())
    }

    /// All parts, in the order of their numbers.
    pub fn upload_parts(&mut self, upload: &OpenUpload) -> Result<Vec<StoredPart>> {
        self.query(&format!("{PARTS} ORDER BY number"), params![upload.row], stored_part)
    }

    /// The parts after a number.
    pub fn upload_parts_list(
        &mut self,
        visible: &Visibility,
        bucket: &str,
        key: &str,
        id: &str,
        after: u32,
        most: i64,
    ) -> Result<Vec<Part>> {
        let bucket = self.bucket_read(visible, bucket)?;
        let upload = self.upload_find(bucket, key, id, "")?;
        let sql = format!("{PARTS} AND number > $2 ORDER BY number LIMIT $3");
        let parts = self.query(&sql, params![upload.row, i64::from(after), most], stored_part)?;
        Ok(parts.into_iter().map(|stored| stored.part).collect())
    }

    /// Ends an upload. The files of its parts go, but for those that an object keeps.
    pub fn upload_end(
        &mut self,
        permit: &Permit<WriteObject>,
        upload: &OpenUpload,
        kept: &[Piece],
        now: Timestamp,
    ) -> Result<()> {
        const PARTS_GO: &str = "DELETE FROM bucket_upload_part WHERE upload_id = $1";
        const GOES: &str = "DELETE FROM bucket_upload WHERE id = $1";
        let parts = self.upload_parts(upload)?.into_iter().map(piece);
        let gone: Vec<Piece> = parts.filter(|piece| !kept.contains(piece)).collect();
        self.files_discard(permit, &gone, now)?;
        self.execute(PARTS_GO, params![upload.row])?;
        self.execute(GOES, params![upload.row]).map(|_| ())
    }

    /// The uploads of a bucket after one, by key and id.
    pub fn uploads_list(
        &mut self,
        visible: &Visibility,
        bucket: &str,
        prefix: &str,
        after: (&str, &str),
        most: i64,
    ) -> Result<Vec<Upload>> {
        const LIST: &str = "SELECT public_id, key, started_at FROM bucket_upload
             WHERE bucket_id = $1 AND key >= $2 AND (key > $3 OR (key = $3 AND public_id > $4))
             ORDER BY key, public_id LIMIT $5";
        let bucket = self.bucket_read(visible, bucket)?;
        let found = self.query(LIST, params![bucket.0, prefix, after.0, after.1, most], |row| {
            Ok(Upload { id: row.text(0)?, key: row.text(1)?, started_at: Timestamp(row.int(2)?) })
        })?;
        Ok(found.into_iter().take_while(|upload| upload.key.starts_with(prefix)).collect())
    }

    /// The uploads that never ended and got no part since a time, after the row `after`.
    pub fn uploads_stale(
        &mut self,
        visible: &Visibility,
        before: Timestamp,
        after: i64,
        most: i64,
    ) -> Result<Vec<StaleUpload>> {
        const STALE: &str = "SELECT upload.id, bucket.name, upload.key, upload.public_id
             FROM bucket_upload upload JOIN bucket ON bucket.id = upload.bucket_id
             WHERE bucket.workspace_id = $1 AND upload.started_at < $2 AND upload.id > $3 AND NOT EXISTS (
                 SELECT 1 FROM bucket_upload_part part WHERE part.upload_id = upload.id AND part.modified_at >= $2
             ) ORDER BY upload.id LIMIT $4";
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        self.query(STALE, params![visible.workspace(), before, after, most], |row| {
            Ok(StaleUpload { row: row.int(0)?, bucket: row.text(1)?, key: row.text(2)?, id: row.text(3)? })
        })
    }
}

fn stored_part(row: &Row) -> Result<StoredPart> {
    let part = Part {
        number: u32::try_from(row.int(0)?).unwrap_or(0),
        size: u64::try_from(row.int(1)?).unwrap_or(0),
        etag: row.text(2)?,
        modified_at: Timestamp(row.int(4)?),
        checksums: parse(&row.text(5)?)?,
    };
    Ok(StoredPart { part, file: row.text(3)? })
}

pub(super) fn piece(stored: StoredPart) -> Piece {
    Piece { file: stored.file, size: stored.part.size }
}
