//! Lifecycles as total functions: one `match` over state and event. Nobody sets a status column another way.

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// Whether a thing is in use or in the trash, from where it can be restored.
    Presence { Active = "active", Deleted = "deleted" }
}

text_enum! {
    /// The finest set of run states of the three scripts; each dialect folds it into its own.
    RunStatus {
        Initializing = "initializing",
        Scheduled = "scheduled",
        Queued = "queued",
        Provisioning = "provisioning",
        Running = "running",
        Paused = "paused",
        Retrying = "retrying",
        Stopping = "stopping",
        Stopped = "stopped",
        Failed = "failed",
        Completed = "completed",
        Cached = "cached",
        Skipped = "skipped",
    }
}

text_enum! {
    /// What a run is a run of.
    RunKind {
        Training = "training",
        Pipeline = "pipeline",
        Step = "step",
        Evaluation = "evaluation",
        Job = "job",
    }
}

text_enum! {
    /// Where a model version stands on its way to production.
    Stage { None = "none", Staging = "staging", Production = "production", Archived = "archived" }
}

text_enum! {
    /// The decision on a model version.
    ApprovalStatus { Pending = "pending", Approved = "approved", Rejected = "rejected" }
}

text_enum! {
    /// Whether the artifacts of a logged model are complete.
    LoggedModelStatus {
        Unspecified = "unspecified",
        Pending = "pending",
        Ready = "ready",
        Failed = "failed",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceEvent {
    Delete,
    Restore,
}

/// Deleting what is deleted and restoring what is active change nothing and are allowed; callers whose
/// client expects a refusal check first.
pub fn presence_after(state: Presence, event: PresenceEvent) -> Presence {
    match (state, event) {
        (Presence::Active | Presence::Deleted, PresenceEvent::Delete) => Presence::Deleted,
        (Presence::Active | Presence::Deleted, PresenceEvent::Restore) => Presence::Active,
    }
}

/// The status of a run after its client reports `reported`.
///
/// Clients of a tracking server own the status of their runs: a finished run may be resumed (MLflow's
/// `start_run(run_id=..)` sets a finished run to running again), so every report is taken. What a pipeline
/// engine derives from steps gets its own events when it comes.
pub fn run_status_after(_state: RunStatus, reported: RunStatus) -> RunStatus {
    reported
}

/// The stage of a version after a request to move it to `target`. Every pair is allowed: the gates of the
/// model decide about promotions, and going back must always be possible.
pub fn stage_after(state: Stage, target: Stage) -> Stage {
    match (state, target) {
        (Stage::None | Stage::Staging | Stage::Production | Stage::Archived, target) => target,
    }
}

/// The approval of a version after the decision `decided`. A decision can always be revised, also to pending; the gates
/// of the model decide who may.
pub fn approval_after(state: ApprovalStatus, decided: ApprovalStatus) -> ApprovalStatus {
    match (state, decided) {
        (ApprovalStatus::Pending | ApprovalStatus::Approved | ApprovalStatus::Rejected, decided) => decided,
    }
}

/// The status of a logged model after its client reports `reported`. As with runs, the client owns it: it may
/// upload again and report again.
pub fn logged_model_status_after(_state: LoggedModelStatus, reported: LoggedModelStatus) -> LoggedModelStatus {
    reported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_round_trips_through_its_text() {
        for status in RunStatus::ALL {
            assert_eq!(RunStatus::parse(status.as_str()), Some(*status));
        }
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(*stage));
        }
    }
}
