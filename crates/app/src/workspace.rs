//! Workspaces, and who is in which.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use stele_domain::authz::{ManageWorkspace, Permit, Place, Principal, Subject, Visibility, visible};
use stele_domain::change::Change;
use stele_domain::gate::Gate;
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::identity::Scope;
use stele_domain::workspace::{DEFAULT, MOST, Removal, Workspace, check_name};
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, Tx};

use crate::governance::pass_all;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// How long a server may believe that a workspace is there which another one has deleted meanwhile. Changes in it are
/// refused from the start.
const BELIEVED_MS: i64 = 3_000;

/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 10_000;

/// What this server knows of workspaces.
#[derive(Default)]
pub(crate) struct Workspaces {
    /// Whether requests may be in others than `default`.
    enabled: AtomicBool,
    known: Mutex<HashMap<String, (Timestamp, WorkspaceId)>>,
}

/// A workspace to be made.
#[derive(Debug, Clone, Default)]
pub struct NewWorkspace {
    pub name: String,
    pub description: Option<String>,
    pub artifact_root: Option<String>,
}

/// What is to be changed; the empty text clears it.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceChange {
    pub description: Option<String>,
    pub artifact_root: Option<String>,
}

impl App {
    /// Lets requests be in other workspaces than `default`.
    pub fn enable_workspaces(&self) {
        self.parts.workspaces.enabled.store(true, Ordering::Relaxed);
    }

    pub fn workspaces_enabled(&self) -> bool {
        self.parts.workspaces.enabled.load(Ordering::Relaxed)
    }

    /// The context of the same request in the workspace that it names. A workspace in which somebody holds no role does
    /// not exist for them.
    pub async fn enter(&self, ctx: Ctx, name: &str) -> Result<Ctx> {
        if name == DEFAULT {
            return Ok(ctx);
        }
        if !self.workspaces_enabled() {
            return Err(Error::unsupported(format!(
                "this server answers in the workspace '{DEFAULT}' alone, and not in '{name}': it runs without workspaces"
            )));
        }
        check_name(name)?;
        let row = self.workspace_known(name).await?;
        let ctx = ctx.within(row, name);
        if !self.is_let_in(ctx.visible()).await? {
            return Err(Error::not_found(Kind::Workspace, name));
        }
        Ok(ctx)
    }

    /// The context of the same request in another workspace than the one that it names, for calls that name theirs in
    /// their fields.
    pub async fn turn_to(&self, ctx: &Ctx, name: &str) -> Result<Ctx> {
        match name {
            _ if *ctx.workspace_name == *name => Ok(ctx.clone()),
            DEFAULT => Ok(ctx.within(self.parts.workspace, DEFAULT)),
            _ => self.enter(ctx.clone(), name).await,
        }
    }

    /// The context of the same request in the workspace that whoever asks belongs to, for clients that cannot name one.
    pub async fn at_home(&self, ctx: Ctx) -> Result<Ctx> {
        match home(&ctx.principal) {
            Some(name) if self.workspaces_enabled() => self.enter(ctx, &name).await,
            _ => Ok(ctx),
        }
    }

    /// The twelve digits of the account that the workspace of a request is to clients which know accounts; `of_default`
    /// are those of `default`.
    pub fn account_number(&self, ctx: &Ctx, of_default: &str) -> String {
        self.account_number_of(ctx.workspace, of_default)
    }

    /// As [`App::account_number`], of a workspace.
    pub fn account_number_of(&self, workspace: WorkspaceId, of_default: &str) -> String {
        const ALL: i64 = 1_000_000_000_000;
        let distance = workspace.0 - self.parts.workspace.0;
        match of_default.parse::<i64>() {
            Ok(number) if distance != 0 => format!("{:012}", (number + distance).rem_euclid(ALL)),
            _ => of_default.to_owned(),
        }
    }

