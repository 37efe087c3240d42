use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_domain::directory::GroupRecord;
use stele_domain::search::SortValue;
use utoipa::ToSchema;

use super::after_name;
use crate::api::Result;
use crate::api::call::{Call, done, reply};
use crate::api::page::{LIMIT, PAGE_TOKEN, Paging};
use crate::api::route::Parameter;

pub(in crate::api) const LIST: &[Parameter] = &[LIMIT, PAGE_TOKEN];

pub(in crate::api) async fn list(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "groups")?;
    let found = call.app.groups_list(&call.ctx, after_name(&paging), paging.window().limit).await?;
    let end = found.items.last().filter(|_| found.more);
    reply(&GroupPage {
        next_page_token: end.map(|last| paging.token(&[SortValue::Text(last.name.clone())])),
        groups: found.items.into_iter().map(GroupDto::from).collect(),
    })
}

pub(in crate::api) async fn create(mut call: Call) -> Result<Response> {
    let NewGroupDto { name, description } = call.json().await?;
    let made = call.app.group_create(&call.ctx, name, description.unwrap_or_default()).await?;
    reply(&GroupDto::from(made))
}

pub(in crate::api) async fn get(call: Call) -> Result<Response> {
    reply(&GroupDto::from(call.app.group_get(&call.ctx, call.path("group").to_owned()).await?))
}

pub(in crate::api) async fn delete(call: Call) -> Result<Response> {
    call.app.group_delete(&call.ctx, call.path("group").to_owned()).await?;
    done()
}

pub(in crate::api) async fn members(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "members")?;
    let (group, after) = (call.path("group").to_owned(), after_name(&paging));
    let found = call.app.group_members(&call.ctx, group, after, paging.window().limit).await?;
    let end = found.items.last().filter(|_| found.more);
    reply(&MemberPage {
        next_page_token: end.map(|last| paging.token(&[SortValue::Text(last.clone())])),
        members: found.items.into_iter().map(|account| MemberDto { account }).collect(),
    })
}

pub(in crate::api) async fn add_member(call: Call) -> Result<Response> {
    let (group, account) = (call.path("group").to_owned(), call.path("account").to_owned());
    call.app.group_member_add(&call.ctx, group, account).await?;
    done()
}

pub(in crate::api) async fn remove_member(call: Call) -> Result<Response> {
    let (group, account) = (call.path("group").to_owned(), call.path("account").to_owned());
    call.app.group_member_remove(&call.ctx, group, account).await?;
    done()
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewGroup)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewGroupDto {
    /// From 1 to 128 characters without spaces, colons and slashes.
    name: String,
    description: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct GroupPage {
    groups: Vec<GroupDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(in crate::api) struct GroupDto {
    name: String,
    description: String,
    /// The workspace that it is for, if it is for one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    /// How many accounts are in it.
    members: i64,
    /// Milliseconds since 1970.
    created_at: i64,
}

impl From<GroupRecord> for GroupDto {
    fn from(group: GroupRecord) -> GroupDto {
        let GroupRecord { row: _, name, description, workspace, members, created_at } = group;
        GroupDto { name, description, workspace, members, created_at: created_at.0 }
    }
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct MemberPage {
    members: Vec<MemberDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(in crate::api) struct MemberDto {
    account: String,
}
