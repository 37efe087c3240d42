//! Reading whole models: the columns with tags, aliases and the newest version of each stage, for one or a page.

use std::collections::HashMap;

use stele_domain::authz::{Place, Visibility};
use stele_domain::id::{ModelRow, ModelVersionRow, Timestamp};
use stele_domain::lifecycle::Stage;
use stele_domain::record::Tag;
use stele_domain::registry::{Model, ModelAlias, alias_of_stage};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{list, params};

impl Tx<'_> {
    pub fn model_get(&mut self, visible: &Visibility, name: &str) -> Result<Model> {
        let row = self.model_find(visible, name)?;
        self.models_by_rows(&[row])?.pop().ok_or_else(|| Error::not_found(Kind::Model, name))
    }

    pub fn model_find(&mut self, visible: &Visibility, name: &str) -> Result<ModelRow> {
        const FIND: &str = "SELECT id FROM model WHERE workspace_id = $1 AND name = $2";
        visible.require(Place::Model(name), Kind::Model, name)?;
        self.query_opt(FIND, params![visible.workspace(), name], |row| row.int(0))?
            .map(ModelRow)
            .ok_or_else(|| Error::not_found(Kind::Model, name))
    }

    /// The name of the model with this public id, which outlives renames.
    pub fn model_name(&mut self, visible: &Visibility, public_id: &str) -> Result<Option<String>> {
        const NAME: &str = "SELECT name FROM model WHERE workspace_id = $1 AND public_id = $2";
        let name = self.query_opt(NAME, params![visible.workspace(), public_id], |row| row.text(0))?;
        Ok(name.filter(|name| visible.sees(Place::Model(name))))
    }

    pub fn model_public_id(&mut self, visible: &Visibility, name: &str) -> Result<String> {
        const ID: &str = "SELECT public_id FROM model WHERE workspace_id = $1 AND name = $2";
        visible.require(Place::Model(name), Kind::Model, name)?;
        self.query_opt(ID, params![visible.workspace(), name], |row| row.text(0))?
            .ok_or_else(|| Error::not_found(Kind::Model, name))
    }

    /// Completes models whose rows a query has found, in the order given, with a few queries for all.
    pub fn models_by_rows(&mut self, rows: &[ModelRow]) -> Result<Vec<Model>> {
        let ids = list(rows.iter().map(|row| row.0));
        let one_of = self.is_one_of_ints(1);

        let columns = format!("SELECT id, name, description, created_at, updated_at FROM model WHERE id {one_of}");
        let found = self.query(&columns, params![ids.clone()], |row| {
            Ok(Model {
                row: ModelRow(row.int(0)?),
                name: row.text(1)?,
                description: row.opt_text(2)?,
                created_at: Timestamp(row.int(3)?),
                updated_at: Timestamp(row.int(4)?),
                tags: Vec::new(),
                aliases: Vec::new(),
                latest_versions: Vec::new(),
            })
        })?;
        let mut models: HashMap<i64, Model> = found.into_iter().map(|model| (model.row.0, model)).collect();

        let tags = format!("SELECT model_id, key, value FROM model_tag WHERE model_id {one_of} ORDER BY model_id, key");
        for (model, tag) in self.query(&tags, params![ids.clone()], |row| {
            Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? }))
        })? {
            models.entry(model).and_modify(|model| model.tags.push(tag));
        }

        let aliases = format!("SELECT model_id, alias, number FROM model_alias WHERE model_id {one_of}");
        for (model, alias) in self.query(&aliases, params![ids], |row| {
            Ok((row.int(0)?, ModelAlias { alias: row.text(1)?, version: row.int(2)? }))
        })? {
            models.entry(model).and_modify(|model| model.aliases.push(alias));
        }

        let latest = self.model_versions_latest(rows, Stage::ALL)?;
        let owners: HashMap<i64, i64> = latest.iter().map(|(version, model)| (version.0, model.0)).collect();
        let versions: Vec<ModelVersionRow> = latest.into_iter().map(|(version, _)| version).collect();
        for version in self.model_versions_by_rows(&versions)? {
            if let Some(model) = owners.get(&version.row.0).and_then(|model| models.get_mut(model)) {
                if let Some(alias) = alias_of_stage(version.stage) {
                    model.aliases.push(ModelAlias { alias: alias.to_owned(), version: version.number });
                }
                model.latest_versions.push(version);
            }
        }
        for model in models.values_mut() {
            model.aliases.sort_by(|a, b| a.alias.cmp(&b.alias));
        }
        Ok(rows.iter().filter_map(|row| models.remove(&row.0)).collect())
    }

    /// The newest version in each of `stages` that has any, for each of `models`, by model and number.
    pub fn model_versions_latest(
        &mut self,
        models: &[ModelRow],
        stages: &[Stage],
    ) -> Result<Vec<(ModelVersionRow, ModelRow)>> {
        let stages: Vec<String> = stages.iter().map(|stage| format!("SELECT '{}' AS stage", stage.as_str())).collect();
        let sql = format!(
            "SELECT version.id, version.model_id
             FROM model CROSS JOIN ({}) AS wanted
             JOIN model_version AS version ON version.model_id = model.id AND version.number =
                 (SELECT MAX(number) FROM model_version AS other
                  WHERE other.model_id = model.id AND other.stage = wanted.stage)
             WHERE model.id {} ORDER BY version.model_id, version.number",
            stages.join(" UNION ALL "),
            self.is_one_of_ints(1)
        );
        self.query(&sql, params![list(models.iter().map(|row| row.0))], |row| {
            Ok((ModelVersionRow(row.int(0)?), ModelRow(row.int(1)?)))
        })
    }
}
