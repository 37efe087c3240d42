//! How roles and a team's rules come together, which permits ask and people are told.

use super::{Action, Intent, Judgement, Question, Rule, Rules, Subject, Thing};
use crate::identity::{Grant, Principal, Role, Scope};

/// Whether somebody may do something, and what decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub is_allowed: bool,
    pub reason: Reason,
}

/// What decided, in the order in which it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// They do not see the thing, so that it does not exist for them.
    Hidden,
    /// Rules that forbid come before everything that allows.
    Forbidden(Vec<Rule>),
    /// Without authentication there is one person, who holds every role.
    LocalOwner,
    /// These roles, which are held on the thing, allow it.
    Granted(Vec<Grant>),
    Permitted(Vec<Rule>),
    /// Nothing allows it.
    Nothing,
}

/// Says whether `subject` may do `action` to `thing` and what decides it, without doing anything.
pub fn explain(subject: &Subject, rules: &Rules, action: Action, thing: &Thing, intent: &Intent) -> Decision {
    let (held, ceiling, is_lent): (Vec<&Grant>, _, _) = match &subject.principal {
        Principal::LocalOwner => (Vec::new(), None, false),
        Principal::Account(account) => {
            let reaches = |grant: &&Grant| grant.scope.reaches(subject, thing.place());
            (account.grants.iter().filter(reaches).collect(), account.ceiling.as_deref(), account.is_lent)
        }
    };
    let is_owner = subject.principal == Principal::LocalOwner;
    if held.is_empty() && !is_owner {
        return Decision { is_allowed: false, reason: Reason::Hidden };
    }
    let mut roles: Vec<Role> = held.iter().map(|grant| grant.role).collect();
    if is_owner {
        roles.push(Role::Administrator);
    }
    roles.sort_unstable();
    roles.dedup();
    let Judgement { forbidding, permitting } = rules.judge(&Question {
        principal: &subject.principal,
        roles: &roles,
        action,
        workspace: &subject.workspace_name,
        thing,
        intent,
        now: rules.now,
        script: rules.script,
    });
    if !forbidding.is_empty() {
        return Decision { is_allowed: false, reason: Reason::Forbidden(forbidding) };
    }
    if is_owner {
        return Decision { is_allowed: true, reason: Reason::LocalOwner };
    }
    let allows = |grant: &&&Grant| {
        action.is_allowed_by(grant.role)
            && (!action.is_on_organisation() || grant.scope == Scope::Organisation)
            && !(is_lent && action.is_on_accounts())
    };
    let allowing: Vec<Grant> = held.iter().filter(allows).map(|grant| (*grant).clone()).collect();
    if !allowing.is_empty() {
        return Decision { is_allowed: true, reason: Reason::Granted(allowing) };
    }
    if !permitting.is_empty() && is_below(action, ceiling) {
        return Decision { is_allowed: true, reason: Reason::Permitted(permitting) };
    }
    Decision { is_allowed: false, reason: Reason::Nothing }
}

/// Whether a credential that is narrowed to some roles may do something at all.
pub(super) fn is_below(action: Action, ceiling: Option<&[Role]>) -> bool {
    ceiling.is_none_or(|roles| roles.iter().any(|role| action.is_allowed_by(*role)))
}
