//! One question as Cedar has it: the request, and the entities that rules may look at.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use stele_domain::authz::{Intent, Judgement, Principal, Question, Rule, Thing};
use stele_domain::identity::AccountKind;
use stele_domain::record::Tag;

use crate::compile::Ready;
use crate::needs::{Facts, Moment};
use crate::schema::TYPES;

/// What went wrong where a question could not be asked.
type Failed = Box<dyn std::error::Error>;

/// What the rules say.
pub(crate) fn judge(rules: &[Ready], question: &Question) -> Judgement {
    let facts = Facts::of(question);
    let mut left = rules.iter().filter(|rule| rule.needs.may_be_met(&facts)).peekable();
    if left.peek().is_none() {
        return Judgement::default();
    }
    let (request, entities) = match asked(&facts) {
        Ok(asked) => asked,
        Err(error) => {
            let rule = Rule { name: "a question that cannot be asked".to_owned(), reason: Some(error.to_string()) };
            return Judgement { forbidding: vec![rule], permitting: Vec::new() };
        }
    };
    let (authorizer, mut judgement) = (Authorizer::new(), Judgement::default());
    let mut forbids = false;
    for rule in left {
        let response = authorizer.is_authorized(&request, &rule.alone, &entities);
        let applies = response.diagnostics().reason().next().is_some();
        let fails = response.diagnostics().errors().next().is_some();
        match rule.effect {
            Effect::Forbid if applies => {
                forbids = true;
                judgement.forbidding.push(rule.told.clone());
            }
            // Cedar passes over a rule that fails, which for one that forbids would be to allow.
            Effect::Forbid if fails => {
                let reason = Some("it cannot be evaluated here, which counts as forbidding".to_owned());
                judgement.forbidding.push(Rule { reason, ..rule.told.clone() });
            }
            Effect::Permit if applies => judgement.permitting.push(rule.told.clone()),
            Effect::Forbid | Effect::Permit => {}
        }
    }
    if forbids {
        judgement.permitting.clear();
    }
    judgement.forbidding.sort_unstable();
    judgement.permitting.sort_unstable();
    judgement
}

pub(crate) fn asked(facts: &Facts) -> Result<(Request, Entities), Failed> {
    let Question { principal, roles, action, workspace, thing, intent, now: _, script } = facts.question;
    let kind = match principal {
        Principal::Account(account) if account.kind == AccountKind::Service => &TYPES.service,
        _ => &TYPES.user,
    };
    let groups = principal.groups().iter().map(|group| uid(&TYPES.group, group));
    let held = roles.iter().map(|role| uid(&TYPES.role, role.as_str()));
    let who = uid(kind, principal.name());
    let workspace_uid = uid(&TYPES.workspace, workspace);
    let mut entities = vec![
        Entity::new(who.clone(), attributes([("name", text(principal.name()))]), groups.chain(held).collect())?,
        Entity::new(workspace_uid.clone(), attributes([("name", text(workspace))]), HashSet::new())?,
    ];
    let resource = match thing {
        Thing::Workspace => workspace_uid,
        Thing::Experiment { id, name, tags } => {
            let own = uid(&TYPES.experiment, &id.to_string());
            entities.push(tagged(own.clone(), attributes([("name", text(name))]), workspace_uid, tags)?);
            own
        }
        Thing::Model { name, tags } => {
            let own = uid(&TYPES.model, name);
            entities.push(tagged(own.clone(), attributes([("name", text(name))]), workspace_uid, tags)?);
            own
        }
        Thing::ModelVersion { model, number, stage, approval, tags, model_tags } => {
            let of = uid(&TYPES.model, model);
            entities.push(tagged(of.clone(), attributes([("name", text(model))]), workspace_uid, model_tags)?);
            let own = uid(&TYPES.model_version, &format!("{model}/{number}"));
            let attributes = attributes([
                ("model", RestrictedExpression::new_entity_uid(of.clone())),
                ("number", RestrictedExpression::new_long(*number)),
                ("stage", text(stage.as_str())),
                ("approval", text(approval.as_str())),
            ]);
            entities.push(tagged(own.clone(), attributes, of, tags)?);
            own
        }
    };
    let request =
        Request::new(who, uid(&TYPES.action, action.name()), resource, context(intent, &facts.moment, script)?, None)?;
    Ok((request, Entities::from_entities(entities, None)?))
}

/// What rules are told of a change besides who makes it to what.
fn context(intent: &Intent, moment: &Moment, script: &str) -> Result<Context, Failed> {
    let Intent { stage, approval, alias, name, tags } = intent;
    let mut context = vec![
        ("now", RestrictedExpression::new_datetime(moment.time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())),
        ("weekday", text(moment.weekday)),
        ("hour", RestrictedExpression::new_long(moment.hour)),
        ("script", text(script)),
        ("changed_tags", RestrictedExpression::new_set(tags.iter().map(|tag| text(tag)))),
    ];
    let told = [
        ("target_stage", stage.map(|stage| stage.as_str())),
        ("target_approval", approval.map(|approval| approval.as_str())),
        ("alias", alias.as_deref()),
        ("new_name", name.as_deref()),
    ];
    context.extend(told.into_iter().filter_map(|(name, value)| Some((name, text(value?)))));
    Ok(Context::from_pairs(context.into_iter().map(|(name, value)| (name.to_owned(), value)))?)
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn attributes<const N: usize>(pairs: [(&str, RestrictedExpression); N]) -> HashMap<String, RestrictedExpression> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn tagged(
    own: EntityUid,
    attributes: HashMap<String, RestrictedExpression>,
    parent: EntityUid,
    tags: &[Tag],
) -> Result<Entity, Failed> {
    let tags = tags.iter().map(|tag| (tag.key.clone(), text(&tag.value)));
    Ok(Entity::new_with_tags(own, attributes, HashSet::from([parent]), tags)?)
}
