//! What a team's own rules are asked, and what they answer. Who judges is beyond this crate.

use std::fmt::{self, Debug};
use std::sync::Arc;

use super::{Action, Place};
use crate::id::{ExperimentId, Timestamp, WorkspaceId};
use crate::identity::{Principal, Role};
use crate::lifecycle::{ApprovalStatus, Stage};
use crate::record::Tag;
use crate::{Kind, Result};

/// A team's rules. They forbid what roles allow, and permit what roles do not, to those who see the thing.
pub trait Judge: Debug + Send + Sync {
    /// Whether any rule forbids, or any permits, this kind of change.
    fn concern(&self, action: Action) -> Concern;

    fn judge(&self, question: &Question) -> Judgement;

    /// The rules that forbid, and may do so otherwise when a thing of a kind is called by the other name.
    fn forbidding_by_name(&self, kind: Kind, one: &str, other: &str) -> Vec<Rule>;
}

/// Which rules there are about a kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Concern {
    pub forbids: bool,
    pub permits: bool,
}

/// Whether `principal` may do `action` to `thing`, now and through `script`.
#[derive(Debug)]
pub struct Question<'a> {
    pub principal: &'a Principal,
    /// Those that they hold on the thing.
    pub roles: &'a [Role],
    pub action: Action,
    pub workspace: &'a str,
    pub thing: &'a Thing,
    pub intent: &'a Intent,
    pub now: Timestamp,
    pub script: &'a str,
}

/// The rules that apply; those that forbid and cannot be evaluated count as applying.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    pub forbidding: Vec<Rule>,
    pub permitting: Vec<Rule>,
}

/// A rule of a team, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The name of its policy and its own.
    pub name: String,
    /// Why it is there, as the team says.
    pub reason: Option<String>,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{} ({reason})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The rules that hold where something is asked, with the time and the way in which it is.
#[derive(Debug, Clone)]
pub struct Rules {
    judge: Option<Arc<dyn Judge>>,
    pub(super) now: Timestamp,
    pub(super) script: &'static str,
}

impl Rules {
    pub fn new(judge: Option<Arc<dyn Judge>>, now: Timestamp, script: &'static str) -> Rules {
        Rules { judge, now, script }
    }

    /// For what roles alone decide.
    pub fn none() -> Rules {
        Rules { judge: None, now: Timestamp(0), script: "" }
    }

    /// The same rules at another time, or through another script.
    #[must_use]
    pub fn at(self, now: Timestamp, script: &'static str) -> Rules {
        Rules { now, script, ..self }
    }

    pub(super) fn concern(&self, action: Action) -> Concern {
        match &self.judge {
            Some(judge) if action.is_judged() => judge.concern(action),
            _ => Concern::default(),
        }
    }

    pub(super) fn forbidding_by_name(&self, kind: Kind, one: &str, other: &str) -> Vec<Rule> {
        self.judge.as_ref().map(|judge| judge.forbidding_by_name(kind, one, other)).unwrap_or_default()
    }

    pub(super) fn judge(&self, question: &Question) -> Judgement {
        match &self.judge {
            Some(judge) if question.action.is_judged() => judge.judge(question),
            _ => Judgement::default(),
        }
    }
}

/// What a change is about, as rules see it: as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// The workspace as a whole, and what is still to be made in it.
    Workspace,
    Experiment {
        id: ExperimentId,
        name: String,
        tags: Vec<Tag>,
    },
    Model {
        name: String,
        tags: Vec<Tag>,
    },
    ModelVersion {
        model: String,
        number: i64,
        stage: Stage,
        approval: ApprovalStatus,
        tags: Vec<Tag>,
        /// Those of the model, which the version is in.
        model_tags: Vec<Tag>,
    },
}

/// Where rules find what they look at.
pub trait Described {
    fn describe(&mut self, workspace: WorkspaceId, place: Place) -> Result<Thing>;
}

/// What a change wants, as far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intent {
    /// The stage that a version is to enter. An alias that means a stage is that stage.
    pub stage: Option<Stage>,
    pub approval: Option<ApprovalStatus>,
    /// The alias that is set or removed.
    pub alias: Option<String>,
    /// What is made is to be called, or renamed to.
    pub name: Option<String>,
    /// The keys of the tags that are set or removed.
    pub tags: Vec<String>,
}

impl Intent {
    pub fn stage(stage: Stage) -> Intent {
        Intent { stage: Some(stage), ..Intent::default() }
    }

    pub fn approval(approval: ApprovalStatus) -> Intent {
        Intent { approval: Some(approval), ..Intent::default() }
    }

    pub fn alias(alias: &str) -> Intent {
        Intent { alias: Some(alias.to_owned()), ..Intent::default() }
    }

    /// Making a thing, or renaming it.
    pub fn name(name: &str) -> Intent {
        Intent { name: Some(name.to_owned()), ..Intent::default() }
    }

    /// Making a version with these tags.
    pub fn tags(tags: &[Tag]) -> Intent {
        Intent { tags: tags.iter().map(|tag| tag.key.clone()).collect(), ..Intent::default() }
    }

    /// Making a thing with these tags.
    pub fn make(name: &str, tags: &[Tag]) -> Intent {
        Intent { name: Some(name.to_owned()), ..Intent::tags(tags) }
    }

    /// Setting or removing a tag.
    pub fn tag(key: &str) -> Intent {
        Intent { tags: vec![key.to_owned()], ..Intent::default() }
    }
}

impl Thing {
    pub fn place(&self) -> Place<'_> {
        match self {
            Thing::Workspace => Place::Workspace,
            Thing::Experiment { id, .. } => Place::Experiment(*id),
            Thing::Model { name, .. } | Thing::ModelVersion { model: name, .. } => Place::Model(name),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Thing::Workspace => f.write_str("the workspace"),
            Thing::Experiment { id, .. } => write!(f, "experiment '{id}'"),
            Thing::Model { name, .. } => write!(f, "model '{name}'"),
            Thing::ModelVersion { model, number, .. } => write!(f, "model version '{model}/{number}'"),
        }
    }
}
