//! Cases that rules must decide as they say, judged by the code that decides about changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;
use stele_app::AskedThing;
use stele_domain::authz::{Principal, Rules, Subject, Thing, explain};
use stele_domain::id::{Clock, WorkspaceId};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::policy::Policy;
use stele_policy::{PolicySet, rules_in};

use super::file;
use crate::cli::human::harmless;
use crate::cli::{Failure, Output, when};
use crate::decision::{self, DecisionDto, IntentDto};
use crate::system::SystemClock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// Who does what, and what is to come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    #[serde(default = "somebody")]
    who: String,
    /// `user` or `service`.
    #[serde(default = "user")]
    kind: String,
    #[serde(default)]
    groups: Vec<String>,
    /// Those held on the thing.
    #[serde(default)]
    roles: Vec<String>,
    verb: String,
    what: String,
    /// Of an experiment, which its id does not tell.
    #[serde(default)]
    name: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    model_tags: BTreeMap<String, String>,
    /// Of a version, before.
    stage: Option<String>,
    approval: Option<String>,
    #[serde(default)]
    change: IntentDto,
    at: Option<String>,
    #[serde(default = "native")]
    script: String,
    expect: Expected,
    /// The rule that is to decide it.
    by: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

fn somebody() -> String {
    "somebody".to_owned()
}

fn user() -> String {
    "user".to_owned()
}

fn native() -> String {
    "native".to_owned()
}

fn unusable(message: &str) -> Failure {
    Failure::usage(message).hint("docs/POLICY.md shows files of cases")
}

/// Checks the rules, and then the cases, if there are some.
pub(super) fn test(output: &Output, policies: &[Policy], cases: Option<&Path>) -> Result<()> {
    let mut rules = Vec::new();
    for policy in policies {
        rules.extend(rules_in(policy).map_err(|error| Failure::new(error.to_string()).hint(file::HINT))?);
    }
    let Some(path) = cases else {
        output.done(format_args!("nothing is wrong with the rules: {}", rules.join(", ")));
        return if output.is_json() { output.json(&json!({ "rules": rules })) } else { Ok(()) };
    };
    let set = PolicySet::compile(policies).map_err(|error| Failure::new(error.to_string()))?;
    let set = Rules::new(Some(Arc::new(set)), SystemClock.now(), "native");
    let shown = path.display();
    let Cases { case: cases } = toml::from_str(&file::text(path)?)
        .map_err(|error: toml::de::Error| unusable(&format!("{shown} cannot be read: {}", error.message())))?;
    if cases.is_empty() {
        return Err(unusable(&format!("{shown} has no cases")).into());
    }
    let mut failed = 0;
    let mut told = Vec::with_capacity(cases.len());
    for case in cases {
        let decision = case
            .decision(&set)
            .map_err(|wrong| Failure::usage(format!("case '{}' in {shown} cannot be asked: {wrong}", case.title)))?;
        let passed = case.is_met_by(&decision);
        failed += usize::from(!passed);
        if !output.is_json() {
            let mark = if passed { "ok   " } else { "fails" };
            let came = if decision.allowed { "allow" } else { "deny" };
            output.text(&format!("{mark} {}: {came}, {}\n", harmless(&case.title), harmless(&decision.says())))?;
        }
        told.push(json!({ "case": case.title, "passed": passed, "decision": decision }));
    }
    let count = told.len();
    if output.is_json() {
        output.json(&json!({ "rules": rules, "cases": told }))?;
    }
    if failed > 0 {
        return Err(Failure::new(format!("{failed} of {count} cases came out otherwise than they expect")).into());
    }
    output.done(format_args!("{count} cases came out as they expect"));
    Ok(())
}

impl Case {
    fn decision(&self, rules: &Rules) -> Result<DecisionDto, String> {
        let action = decision::verb(&self.verb)?;
        let thing = self.thing(action.is_on_versions())?;
        let kind = AccountKind::parse(&self.kind).ok_or_else(|| format!("'{}' is no kind of account", self.kind))?;
        let role = |name: &String| {
            let role = Role::parse(name).ok_or_else(|| format!("there is no role '{name}'"))?;
            Ok(Grant { role, scope: Scope::Organisation })
        };
        let grants = self.roles.iter().map(role).collect::<Result<Vec<Grant>, String>>()?;
        let account = Account::new(self.who.clone(), kind, self.groups.clone(), grants);
        let subject = Subject {
            principal: Principal::Account(Arc::new(account)),
            workspace: WorkspaceId(1),
            workspace_name: "default".into(),
        };
        let at = self.at.as_deref().map(when::parse).transpose()?.unwrap_or_else(|| SystemClock.now());
        let rules = rules.clone().at(at, decision::script(&self.script)?);
        Ok(explain(&subject, &rules, action, &thing, &self.change.clone().read()?).into())
    }

    fn thing(&self, is_on_versions: bool) -> Result<Thing, String> {
        let (tags, model_tags) = (decision::tags(self.tags.clone())?, decision::tags(self.model_tags.clone())?);
        match decision::thing(&self.what)? {
            AskedThing::ModelVersion { model, number } if is_on_versions => {
                let stage = self.stage.as_deref().map_or(Ok(Stage::None), decision::stage)?;
                let approval = self.approval.as_deref().map_or(Ok(ApprovalStatus::Pending), decision::approval)?;
                Ok(Thing::ModelVersion { model, number, stage, approval, tags, model_tags })
            }
            _ if is_on_versions => Err(format!("{} is done to a version, such as model:NAME/1", self.verb)),
            AskedThing::Workspace => Ok(Thing::Workspace),
            AskedThing::Experiment(id) => Ok(Thing::Experiment { id, name: self.name.clone(), tags }),
            AskedThing::Model(name) | AskedThing::ModelVersion { model: name, .. } => {
                Ok(Thing::Model { name, tags: model_tags })
            }
        }
    }

    fn is_met_by(&self, decision: &DecisionDto) -> bool {
        let is_decided = |by: &String| decision.rules.iter().any(|rule| rule.rule == *by);
        decision.allowed == (self.expect == Expected::Allow) && self.by.as_ref().is_none_or(is_decided)
    }
}
