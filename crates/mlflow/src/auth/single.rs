//! The permission of a user on one experiment or registered model, as clients ask for it that do not know of roles yet.
//!
//! MLflow's server 3.17 has these calls no more; the `AuthServiceClient` of 2.x has no others.

use axum::response::Response;
use serde_json::{Value, json};
use stele_app::{App, Ctx};
use stele_domain::directory::{GrantRecord, Holder};
use stele_domain::id::GrantRow;
use stele_domain::identity::Scope;

use super::permission::{permission_of, role_of, strength};
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};
use crate::input::Input;

/// How many grants of one user are looked at.
const GRANTS: i64 = u16::MAX as i64;

/// What a permission may be on.
pub(crate) trait Kind {
    /// How requests name the thing.
    const PARAMETER: &'static str;
    /// What answers call the permission.
    const ANSWER: &'static str;
    /// What messages call the permission.
    const LABEL: &'static str;

    fn scope(thing: String, workspace: &str) -> Scope;
    fn thing<'a>(scope: &'a Scope, workspace: &str) -> Option<&'a str>;
    fn render(thing: &str, user: i64, permission: &str, workspace: &str) -> Value;
}

pub(crate) struct Experiment;

impl Kind for Experiment {
    const PARAMETER: &'static str = "experiment_id";
    const ANSWER: &'static str = "experiment_permission";
    const LABEL: &'static str = "Experiment permission";

    fn scope(thing: String, _workspace: &str) -> Scope {
        Scope::Experiment(thing)
    }

    fn thing<'a>(scope: &'a Scope, _workspace: &str) -> Option<&'a str> {
        match scope {
            Scope::Experiment(id) => Some(id),
            Scope::Organisation | Scope::Workspace(_) | Scope::Model(_) => None,
        }
    }

    fn render(thing: &str, user: i64, permission: &str, _workspace: &str) -> Value {
        json!({ "experiment_id": thing, "user_id": user, "permission": permission })
    }
}

pub(crate) struct RegisteredModel;

impl Kind for RegisteredModel {
    const PARAMETER: &'static str = "name";
    const ANSWER: &'static str = "registered_model_permission";
    const LABEL: &'static str = "Registered model permission";

    fn scope(thing: String, workspace: &str) -> Scope {
        Scope::model_in(workspace, &thing)
    }

    fn thing<'a>(scope: &'a Scope, workspace: &str) -> Option<&'a str> {
        match scope {
            Scope::Model(text) => Scope::model_of(text, workspace),
            Scope::Organisation | Scope::Workspace(_) | Scope::Experiment(_) => None,
        }
    }

    fn render(thing: &str, user: i64, permission: &str, workspace: &str) -> Value {
        json!({ "name": thing, "user_id": user, "permission": permission, "workspace": workspace })
    }
}

/// The thing and the user that a request is about.
struct Asked {
    thing: String,
    username: String,
}

impl Asked {
    fn read<K: Kind>(input: &Input) -> Result<Asked> {
        Ok(Asked { thing: input.required_text(K::PARAMETER)?, username: input.required_text("username")? })
    }

    fn scope<K: Kind>(&self, ctx: &Ctx) -> Scope {
        K::scope(self.thing.clone(), &ctx.workspace_name)
    }

    fn holder(&self) -> Holder {
        Holder::Account(self.username.clone())
    }

    /// What the user itself was granted on the thing, not counting what they have by roles.
    async fn granted<K: Kind>(&self, app: &App, ctx: &Ctx) -> Result<Option<&'static str>> {
        let scope = self.scope::<K>(ctx);
        let granted = own(app, ctx, &self.username).await?;
        Ok(strongest(granted.iter().filter(|grant| grant.scope == scope)))
    }

    async fn must_be_granted<K: Kind>(&self, app: &App, ctx: &Ctx) -> Result<&'static str> {
        self.granted::<K>(app, ctx).await?.ok_or_else(|| {
            let Asked { thing, username } = self;
            let what = format!("{} with {}={thing} and username={username}", K::LABEL, K::PARAMETER);
            Failure::not_found(format!("{what} not found"))
        })
    }
}

pub(crate) async fn create<K: Kind>(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let asked = Asked::read::<K>(&input)?;
    let scope = asked.scope::<K>(&call.ctx);
    let permission = input.required_text("permission")?;
    let role = role_of(&permission, &scope)?;
    if asked.granted::<K>(&call.app, &call.ctx).await?.is_some() {
        let Asked { thing, username } = asked;
        let which = format!("({}={thing}, username={username})", K::PARAMETER);
        return Err(Failure::new(Code::ResourceAlreadyExists, format!("{} {which} already exists.", K::LABEL)));
    }
    let user = call.app.account_held(&call.ctx, asked.username.clone()).await?.record.row.0;
    call.app.grant_create(&call.ctx, asked.holder(), role, scope.clone()).await?;
    reply(&json!({ K::ANSWER: K::render(&asked.thing, user, permission_of(role, &scope), &call.ctx.workspace_name) }))
}

pub(crate) async fn get<K: Kind>(mut call: Call) -> Result<Response> {
    let asked = Asked::read::<K>(&call.input().await?)?;
    let permission = asked.must_be_granted::<K>(&call.app, &call.ctx).await?;
    let user = call.app.account_held(&call.ctx, asked.username.clone()).await?.record.row.0;
    reply(&json!({ K::ANSWER: K::render(&asked.thing, user, permission, &call.ctx.workspace_name) }))
}

pub(crate) async fn update<K: Kind>(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let asked = Asked::read::<K>(&input)?;
    let scope = asked.scope::<K>(&call.ctx);
    let role = role_of(&input.required_text("permission")?, &scope)?;
    asked.must_be_granted::<K>(&call.app, &call.ctx).await?;
    call.app.grant_replace(&call.ctx, asked.holder(), role, scope).await?;
    empty()
}

pub(crate) async fn delete<K: Kind>(mut call: Call) -> Result<Response> {
    let asked = Asked::read::<K>(&call.input().await?)?;
    asked.must_be_granted::<K>(&call.app, &call.ctx).await?;
    call.app.grants_revoke(&call.ctx, asked.holder(), asked.scope::<K>(&call.ctx), None).await?;
    empty()
}

/// What a user itself was granted on things of one kind, of all that it was granted.
pub(super) fn all<K: Kind>(granted: &[GrantRecord], ctx: &Ctx, user: i64) -> Vec<Value> {
    let mut things: Vec<&str> =
        granted.iter().filter_map(|grant| K::thing(&grant.scope, &ctx.workspace_name)).collect();
    things.sort_unstable();
    things.dedup();
    let render = |thing: &str| {
        let of_thing = granted.iter().filter(|grant| K::thing(&grant.scope, &ctx.workspace_name) == Some(thing));
        Some(K::render(thing, user, strongest(of_thing)?, &ctx.workspace_name))
    };
    things.into_iter().filter_map(render).collect()
}

pub(super) async fn own(app: &App, ctx: &Ctx, username: &str) -> Result<Vec<GrantRecord>> {
    let holder = Holder::Account(username.to_owned());
    Ok(app.grants_list(ctx, Some(holder), GrantRow(0), GRANTS).await?.items)
}

fn strongest<'a>(granted: impl Iterator<Item = &'a GrantRecord>) -> Option<&'static str> {
    granted.map(|grant| permission_of(grant.role, &grant.scope)).max_by_key(|permission| strength(permission))
}
