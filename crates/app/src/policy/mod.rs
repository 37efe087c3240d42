//! A team's own rules: their texts with their history, and what they say about a change.

mod cache;
mod explain;

use serde_json::json;
use sha2::{Digest, Sha256};
use stele_domain::authz::{ManagePolicy, Place};
use stele_domain::change::Change;
use stele_domain::policy::{Policy, PolicyRecord};
use stele_domain::{Error, Kind, Result};
use stele_policy::rules_in;

pub(crate) use self::cache::Policies;
pub use self::explain::{Asked, AskedThing, Explained};
use crate::transact::Changed;
use crate::{App, Ctx};

impl App {
    /// Declares a policy, or changes it, which makes its next version. The same text again changes nothing. Rules that
    /// could not be held to are refused.
    pub async fn policy_apply(&self, ctx: &Ctx, policy: Policy) -> Result<PolicyRecord> {
        policy.check()?;
        // Nobody may keep the server busy with reading rules who may not make them.
        self.permit::<ManagePolicy>(ctx, &policy.name).await?;
        let (policy, rules) = tokio::task::spawn_blocking(move || rules_in(&policy).map(|rules| (policy, rules.len())))
            .await
            .map_err(|error| Error::internal(format!("rules were not read to the end: {error}")))??;
        let now = ctx.now();
        let applied = self
            .change::<ManagePolicy, _>(ctx, &policy.name.clone(), move |tx, permit| {
                let (before, after) = tx.policy_apply(permit, &policy, rules, now)?;
                if before.as_ref() == Some(&after) {
                    return Ok(Changed::nothing(after));
                }
                let mut change = Change::event("policy.apply", Kind::Policy, &policy.name).after(told(&after));
                if let Some(before) = before {
                    change = change.before(told(&before));
                }
                Ok(Changed::one(after, change))
            })
            .await;
        self.policies_forget(ctx);
        applied
    }

    pub async fn policy_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        let now = ctx.now();
        let deleted = self
            .change::<ManagePolicy, _>(ctx, &name.clone(), move |tx, permit| {
                let before = tx.policy_delete(permit, &name, now)?;
                Ok(Changed::one((), Change::event("policy.delete", Kind::Policy, &name).before(told(&before))))
            })
            .await;
        self.policies_forget(ctx);
        deleted
    }

    pub async fn policy_get(&self, ctx: &Ctx, name: String) -> Result<PolicyRecord> {
        let visible = ctx.visible();
        self.read(move |tx| tx.policy_get(&visible, &name)).await
    }

    /// Every version that a policy has had, the newest first.
    pub async fn policy_versions(&self, ctx: &Ctx, name: String) -> Result<Vec<PolicyRecord>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.policy_versions(&visible, &name)).await
    }

    /// The policies there are, by name, for those who see the whole workspace; others are told of those they meet.
    pub async fn policies_list(&self, ctx: &Ctx) -> Result<Vec<PolicyRecord>> {
        let visible = ctx.visible();
        self.read(move |tx| match visible.sees(Place::Workspace) {
            true => tx.policies(visible.workspace()),
            false => Ok(Vec::new()),
        })
        .await
    }
}

/// A policy as the audit log and events have it, by the digest of the text that its history keeps.
fn told(record: &PolicyRecord) -> serde_json::Value {
    let PolicyRecord { policy: Policy { name, text, enabled }, version, rules, applied_by: _, applied_at: _ } = record;
    let digest = hex::encode(Sha256::digest(text));
    json!({ "name": name, "version": version, "enabled": enabled, "rules": rules, "sha256": digest })
}
