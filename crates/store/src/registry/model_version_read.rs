//! Reading whole model versions: the columns with tags and aliases, for one or a page.

use std::collections::HashMap;

use stele_domain::authz::{Place, Visibility};
use stele_domain::id::{LoggedModelId, ModelRow, ModelVersionRow, RunId, Timestamp};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::record::Tag;
use stele_domain::registry::{ModelVersion, alias_of_stage, version_id};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, list, params};

impl Tx<'_> {
    pub fn model_version_get(&mut self, visible: &Visibility, model: &str, number: i64) -> Result<ModelVersion> {
        const FIND: &str = "SELECT version.id FROM model_version AS version JOIN model ON model.id = version.model_id
             WHERE model.workspace_id = $1 AND model.name = $2 AND version.number = $3";
        let missing = || Error::not_found(Kind::ModelVersion, version_id(model, number));
        visible.require(Place::Model(model), Kind::ModelVersion, version_id(model, number))?;
        let row = self
            .query_opt(FIND, params![visible.workspace(), model, number], |row| row.int(0))?
            .map(ModelVersionRow)
            .ok_or_else(missing)?;
        self.model_versions_by_rows(&[row])?.pop().ok_or_else(missing)
    }

    /// The version of a model with the highest number.
    pub fn model_version_newest(&mut self, visible: &Visibility, model: ModelRow) -> Result<Option<ModelVersion>> {
        let mut values = params![visible.workspace(), model].to_vec();
        let seen = self.and_model_seen(visible, "model.name", &mut values);
        let sql = format!(
            "SELECT version.id FROM model_version AS version JOIN model ON model.id = version.model_id
             WHERE model.workspace_id = $1 AND model.id = $2{seen} ORDER BY version.number DESC LIMIT 1"
        );
        let row = self.query_opt(&sql, &values, |row| row.int(0))?;
        Ok(self.model_versions_by_rows(&row.map(ModelVersionRow).into_iter().collect::<Vec<_>>())?.pop())
    }

    /// Completes versions whose rows a query has found, in the order given, with a few queries for all.
    pub fn model_versions_by_rows(&mut self, rows: &[ModelVersionRow]) -> Result<Vec<ModelVersion>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = list(rows.iter().map(|row| row.0));
        let one_of = self.is_one_of_ints(1);

        let columns = format!(
            "SELECT version.id, model.name, version.number, version.description, version.user_name, version.stage,
                 version.approval, version.source, version.storage_uri, version.run, version.run_link,
                 version.logged_model, version.created_at, version.updated_at,
                 CAST(CASE WHEN version.stage <> 'none' AND NOT EXISTS (SELECT 1 FROM model_version AS newer
                     WHERE newer.model_id = version.model_id AND newer.stage = version.stage
                     AND newer.number > version.number) THEN 1 ELSE 0 END AS BIGINT)
             FROM model_version AS version JOIN model ON model.id = version.model_id WHERE version.id {one_of}"
        );
        let found = self.query(&columns, params![ids.clone()], model_version)?;
        let mut versions: HashMap<i64, ModelVersion> =
            found.into_iter().map(|version| (version.row.0, version)).collect();

        let tags = format!(
            "SELECT model_version_id, key, value FROM model_version_tag WHERE model_version_id {one_of}
             ORDER BY model_version_id, key"
        );
        for (version, tag) in self.query(&tags, params![ids.clone()], |row| {
            Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? }))
        })? {
            versions.entry(version).and_modify(|version| version.tags.push(tag));
        }

        let aliases = format!(
            "SELECT version.id, model_alias.alias FROM model_version AS version JOIN model_alias
                 ON model_alias.model_id = version.model_id AND model_alias.number = version.number
             WHERE version.id {one_of}"
        );
        for (version, alias) in self.query(&aliases, params![ids], |row| Ok((row.int(0)?, row.text(1)?)))? {
            versions.entry(version).and_modify(|version| version.aliases.push(alias));
        }
        for version in versions.values_mut() {
            version.aliases.sort();
        }
        Ok(rows.iter().filter_map(|row| versions.remove(&row.0)).collect())
    }
}

fn model_version(row: &Row) -> Result<ModelVersion> {
    let stage = row.parsed(5, Stage::parse)?;
    let is_newest_of_stage = row.bool(14)?;
    Ok(ModelVersion {
        row: ModelVersionRow(row.int(0)?),
        model: row.text(1)?,
        number: row.int(2)?,
        description: row.opt_text(3)?,
        user: row.opt_text(4)?,
        stage,
        approval: row.parsed(6, ApprovalStatus::parse)?,
        source: row.text(7)?,
        storage_uri: row.text(8)?,
        run: row.opt_text(9)?.map(RunId),
        run_link: row.opt_text(10)?,
        logged_model: row.opt_text(11)?.map(LoggedModelId),
        created_at: Timestamp(row.int(12)?),
        updated_at: Timestamp(row.int(13)?),
        tags: Vec::new(),
        aliases: alias_of_stage(stage).filter(|_| is_newest_of_stage).map(str::to_owned).into_iter().collect(),
    })
}
