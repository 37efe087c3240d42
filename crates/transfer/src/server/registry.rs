use reqwest::Method;
use serde_json::{Value, json};
use stele_domain::Result;
use stele_domain::id::Timestamp;
use stele_domain::registry::ModelAlias;

use super::client::Client;
use super::{int, list, optional, tags, text};
use crate::import::{Item, Sink, SourceModel, SourceVersion};

/// Reads all registered models, each with its versions. Prompts are registered models too, and a search for models
/// leaves them out unless it asks for them.
pub(super) async fn read(client: &Client, sink: &Sink) -> Result<()> {
    let mut models: Vec<Value> = Vec::new();
    for filter in ["", "tag.`mlflow.prompt.is_prompt` = 'true'"] {
        let query = json!({ "max_results": 1000, "filter": filter });
        client
            .pages(Method::GET, "registered-models/search", query, "registered_models", |found| {
                models.extend(found.iter().cloned());
                Ok(())
            })
            .await?;
    }
    models.sort_by_key(|model| (int(model, "creation_timestamp"), text(model, "name")));
    models.dedup_by_key(|model| text(model, "name"));
    for model in models {
        let name = text(&model, "name");
        let mut versions = Vec::new();
        let query = json!({ "max_results": 10_000, "filter": format!("name='{}'", name.replace('\'', "\\'")) });
        client
            .pages(Method::GET, "model-versions/search", query, "model_versions", |found| {
                versions.extend(found.iter().filter(|version| text(version, "name") == name).map(version));
                Ok(())
            })
            .await?;
        versions.sort_by_key(|version| version.number);
        let created_at = int(&model, "creation_timestamp").unwrap_or_default();
        sink.send(Item::Model(SourceModel {
            description: optional(&model, "description").filter(|text| !text.is_empty()),
            created_at: Timestamp(created_at),
            updated_at: Timestamp(int(&model, "last_updated_timestamp").unwrap_or(created_at)),
            tags: tags(&model, "tags"),
            aliases: list(&model, "aliases").iter().filter_map(alias).collect(),
            versions,
            name,
        }))
        .await?;
    }
    Ok(())
}

fn alias(value: &Value) -> Option<ModelAlias> {
    Some(ModelAlias { alias: text(value, "alias"), version: int(value, "version")? })
}

fn version(value: &Value) -> SourceVersion {
    let created_at = int(value, "creation_timestamp").unwrap_or_default();
    SourceVersion {
        number: int(value, "version").unwrap_or_default(),
        description: optional(value, "description").filter(|text| !text.is_empty()),
        user: optional(value, "user_id").filter(|text| !text.is_empty()),
        stage: text(value, "current_stage"),
        source: text(value, "source"),
        storage_uri: None,
        run: optional(value, "run_id").filter(|text| !text.is_empty()),
        run_link: optional(value, "run_link").filter(|text| !text.is_empty()),
        status: text(value, "status"),
        created_at: Timestamp(created_at),
        updated_at: Timestamp(int(value, "last_updated_timestamp").unwrap_or(created_at)),
        tags: tags(value, "tags"),
    }
}
