//! What a model was at some time, told from the entries of the audit log about it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::audit::AuditEntry;
use crate::id::Timestamp;
use crate::lifecycle::{ApprovalStatus, Stage};

/// A model as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelThen {
    /// What it was called.
    pub name: String,
    /// Whether it was there: not yet, or not any more.
    pub exists: bool,
    pub versions: BTreeMap<i64, VersionThen>,
    /// The version that each alias pointed at, and who made it so. None that means a stage.
    pub aliases: BTreeMap<String, (i64, Deed)>,
}

/// A version as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionThen {
    pub stage: Stage,
    /// How it came into its stage.
    pub moved: Deed,
    pub approval: ApprovalStatus,
    /// How it was decided on, if it was.
    pub decided: Option<Deed>,
    pub registered: Deed,
}

/// Who did something when, and the entry that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    pub by: String,
    pub at: Timestamp,
    pub script: String,
    pub chain: i64,
    pub seq: i64,
}

impl Deed {
    fn of(entry: &AuditEntry) -> Deed {
        let AuditEntry { principal, at, script, chain, seq, .. } = entry;
        Deed { by: principal.clone(), at: *at, script: script.clone(), chain: *chain, seq: *seq }
    }
}

impl ModelThen {
    /// The version that was in a stage; of several the newest.
    pub fn in_stage(&self, stage: Stage) -> Option<(i64, &VersionThen)> {
        self.versions.iter().rev().find(|(_, version)| version.stage == stage).map(|(number, then)| (*number, then))
    }

    /// Goes on by one entry, in the order in which they were written.
    pub fn follow(&mut self, entry: &AuditEntry) {
        if entry.outcome != "done" {
            return;
        }
        let before = parsed(entry.before.as_deref());
        let after = parsed(entry.after.as_deref());
        let number = entry.object.rsplit_once('/').and_then(|(_, number)| number.parse::<i64>().ok());
        match (entry.action.as_str(), number) {
            ("model.create" | "model.load", _) => {
                self.name.clone_from(&entry.object);
                self.exists = true;
                for (alias, version) in after["aliases"].as_object().into_iter().flatten() {
                    let version = version.as_i64().unwrap_or_default();
                    self.aliases.insert(alias.clone(), (version, Deed::of(entry)));
                }
            }
            ("model.rename", _) => {
                self.name.clone_from(&entry.object);
                self.exists = true;
            }
            ("model.delete", _) => {
                *self = ModelThen { name: std::mem::take(&mut self.name), ..ModelThen::default() };
            }
            ("model.alias.set", _) => {
                if let (Some(alias), Some(version)) = (after["alias"].as_str(), after["version"].as_i64()) {
                    self.aliases.insert(alias.to_owned(), (version, Deed::of(entry)));
                }
            }
            ("model.alias.delete", _) => {
                self.aliases.remove(before["alias"].as_str().unwrap_or_default());
            }
            ("model-version.delete", Some(number)) => {
                self.versions.remove(&number);
                self.aliases.retain(|_, (version, _)| *version != number);
            }
            ("model-version.create" | "model-version.load", Some(number)) => {
                self.version(number, entry, &after);
            }
            ("model-version.transition", Some(number)) => {
                let version = self.version(number, entry, &before);
                version.stage = stage(&after).unwrap_or(version.stage);
                version.moved = Deed::of(entry);
            }
            ("model-version.approval", Some(number)) => {
                let version = self.version(number, entry, &before);
                version.approval = approval(&after).unwrap_or(version.approval);
                version.decided = Some(Deed::of(entry));
            }
            _ => {}
        }
    }

    /// A version, as `state` says it was where the log does not tell of its beginning.
    fn version(&mut self, number: i64, entry: &AuditEntry, state: &Value) -> &mut VersionThen {
        if self.name.is_empty() {
            self.name = entry.object.rsplit_once('/').map_or_else(String::new, |(name, _)| name.to_owned());
            self.exists = true;
        }
        self.versions.entry(number).or_insert_with(|| VersionThen {
            stage: stage(state).unwrap_or(Stage::None),
            moved: Deed::of(entry),
            approval: approval(state).unwrap_or(ApprovalStatus::Pending),
            decided: None,
            registered: Deed::of(entry),
        })
    }
}

fn parsed(state: Option<&str>) -> Value {
    state.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn stage(state: &Value) -> Option<Stage> {
    Stage::parse(state["stage"].as_str()?)
}

fn approval(state: &Value) -> Option<ApprovalStatus> {
    ApprovalStatus::parse(state["approval"].as_str()?)
}
