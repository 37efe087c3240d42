use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use stele_app::{App, Ctx, Held, NewAccount};
use stele_domain::Error;
use stele_domain::authz::Principal;
use stele_domain::directory::Holder;
use stele_domain::identity::{Role, Scope};

use super::roles::RoleDto;
use super::single;
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};

#[derive(Serialize)]
struct UserDto {
    id: i64,
    username: String,
    is_admin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<RoleDto>>,
}

/// A user as the calls for a single one give it. Clients before 3.0 insist on the lists.
#[derive(Serialize)]
struct SingleUserDto {
    #[serde(flatten)]
    user: UserDto,
    experiment_permissions: Vec<Value>,
    registered_model_permissions: Vec<Value>,
}

impl SingleUserDto {
    async fn read(app: &App, ctx: &Ctx, username: String) -> Result<SingleUserDto> {
        let user = UserDto::new(&app.account_held(ctx, username).await?, None);
        let granted = single::own(app, ctx, &user.username).await?;
        let experiment_permissions = single::all::<single::Experiment>(&granted, ctx, user.id);
        let registered_model_permissions = single::all::<single::RegisteredModel>(&granted, ctx, user.id);
        Ok(SingleUserDto { user, experiment_permissions, registered_model_permissions })
    }
}

impl UserDto {
    fn new(held: &Held, roles: Option<Vec<RoleDto>>) -> UserDto {
        let Held { record, groups: _, grants: _ } = held;
        UserDto { id: record.row.0, username: record.name.clone(), is_admin: held.administers(), roles }
    }
}

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (username, password) = (input.required_text("username")?, input.required_text("password")?);
    let new = NewAccount { password: Some(password), ..NewAccount::user(&username) };
    call.app.account_create(&call.ctx, new).await?;
    reply(&json!({ "user": SingleUserDto::read(&call.app, &call.ctx, username).await? }))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let username = call.input().await?.required_text("username")?;
    reply(&json!({ "user": SingleUserDto::read(&call.app, &call.ctx, username).await? }))
}

pub(crate) async fn list(call: Call) -> Result<Response> {
    let mut users = Vec::new();
    for held in call.app.accounts_held(&call.ctx).await? {
        let mut roles = Vec::new();
        for group in &held.groups {
            roles.push(RoleDto::read(&call.app, &call.ctx, call.app.group_get(&call.ctx, group.clone()).await?).await?);
        }
        users.push(UserDto::new(&held, Some(roles)));
    }
    reply(&json!({ "users": users }))
}

/// Who is logged in: nobody on a server without authentication, so that the pages show no account.
pub(crate) async fn current(call: Call) -> Result<Response> {
    let name = match &call.ctx.principal {
        Principal::LocalOwner => return reply(&json!({ "user": null, "is_basic_auth": false })),
        Principal::Account(account) => account.name.clone(),
    };
    let held = call.app.account_held(&call.ctx, name).await?;
    reply(&json!({ "user": UserDto::new(&held, None), "is_basic_auth": held.record.has_password }))
}

pub(crate) async fn update_password(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (username, password) = (input.required_text("username")?, input.required_text("password")?);
    let current = input.text("current_password")?;
    call.app.password_set(&call.ctx, username, password, current).await.map_err(as_sentence)?;
    empty()
}

pub(crate) async fn update_admin(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let username = input.required_text("username")?;
    let wanted =
        input.bool("is_admin")?.ok_or_else(|| Failure::invalid("Missing value for required parameter 'is_admin'."))?;
    let holder = Holder::Account(username.clone());
    if wanted {
        call.app.grant_create(&call.ctx, holder, Role::Administrator, Scope::Organisation).await?;
        return empty();
    }
    let held = call.app.account_held(&call.ctx, username.clone()).await?;
    let revoked = call.app.grants_revoke(&call.ctx, holder, Scope::Organisation, None).await?;
    if revoked == 0 && held.administers() {
        let message = format!("'{username}' is an admin as a member of a group");
        return Err(Error::conflict(message).into());
    }
    empty()
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let username = call.input().await?.required_text("username")?;
    if call.ctx.principal.name() == username {
        let message = "Users cannot delete their own account. Ask another admin to delete this user instead.";
        return Err(Failure::new(Code::BadRequest, message));
    }
    call.app.account_delete(&call.ctx, username).await?;
    empty()
}

/// MLflow's clients look for its words about the current password, which begin with a capital.
fn as_sentence(error: Error) -> Error {
    match error {
        Error::Invalid { message } => {
            let mut letters = message.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            Error::invalid(first.chain(letters.as_str().chars()).collect::<String>())
        }
        other => other,
    }
}
