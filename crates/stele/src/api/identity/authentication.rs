use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_domain::authz::Principal;
use stele_domain::identity::Grant;
use utoipa::ToSchema;

use crate::api::Result;
use crate::api::call::{Call, reply};

/// Who asks, and what they hold.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
pub(in crate::api) struct IdentityDto {
    name: String,
    /// `user`, `service`, or `local-owner` on a server without authentication.
    kind: &'static str,
    groups: Vec<String>,
    /// Those of the credential that was used, which may be narrowed.
    roles: Vec<HeldRoleDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HeldRole)]
pub(in crate::api) struct HeldRoleDto {
    role: &'static str,
    /// `organisation`, `workspace`, `experiment` or `model`.
    scope: &'static str,
    /// The name of the workspace or model, or the id of the experiment.
    of: Option<String>,
}

pub(in crate::api) async fn whoami(call: Call) -> Result<Response> {
    let (kind, grants): (_, &[Grant]) = match &call.ctx.principal {
        Principal::LocalOwner => ("local-owner", &[]),
        Principal::Account(account) => (account.kind.as_str(), &account.grants),
    };
    reply(&IdentityDto {
        name: call.ctx.principal.name().to_owned(),
        kind,
        groups: call.ctx.principal.groups().to_vec(),
        roles: grants
            .iter()
            .map(|Grant { role, scope }| HeldRoleDto {
                role: role.as_str(),
                scope: scope.kind(),
                of: Some(scope.name().to_owned()).filter(|name| !name.is_empty()),
            })
            .collect(),
    })
}

/// Whether requests must prove who they are.
#[derive(Serialize, ToSchema)]
#[schema(as = Authentication)]
pub(in crate::api) struct AuthenticationDto {
    required: bool,
}

pub(in crate::api) async fn get(call: Call) -> Result<Response> {
    reply(&AuthenticationDto { required: call.app.authentication_refreshed().await? })
}

/// Somebody who may do everything.
#[derive(Deserialize, ToSchema)]
#[schema(as = FirstAdministrator)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FirstAdministratorDto {
    name: String,
    /// From 8 to 1024 characters.
    password: String,
}

pub(in crate::api) async fn require(mut call: Call) -> Result<Response> {
    let FirstAdministratorDto { name, password } = call.json().await?;
    call.app.authentication_require(&call.ctx, name, password).await?;
    reply(&AuthenticationDto { required: true })
}
