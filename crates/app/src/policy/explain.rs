//! Saying who may do what, and what decides it, by the same code that decides about changes.

use std::sync::Arc;

use stele_domain::authz::{
    Action, Decision, Described, Intent, ManagePolicy, Place, Principal, Subject, Thing, authorize_own, explain,
};
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::{Error, Kind, Result};

use crate::registry::describe_version;
use crate::{App, Ctx};

/// Whether an account may do something to a thing, perhaps at another time or if its tags were others.
#[derive(Debug, Clone)]
pub struct Asked {
    /// None asks about the caller.
    pub account: Option<String>,
    pub action: Action,
    pub thing: AskedThing,
    /// These are put over those of the experiment or the version.
    pub tags: Vec<Tag>,
    /// These are put over those of the model.
    pub model_tags: Vec<Tag>,
    pub intent: Intent,
    pub at: Option<Timestamp>,
    pub script: Option<&'static str>,
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedThing {
    Workspace,
    Experiment(ExperimentId),
    Model(String),
    ModelVersion { model: String, number: i64 },
}

/// A decision, and about whom and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub principal: String,
    pub thing: Thing,
    pub decision: Decision,
}

impl App {
    /// Answers for the caller, and to those who manage policies for others.
    pub async fn policy_explain(&self, ctx: &Ctx, asked: Asked) -> Result<Explained> {
        let Asked { account, action, thing, tags, model_tags, intent, at, script } = asked;
        let is_on_version = matches!(thing, AskedThing::ModelVersion { .. });
        if action.is_on_versions() && !is_on_version {
            return Err(Error::invalid(format!("{} is done to a version of a model, such as MODEL/1", action.name())));
        }
        let account = account.filter(|name| authorize_own(ctx, name).is_none());
        let subject = match account {
            None => (**ctx).clone(),
            Some(name) => {
                self.permit::<ManagePolicy>(ctx, &name).await?;
                let found = self.read({
                    let name = name.clone();
                    move |tx| tx.login_by_name(&name)
                });
                let found = found.await?.ok_or_else(|| Error::not_found(Kind::Account, &name))?;
                if found.disabled {
                    let (kind, id) = (Kind::Account, name);
                    return Err(Error::WrongState { kind, id, state: "disabled", needed: "enabled" });
                }
                Subject { principal: Principal::Account(Arc::new(found.account)), ..(**ctx).clone() }
            }
        };
        let visible = ctx.visible();
        let thing = self
            .read(move |tx| {
                let mut thing = match &thing {
                    AskedThing::Workspace => Thing::Workspace,
                    AskedThing::Experiment(id) => {
                        visible.require(Place::Experiment(*id), Kind::Experiment, *id)?;
                        tx.describe(visible.workspace(), Place::Experiment(*id))?
                    }
                    AskedThing::Model(name) => {
                        visible.require(Place::Model(name), Kind::Model, name)?;
                        tx.describe(visible.workspace(), Place::Model(name))?
                    }
                    AskedThing::ModelVersion { model, number } => {
                        let version = tx.model_version_get(&visible, model, *number)?;
                        match action.is_on_versions() {
                            true => {
                                let row = tx.model_find(&visible, model)?;
                                describe_version(tx, row, version)?
                            }
                            false => tx.describe(visible.workspace(), Place::Model(model))?,
                        }
                    }
                };
                match &mut thing {
                    Thing::Workspace => {}
                    Thing::Experiment { tags: own, .. } => put_over(own, tags),
                    Thing::Model { tags: own, .. } => put_over(own, model_tags),
                    Thing::ModelVersion { tags: own, model_tags: of_model, .. } => {
                        put_over(own, tags);
                        put_over(of_model, model_tags);
                    }
                }
                Ok(thing)
            })
            .await?;
        let held = self.rules(ctx).await?;
        let rules = held.at(at.unwrap_or(ctx.now()), script.unwrap_or(ctx.script()));
        let decision = explain(&subject, &rules, action, &thing, &intent);
        Ok(Explained { principal: subject.principal.name().to_owned(), thing, decision })
    }
}

/// Sets tags as a change would.
fn put_over(own: &mut Vec<Tag>, tags: Vec<Tag>) {
    own.retain(|tag| tags.iter().all(|other| other.key != tag.key));
    own.extend(tags);
}
