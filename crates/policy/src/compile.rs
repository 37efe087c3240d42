use std::collections::{BTreeMap, HashMap};
use std::fmt;

use cedar_policy::{Effect, Policy as CedarRule, PolicyId};
use stele_domain::authz::{Action, Concern, Judge, Judgement, Question, Rule};
use stele_domain::policy::Policy;
use stele_domain::{Error, Result};

use crate::ask;
use crate::read::{concerns, read};

/// Rules that are ready to be asked, those about each verb by themselves.
pub struct PolicySet {
    by_action: BTreeMap<Action, Rules>,
    rules: usize,
}

#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) policies: cedar_policy::PolicySet,
    concern: Concern,
    told: HashMap<PolicyId, (Effect, Rule)>,
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
                for action in Action::ALL.iter().copied().filter(|action| action.is_judged()) {
                    if concerns(&rule, action) {
                        set.by_action.entry(action).or_default().add(&rule)?;
                    }
                }
            }
        }
        Ok(set)
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.rules == 0
    }
}

impl Rules {
    fn add(&mut self, rule: &CedarRule) -> Result<()> {
        match rule.effect() {
            Effect::Forbid => self.concern.forbids = true,
            Effect::Permit => self.concern.permits = true,
        }
        let reason = rule.annotation("reason").map(str::to_owned);
        let told = Rule { name: rule.id().to_string(), reason };
        self.told.insert(rule.id().clone(), (rule.effect(), told));
        let added = self.policies.add(rule.clone());
        added.map_err(|error| Error::conflict(format!("rule '{}' cannot be added: {error}", rule.id())))
    }

    /// The rules of these ids that have an effect, by name.
    pub(crate) fn told<'a>(&self, ids: impl Iterator<Item = &'a PolicyId>, of: Effect) -> Vec<Rule> {
        let found = ids.filter_map(|id| self.told.get(id));
        let mut rules: Vec<Rule> = found.filter(|(effect, _)| *effect == of).map(|(_, rule)| rule.clone()).collect();
        rules.sort_unstable();
        rules
    }
}

impl Judge for PolicySet {
    fn concern(&self, action: Action) -> Concern {
        self.by_action.get(&action).map(|rules| rules.concern).unwrap_or_default()
    }

    fn judge(&self, question: &Question) -> Judgement {
        self.by_action.get(&question.action).map(|rules| ask::judge(rules, question)).unwrap_or_default()
    }
}

/// Rules that are kept and cannot be read any more, perhaps since another release of the server wrote them. What they
/// would say is not known, so that nothing is allowed that they could forbid.
#[derive(Debug)]
pub struct Unreadable(pub String);

impl Judge for Unreadable {
    fn concern(&self, _: Action) -> Concern {
        Concern { forbids: true, permits: false }
    }

    fn judge(&self, _: &Question) -> Judgement {
        let rule = Rule { name: "policies that cannot be read".to_owned(), reason: Some(self.0.clone()) };
        Judgement { forbidding: vec![rule], permitting: Vec::new() }
    }
}
