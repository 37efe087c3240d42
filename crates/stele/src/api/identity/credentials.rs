//! Tokens and access keys, which differ in what is told of them once.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_app::{KeyMade, NewCredential, TokenMade};
use stele_domain::directory::{CredentialKind, CredentialRecord};
use stele_domain::id::Timestamp;
use stele_domain::search::SortValue;
use utoipa::ToSchema;

use super::{after_name, role};
use crate::api::Result;
use crate::api::call::{Call, done, reply};
use crate::api::page::{LIMIT, PAGE_TOKEN, Paging};
use crate::api::route::Parameter;

pub(in crate::api) const LIST: &[Parameter] = &[LIMIT, PAGE_TOKEN];

pub(in crate::api) async fn list_tokens(call: Call) -> Result<Response> {
    let (tokens, next_page_token) = listed(&call, CredentialKind::Token).await?;
    reply(&TokenPage { tokens, next_page_token })
}

pub(in crate::api) async fn list_keys(call: Call) -> Result<Response> {
    let (access_keys, next_page_token) = listed(&call, CredentialKind::Key).await?;
    reply(&AccessKeyPage { access_keys, next_page_token })
}

async fn listed(call: &Call, kind: CredentialKind) -> Result<(Vec<CredentialDto>, Option<String>)> {
    let paging = Paging::read(call, kind.as_str())?;
    let (account, after) = (Some(call.path("account").to_owned()), after_name(&paging));
    let found = call.app.credentials_list(&call.ctx, account, kind, after, paging.window().limit).await?;
    let end = found.items.last().filter(|_| found.more);
    let token = end.map(|last| paging.token(&[SortValue::Text(last.id.clone())]));
    Ok((found.items.into_iter().map(CredentialDto::from).collect(), token))
}

pub(in crate::api) async fn create_token(mut call: Call) -> Result<Response> {
    let new = read(&mut call).await?;
    let TokenMade { record, token } = call.app.token_create(&call.ctx, new).await?;
    reply(&TokenMadeDto { made: record.into(), token })
}

pub(in crate::api) async fn create_key(mut call: Call) -> Result<Response> {
    let new = read(&mut call).await?;
    let KeyMade { record, secret } = call.app.key_create(&call.ctx, new).await?;
    reply(&AccessKeyMadeDto { made: record.into(), secret })
}

async fn read(call: &mut Call) -> Result<NewCredential> {
    let NewCredentialDto { name, roles, expires_at } = call.json().await?;
    let roles = roles.map(|roles| roles.iter().map(|name| role(name)).collect::<Result<Vec<_>>>()).transpose()?;
    Ok(NewCredential {
        account: call.path("account").to_owned(),
        name: name.unwrap_or_default(),
        roles,
        expires_at: expires_at.map(Timestamp),
    })
}

pub(in crate::api) async fn revoke_token(call: Call) -> Result<Response> {
    revoke(&call, CredentialKind::Token, "token_id").await
}

pub(in crate::api) async fn revoke_key(call: Call) -> Result<Response> {
    revoke(&call, CredentialKind::Key, "key_id").await
}

async fn revoke(call: &Call, kind: CredentialKind, id: &str) -> Result<Response> {
    let (account, id) = (call.path("account").to_owned(), call.path(id).to_owned());
    call.app.credential_revoke(&call.ctx, account, kind, id).await?;
    done()
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewCredential)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewCredentialDto {
    /// What it is for.
    name: Option<String>,
    /// What it is narrowed to, such as only `viewer`; all that the account may do unless given.
    roles: Option<Vec<String>>,
    /// Milliseconds since 1970; never unless given.
    expires_at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct TokenPage {
    tokens: Vec<CredentialDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct AccessKeyPage {
    access_keys: Vec<CredentialDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TokenMade)]
pub(in crate::api) struct TokenMadeDto {
    #[serde(flatten)]
    made: CredentialDto,
    /// The token itself, which is never told again.
    token: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AccessKeyMade)]
pub(in crate::api) struct AccessKeyMadeDto {
    #[serde(flatten)]
    made: CredentialDto,
    /// The secret access key, which is never told again; the id is the access key id.
    secret: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Credential)]
pub(in crate::api) struct CredentialDto {
    id: String,
    account: String,
    name: String,
    /// Absent if it is not narrowed.
    roles: Option<Vec<&'static str>>,
    /// Milliseconds since 1970.
    created_at: i64,
    expires_at: Option<i64>,
    /// To the minute.
    last_used_at: Option<i64>,
}

impl From<CredentialRecord> for CredentialDto {
    fn from(credential: CredentialRecord) -> CredentialDto {
        let CredentialRecord { id, account, kind: _, name, roles, created_at, expires_at, last_used_at } = credential;
        CredentialDto {
            id,
            account,
            name,
            roles: roles.map(|roles| roles.into_iter().map(|role| role.as_str()).collect()),
            created_at: created_at.0,
            expires_at: expires_at.map(|at| at.0),
            last_used_at: last_used_at.map(|at| at.0),
        }
    }
}
