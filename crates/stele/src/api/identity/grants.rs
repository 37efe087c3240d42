use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_domain::directory::{GrantRecord, Holder};
use stele_domain::id::GrantRow;
use stele_domain::search::SortValue;
use stele_domain::{Error, Kind};
use utoipa::ToSchema;

use super::{role, scope};
use crate::api::Result;
use crate::api::call::{Call, done, reply};
use crate::api::page::{LIMIT, PAGE_TOKEN, Paging};
use crate::api::problem::Problem;
use crate::api::route::Parameter;

pub(in crate::api) const LIST: &[Parameter] = &[
    Parameter::text("account", "Only what this account holds itself."),
    Parameter::text("group", "Only what this group holds."),
    LIMIT,
    PAGE_TOKEN,
];

pub(in crate::api) async fn list(call: Call) -> Result<Response> {
    let paging = Paging::read(&call, "grants")?;
    let owned = |name: &str| call.query.text(name).map(str::to_owned);
    let holder = match (owned("account"), owned("group")) {
        (None, None) => None,
        (account, group) => Some(holder(account, group)?),
    };
    let after = match paging.after.as_deref() {
        Some([SortValue::Integer(row)]) => GrantRow(*row),
        _ => GrantRow(0),
    };
    let found = call.app.grants_list(&call.ctx, holder, after, paging.window().limit).await?;
    let end = found.items.last().filter(|_| found.more);
    reply(&GrantPage {
        next_page_token: end.map(|last| paging.token(&[SortValue::Integer(last.row.0)])),
        grants: found.items.into_iter().map(GrantDto::from).collect(),
    })
}

pub(in crate::api) async fn create(mut call: Call) -> Result<Response> {
    let NewGrantDto { account, group, role: name, scope: kind, of } = call.json().await?;
    let (holder, role, scope) = (holder(account, group)?, role(&name)?, scope(&kind, of.as_deref())?);
    reply(&GrantDto::from(call.app.grant_create(&call.ctx, holder, role, scope).await?))
}

pub(in crate::api) async fn delete(call: Call) -> Result<Response> {
    let id = call.path("grant_id");
    let row = id.parse().map_err(|_| Error::not_found(Kind::Grant, id))?;
    call.app.grant_delete(&call.ctx, GrantRow(row)).await?;
    done()
}

fn holder(account: Option<String>, group: Option<String>) -> Result<Holder> {
    match (account, group) {
        (Some(account), None) => Ok(Holder::Account(account)),
        (None, Some(group)) => Ok(Holder::Group(group)),
        _ => Err(Problem::invalid("a role is held by an account or by a group: name one of them")),
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewGrant)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewGrantDto {
    /// Who holds the role, unless a group does.
    account: Option<String>,
    group: Option<String>,
    /// `viewer`, `contributor`, `approver`, `deployer` or `administrator`.
    role: String,
    /// `organisation`, `workspace`, `experiment` or `model`.
    scope: String,
    /// The name of the workspace or model, or the id of the experiment.
    of: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct GrantPage {
    grants: Vec<GrantDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(in crate::api) struct GrantDto {
    id: String,
    account: Option<String>,
    group: Option<String>,
    role: &'static str,
    scope: &'static str,
    of: Option<String>,
    granted_by: String,
    /// Milliseconds since 1970.
    created_at: i64,
}

impl From<GrantRecord> for GrantDto {
    fn from(grant: GrantRecord) -> GrantDto {
        let GrantRecord { row, holder, role, scope, granted_by, created_at } = grant;
        let (account, group) = match holder {
            Holder::Account(name) => (Some(name), None),
            Holder::Group(name) => (None, Some(name)),
        };
        let of = Some(scope.name().to_owned()).filter(|name| !name.is_empty());
        GrantDto {
            id: row.to_string(),
            account,
            group,
            role: role.as_str(),
            scope: scope.kind(),
            of,
            granted_by,
            created_at: created_at.0,
        }
    }
}
