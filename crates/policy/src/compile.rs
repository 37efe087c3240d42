use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{Effect, Policy as CedarRule};
use stele_domain::authz::{Action, Concern, Judge, Judgement, Question, Rule};
use stele_domain::policy::Policy;
use stele_domain::{Error, Kind, Result};

use crate::ask;
use crate::names::Names;
use crate::needs::Needs;
use crate::read::{STACK, concerns, read};

/// How many signs a rule may have whose needs are looked for. Cedar makes JSON of a rule by functions that call themselves
/// for each operator in another one, and do not look whether there is room for that.
const MOST_SIGNS: usize = 1_000;

/// Rules that are ready to be asked, those about each verb by themselves.
pub struct PolicySet {
    by_action: BTreeMap<Action, Rules>,
    rules: usize,
}

/// The rules about one verb.
#[derive(Default)]
struct Rules {
    rules: Vec<Ready>,
    concern: Concern,
}

/// A rule, ready to be asked.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) needs: Needs,
    names: Names,
    pub(crate) alone: cedar_policy::PolicySet,
    pub(crate) effect: Effect,
    pub(crate) told: Rule,
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl PolicySet {
    /// Reads and checks the enabled ones of these policies.
    pub fn compile(policies: &[Policy]) -> Result<PolicySet> {
        let mut set = PolicySet { by_action: BTreeMap::new(), rules: 0 };
        for policy in policies.iter().filter(|policy| policy.enabled) {
            for rule in read(policy)? {
                set.rules += 1;
                let ready = Ready::new(&rule)?;
                for action in Action::ALL.iter().copied().filter(|action| action.is_judged()) {
                    if concerns(&rule, action) {
                        set.by_action.entry(action).or_default().add(ready.clone());
                    }
                }
            }
        }
        Ok(set)
    }

    /// The rules about a verb.
    #[cfg(test)]
    pub(crate) fn about(&self, action: Action) -> &[Ready] {
        self.by_action.get(&action).map_or(&[], |rules| &rules.rules)
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.rules == 0
    }
}

impl Ready {
    fn new(rule: &CedarRule) -> Result<Ready> {
        let unready =
            |error: &dyn fmt::Display| Error::invalid(format!("rule '{}' cannot be asked: {error}", rule.id()));
        let (needs, names) = match rule.to_cedar() {
            Some(text) if signs(&text) <= MOST_SIGNS => stacker::grow(STACK, || match rule.to_json() {
                Ok(json) => Ok((Needs::of(&json), Names::of(&json))),
                Err(error) => Err(unready(&error)),
            })?,
            text => (Needs::default(), Names::unread(text.unwrap_or_default())),
        };
        let alone = cedar_policy::PolicySet::from_policies([rule.clone()]).map_err(|error| unready(&error))?;
        let reason = rule.annotation("reason").map(str::to_owned);
        Ok(Ready { needs, names, alone, effect: rule.effect(), told: Rule { name: rule.id().to_string(), reason } })
    }
}

/// At least as many as there are operators in each other.
fn signs(text: &str) -> usize {
    text.chars().filter(char::is_ascii_punctuation).count() + text.matches("if").count()
}

impl Rules {
    fn add(&mut self, rule: Ready) {
        match rule.effect {
            Effect::Forbid => self.concern.forbids = true,
            Effect::Permit => self.concern.permits = true,
        }
        self.rules.push(rule);
    }
}

impl Judge for PolicySet {
    fn concern(&self, action: Action) -> Concern {
        self.by_action.get(&action).map(|rules| rules.concern).unwrap_or_default()
    }

    fn judge(&self, question: &Question) -> Judgement {
        self.by_action.get(&question.action).map(|rules| ask::judge(&rules.rules, question)).unwrap_or_default()
    }

    fn forbidding_by_name(&self, kind: Kind, one: &str, other: &str) -> Vec<Rule> {
        let rules = self.by_action.values().flat_map(|rules| &rules.rules);
        let rules = rules.filter(|rule| rule.effect == Effect::Forbid && rule.names.tell_apart(kind, one, other));
        let told: BTreeSet<Rule> = rules.map(|rule| rule.told.clone()).collect();
        told.into_iter().collect()
    }
}

/// Rules that are kept and cannot be read any more, perhaps since another release of the server wrote them. What they
/// would say is not known, so that nothing is allowed that they could forbid.
#[derive(Debug)]
pub struct Unreadable(pub String);

impl Unreadable {
    fn rule(&self) -> Rule {
        Rule { name: "policies that cannot be read".to_owned(), reason: Some(self.0.clone()) }
    }
}

impl Judge for Unreadable {
    fn concern(&self, _: Action) -> Concern {
        Concern { forbids: true, permits: false }
    }

    fn judge(&self, _: &Question) -> Judgement {
        Judgement { forbidding: vec![self.rule()], permitting: Vec::new() }
    }

    fn forbidding_by_name(&self, _: Kind, _: &str, _: &str) -> Vec<Rule> {
        vec![self.rule()]
    }
}
