use axum::response::Response;
use serde_json::json;
use stele_app::{CheckedSource, NewModelVersion, SourceRequest};
use stele_domain::Error;
use stele_domain::artifact_uri::LocationPolicy;
use stele_domain::lifecycle::Stage;
use stele_domain::model_uri::ModelUri;
use stele_domain::registry::{ModelVersion, Occupants};

use super::dto::{APPROVAL_TAG, ModelVersionDto};
use super::{rules, source};
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};
use crate::input::Input;

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let source = input.required_text("source")?;
    let run = input.text("run_id")?;
    let mut given = rules::given_tags(&input)?;
    // A client that copies a version sends all the tags that it was shown. The copy has nobody's decision.
    if matches!(ModelUri::parse(&source), Some(ModelUri::Version { .. })) {
        given.retain(|(key, _)| key != APPROVAL_TAG);
    }
    let run_link = input.text("run_link")?;
    let description = input.text("description")?.unwrap_or_default();
    let logged_model = input.text("model_id")?;
    // The source is judged before the names are.
    let source = if rules::says_prompt(&given) {
        prompt_source(source, run)?
    } else {
        LocationPolicy::default().validate_host(&source, "source")?;
        let request = SourceRequest { source: source.clone(), run, logged_model };
        call.app.model_source_check(&call.ctx, request).await.map_err(|error| source::failure(&source, error))?
    };
    rules::model_name(&name)?;
    let tags = given.into_iter().map(|(key, value)| rules::version_tag(key, value)).collect::<Result<Vec<_>>>()?;
    let new = NewModelVersion { model: name, source, run_link, description: Some(description), tags };
    reply_version(call.app.model_version_create(&call.ctx, new).await?)
}

fn prompt_source(source: String, run: Option<String>) -> Result<CheckedSource> {
    let refusal = format!("Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder.");
    CheckedSource::prompt(source, run).ok_or_else(|| Failure::invalid(refusal))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let (name, version) = required_version(&call.input().await?)?;
    let (name, number) = checked(name, &version)?;
    reply_version(call.app.model_version_get(&call.ctx, name, number).await?)
}

/// Without a description this clears it.
pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, version) = required_version(&input)?;
    let description = input.text("description")?;
    let (name, number) = checked(name, &version)?;
    reply_version(call.app.model_version_describe(&call.ctx, name, number, description).await?)
}

pub(crate) async fn transition(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, version) = required_version(&input)?;
    let given = input.required_text("stage")?;
    let archive = input.bool("archive_existing_versions")?.unwrap_or(false);
    let stage = rules::stage(&given)?;
    let occupants = match (archive, stage) {
        (true, Stage::None | Stage::Archived) => {
            return Err(Failure::new(
                Code::InternalError,
                format!(
                    "Model version transition cannot archive existing model versions because '{given}' is not an \
                     Active stage. Valid stages are ['Staging', 'Production']"
                ),
            ));
        }
        (true, Stage::Staging | Stage::Production) => Occupants::Archive,
        (false, _) => Occupants::Stay,
    };
    let (name, number) = checked(name, &version)?;
    let moved = call.app.model_version_transition(&call.ctx, name, number, stage, occupants).await;
    reply_version(moved.map_err(|error| match error {
        Error::GateFailed { message, refusal: None } if occupants == Occupants::Stay => {
            Failure::invalid(format!("{message}. To archive the existing one, pass archive_existing_versions=True."))
        }
        other => other.into(),
    })?)
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let (name, version) = required_version(&call.input().await?)?;
    let (name, number) = checked(name, &version)?;
    call.app.model_version_delete(&call.ctx, name, number).await?;
    empty()
}

pub(crate) async fn download_uri(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, version) = (input.text("name")?.unwrap_or_default(), input.text("version")?.unwrap_or_default());
    let (name, number) = checked(name, &version)?;
    let version = call.app.model_version_get(&call.ctx, name, number).await?;
    reply(&json!({ "artifact_uri": version.storage_uri }))
}

pub(crate) async fn set_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, version) = required_version(&input)?;
    let key = input.required_text("key")?;
    let value = input.text("value")?;
    let (name, number) = checked(name, &version)?;
    call.app.model_version_tag_set(&call.ctx, name, number, rules::version_tag(key, value)?).await?;
    empty()
}

pub(crate) async fn delete_tag(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, version) = required_version(&input)?;
    let key = input.required_text("key")?;
    let (name, number) = checked(name, &version)?;
    rules::changeable_version_tag(&key)?;
    crate::validate::name("key", &key)?;
    call.app.model_version_tag_delete(&call.ctx, name, number, key).await?;
    empty()
}

/// The version that a call names, as given: other fields are looked at before its form.
fn required_version(input: &Input) -> Result<(String, String)> {
    Ok((input.required_text("name")?, input.required_text("version")?))
}

fn checked(name: String, version: &str) -> Result<(String, i64)> {
    rules::model_name(&name)?;
    let number = rules::version_number(version)?;
    Ok((name, number))
}

pub(super) fn reply_version(version: ModelVersion) -> Result<Response> {
    reply(&json!({ "model_version": ModelVersionDto::whole(version) }))
}
