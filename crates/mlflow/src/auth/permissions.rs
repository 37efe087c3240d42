//! What single users may do, by themselves and through their roles.

use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stele_app::Held;
use stele_domain::authz::Principal;
use stele_domain::directory::Holder;
use stele_domain::identity::{Grant, Scope};

use super::permission::{Asked, permission_of, resource_of, strength};
use super::single::own;
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};

#[derive(Serialize)]
struct Row {
    role_id: i64,
    role_name: String,
    workspace: String,
    resource_type: &'static str,
    resource_pattern: String,
    permission: &'static str,
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let username = call.input().await?.required_text("username")?;
    listed(&call.app.account_held(&call.ctx, username).await?, &call.ctx.workspace_name)
}

pub(crate) async fn list_own(call: Call) -> Result<Response> {
    match &call.ctx.principal {
        Principal::LocalOwner => reply(&json!({ "is_admin": true, "permissions": [] })),
        Principal::Account(account) => {
            let name = account.name.clone();
            listed(&call.app.account_held(&call.ctx, name).await?, &call.ctx.workspace_name)
        }
    }
}

/// All that a user holds, as of the role that MLflow keeps for each user's own.
fn listed(held: &Held, workspace: &str) -> Result<Response> {
    let own = format!("__user_{}__", held.record.row);
    let rows: Vec<Row> = held
        .grants
        .iter()
        .filter_map(|Grant { role, scope }| {
            let (resource_type, pattern) = resource_of(scope, workspace)?;
            Some(Row {
                role_id: held.record.row.0,
                role_name: own.clone(),
                workspace: workspace.to_owned(),
                resource_type,
                resource_pattern: pattern.to_owned(),
                permission: permission_of(*role, scope),
            })
        })
        .collect();
    reply(&json!({ "is_admin": held.administers(), "permissions": rows }))
}

/// A user has one permission on a resource; for another one it is revoked first.
pub(crate) async fn grant(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let username = input.required_text("username")?;
    let (asked, role) = Asked::with_role(&input, "resource_id", &call.ctx.workspace_name)?;
    if own(&call.app, &call.ctx, &username).await?.iter().any(|grant| grant.scope == asked.scope) {
        let message = format!("{} already exists.", described(&username, &asked));
        return Err(Failure::new(Code::ResourceAlreadyExists, message));
    }
    call.app.grant_create(&call.ctx, Holder::Account(username), role, asked.scope).await?;
    empty()
}

fn described(username: &str, asked: &Asked) -> String {
    let Asked { kind, resource, scope: _ } = asked;
    format!("Permission for user={username} on resource_type={kind}, resource_id={resource}")
}

pub(crate) async fn revoke(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let username = input.required_text("username")?;
    let asked = Asked::read(&input, "resource_id", &call.ctx.workspace_name)?;
    call.app.account_held(&call.ctx, username.clone()).await?;
    let missing = format!("{} not found.", described(&username, &asked));
    match call.app.grants_revoke(&call.ctx, Holder::Account(username), asked.scope, None).await? {
        0 => Err(Failure::not_found(missing)),
        _ => empty(),
    }
}

/// What a user may do with a resource, all things taken together.
pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let username = input.required_text("username")?;
    let scope = Asked::read(&input, "resource_id", &call.ctx.workspace_name)?.scope;
    let held = call.app.account_held(&call.ctx, username).await?;
    let whole = Scope::Workspace(call.ctx.workspace_name.to_string());
    let reaches = |of: &Scope| *of == scope || *of == Scope::Organisation || *of == whole;
    let roles = held.grants.iter().filter(|grant| reaches(&grant.scope)).map(|grant| grant.role);
    let named = roles.map(|role| permission_of(role, &scope));
    let permission = named.max_by_key(|permission| strength(permission)).unwrap_or("NO_PERMISSIONS");
    let allowed = matches!(permission, "USE" | "EDIT" | "MANAGE");
    reply(&json!({ "allowed": allowed, "permission": permission }))
}
