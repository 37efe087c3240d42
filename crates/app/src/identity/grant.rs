use std::sync::Arc;

use serde_json::{Value, json};
use stele_domain::authz::{ManageIdentity, authorize_own};
use stele_domain::change::Change;
use stele_domain::directory::{GrantRecord, Holder};
use stele_domain::id::{ExperimentId, GrantRow};
use stele_domain::identity::{Role, Scope};
use stele_domain::search::Page;
use stele_domain::{Error, Kind, Result};

use super::account::administrator_remains;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    /// Lets a holder do on a scope what a role allows; doing it again changes nothing. What the scope is of must be
    /// there.
    pub async fn grant_create(&self, ctx: &Ctx, holder: Holder, role: Role, scope: Scope) -> Result<GrantRecord> {
        check_text("scope", scope.name())?;
        let (now, granted_by) = (ctx.now(), ctx.principal.name().to_owned());
        let (visible, workspace) = (ctx.visible(), Arc::clone(&ctx.workspace_name));
        self.change_identity::<ManageIdentity, _>(ctx, &described(&holder), move |tx, permit| {
            match &scope {
                Scope::Organisation => {}
                Scope::Workspace(name) => drop(tx.workspace_get(name)?),
                Scope::Experiment(id) => {
                    let row = id.parse().map_err(|_| Error::not_found(Kind::Experiment, id))?;
                    tx.experiment_get(&visible, ExperimentId(row))?;
                }
                Scope::Model(text) => {
                    let scope = stored(&scope, &workspace);
                    let name = Scope::model_of(scope.name(), &workspace);
                    let name = name.ok_or_else(|| Error::not_found(Kind::Model, text))?;
                    tx.model_get(&visible, name)?;
                }
            }
            let scope = stored(&scope, &workspace);
            let granted = tx.grant_create(permit, &holder, role, &scope, &granted_by, now)?;
            let change = Change::quiet("grant.create", Kind::Grant, granted.row.to_string()).after(told(&granted));
            Ok(Changed::one(granted, change))
        })
        .await
    }

    /// The grants of a holder itself, or of everybody, after a row. Everybody may read their own.
    pub async fn grants_list(
        &self,
        ctx: &Ctx,
        holder: Option<Holder>,
        after: GrantRow,
        limit: i64,
    ) -> Result<Page<GrantRecord>> {
        let own = matches!(&holder, Some(Holder::Account(name)) if authorize_own(ctx, name).is_some());
        if !own {
            self.may_read_identity(ctx).await?;
        }
        self.read(move |tx| {
            match &holder {
                Some(Holder::Account(name)) => drop(tx.account_get(name)?),
                Some(Holder::Group(name)) => drop(tx.group_get(name)?),
                None => {}
            }
            tx.grants_list(holder.as_ref(), after, limit)
        })
        .await
    }

    pub async fn grant_get(&self, ctx: &Ctx, row: GrantRow) -> Result<GrantRecord> {
        self.may_read_identity(ctx).await?;
        self.read(move |tx| tx.grant_get(row)).await
    }

    pub async fn grant_delete(&self, ctx: &Ctx, row: GrantRow) -> Result<()> {
        self.change_identity::<ManageIdentity, _>(ctx, &row.to_string(), move |tx, permit| {
            let grant = tx.grant_get(row)?;
            tx.grant_delete(permit, row)?;
            administrator_remains(tx)?;
            Ok(Changed::one((), Change::quiet("grant.delete", Kind::Grant, row.to_string()).before(told(&grant))))
        })
        .await
    }

    /// Makes the role of a grant another one, and the only one that its holder itself holds on the scope.
    pub async fn grant_change(&self, ctx: &Ctx, row: GrantRow, role: Role) -> Result<GrantRecord> {
        self.change_identity::<ManageIdentity, _>(ctx, &row.to_string(), move |tx, permit| {
            let before = tx.grant_get(row)?;
            let mut changes = Vec::new();
            for other in tx.grants_list(Some(&before.holder), GrantRow(0), i64::from(u16::MAX))?.items {
                if other.scope == before.scope && other.row != row {
                    tx.grant_delete(permit, other.row)?;
                    let change = Change::quiet("grant.delete", Kind::Grant, other.row.to_string());
                    changes.push(change.before(told(&other)));
                }
            }
            if before.role != role {
                tx.grant_set_role(permit, row, role)?;
                let change = Change::quiet("grant.change", Kind::Grant, row.to_string());
                changes.push(change.before(told(&before)).after(told(&tx.grant_get(row)?)));
            }
            administrator_remains(tx)?;
            Ok(Changed::many(tx.grant_get(row)?, changes))
        })
        .await
    }

    /// Makes `role` the only role that a holder itself holds on a scope.
    pub async fn grant_replace(&self, ctx: &Ctx, holder: Holder, role: Role, scope: Scope) -> Result<GrantRecord> {
        let granted = self.grant_create(ctx, holder.clone(), role, scope.clone()).await?;
        self.grants_revoke(ctx, holder, scope, Some(granted.row)).await?;
        Ok(granted)
    }

    /// Takes from a holder every role that it itself holds on a scope, but for one grant. Says how many there were.
    pub async fn grants_revoke(&self, ctx: &Ctx, holder: Holder, scope: Scope, but: Option<GrantRow>) -> Result<usize> {
        let scope = stored(&scope, &ctx.workspace_name);
        self.change_identity::<ManageIdentity, _>(ctx, &described(&holder), move |tx, permit| {
            let held = tx.grants_list(Some(&holder), GrantRow(0), i64::from(u16::MAX))?.items;
            let mut changes = Vec::new();
            for grant in held.iter().filter(|grant| grant.scope == scope && Some(grant.row) != but) {
                tx.grant_delete(permit, grant.row)?;
                let change = Change::quiet("grant.delete", Kind::Grant, grant.row.to_string());
                changes.push(change.before(told(grant)));
            }
            administrator_remains(tx)?;
            Ok(Changed::many(changes.len(), changes))
        })
        .await
    }
}

/// A scope that somebody in a workspace names, as it is kept.
fn stored(scope: &Scope, workspace: &str) -> Scope {
    match scope {
        // One that names its workspace already came from the record.
        Scope::Model(name) if !name.contains('/') => Scope::model_in(workspace, name),
        other => other.clone(),
    }
}

fn described(holder: &Holder) -> String {
    match holder {
        Holder::Account(name) => name.clone(),
        Holder::Group(name) => format!("group {name}"),
    }
}

/// A grant in the audit log.
fn told(grant: &GrantRecord) -> Value {
    let (kind, holder) = match &grant.holder {
        Holder::Account(name) => ("account", name),
        Holder::Group(name) => ("group", name),
    };
    json!({ kind: holder, "role": grant.role.as_str(), "scope": grant.scope.kind(), "of": grant.scope.name() })
}
