//! Who may do what, as questions and answers are written in the native API and on the command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_app::{AskedThing, Script};
use stele_domain::authz::{Action, Decision, Intent, Reason, Rule};
use stele_domain::id::ExperimentId;
use stele_domain::identity::Grant;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::record::Tag;
use utoipa::ToSchema;

/// The most tags of a question.
const MOST_TAGS: usize = 1_000;

/// The verb of that name.
pub(crate) fn verb(name: &str) -> Result<Action, String> {
    Action::parse(name).ok_or_else(|| {
        let all: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        format!("there is no verb '{name}'; there are: {}", all.join(", "))
    })
}

/// Reads `workspace`, `experiment:ID`, `model:NAME` and `model:NAME/VERSION`.
pub(crate) fn thing(text: &str) -> Result<AskedThing, String> {
    let unknown = || {
        format!(
            "'{text}' is none of workspace, experiment:ID, model:NAME and model:NAME/VERSION, which can be asked about"
        )
    };
    match text.split_once(':') {
        None if text == "workspace" => Ok(AskedThing::Workspace),
        Some(("experiment", id)) => Ok(AskedThing::Experiment(ExperimentId(id.parse().map_err(|_| unknown())?))),
        Some(("model", name)) if !name.is_empty() => match name.rsplit_once('/') {
            None => Ok(AskedThing::Model(name.to_owned())),
            Some((model, number)) => {
                let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(unknown)?;
                Ok(AskedThing::ModelVersion { model: model.to_owned(), number })
            }
        },
        _ => Err(unknown()),
    }
}

/// The script of that name.
pub(crate) fn script(name: &str) -> Result<&'static str, String> {
    let all = Script::ALL.map(Script::as_str);
    let found = all.into_iter().find(|known| *known == name);
    found.ok_or_else(|| format!("there is no script '{name}'; there are: {}", all.join(", ")))
}

pub(crate) fn tags(tags: BTreeMap<String, String>) -> Result<Vec<Tag>, String> {
    if tags.len() > MOST_TAGS {
        return Err(format!("a question has at most {MOST_TAGS} tags"));
    }
    Ok(tags.into_iter().map(|(key, value)| Tag { key, value }).collect())
}

/// What a change would want.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeIntent)]
pub(crate) struct IntentDto {
    /// The stage that a version is to enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_stage: Option<String>,
    /// `approved`, `rejected` or `pending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_approval: Option<String>,
    /// The alias that is to be set or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// What is made is to be called, or renamed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new_name: Option<String>,
    /// The keys of tags that are to be set or removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changed_tags: Vec<String>,
}

impl IntentDto {
    pub(crate) fn read(self) -> Result<Intent, String> {
        let IntentDto { target_stage, target_approval, alias, new_name, changed_tags } = self;
        if changed_tags.len() > MOST_TAGS {
            return Err(format!("a question has at most {MOST_TAGS} tags"));
        }
        Ok(Intent {
            stage: target_stage.map(|name| stage(&name)).transpose()?,
            approval: target_approval.map(|name| approval(&name)).transpose()?,
            alias,
            name: new_name,
            tags: changed_tags,
        })
    }
}

pub(crate) fn stage(name: &str) -> Result<Stage, String> {
    Stage::parse(name)
        .ok_or_else(|| format!("there is no stage '{name}'; there are: none, staging, production, archived"))
}

pub(crate) fn approval(name: &str) -> Result<ApprovalStatus, String> {
    let found = ApprovalStatus::parse(name);
    found.ok_or_else(|| format!("there is no approval '{name}'; there are: pending, approved, rejected"))
}

/// What was decided, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyDecision)]
pub(crate) struct DecisionDto {
    pub(crate) allowed: bool,
    /// `grants` or `rules` where some are named below, `local-owner` on a server without authentication, `hidden` where
    /// somebody does not see the thing, so that it does not exist for them, and `nothing` where nothing allows it.
    pub(crate) decided_by: String,
    /// The roles that allow it.
    pub(crate) grants: Vec<DecidingGrantDto>,
    /// The rules that forbid it, or else that permit it.
    pub(crate) rules: Vec<DecidingRuleDto>,
}

