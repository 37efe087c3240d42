use serde_json::json;
use stele_domain::authz::ManageIdentity;
use stele_domain::change::Change;
use stele_domain::directory::{GroupRecord, check_name};
use stele_domain::id::{GroupRow, WorkspaceId};
use stele_domain::search::Page;
use stele_domain::{Error, Kind, Result};

use super::account::administrator_remains;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

const MOST_DESCRIPTION: usize = 1024;

impl App {
    /// Makes a group of all workspaces.
    pub async fn group_create(&self, ctx: &Ctx, name: String, description: String) -> Result<GroupRecord> {
        self.group_make(ctx, name, description, None).await
    }

    /// Makes a group for the workspace of the request, which it goes with.
    pub async fn group_create_here(&self, ctx: &Ctx, name: String, description: String) -> Result<GroupRecord> {
        self.group_make(ctx, name, description, Some(ctx.workspace)).await
    }

    async fn group_make(
        &self,
        ctx: &Ctx,
        name: String,
        description: String,
        workspace: Option<WorkspaceId>,
    ) -> Result<GroupRecord> {
        check_name("a group", &name)?;
        check_description(&description)?;
        let now = ctx.now();
        self.change_identity::<ManageIdentity, _>(ctx, &name.clone(), move |tx, permit| {
            tx.group_create(permit, &name, &description, workspace, now)?;
            let made = tx.group_get(&name)?;
            Ok(Changed::one(made, Change::quiet("group.create", Kind::Group, &name)))
        })
        .await
    }

    pub async fn group_get(&self, ctx: &Ctx, name: String) -> Result<GroupRecord> {
        self.may_read_identity(ctx).await?;
        self.read(move |tx| tx.group_get(&name)).await
    }

    /// The group of a row, which some clients know it by.
    pub async fn group_of_row(&self, ctx: &Ctx, row: GroupRow) -> Result<GroupRecord> {
        self.may_read_identity(ctx).await?;
        self.read(move |tx| tx.group_of_row(row)).await
    }

    /// Those after a name, by name.
    pub async fn groups_list(&self, ctx: &Ctx, after: String, limit: i64) -> Result<Page<GroupRecord>> {
        self.may_read_identity(ctx).await?;
        self.read(move |tx| tx.groups_list(&after, limit)).await
    }

    /// Those for the workspace of the request and those of all, by name.
    pub async fn groups_here(&self, ctx: &Ctx, limit: i64) -> Result<Vec<GroupRecord>> {
        self.may_read_identity(ctx).await?;
        let workspace = ctx.workspace;
        self.read(move |tx| tx.groups_in(workspace, limit)).await
    }

    /// The names of the members after a name, by name.
    pub async fn group_members(&self, ctx: &Ctx, group: String, after: String, limit: i64) -> Result<Page<String>> {
        self.may_read_identity(ctx).await?;
        self.read(move |tx| {
            let group = tx.group_get(&group)?;
            tx.group_members(group.row, &after, limit)
        })
        .await
    }

    /// Renames or describes a group.
    pub async fn group_update(
        &self,
        ctx: &Ctx,
        name: String,
        new_name: Option<String>,
        description: Option<String>,
    ) -> Result<GroupRecord> {
        check_name("a group", new_name.as_deref().unwrap_or(&name))?;
        check_description(description.as_deref().unwrap_or_default())?;
        self.change_identity::<ManageIdentity, _>(ctx, &name.clone(), move |tx, permit| {
            let before = tx.group_get(&name)?;
            let new_name = new_name.as_ref().unwrap_or(&name);
            tx.group_change(permit, before.row, new_name, description.as_ref().unwrap_or(&before.description))?;
            let after = tx.group_get(new_name)?;
            let told = |group: &GroupRecord| json!({ "name": group.name, "description": group.description });
            let change = Change::quiet("group.update", Kind::Group, &name).before(told(&before)).after(told(&after));
            Ok(Changed::one(after, change))
        })
        .await
    }

    /// Deletes a group with its grants and memberships.
    pub async fn group_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        self.change_identity::<ManageIdentity, _>(ctx, &name.clone(), move |tx, permit| {
            let group = tx.group_get(&name)?;
            tx.group_delete(permit, group.row)?;
            administrator_remains(tx)?;
            Ok(Changed::one((), Change::quiet("group.delete", Kind::Group, &name)))
        })
        .await
    }

    /// Puts an account into a group; doing it again changes nothing.
    pub async fn group_member_add(&self, ctx: &Ctx, group: String, account: String) -> Result<()> {
        self.change_identity::<ManageIdentity, _>(ctx, &group.clone(), move |tx, permit| {
            let (to, member) = (tx.group_get(&group)?, tx.account_open(&account)?);
            if !tx.group_add_member(permit, to.row, member.row)? {
                return Ok(Changed::nothing(()));
            }
            let change = Change::quiet("group.add-member", Kind::Group, &group);
            Ok(Changed::one((), change.after(json!({ "account": account }))))
        })
        .await
    }

    pub async fn group_member_remove(&self, ctx: &Ctx, group: String, account: String) -> Result<()> {
        self.change_identity::<ManageIdentity, _>(ctx, &group.clone(), move |tx, permit| {
            let (from, member) = (tx.group_get(&group)?, tx.account_open(&account)?);
            if !tx.group_remove_member(permit, from.row, member.row)? {
                return Err(Error::not_found(Kind::Account, &account));
            }
            administrator_remains(tx)?;
            let change = Change::quiet("group.remove-member", Kind::Group, &group);
            Ok(Changed::one((), change.before(json!({ "account": account }))))
        })
        .await
    }
}

fn check_description(text: &str) -> Result<()> {
    check_text("description", text)?;
    let length = text.chars().count();
    if length > MOST_DESCRIPTION {
        let message = format!("the description of a group has at most {MOST_DESCRIPTION} characters, not {length}");
        return Err(Error::invalid(message));
    }
    Ok(())
}
