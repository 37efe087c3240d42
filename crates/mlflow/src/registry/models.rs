use axum::response::Response;
use serde_json::json;
use stele_app::{App, Ctx, NewModel};
use stele_domain::lifecycle::Stage;
use stele_domain::{Error, Kind, registry};

use super::dto::{ModelVersionDto, RegisteredModelDto};
use super::rules;
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let given = rules::given_tags(&input)?;
    let description = input.text("description")?;
    rules::model_name(&name)?;
    let is_prompt = rules::says_prompt(&given);
    let tags = given.into_iter().map(|(key, value)| rules::model_tag(key, value)).collect::<Result<Vec<_>>>()?;
    match call.app.model_create(&call.ctx, NewModel { name, description, tags }).await {
        Ok(model) => reply(&json!({ "registered_model": RegisteredModelDto::from(model) })),
        Err(Error::AlreadyExists { kind: Kind::Model, id }) => {
            Err(name_taken(&call.app, &call.ctx, id, is_prompt).await)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prompts and models share one space of names, and clients want to know which of them has it.
async fn name_taken(app: &App, ctx: &Ctx, name: String, is_prompt: bool) -> Failure {
    let was_prompt = match app.model_get(ctx, name.clone()).await {
        Ok(model) => registry::is_prompt(&model.tags),
        Err(Error::NotFound { .. }) => is_prompt,
        Err(error) => return error.into(),
    };
    let message = match (is_prompt, was_prompt) {
        (false, false) => format!("Registered Model (name={name}) already exists."),
        (true, true) => format!("Prompt (name={name}) already exists."),
        (true, false) => {
            format!("Tried to create a prompt with name '{name}', but the name is already taken by a registered model.")
        }
        (false, true) => {
            format!(
                "Tried to create a registered model with name '{name}', but the name is already taken by a prompt. MLflow does not allow creating a model and a prompt with the same name."
            )
        }
    };
    Failure::new(Code::ResourceAlreadyExists, message)
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let name = call.input().await?.required_text("name")?;
    rules::model_name(&name)?;
    let model = call.app.model_get(&call.ctx, name).await?;
    reply(&json!({ "registered_model": RegisteredModelDto::from(model) }))
}

/// Without a description this clears it.
pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let description = input.text("description")?;
    rules::model_name(&name)?;
    let model = call.app.model_describe(&call.ctx, name, description).await?;
    reply(&json!({ "registered_model": RegisteredModelDto::from(model) }))
}

pub(crate) async fn rename(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let new_name = input.required_text("new_name")?;
    rules::new_model_name(&new_name)?;
    rules::model_name(&name)?;
    let model = call.app.model_rename(&call.ctx, name, new_name).await?;
    reply(&json!({ "registered_model": RegisteredModelDto::from(model) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let name = call.input().await?.required_text("name")?;
    rules::model_name(&name)?;
    call.app.model_delete(&call.ctx, name).await?;
    empty()
}

pub(crate) async fn latest_versions(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let given = input.texts("stages")?;
    rules::model_name(&name)?;
    let mut stages = given.iter().map(|stage| rules::stage(stage)).collect::<Result<Vec<_>>>()?;
    stages.sort_unstable();
    stages.dedup();
    if stages.is_empty() {
        stages = Stage::ALL.to_vec();
    }
    let versions = call.app.model_versions_latest(&call.ctx, name, stages).await?;
    let versions: Vec<ModelVersionDto> = versions.into_iter().map(ModelVersionDto::whole).collect();
    if versions.is_empty() { empty() } else { reply(&json!({ "model_versions": versions })) }
}

pub(crate) async fn set_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let key = input.required_text("key")?;
    let value = input.text("value")?;
    rules::model_name(&name)?;
    call.app.model_tag_set(&call.ctx, name, rules::model_tag(key, value)?).await?;
    empty()
}

pub(crate) async fn delete_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let key = input.required_text("key")?;
    rules::model_name(&name)?;
    crate::validate::name("key", &key)?;
    call.app.model_tag_delete(&call.ctx, name, key).await?;
    empty()
}