    async fn workspace_known(&self, name: &str) -> Result<WorkspaceId> {
        let now = self.now();
        let known = &self.parts.workspaces.known;
        if let Some((at, row)) = known.lock().get(name).copied()
            && (0..BELIEVED_MS).contains(&(now.0 - at.0))
        {
            return Ok(row);
        }
        let wanted = name.to_owned();
        let row = self.read(move |tx| tx.workspace_get(&wanted)).await?.row;
        let mut known = known.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.to_owned(), (now, row));
        Ok(row)
    }

    /// Whether somebody sees anything at all.
    async fn is_let_in(&self, visible: Visibility) -> Result<bool> {
        let extent = visible.extent();
        if visible.sees(Place::Workspace) || extent.models().is_some_and(|models| !models.is_empty()) {
            return Ok(true);
        }
        if extent.experiments().is_some_and(<[_]>::is_empty) {
            return Ok(false);
        }
        self.read(move |tx| tx.workspace_has_seen(&visible)).await
    }

    /// The contexts of one who may do everything in all workspaces, also in those that are deleted, whose things are to
    /// be freed.
    pub async fn everywhere(&self, ctx: &Ctx) -> Result<Vec<Ctx>> {
        self.permit::<ManageWorkspace>(ctx, "workspaces").await?;
        let rows = self.read(|tx| tx.workspace_rows()).await?;
        Ok(rows.into_iter().map(|row| if row == ctx.workspace { ctx.clone() } else { ctx.beside(row) }).collect())
    }

    /// The workspaces that somebody may be in. Everybody is in `default`.
    pub async fn workspaces_list(&self, ctx: &Ctx) -> Result<Vec<Workspace>> {
        let mut seen = Vec::new();
        for workspace in self.read(|tx| tx.workspaces_list()).await? {
            if self.sees_workspace(ctx, &workspace).await? {
                seen.push(workspace);
            }
        }
        Ok(seen)
    }

    pub async fn workspace_get(&self, ctx: &Ctx, name: &str) -> Result<Workspace> {
        check_name(name)?;
        let wanted = name.to_owned();
        let workspace = self.read(move |tx| tx.workspace_get(&wanted)).await?;
        match self.sees_workspace(ctx, &workspace).await? {
            true => Ok(workspace),
            false => Err(Error::not_found(Kind::Workspace, name)),
        }
    }

    async fn sees_workspace(&self, ctx: &Ctx, workspace: &Workspace) -> Result<bool> {
        if workspace.name == DEFAULT {
            return Ok(true);
        }
        let subject = Subject {
            principal: ctx.principal.clone(),
            workspace: workspace.row,
            workspace_name: Arc::from(workspace.name.as_str()),
        };
        self.is_let_in(visible(&subject)).await
    }

    pub async fn workspace_create(&self, ctx: &Ctx, new: NewWorkspace) -> Result<Workspace> {
        let NewWorkspace { name, description, artifact_root } = new;
        check_name(&name)?;
        if name == DEFAULT {
            return Err(Error::invalid(format!("the workspace '{DEFAULT}' is always there and cannot be made")));
        }
        check_description(description.as_deref())?;
        let (now, app) = (ctx.now(), self.clone());
        let artifact_root = artifact_root.filter(|root| !root.is_empty());
        self.change::<ManageWorkspace, _>(ctx, &name.clone(), move |tx, permit| {
            let made = tx.workspace_create(permit, &name, description.as_deref(), artifact_root.as_deref(), now)?;
            app.check_root(tx, &made)?;
            let change = Change::quiet("workspace.create", Kind::Workspace, &made.name).after(told(&made));
            Ok(Changed::one(made, change))
        })
        .await
    }

    pub async fn workspace_update(&self, ctx: &Ctx, name: String, change: WorkspaceChange) -> Result<Workspace> {
        let WorkspaceChange { description, artifact_root } = change;
        check_description(description.as_deref())?;
        check_name(&name)?;
        let app = self.clone();
        self.change::<ManageWorkspace, _>(ctx, &name.clone(), move |tx, permit| {
            let old = tx.workspace_open(permit, &name)?;
            let next = |given: &Option<String>, old: &Option<String>| match given {
                Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
                None => old.clone(),
            };
            let new = Workspace {
                description: description.clone().or_else(|| old.description.clone()),
                artifact_root: next(&artifact_root, &old.artifact_root),
                ..old.clone()
            };
            if new == old {
                return Ok(Changed::nothing(new));
            }
            tx.workspace_update(permit, old.row, new.description.as_deref(), new.artifact_root.as_deref())?;
            if new.artifact_root != old.artifact_root {
                app.check_root(tx, &new)?;
            }
            let change = Change::quiet("workspace.update", Kind::Workspace, &new.name);
            let change = change.before(told(&old)).after(told(&new));
            Ok(Changed::one(new, change))
        })
        .await
    }

    /// Deletes a workspace; what is in it stays where `removal` says.
    pub async fn workspace_delete(&self, ctx: &Ctx, name: String, removal: Removal) -> Result<()> {
        if name == DEFAULT {
            return Err(Error::invalid(format!("the workspace '{DEFAULT}' cannot be deleted")));
        }
        check_name(&name)?;
        let (now, default) = (ctx.now(), self.parts.workspace);
        let deleted = name.clone();
        // Gates of `default` may be asked, about what is there by then.
        let ctx = &if ctx.workspace == default { ctx.clone() } else { ctx.within(default, DEFAULT) };
        let done = self.change_identity::<ManageWorkspace, _>(ctx, &deleted, move |tx, permit| {
            let old = tx.workspace_open(permit, &name)?;
            let mut moved = Vec::new();
            match removal {
                Removal::Restrict => check_empty(tx, &old)?,
                Removal::SetDefault => moved = move_to(tx, permit, &old, default)?,
                Removal::Cascade => {
                    check_no_buckets(tx, &old)?;
                    tx.workspace_empty(permit, old.row, now)?;
                }
            }
            tx.workspace_delete(permit, old.row, &old.name, removal == Removal::SetDefault, now)?;
            // By then those who approved hold the roles that are left to them there.
            let mut changes = pass_moved(tx, permit, &moved, default, now)?;
            let change = Change::quiet("workspace.delete", Kind::Workspace, &old.name).before(told(&old));
            changes.push(change.after(json!({ "mode": removal.as_str() })));
            Ok(Changed::many((), changes))
        });
        let done = done.await;
        self.parts.workspaces.known.lock().remove(&deleted);
        done
    }

    /// Refuses an artifact root that is not for one workspace alone, or none that this server reaches.
    fn check_root(&self, tx: &mut Tx, workspace: &Workspace) -> Result<()> {
        let Some(root) = &workspace.artifact_root else { return Ok(()) };
        check_text("default artifact root", root)?;
        let mine = self.artifact_storage().area(tx, workspace.row, true)?;
        mine.root()?;
        for other in tx.workspaces_list()?.iter().filter(|other| other.row != workspace.row) {
            let Some(theirs) = &other.artifact_root else { continue };
            let within = stele_domain::artifact_uri::is_uri_within;
            // Behind the server each has a folder of its own.
            let is_proxied = stele_domain::artifact_uri::is_proxied(root);
            if !is_proxied && (within(root, theirs) || within(theirs, root)) {
                return Err(Error::invalid(format!(
                    "the default artifact root '{root}' overlaps with that of another workspace"
                )));
            }
        }
        Ok(())
    }
}

