use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::lifecycle::Stage;
use crate::registry::stage_of_alias;
use crate::{Error, Result};

const MOST_RULES: usize = 50;
const LONGEST_NAME: usize = 100;
const LONGEST_TEXT: usize = 1_000;

/// A gate as its file says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateDefinition {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The names of the models that it guards; `*` stands for any characters, so that `*` alone is the whole workspace.
    #[serde(default = "every_model")]
    pub models: String,
    pub target: Target,
    pub rules: Vec<Rule>,
}

/// A definition with its number; each change of a gate makes the next version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub version: i64,
    pub definition: GateDefinition,
}

/// What a version of a model wants to become.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Stage(GatedStage),
    Approval(Approved),
    /// An alias that means no stage.
    Alias(String),
}

/// The stages that a gate may guard; going back must always be possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatedStage {
    Staging,
    Production,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approved {
    Approved,
}

fn every_model() -> String {
    "*".to_owned()
}

impl GateDefinition {
    /// Refuses what no gate can be.
    pub fn check(&self) -> Result<()> {
        let GateDefinition { name, description, models, target, rules } = self;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            return Err(Error::invalid(format!(
                "'{name}' cannot be the name of a gate: it has 1 to {LONGEST_NAME} letters, digits, dots, hyphens and \
                 underscores"
            )));
        }
        check_text(name, "description", description)?;
        check_text(name, "models", models)?;
        if models.is_empty() {
            return Err(Error::invalid(format!("gate '{name}' guards no models: models is empty")));
        }
        if let Target::Alias(alias) = target {
            check_text(name, "alias", alias)?;
            if alias.is_empty() || alias.eq_ignore_ascii_case("latest") {
                return Err(Error::invalid(format!("gate '{name}' cannot guard the alias '{alias}'")));
            }
            if let Some(stage) = stage_of_alias(alias) {
                return Err(Error::invalid(format!(
                    "gate '{name}' cannot guard the alias '{alias}', which always means stage {stage}: guard the stage"
                )));
            }
        }
        if rules.is_empty() || rules.len() > MOST_RULES {
            return Err(Error::invalid(format!("gate '{name}' has {} rules and needs 1 to {MOST_RULES}", rules.len())));
        }
        rules.iter().try_for_each(|rule| rule.check(name))
    }

    /// Whether it guards `target` for a model.
    pub fn guards(&self, model: &str, target: &Target) -> bool {
        self.target == *target && matches(&self.models, model)
    }
}

pub(super) fn check_text(gate: &str, field: &str, text: &str) -> Result<()> {
    if text.contains('\0') || text.chars().count() > LONGEST_TEXT {
        return Err(Error::invalid(format!(
            "{field} of gate '{gate}' contains a NUL character or has more than {LONGEST_TEXT} characters"
        )));
    }
    Ok(())
}

/// Whether `pattern`, in which `*` stands for any characters, is all of `text`. Takes time in the product of both.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, mut pattern)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    while let Some((part, later)) = pattern.split_once('*') {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        pattern = later;
    }
    rest.ends_with(pattern)
}

impl Target {
    /// The target that a move to a stage is, if a gate may guard it.
    pub fn of_stage(stage: Stage) -> Option<Target> {
        match stage {
            Stage::None | Stage::Archived => None,
            Stage::Staging => Some(Target::Stage(GatedStage::Staging)),
            Stage::Production => Some(Target::Stage(GatedStage::Production)),
        }
    }

    pub const APPROVAL: Target = Target::Approval(Approved::Approved);

    /// Reads what [`Target`] prints, such as `stage production`.
    pub fn parse(text: &str) -> Option<Target> {
        match text.split_once(' ')? {
            ("stage", stage) => Target::of_stage(Stage::parse(stage)?),
            ("approval", "approved") => Some(Target::APPROVAL),
            ("alias", alias) if !alias.is_empty() && stage_of_alias(alias).is_none() => {
                Some(Target::Alias(alias.to_owned()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stage(GatedStage::Staging) => f.write_str("stage staging"),
            Target::Stage(GatedStage::Production) => f.write_str("stage production"),
            Target::Approval(Approved::Approved) => f.write_str("approval approved"),
            Target::Alias(alias) => write!(f, "alias {alias}"),
        }
    }
}
