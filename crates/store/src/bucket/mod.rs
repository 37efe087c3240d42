//! Buckets with their objects and uploads.

mod object;
mod upload;

pub use self::object::{Listed, ListedObject, ObjectRow};
pub use self::upload::{OpenUpload, StaleUpload, StoredPart};

use std::collections::BTreeMap;

use stele_domain::authz::{ManageBucket, Permit, Place, Verb, Visibility};
use stele_domain::bucket::{Bucket, Piece};
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Error, Kind, Result};

use self::object::written;
use crate::Tx;
use crate::engine::{Value, params};

/// Where the files of buckets lie below the artifact destination.
pub const BUCKET_FILES: &str = "mlflow-artifacts:/buckets";

/// The row of a bucket that this transaction works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRow(pub(crate) i64);

impl Tx<'_> {
    pub fn bucket_create(&mut self, permit: &Permit<ManageBucket>, name: &str, now: Timestamp) -> Result<()> {
        const INSERT: &str = "INSERT INTO bucket (workspace_id, name, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO NOTHING";
        permit.require_workspace()?;
        match self.execute(INSERT, params![permit.workspace(), name, now])? {
            0 => Err(Error::already_exists(Kind::Bucket, name)),
            _ => Ok(()),
        }
    }

    pub fn bucket_get(&mut self, visible: &Visibility, name: &str) -> Result<Bucket> {
        const FIND: &str = "SELECT created_at FROM bucket WHERE workspace_id = $1 AND name = $2";
        visible.require(Place::Workspace, Kind::Bucket, name)?;
        self.query_opt(FIND, params![visible.workspace(), name], |row| {
            Ok(Bucket { name: name.to_owned(), created_at: Timestamp(row.int(0)?) })
        })?
        .ok_or_else(|| Error::not_found(Kind::Bucket, name))
    }

    /// The buckets after a name whose names begin with a text.
    pub fn buckets_list(&mut self, visible: &Visibility, prefix: &str, after: &str, limit: i64) -> Result<Vec<Bucket>> {
        const LIST: &str = "SELECT name, created_at FROM bucket WHERE workspace_id = $1 AND name > $2 AND name >= $3
             ORDER BY name LIMIT $4";
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let buckets = self.query(LIST, params![visible.workspace(), after, prefix, limit], |row| {
            Ok(Bucket { name: row.text(0)?, created_at: Timestamp(row.int(1)?) })
        })?;
        Ok(buckets.into_iter().take_while(|bucket| bucket.name.starts_with(prefix)).collect())
    }

    /// The tags of a bucket.
    pub fn bucket_tags(&mut self, visible: &Visibility, name: &str) -> Result<BTreeMap<String, String>> {
        const FIND: &str = "SELECT tags FROM bucket WHERE workspace_id = $1 AND name = $2";
        visible.require(Place::Workspace, Kind::Bucket, name)?;
        let tags = self.query_opt(FIND, params![visible.workspace(), name], |row| row.opt_text(0))?;
        tags.ok_or_else(|| Error::not_found(Kind::Bucket, name)).and_then(|tags| read_tags(tags.as_deref()))
    }

    /// Replaces the tags of a bucket, and gives back what they were.
    pub fn bucket_tag(
        &mut self,
        permit: &Permit<ManageBucket>,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        const SET: &str = "UPDATE bucket SET tags = $2 WHERE id = $1";
        let find = format!("SELECT id, tags FROM bucket WHERE workspace_id = $1 AND name = $2{}", self.for_update());
        permit.require_workspace()?;
        let (row, before) = self
            .query_opt(&find, params![permit.workspace(), name], |row| Ok((row.int(0)?, row.opt_text(1)?)))?
            .ok_or_else(|| Error::not_found(Kind::Bucket, name))?;
        let text = (!tags.is_empty()).then(|| written(tags)).transpose()?;
        self.execute(SET, params![row, text])?;
        read_tags(before.as_deref())
    }

    /// Removes a bucket that holds nothing.
    pub fn bucket_delete(&mut self, permit: &Permit<ManageBucket>, name: &str) -> Result<()> {
        const OBJECTS: &str = "SELECT 1 FROM bucket_object WHERE bucket_id = $1 LIMIT 1";
        const UPLOADS: &str = "SELECT 1 FROM bucket_upload WHERE bucket_id = $1 LIMIT 1";
        const DELETE: &str = "DELETE FROM bucket WHERE id = $1";
        // Whoever is adding an object holds the row for as long.
        let find = format!("SELECT id FROM bucket WHERE workspace_id = $1 AND name = $2{}", self.for_update());
        permit.require_workspace()?;
        let row = self
            .query_opt(&find, params![permit.workspace(), name], |row| row.int(0))?
            .ok_or_else(|| Error::not_found(Kind::Bucket, name))?;
        for (holds, state) in [(OBJECTS, "not empty"), (UPLOADS, "in use by an upload")] {
            if self.query_opt(holds, params![row], |_| Ok(()))?.is_some() {
                return Err(Error::WrongState { kind: Kind::Bucket, id: name.to_owned(), state, needed: "empty" });
            }
        }
        self.execute(DELETE, params![row]).map(|_| ())
    }

    /// A bucket that something is put into or taken out of; it cannot be removed meanwhile.
    pub fn bucket_open<V: Verb>(&mut self, permit: &Permit<V>, name: &str) -> Result<BucketRow> {
        let find = format!("SELECT id FROM bucket WHERE workspace_id = $1 AND name = $2{}", self.for_share());
        permit.require(self, Place::Workspace, Kind::Bucket, name)?;
        self.query_opt(&find, params![permit.workspace(), name], |row| row.int(0))?
            .map(BucketRow)
            .ok_or_else(|| Error::not_found(Kind::Bucket, name))
    }

    /// A bucket that is read.
    pub fn bucket_read(&mut self, visible: &Visibility, name: &str) -> Result<BucketRow> {
        const FIND: &str = "SELECT id FROM bucket WHERE workspace_id = $1 AND name = $2";
        visible.require(Place::Workspace, Kind::Bucket, name)?;
        self.query_opt(FIND, params![visible.workspace(), name], |row| row.int(0))?
            .map(BucketRow)
            .ok_or_else(|| Error::not_found(Kind::Bucket, name))
    }

    /// A bucket that the server itself looks at.
    fn bucket_of_workspace(&mut self, workspace: WorkspaceId, name: &str) -> Result<Option<BucketRow>> {
        const FIND: &str = "SELECT id FROM bucket WHERE workspace_id = $1 AND name = $2";
        Ok(self.query_opt(FIND, params![workspace, name], |row| row.int(0))?.map(BucketRow))
    }

    /// Notes files that nothing names any more, to be removed once this transaction is durable.
    fn files_discard<V: Verb>(&mut self, permit: &Permit<V>, files: &[Piece], now: Timestamp) -> Result<()> {
        let values: Vec<Value> = files
            .iter()
            .flat_map(|Piece { file, .. }| {
                [permit.workspace().into(), file.into(), format!("{BUCKET_FILES}/{file}").into(), now.into()]
            })
            .collect();
        self.insert_rows("INSERT INTO artifact_garbage (workspace_id, owner, uri, created_at)", 4, "", &values)
            .map(|_| ())
    }
}

fn read_tags(text: Option<&str>) -> Result<BTreeMap<String, String>> {
    let tags = text.map(serde_json::from_str).transpose();
    tags.map(Option::unwrap_or_default)
        .map_err(|error| Error::internal(format!("the tags of a bucket cannot be read: {error}")))
}
