use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use stele_app::{App, Ctx};
use stele_domain::Error;
use stele_domain::directory::{GrantRecord, GroupRecord, Holder};
use stele_domain::id::{GrantRow, GroupRow};

use super::permission::{Asked, permission_of, resource_of, role_of};
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};
use crate::input::Input;

/// The most roles, permissions of one and members of one that are listed, as MLflow does not list in pages.
const MOST: i64 = 10_000;

#[derive(Serialize)]
pub(super) struct RoleDto {
    id: i64,
    name: String,
    workspace: String,
    description: Option<String>,
    permissions: Vec<PermissionDto>,
}

#[derive(Serialize)]
struct PermissionDto {
    id: i64,
    role_id: i64,
    resource_type: &'static str,
    resource_pattern: String,
    permission: &'static str,
}

impl RoleDto {
    /// A group with its grants, as of its workspace; one of all workspaces is as of that of the request.
    pub(super) async fn read(app: &App, ctx: &Ctx, group: GroupRecord) -> Result<RoleDto> {
        let ctx = &home(app, ctx, &group).await?;
        let permissions = permissions(app, ctx, &group).await?;
        let GroupRecord { row, name, description, workspace: _, members: _, created_at: _ } = group;
        let description = Some(description).filter(|text| !text.is_empty());
        Ok(RoleDto { id: row.0, name, workspace: ctx.workspace_name.to_string(), description, permissions })
    }
}

async fn permissions(app: &App, ctx: &Ctx, group: &GroupRecord) -> Result<Vec<PermissionDto>> {
    let holder = Some(Holder::Group(group.name.clone()));
    let grants = app.grants_list(ctx, holder, GrantRow(0), MOST).await?.items;
    Ok(grants.iter().filter_map(|grant| PermissionDto::new(group.row, grant, &ctx.workspace_name)).collect())
}

