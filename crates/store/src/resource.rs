use std::collections::HashMap;

use serde_json::Value as Json;
use stele_domain::authz::{ManageResource, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, ResourceRow, Timestamp};
use stele_domain::record::Tag;
use stele_domain::resource::{Document, Resource, ResourceVersion};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};
use crate::facets::parse;
use crate::tag_place::Tagged;

/// A resource to be made.
#[derive(Debug, Clone)]
pub struct NewResource {
    pub public_id: String,
    pub kind: &'static str,
    pub name: String,
    pub experiment: Option<ExperimentId>,
    pub document: Document,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
}

const COLUMNS: &str = "SELECT resource.id, resource.public_id, resource.kind, resource.name, resource.experiment_id,
         experiment.name, resource.version, resource.document, resource.created_at, resource.updated_at
     FROM resource LEFT JOIN experiment ON experiment.id = resource.experiment_id";

impl Tx<'_> {
    pub fn resource_create(
        &mut self,
        permit: &Permit<ManageResource>,
        new: &NewResource,
        now: Timestamp,
    ) -> Result<ResourceRow> {
        const INSERT: &str = "INSERT INTO resource
                 (public_id, workspace_id, kind, name, experiment_id, document, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (workspace_id, kind, name) DO NOTHING RETURNING id";
        match new.experiment {
            Some(id) => permit.require(self, Place::Experiment(id), Kind::Experiment, id)?,
            None => permit.require_workspace()?,
        }
        let document = Json::Object(new.document.clone()).to_string();
        let values = params![&new.public_id, permit.workspace(), new.kind, &new.name, new.experiment, &document, now];
        let row = self
            .query_opt(INSERT, values, |row| row.int(0))?
            .map(ResourceRow)
            .ok_or_else(|| Error::already_exists(Kind::Resource, &new.name))?;
        self.resource_version_keep(permit, row, 1, &new.document, now)?;
        self.resource_tags_set(permit, row, &new.tags)?;
        Ok(row)
    }

    pub fn resource_get(&mut self, visible: &Visibility, kind: &str, name: &str) -> Result<Resource> {
        const FIND: &str = "SELECT id FROM resource WHERE workspace_id = $1 AND kind = $2 AND name = $3";
        let row = self
            .query_opt(FIND, params![visible.workspace(), kind, name], |row| row.int(0).map(ResourceRow))?
            .ok_or_else(|| Error::not_found(Kind::Resource, name))?;
        let resource = self.resource_by_row(row)?;
        visible.require(place(&resource), Kind::Resource, name)?;
        Ok(resource)
    }

    /// Reads a resource that this transaction is about to change; other writers to it wait.
    pub fn resource_open(&mut self, permit: &Permit<ManageResource>, kind: &str, name: &str) -> Result<Resource> {
        let sql =
            format!("SELECT id FROM resource WHERE workspace_id = $1 AND kind = $2 AND name = $3{}", self.for_update());
        let row = self
            .query_opt(&sql, params![permit.workspace(), kind, name], |row| row.int(0).map(ResourceRow))?
            .ok_or_else(|| Error::not_found(Kind::Resource, name))?;
        let resource = self.resource_by_row(row)?;
        permit.require(self, place(&resource), Kind::Resource, name)?;
        Ok(resource)
    }

    pub fn resource_by_row(&mut self, row: ResourceRow) -> Result<Resource> {
        self.resources_by_rows(&[row])?.pop().ok_or_else(|| Error::internal(format!("resource row {row} has vanished")))
    }

    /// Completes resources whose rows a query has found, in the order given.
    pub fn resources_by_rows(&mut self, rows: &[ResourceRow]) -> Result<Vec<Resource>> {
        let one_of = self.is_one_of_ints(1);
        let ids = list(rows.iter().map(|row| row.0));
        let found = self.query(&format!("{COLUMNS} WHERE resource.id {one_of}"), params![ids.clone()], resource)?;
        let mut resources: HashMap<i64, Resource> = found.into_iter().map(|found| (found.row.0, found)).collect();
        let tags = format!("SELECT resource_id, key, value FROM resource_tag WHERE resource_id {one_of} ORDER BY key");
        for (row, tag) in
            self.query(&tags, params![ids], |row| Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? })))?
        {
            resources.entry(row).and_modify(|resource| resource.tags.push(tag));
        }
        Ok(rows.iter().filter_map(|row| resources.remove(&row.0)).collect())
    }

    /// Stores the document and version of a resource as given; a new version is kept besides.
    pub fn resource_rewrite(
        &mut self,
        permit: &Permit<ManageResource>,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<()> {
        const REWRITE: &str = "UPDATE resource SET document = $2, version = $3, updated_at = $4 WHERE id = $1";
        let document = Json::Object(resource.document.clone()).to_string();
        self.execute(REWRITE, params![resource.row, &document, resource.version, now])?;
        self.resource_version_keep(permit, resource.row, resource.version, &resource.document, now)
    }

    fn resource_version_keep(
        &mut self,
        _permit: &Permit<ManageResource>,
        row: ResourceRow,
        number: i64,
        document: &Document,
        now: Timestamp,
    ) -> Result<()> {
        const KEEP: &str = "INSERT INTO resource_version (resource_id, number, document, updated_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (resource_id, number)
             DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at";
        let document = Json::Object(document.clone()).to_string();
        self.execute(KEEP, params![row, number, &document, now]).map(|_| ())
    }

    /// The documents that a resource has had, oldest first.
    pub fn resource_versions(&mut self, row: ResourceRow) -> Result<Vec<ResourceVersion>> {
        const VERSIONS: &str =
            "SELECT number, document, updated_at FROM resource_version WHERE resource_id = $1 ORDER BY number";
        self.query(VERSIONS, params![row], |row| {
            let (number, updated_at) = (row.int(0)?, Timestamp(row.int(2)?));
            Ok(ResourceVersion { number, document: parse(&row.text(1)?)?, updated_at })
        })
    }

    pub fn resource_delete(&mut self, _permit: &Permit<ManageResource>, row: ResourceRow) -> Result<()> {
        const DELETE: &str = "DELETE FROM resource WHERE id = $1";
        self.execute(DELETE, params![row]).map(|_| ())
    }

    /// Sets tags; of several with one key the last counts.
    pub fn resource_tags_set(
        &mut self,
        _permit: &Permit<ManageResource>,
        row: ResourceRow,
        tags: &[Tag],
    ) -> Result<()> {
        let newest: HashMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let values: Vec<Value> =
            newest.into_iter().flat_map(|(key, value)| [row.into(), key.into(), value.into()]).collect();
        let upsert = "ON CONFLICT (resource_id, key) DO UPDATE SET value = excluded.value";
        self.insert_rows("INSERT INTO resource_tag (resource_id, key, value)", 3, upsert, &values)?;
        self.tags_place(Tagged::Resource(row), tags)
    }

    pub fn resource_tag_delete(&mut self, _permit: &Permit<ManageResource>, row: ResourceRow, key: &str) -> Result<()> {
        const DELETE: &str = "DELETE FROM resource_tag WHERE resource_id = $1 AND key = $2";
        self.execute(DELETE, params![row, key]).map(|_| ())
    }

    /// What an earlier request with this token asked for and made.
    pub fn idempotency_find(
        &mut self,
        visible: &Visibility,
        operation: &str,
        token: &str,
    ) -> Result<Option<(String, String)>> {
        const FIND: &str =
            "SELECT request, made FROM idempotency WHERE workspace_id = $1 AND operation = $2 AND token = $3";
        self.query_opt(FIND, params![visible.workspace(), operation, token], |row| Ok((row.text(0)?, row.text(1)?)))
    }

    pub fn idempotency_keep(
        &mut self,
        visible: &Visibility,
        operation: &str,
        token: &str,
        request: &str,
        made: &str,
        now: Timestamp,
    ) -> Result<()> {
        const KEEP: &str = "INSERT INTO idempotency (workspace_id, operation, token, request, made, at)
             VALUES ($1, $2, $3, $4, $5, $6)";
        self.execute(KEEP, params![visible.workspace(), operation, token, request, made, now]).map(|_| ())
    }

    /// Forgets requests from before a time, at most so many; says how many they were.
    pub fn idempotency_prune(&mut self, before: Timestamp, most: i64) -> Result<u64> {
        const PRUNE: &str = "DELETE FROM idempotency WHERE at < $1 AND at <= (
             SELECT MAX(at) FROM (SELECT at FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2) AS oldest)";
        self.execute(PRUNE, params![before, most])
    }
}

/// A trial is in its experiment.
fn place(resource: &Resource) -> Place<'static> {
    resource.experiment.as_ref().map_or(Place::Workspace, |(id, _)| Place::Experiment(*id))
}

fn resource(row: &Row) -> Result<Resource> {
    let experiment = row.opt_int(4)?.map(ExperimentId).zip(row.opt_text(5)?);
    Ok(Resource {
        row: ResourceRow(row.int(0)?),
        public_id: row.text(1)?,
        kind: row.text(2)?,
        name: row.text(3)?,
        experiment,
        version: row.int(6)?,
        document: parse(&row.text(7)?)?,
        created_at: Timestamp(row.int(8)?),
        updated_at: Timestamp(row.int(9)?),
        tags: Vec::new(),
    })
}
