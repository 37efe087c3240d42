use stele_domain::Result;
use stele_domain::id::Timestamp;
use stele_domain::record::Tag;
use stele_domain::registry::ModelAlias;

use super::connection::Cell;
use super::{PAGE, Reader};
use crate::import::{Item, SourceModel, SourceVersion};

impl Reader<'_> {
    /// All registered models, each with its versions.
    pub(super) fn models(&self) -> Result<()> {
        let (of_workspace, binds) = self.of_workspace("registered_models", 1);
        let models = format!(
            "SELECT name, creation_time, last_updated_time, description FROM registered_models
             WHERE {of_workspace} ORDER BY creation_time, name"
        );
        self.database.pages(&models, &binds, PAGE, |rows| {
            for mut row in rows {
                let name = row.text(0)?;
                let created_at = row.opt_int(1)?;
                let model = SourceModel {
                    description: row.opt_text(3)?,
                    created_at: Timestamp(created_at.unwrap_or_default()),
                    updated_at: Timestamp(row.opt_int(2)?.or(created_at).unwrap_or_default()),
                    tags: self.registry_tags("registered_model_tags", "", &name, None)?,
                    aliases: self.aliases(&name)?,
                    versions: self.versions(&name)?,
                    name,
                };
                self.send(Item::Model(model))?;
            }
            Ok(())
        })
    }

    fn aliases(&self, model: &str) -> Result<Vec<ModelAlias>> {
        let (of_workspace, more) = self.of_workspace("registered_model_aliases", 2);
        let sql = format!(
            "SELECT alias, version FROM registered_model_aliases WHERE name = $1 AND {of_workspace} ORDER BY alias"
        );
        let binds = [vec![Cell::Text(model.to_owned())], more].concat();
        let rows = self.database.query(&sql, &binds)?;
        rows.into_iter().map(|mut row| Ok(ModelAlias { alias: row.text(0)?, version: row.int(1)? })).collect()
    }

    fn versions(&self, model: &str) -> Result<Vec<SourceVersion>> {
        let (of_workspace, more) = self.of_workspace("model_versions", 2);
        let sql = format!(
            "SELECT version, creation_time, last_updated_time, description, user_id, current_stage, source,
                 storage_location, run_id, run_link, status
             FROM model_versions WHERE name = $1 AND {of_workspace} ORDER BY version"
        );
        let binds = [vec![Cell::Text(model.to_owned())], more].concat();
        let mut versions = Vec::new();
        for mut row in self.database.query(&sql, &binds)? {
            let number = row.int(0)?;
            let created_at = row.opt_int(1)?;
            versions.push(SourceVersion {
                number,
                created_at: Timestamp(created_at.unwrap_or_default()),
                updated_at: Timestamp(row.opt_int(2)?.or(created_at).unwrap_or_default()),
                description: row.opt_text(3)?,
                user: row.opt_text(4)?,
                stage: row.text(5)?,
                source: row.text(6)?,
                storage_uri: row.opt_text(7)?,
                run: row.opt_text(8)?,
                run_link: row.opt_text(9)?,
                status: row.text(10)?,
                tags: self.registry_tags("model_version_tags", " AND version = $2", model, Some(number))?,
            });
        }
        Ok(versions)
    }

    fn registry_tags(&self, table: &str, and: &str, name: &str, version: Option<i64>) -> Result<Vec<Tag>> {
        let mut binds = vec![Cell::Text(name.to_owned())];
        binds.extend(version.map(Cell::Int));
        let (of_workspace, more) = self.of_workspace(table, binds.len() + 1);
        let sql = format!("SELECT key, value FROM {table} WHERE name = $1{and} AND {of_workspace}");
        binds.extend(more);
        let rows = self.database.query(&sql, &binds)?;
        rows.into_iter().map(|mut row| Ok(Tag { key: row.text(0)?, value: row.text(1)? })).collect()
    }
}
