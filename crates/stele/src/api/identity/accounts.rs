use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_app::{AccountChange, NewAccount};
use stele_domain::directory::AccountRecord;
use stele_domain::identity::AccountKind;
use stele_domain::search::SortValue;
use utoipa::ToSchema;

use super::after_name;
use crate::api::Result;
use crate::api::call::{Call, done, reply};
use crate::api::page::{LIMIT, PAGE_TOKEN, Paging};
use crate::api::problem::Problem;
use crate::api::route::Parameter;

pub(in crate::api) const LIST: &[Parameter] = &[LIMIT, PAGE_TOKEN];

pub(in crate::api) async fn list(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "accounts")?;
    let found = call.app.accounts_list(&call.ctx, after_name(&paging), paging.window().limit).await?;
    let end = found.items.last().filter(|_| found.more);
    reply(&AccountPage {
        next_page_token: end.map(|last| paging.token(&[SortValue::Text(last.name.clone())])),
        accounts: found.items.into_iter().map(|account| AccountDto::new(account, None)).collect(),
    })
}

pub(in crate::api) async fn create(mut call: Call) -> Result<Response> {
    let NewAccountDto { name, kind, display_name, password } = call.json().await?;
    let kind = match kind.as_deref() {
        None => AccountKind::User,
        Some(kind) => AccountKind::parse(kind)
            .ok_or_else(|| Problem::invalid(format!("'{kind}' is not a kind of account; there are: user, service")))?,
    };
    let display_name = display_name.unwrap_or_default();
    let new = NewAccount { name, kind, display_name, password, subject: None };
    reply(&AccountDto::new(call.app.account_create(&call.ctx, new).await?, Some(Vec::new())))
}

pub(in crate::api) async fn get(call: Call) -> Result<Response> {
    let (account, groups) = call.app.account_get(&call.ctx, call.path("account").to_owned()).await?;
    reply(&AccountDto::new(account, Some(groups)))
}

pub(in crate::api) async fn update(mut call: Call) -> Result<Response> {
    let AccountChangeDto { display_name, disabled } = call.json().await?;
    let change = AccountChange { display_name, disabled };
    let account = call.app.account_update(&call.ctx, call.path("account").to_owned(), change).await?;
    reply(&AccountDto::new(account, None))
}

pub(in crate::api) async fn delete(call: Call) -> Result<Response> {
    call.app.account_delete(&call.ctx, call.path("account").to_owned()).await?;
    done()
}

pub(in crate::api) async fn set_password(mut call: Call) -> Result<Response> {
    let PasswordDto { password, current_password } = call.json().await?;
    let name = call.path("account").to_owned();
    call.app.password_set(&call.ctx, name, password, current_password).await?;
    done()
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewAccount)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewAccountDto {
    /// From 1 to 128 characters without spaces, colons and slashes; never given to another account.
    name: String,
    /// `user`, unless it is `service`.
    kind: Option<String>,
    display_name: Option<String>,
    /// From 8 to 1024 characters. Without one, a user logs in with tokens or through an identity provider.
    password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AccountChange)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AccountChangeDto {
    display_name: Option<String>,
    /// A disabled account is not let in.
    disabled: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewPassword)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct PasswordDto {
    /// From 8 to 1024 characters.
    password: String,
    /// What it was, for who sets their own.
    current_password: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct AccountPage {
    accounts: Vec<AccountDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(in crate::api) struct AccountDto {
    name: String,
    /// `user` or `service`.
    kind: &'static str,
    display_name: String,
    disabled: bool,
    has_password: bool,
    /// The identity provider that it comes from.
    issuer: Option<String>,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
}

impl AccountDto {
    fn new(account: AccountRecord, groups: Option<Vec<String>>) -> AccountDto {
        let AccountRecord { row: _, name, kind, display_name, has_password, issuer, disabled, created_at, updated_at } =
            account;
        AccountDto {
            name,
            kind: kind.as_str(),
            display_name,
            disabled,
            has_password,
            issuer,
            groups,
            created_at: created_at.0,
            updated_at: updated_at.0,
        }
    }
}
