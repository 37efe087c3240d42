//! Identifiers. Public ids are what clients hold; row ids are integers that only the store sees the meaning of.

use std::fmt;

use uuid::Uuid;

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

impl Timestamp {
    /// This time, or the millisecond after `before`: clients tell states of a thing apart by when it changed.
    #[must_use]
    pub fn after(self, before: Timestamp) -> Timestamp {
        Timestamp(self.0.max(before.0.saturating_add(1)))
    }
}

row_id! {
    WorkspaceId,
    /// Also the decimal id that MLflow clients know the experiment by.
    ExperimentId,
    RunRow,
    SeriesRow,
    /// An artifact version; logged models and datasets share their row id with it.
    ArtifactRow,
    ModelRow,
    ModelVersionRow,
    EvaluationDatasetRow,
    WebhookRow,
    AccountRow,
    GroupRow,
    GrantRow,
    ResourceRow,
    DeliveryRow,
    TraceRow,
    IssueRow,
    LabelSchemaRow,
    ReviewQueueRow,
}

/// The public id of a run: 32 lower-case hex digits when this server made it; imported runs keep theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub String);

impl RunId {
    pub fn from_uuid(uuid: Uuid) -> RunId {
        RunId(uuid.simple().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public id of a logged model: `m-` and 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoggedModelId(pub String);

impl LoggedModelId {
    pub fn from_uuid(uuid: Uuid) -> LoggedModelId {
        LoggedModelId(format!("m-{}", uuid.simple()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoggedModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where new ids come from; tests use a counting source.
pub trait IdSource: Send + Sync {
    /// A fresh 128-bit id, ordered by time of making where the source can.
    fn next(&self, now: Timestamp) -> Uuid;
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// What time it is; tests advance a fake one.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
