//! Texts as their rules, and what is wrong with them, by line and column.

use std::collections::HashSet;

use cedar_policy::{
    ActionConstraint, EntityUid, Policy as Rule, PolicyId, ValidationMode, ValidationWarning, Validator,
};
use miette::Diagnostic;
use stele_domain::authz::Action;
use stele_domain::policy::Policy;
use stele_domain::{Error, Result};

use crate::schema::{COMPILED, TYPES};

/// How deep brackets and conditionals may lie in each other, which Cedar reads by functions that call themselves.
const DEEPEST: usize = 100;

/// Room for that, also in a build that was not optimised.
pub(crate) const STACK: usize = 64 << 20;

/// The names of the rules of a policy in the order in which they are written, if all of them can be held to.
pub fn rules_in(policy: &Policy) -> Result<Vec<String>> {
    policy.check()?;
    Ok(read(policy)?.iter().map(|rule| rule.id().to_string()).collect())
}

/// The rules of one policy under their own names: that of the policy with the `@id` of the rule, or else its place.
pub(crate) fn read(policy: &Policy) -> Result<Vec<Rule>> {
    let Policy { name, text, enabled: _ } = policy;
    if depth(text) > DEEPEST {
        return Err(Error::invalid(format!(
            "policy '{name}' has a rule with more than {DEEPEST} brackets and conditionals in each other"
        )));
    }
    stacker::grow(STACK, || read_shallow(policy))
}

/// An upper bound of how deep brackets and conditionals lie in each other within a statement.
fn depth(text: &str) -> usize {
    let (mut open, mut conditionals, mut deepest) = (0_usize, 0, 0);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = match first {
            '"' => quoted(rest),
            '/' if rest.starts_with("//") => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            _ if word > 0 => {
                conditionals += usize::from(&rest[..word] == "if");
                word
            }
            _ => first.len_utf8(),
        };
        match first {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            ';' => (open, conditionals) = (0, 0),
            _ => {}
        }
        deepest = deepest.max(open + conditionals);
        rest = &rest[length..];
    }
    deepest
}

/// How long the string is that a text begins with, with its quotes.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            c => is_escaped = c == '\\' && !is_escaped,
        }
    }
    text.len()
}

fn read_shallow(policy: &Policy) -> Result<Vec<Rule>> {
    let Policy { name, text, enabled: _ } = policy;
    let set: cedar_policy::PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| {
        let first = error.iter().next();
        match first {
            Some(first) => wrong(policy, first),
            None => wrong(policy, &error),
        }
    })?;
    if set.num_of_templates() > 0 {
        return Err(Error::invalid(format!("policy '{name}' has a template, which there is nothing to fill in with")));
    }
    let mut rules: Vec<(usize, Rule)> = set.policies().map(|rule| (place(rule), rule.clone())).collect();
    if rules.is_empty() {
        return Err(Error::invalid(format!("policy '{name}' has no rules")));
    }
    rules.sort_by_key(|(place, _)| *place);
    let mut taken = HashSet::new();
    let rules = rules
        .into_iter()
        .map(|(place, rule)| {
            let own = rule.annotation("id").map_or_else(|| (place + 1).to_string(), str::to_owned);
            if own.is_empty() || own.len() > 100 || own.contains(|c: char| c == '/' || c.is_control()) {
                return Err(Error::invalid(format!(
                    "policy '{name}' has a rule with the id '{own}', which is no name"
                )));
            }
            if !taken.insert(own.clone()) {
                return Err(Error::invalid(format!("policy '{name}' has two rules with the id '{own}'")));
            }
            Ok(rule.new_id(PolicyId::new(format!("{name}/{own}"))))
        })
        .collect::<Result<Vec<Rule>>>()?;
    rules.iter().try_for_each(check_actions)?;
    check(policy, &rules)?;
    Ok(rules)
}

/// Cedar numbers the rules of a text: `policy0`, `policy1`.
fn place(rule: &Rule) -> usize {
    rule.id().to_string().trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}

/// Whether a rule is about a verb.
pub(crate) fn concerns(rule: &Rule, action: Action) -> bool {
    match rule.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => verb(&uid) == Some(action),
        ActionConstraint::In(uids) => uids.iter().any(|uid| verb(uid) == Some(action)),
    }
}

fn verb(uid: &EntityUid) -> Option<Action> {
    (*uid.type_name() == TYPES.action).then(|| Action::parse(uid.id().unescaped())).flatten()
}

/// Refuses a rule about what rules do not decide, which nobody would hold to.
fn check_actions(rule: &Rule) -> Result<()> {
    let named = match rule.action_constraint() {
        ActionConstraint::Any => Vec::new(),
        ActionConstraint::Eq(uid) => vec![uid],
        ActionConstraint::In(uids) => uids,
    };
    let odd = named.iter().find(|uid| !verb(uid).is_some_and(Action::is_judged));
    let Some(odd) = odd else { return Ok(()) };
    let judged: Vec<&str> =
        Action::ALL.iter().filter(|action| action.is_judged()).map(|action| action.name()).collect();
    Err(Error::invalid(format!(
        "rule '{}' is about {odd}, which rules do not decide: roles alone say who reads, and who manages accounts, \
         credentials, the audit log and policies; rules decide {}",
        rule.id(),
        judged.join(", ")
    )))
}

/// Refuses rules that speak of what there is not, and those that can never apply.
fn check(policy: &Policy, rules: &[Rule]) -> Result<()> {
    let set = cedar_policy::PolicySet::from_policies(rules.iter().cloned());
    let set = set.map_err(|error| Error::internal(format!("rules of one policy cannot be together: {error}")))?;
    let outcome = Validator::new(COMPILED.clone()).validate(&set, ValidationMode::Strict);
    let mut wrongs: Vec<(usize, Error)> =
        outcome.validation_errors().map(|error| (offset(error), wrong(policy, error))).collect();
    let never = |warning: &&ValidationWarning| matches!(warning, ValidationWarning::ImpossiblePolicy(_));
    wrongs.extend(outcome.validation_warnings().filter(never).map(|warning| (offset(warning), wrong(policy, warning))));
    match wrongs.into_iter().min_by_key(|(offset, _)| *offset) {
        Some((_, first)) => Err(first),
        None => Ok(()),
    }
}

fn offset(error: &dyn Diagnostic) -> usize {
    error.labels().and_then(|mut labels| labels.next()).map_or(usize::MAX, |label| label.offset())
}

fn wrong(policy: &Policy, error: &dyn Diagnostic) -> Error {
    let Policy { name, text, .. } = policy;
    let label = error.labels().and_then(|mut labels| labels.next());
    let at = label.as_ref().and_then(|label| text.get(..label.offset())).map(|before| {
        let line = before.lines().count() + usize::from(before.is_empty() || before.ends_with('\n'));
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!(" line {line}, column {column}")
    });
    let hint = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
    let said = label.and_then(|label| label.label().map(|said| format!(": {said}"))).unwrap_or_default();
    Error::invalid(format!("policy '{name}'{}: {error}{said}{hint}", at.unwrap_or_default()))
}
