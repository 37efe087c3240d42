//! What a use case did, as the audit log and the event outbox record it in the same transaction.

use serde_json::Value;

use crate::Kind;

/// One change. `action` is `kind.verb`, such as `run.create`; `object` is the public id or name.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub action: &'static str,
    pub kind: Kind,
    pub object: String,
    /// The id that a model keeps when it is renamed, on changes of models and their versions: their history is found
    /// by it.
    pub subject: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub audience: Audience,
}

/// Whether anybody outside wants to hear of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Audit only: the steady stream of logged values.
    Audit,
    /// Audit and an event to subscribers.
    Subscribers,
}

impl Change {
    /// A change that subscribers hear of.
    pub fn event(action: &'static str, kind: Kind, object: impl Into<String>) -> Change {
        Change {
            action,
            kind,
            object: object.into(),
            subject: None,
            before: None,
            after: None,
            audience: Audience::Subscribers,
        }
    }

    /// A change that only the audit log records.
    pub fn quiet(action: &'static str, kind: Kind, object: impl Into<String>) -> Change {
        Change { audience: Audience::Audit, ..Change::event(action, kind, object) }
    }

    /// Says which model a change is about, whatever it is called.
    #[must_use]
    pub fn of_model(mut self, id: &str) -> Change {
        self.subject = Some(id.to_owned());
        self
    }

    #[must_use]
    pub fn before(mut self, before: Value) -> Change {
        self.before = Some(before);
        self
    }

    #[must_use]
    pub fn after(mut self, after: Value) -> Change {
        self.after = Some(after);
        self
    }
}