/// A role on a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DecidingGrant)]
pub(crate) struct DecidingGrantDto {
    pub(crate) role: String,
    /// `organisation`, `workspace`, `experiment` or `model`.
    pub(crate) scope: String,
    /// What it is the scope of; empty for the organisation.
    pub(crate) scope_name: String,
}

/// A rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DecidingRule)]
pub(crate) struct DecidingRuleDto {
    /// The name of its policy and its own.
    pub(crate) rule: String,
    /// Why it is there, as the team says.
    pub(crate) reason: Option<String>,
}

impl From<Decision> for DecisionDto {
    fn from(Decision { is_allowed, reason }: Decision) -> DecisionDto {
        let (decided_by, grants, rules) = match reason {
            Reason::Hidden => ("hidden", Vec::new(), Vec::new()),
            Reason::Nothing => ("nothing", Vec::new(), Vec::new()),
            Reason::LocalOwner => ("local-owner", Vec::new(), Vec::new()),
            Reason::Granted(grants) => ("grants", grants, Vec::new()),
            Reason::Forbidden(rules) | Reason::Permitted(rules) => ("rules", Vec::new(), rules),
        };
        DecisionDto {
            allowed: is_allowed,
            decided_by: decided_by.to_owned(),
            grants: grants.into_iter().map(DecidingGrantDto::from).collect(),
            rules: rules.into_iter().map(DecidingRuleDto::from).collect(),
        }
    }
}

impl From<Grant> for DecidingGrantDto {
    fn from(Grant { role, scope }: Grant) -> DecidingGrantDto {
        let (scope, scope_name) = (scope.kind().to_owned(), scope.name().to_owned());
        DecidingGrantDto { role: role.as_str().to_owned(), scope, scope_name }
    }
}

impl From<Rule> for DecidingRuleDto {
    fn from(Rule { name, reason }: Rule) -> DecidingRuleDto {
        DecidingRuleDto { rule: name, reason }
    }
}

impl DecisionDto {
    /// What decided, for people.
    pub(crate) fn says(&self) -> String {
        let rules = || {
            let told = self.rules.iter().map(|DecidingRuleDto { rule, reason }| match reason {
                Some(reason) => format!("{rule} ({reason})"),
                None => rule.clone(),
            });
            told.collect::<Vec<_>>().join(", ")
        };
        let grants = || {
            let told =
                self.grants.iter().map(|DecidingGrantDto { role, scope, scope_name }| match scope_name.as_str() {
                    "" => format!("{role} on the {scope}"),
                    name => format!("{role} on {scope} '{name}'"),
                });
            told.collect::<Vec<_>>().join(", ")
        };
        match (self.decided_by.as_str(), self.allowed) {
            ("rules", false) => format!("forbidden by {}", rules()),
            ("rules", true) => format!("no role allows it, and it is permitted by {}", rules()),
            ("grants", _) => format!("allowed by {}", grants()),
            ("local-owner", _) => "allowed, since this server runs without authentication".to_owned(),
            ("hidden", _) => "they hold no role on it, so that it does not exist for them".to_owned(),
            _ => "no role allows it, and no rule permits it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_read() {
        assert_eq!(thing("workspace"), Ok(AskedThing::Workspace));
        assert_eq!(thing("experiment:7"), Ok(AskedThing::Experiment(ExperimentId(7))));
        assert_eq!(thing("model:a:b"), Ok(AskedThing::Model("a:b".to_owned())));
        assert_eq!(thing("model:a/2"), Ok(AskedThing::ModelVersion { model: "a".to_owned(), number: 2 }));
        for text in ["", "model:", "model:a/0", "model:a/x", "experiment:seven", "run:1", "workspace:1"] {
            assert!(thing(text).is_err(), "{text}");
        }
    }
}
