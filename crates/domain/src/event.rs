//! What subscribers may hear of: the native name of each event, and the record's action that it is.
//!
//! A new kind of event is a row here; [`crate::change::Change::event`] with that action does the rest.

/// Name and action.
pub const EVENTS: &[(&str, &str)] = &[
    ("model.created", "model.create"),
    ("model.updated", "model.update"),
    ("model.renamed", "model.rename"),
    ("model.deleted", "model.delete"),
    ("model.tagged", "model.tag"),
    ("model.untagged", "model.untag"),
    ("version.created", "model-version.create"),
    ("version.updated", "model-version.update"),
    ("version.deleted", "model-version.delete"),
    ("version.tagged", "model-version.tag"),
    ("version.untagged", "model-version.untag"),
    ("version.stage", "model-version.transition"),
    ("version.approval", "model-version.approval"),
    ("version.review", "model-version.review"),
    ("version.evaluation", "model-version.evaluation"),
    ("alias.set", "model.alias.set"),
    ("alias.deleted", "model.alias.delete"),
    ("gate.refused", "gate.refuse"),
    ("gate.bypassed", "gate.bypass"),
    ("gate.exception", "gate.break-glass"),
    ("gate.applied", "gate.apply"),
    ("gate.deleted", "gate.delete"),
    ("policy.applied", "policy.apply"),
    ("policy.deleted", "policy.delete"),
];

/// The record's action that an event is.
pub fn action_of(name: &str) -> Option<&'static str> {
    EVENTS.iter().find(|(event, _)| *event == name).map(|(_, action)| *action)
}

/// The event that an action of the record is, if subscribers may hear of it.
pub fn name_of(action: &str) -> Option<&'static str> {
    EVENTS.iter().find(|(_, known)| *known == action).map(|(event, _)| *event)
}