/// The one workspace in which somebody holds roles, if it is not `default` and they hold none elsewhere. Roles on single
/// experiments do not say where they are.
fn home(principal: &Principal) -> Option<String> {
    let Principal::Account(account) = principal else { return None };
    let mut homes = account.grants.iter().filter_map(|grant| match &grant.scope {
        Scope::Organisation => Some(DEFAULT),
        Scope::Workspace(name) => Some(name.as_str()),
        Scope::Model(text) => Some(text.split_once('/').map_or(DEFAULT, |(workspace, _)| workspace)),
        Scope::Experiment(_) => None,
    });
    let first = homes.next().filter(|name| *name != DEFAULT)?;
    homes.all(|other| other == first).then(|| first.to_owned())
}

fn check_description(description: Option<&str>) -> Result<()> {
    let description = description.unwrap_or_default();
    check_text("description", description)?;
    match description.len() > LONGEST_DESCRIPTION {
        true => Err(Error::invalid(format!("the description is longer than {LONGEST_DESCRIPTION} bytes"))),
        false => Ok(()),
    }
}

fn check_empty(tx: &mut Tx, workspace: &Workspace) -> Result<()> {
    let things = tx.workspace_things(workspace.row)?;
    if things.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = things.iter().map(|(kind, count)| format!("{count} of {kind}")).collect();
    Err(Error::conflict(format!(
        "the workspace '{}' cannot be deleted, since there are things in it: {}",
        workspace.name,
        counts.join(", ")
    )))
}

/// Bytes of objects are freed with the objects, which are removed through the bucket.
fn check_no_buckets(tx: &mut Tx, workspace: &Workspace) -> Result<()> {
    match tx.workspace_things(workspace.row)?.iter().find(|(kind, _)| *kind == "bucket") {
        None => Ok(()),
        Some((_, count)) => Err(Error::conflict(format!(
            "the workspace '{}' cannot be deleted before its buckets are, of which there are {count}",
            workspace.name
        ))),
    }
}

/// Moves what is in a workspace to another one, and says which models those were.
fn move_to(tx: &mut Tx, permit: &Permit<ManageWorkspace>, from: &Workspace, to: WorkspaceId) -> Result<Vec<ModelHead>> {
    check_conflicts(tx, from, to)?;
    let models = tx.workspace_models(from.row)?;
    tx.workspace_move(permit, from.row, to)?;
    Ok(models)
}

/// Asks the gates of the workspace that models were moved to about them: no place is a way around a gate.
fn pass_moved(
    tx: &mut Tx,
    permit: &Permit<ManageWorkspace>,
    models: &[ModelHead],
    to: WorkspaceId,
    now: Timestamp,
) -> Result<Vec<Change>> {
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let gates: Vec<Gate> = tx.gates(to)?.into_iter().map(|record| record.gate).collect();
    let mut changes = Vec::new();
    for model in models {
        changes.extend(pass_all(tx, permit, &gates, model, now)?);
    }
    Ok(changes)
}

fn check_conflicts(tx: &mut Tx, workspace: &Workspace, default: WorkspaceId) -> Result<()> {
    let conflicts = tx.workspace_conflicts(workspace.row, default)?;
    if conflicts.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = conflicts.iter().map(|(kind, name)| format!("{kind} '{name}'")).collect();
    Err(Error::conflict(format!(
        "what is in the workspace '{}' cannot move to '{DEFAULT}', which has things of the same names: {}",
        workspace.name,
        names.join(", ")
    )))
}

fn told(workspace: &Workspace) -> Value {
    json!({ "description": workspace.description, "artifact_root": workspace.artifact_root })
}
