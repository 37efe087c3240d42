use std::path::Path;

use stele_domain::Result;
use stele_domain::id::Timestamp;
use stele_domain::registry::ModelAlias;

use super::yaml::Yaml;
use super::{META, Reader, file_name, folders, read_text, tags, values};
use crate::import::{Item, SourceModel, SourceVersion};

impl Reader<'_> {
    /// Reads all registered models, each with its versions.
    pub(super) fn models(&self) -> Result<()> {
        for folder in folders(&self.root.join("models"))? {
            let Some(meta) = Yaml::read(&folder.join(META)).ok().flatten() else {
                self.not_taken("registered models", "they have no readable meta.yaml", &folder)?;
                continue;
            };
            let mut aliases = Vec::new();
            for (alias, path) in values(&folder.join("aliases"))? {
                match read_text(&path)?.trim().parse() {
                    Ok(version) => aliases.push(ModelAlias { alias, version }),
                    Err(_) => self.not_taken("aliases", "the file holds no version", &path)?,
                }
            }
            let created_at = meta.int("creation_timestamp").unwrap_or_default();
            self.send(Item::Model(SourceModel {
                name: meta.text("name"),
                description: meta.opt_text("description").filter(|text| !text.is_empty()),
                created_at: Timestamp(created_at),
                updated_at: Timestamp(meta.int("last_updated_timestamp").unwrap_or(created_at)),
                tags: tags(&folder.join("tags"))?,
                aliases,
                versions: self.versions(&folder)?,
            }))?;
        }
        Ok(())
    }

    fn versions(&self, model: &Path) -> Result<Vec<SourceVersion>> {
        let mut versions = Vec::new();
        for folder in folders(model)? {
            if !file_name(&folder).starts_with("version-") {
                continue;
            }
            let meta = Yaml::read(&folder.join(META)).ok().flatten();
            let Some((meta, number)) = meta.and_then(|meta| Some((meta.clone(), meta.int("version")?))) else {
                self.not_taken("model versions", "they have no readable meta.yaml", &folder)?;
                continue;
            };
            let created_at = meta.int("creation_timestamp").unwrap_or_default();
            let given = |field: &str| meta.opt_text(field).filter(|text| !text.is_empty());
            versions.push(SourceVersion {
                number,
                description: given("description"),
                user: given("user_id"),
                stage: meta.text("current_stage"),
                source: meta.text("source"),
                storage_uri: given("storage_location"),
                run: given("run_id"),
                run_link: given("run_link"),
                status: meta.text("status"),
                created_at: Timestamp(created_at),
                updated_at: Timestamp(meta.int("last_updated_timestamp").unwrap_or(created_at)),
                tags: tags(&folder.join("tags"))?,
            });
        }
        versions.sort_by_key(|version| version.number);
        Ok(versions)
    }
}
