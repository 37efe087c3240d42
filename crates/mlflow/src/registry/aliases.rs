use axum::response::Response;
use stele_domain::{Error, Kind};

use super::rules;
use super::versions::reply_version;
use crate::call::{Call, empty};
use crate::error::{Failure, Result};

pub(crate) async fn set(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let alias = input.required_text("alias")?;
    let version = input.required_text("version")?;
    rules::model_name(&name)?;
    rules::new_alias(&alias)?;
    let number = rules::version_number(&version)?;
    call.app.model_alias_set(&call.ctx, name, alias, number).await?;
    empty()
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let alias = input.required_text("alias")?;
    rules::model_name(&name)?;
    rules::alias(&alias)?;
    call.app.model_alias_delete(&call.ctx, name, alias).await?;
    empty()
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let alias = input.required_text("alias")?;
    rules::model_name(&name)?;
    rules::alias(&alias)?;
    match call.app.model_version_by_alias(&call.ctx, name.clone(), alias).await {
        Ok(version) => reply_version(version),
        Err(Error::NotFound { kind: Kind::Alias, id }) if id.eq_ignore_ascii_case("latest") => {
            Err(Failure::not_found(format!("Latest version not found for model {name}.")))
        }
        Err(error) => Err(alias_failure(error)),
    }
}

/// An alias that is not there counts as a wrong parameter, not as a missing resource.
pub(super) fn alias_failure(error: Error) -> Failure {
    match error {
        Error::NotFound { kind: Kind::Alias, id } => {
            Failure::invalid(format!("Registered model alias {id} not found."))
        }
        other => other.into(),
    }
}