impl PermissionDto {
    fn new(group: GroupRow, grant: &GrantRecord, workspace: &str) -> Option<PermissionDto> {
        let (resource_type, pattern) = resource_of(&grant.scope, workspace)?;
        Some(PermissionDto {
            id: grant.row.0,
            role_id: group.0,
            resource_type,
            resource_pattern: pattern.to_owned(),
            permission: permission_of(grant.role, &grant.scope),
        })
    }
}

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, description) = (input.required_text("name")?, input.text("description")?);
    let ctx = in_workspace(&call.app, &call.ctx, &input.required_text("workspace")?).await?;
    let made = call.app.group_create_here(&ctx, name.clone(), description.unwrap_or_default()).await;
    let made = made.map_err(|error| name_taken(error, &name, &ctx))?;
    reply(&json!({ "role": RoleDto::read(&call.app, &ctx, made).await? }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (_, group) = group(&call.app, &call.ctx, &input).await?;
    reply(&json!({ "role": RoleDto::read(&call.app, &call.ctx, group).await? }))
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let (ctx, groups) = match call.input().await?.text("workspace")? {
        Some(workspace) => {
            let ctx = in_workspace(&call.app, &call.ctx, &workspace).await?;
            let groups = call.app.groups_here(&ctx, MOST).await?;
            (ctx, groups)
        }
        None => (call.ctx.clone(), call.app.groups_list(&call.ctx, String::new(), MOST).await?.items),
    };
    let mut roles = Vec::new();
    for group in groups {
        roles.push(RoleDto::read(&call.app, &ctx, group).await?);
    }
    reply(&json!({ "roles": roles }))
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (name, description) = (input.text("name")?, input.text("description")?);
    if name.is_none() && description.is_none() {
        return Err(Failure::invalid("At least one of 'name' or 'description' must be provided to update a role."));
    }
    let (ctx, group) = group(&call.app, &call.ctx, &input).await?;
    let wanted = name.clone().unwrap_or_default();
    let changed = call.app.group_update(&ctx, group.name, name, description).await;
    let changed = changed.map_err(|error| name_taken(error, &wanted, &ctx))?;
    reply(&json!({ "role": RoleDto::read(&call.app, &ctx, changed).await? }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (ctx, group) = group(&call.app, &call.ctx, &input).await?;
    call.app.group_delete(&ctx, group.name).await?;
    empty()
}

pub(crate) async fn add_permission(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (ctx, group) = group(&call.app, &call.ctx, &input).await?;
    let (Asked { kind, resource, scope }, role) = Asked::with_role(&input, "resource_pattern", &ctx.workspace_name)?;
    let held = permissions(&call.app, &ctx, &group).await?;
    if let Some((of_kind, pattern)) = resource_of(&scope, &ctx.workspace_name)
        && held.iter().any(|held| held.resource_type == of_kind && held.resource_pattern == pattern)
    {
        let which = format!("(role_id={}, resource_type={kind}, resource_pattern={resource})", group.row);
        return Err(Failure::new(Code::ResourceAlreadyExists, format!("Role permission {which} already exists.")));
    }
    let granted = call.app.grant_create(&ctx, Holder::Group(group.name), role, scope).await?;
    reply(&json!({ "role_permission": PermissionDto::new(group.row, &granted, &ctx.workspace_name) }))
}

pub(crate) async fn remove_permission(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (ctx, _, grant) = held_by_group(&call.app, &call.ctx, &input).await?;
    call.app.grant_delete(&ctx, grant.row).await?;
    empty()
}

pub(crate) async fn list_permissions(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (ctx, group) = group(&call.app, &call.ctx, &input).await?;
    reply(&json!({ "role_permissions": permissions(&call.app, &ctx, &group).await? }))
}

pub(crate) async fn update_permission(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let permission = input.required_text("permission")?;
    let (ctx, group, grant) = held_by_group(&call.app, &call.ctx, &input).await?;
    let role = role_of(&permission, &grant.scope)?;
    let granted = call.app.grant_change(&ctx, grant.row, role).await?;
    reply(&json!({ "role_permission": PermissionDto::new(group.row, &granted, &ctx.workspace_name) }))
}

pub(crate) async fn assign(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let username = input.required_text("username")?;
    let (ctx, group) = group(&call.app, &call.ctx, &input).await?;
    let user = call.app.account_held(&ctx, username.clone()).await?;
    if user.groups.contains(&group.name) {
        let message = format!("{} already exists", described(user.record.row.0, &group));
        return Err(Failure::new(Code::ResourceAlreadyExists, message));
    }
    call.app.group_member_add(&ctx, group.name.clone(), username).await?;
    reply(&json!({ "assignment": assignment(user.record.row.0, &group) }))
}

pub(crate) async fn unassign(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let username = input.required_text("username")?;
    let (ctx, group) = group(&call.app, &call.ctx, &input).await?;
    let user = call.app.account_held(&ctx, username.clone()).await?;
    if !user.groups.contains(&group.name) {
        return Err(Failure::not_found(format!("{} not found", described(user.record.row.0, &group))));
    }
    call.app.group_member_remove(&ctx, group.name, username).await?;
    empty()
}

fn described(user: i64, group: &GroupRecord) -> String {
    format!("User role assignment (user_id={user}, role_id={})", group.row)
}

/// MLflow's roles have names of their own in each workspace; here a name is one group's.
fn name_taken(error: Error, name: &str, ctx: &Ctx) -> Failure {
    match error {
        Error::AlreadyExists { .. } => {
            let which = format!("(name={name}, workspace={})", ctx.workspace_name);
            Failure::new(Code::ResourceAlreadyExists, format!("Role {which} already exists."))
        }
        other => other.into(),
    }
}

pub(crate) async fn of_user(mut call: Call) -> Result<Response> {
    let username = call.input().await?.required_text("username")?;
    let mut roles = Vec::new();
    for group in call.app.account_held(&call.ctx, username).await?.groups {
        roles.push(RoleDto::read(&call.app, &call.ctx, call.app.group_get(&call.ctx, group).await?).await?);
    }
    reply(&json!({ "roles": roles }))
}

pub(crate) async fn users(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (_, group) = group(&call.app, &call.ctx, &input).await?;
    let members = call.app.group_members(&call.ctx, group.name.clone(), String::new(), MOST).await?.items;
    let mut assignments = Vec::new();
    for member in members {
        let user = call.app.account_held(&call.ctx, member).await?;
        assignments.push(assignment(user.record.row.0, &group));
    }
    reply(&json!({ "assignments": assignments }))
}

/// The record keeps no number for a membership, so it is known by the user's.
fn assignment(user: i64, group: &GroupRecord) -> serde_json::Value {
    json!({ "id": user, "user_id": user, "role_id": group.row.0 })
}

/// The group that is named, and the request in its workspace.
async fn group(app: &App, ctx: &Ctx, input: &Input) -> Result<(Ctx, GroupRecord)> {
    let row = GroupRow(input.required_int("role_id")?);
    let found = app.group_of_row(ctx, row).await.map_err(|error| match error {
        Error::NotFound { .. } => Failure::not_found(format!("Role with id={row} not found")),
        other => other.into(),
    })?;
    Ok((home(app, ctx, &found).await?, found))
}

/// The permission that is named, which must be one of a role and no user's own.
async fn held_by_group(app: &App, ctx: &Ctx, input: &Input) -> Result<(Ctx, GroupRecord, GrantRecord)> {
    let row = GrantRow(input.required_int("role_permission_id")?);
    let missing = || Failure::not_found(format!("Role permission with id={row} not found"));
    let grant = app.grant_get(ctx, row).await.map_err(|error| match error {
        Error::NotFound { .. } => missing(),
        other => other.into(),
    })?;
    let Holder::Group(name) = &grant.holder else { return Err(missing()) };
    let group = app.group_get(ctx, name.clone()).await?;
    let ctx = home(app, ctx, &group).await?;
    match resource_of(&grant.scope, &ctx.workspace_name) {
        Some(_) => Ok((ctx, group, grant)),
        None => Err(missing()),
    }
}

/// The request in the workspace that a group is for, whichever the client is in: MLflow's clients name roles by number
/// alone.
async fn home(app: &App, ctx: &Ctx, group: &GroupRecord) -> Result<Ctx> {
    match &group.workspace {
        Some(workspace) => in_workspace(app, ctx, workspace).await,
        None => Ok(ctx.clone()),
    }
}

async fn in_workspace(app: &App, ctx: &Ctx, workspace: &str) -> Result<Ctx> {
    app.turn_to(ctx, workspace).await.map_err(|error| match error {
        Error::NotFound { .. } | Error::Unsupported { .. } => {
            Failure::not_found(format!("Workspace '{workspace}' not found."))
        }
        other => other.into(),
    })
}
