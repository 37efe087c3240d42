//! The verbs: what can be done to things, and the role that lets one do it.

use crate::Kind;
use crate::identity::Role;

/// A kind of change, as a type, so that a permit for one is none for another.
pub trait Verb: Send + Sync + 'static {
    const ACTION: Action;
    const NAME: &'static str = Self::ACTION.name();
    const KIND: Kind = Self::ACTION.kind();
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident: $name:literal on $kind:ident by $role:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $verb;
            impl Verb for $verb {
                const ACTION: Action = Action::$verb;
            }
        )+

        /// All verbs, as values.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $($verb),+ }

        impl Action {
            pub const ALL: &[Action] = &[$(Action::$verb),+];

            /// As policies and the audit log name it.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$verb => $name),+ }
            }

            /// The kind of thing that it is done to.
            pub const fn kind(self) -> Kind {
                match self { $(Action::$verb => Kind::$kind),+ }
            }

            /// The role that lets one do it. Administrators do everything.
            pub const fn role(self) -> Role {
                match self { $(Action::$verb => Role::$role),+ }
            }
        }
    };
}

verbs! {
    /// Create, rename, tag, delete or restore an experiment.
    ManageExperiment: "experiment:manage" on Experiment by Contributor,
    /// Create, update, delete or restore a run, and log to it.
    LogRun: "run:log" on Run by Contributor,
    /// Create, finalize, tag or delete a logged model.
    LogModel: "logged-model:log" on LoggedModel by Contributor,
    /// Create, rename, describe, tag or delete models and their versions.
    RegisterModel: "model:register" on Model by Contributor,
    /// Move a model version to a stage or an alias.
    PromoteModel: "model:promote" on ModelVersion by Deployer,
    /// Decide on a model version.
    ApproveModel: "model:approve" on ModelVersion by Approver,
    /// Declare, change or delete gates, and let a version past them.
    ManageGate: "gate:manage" on Gate by Administrator,
    /// Declare, change, enable, disable or delete a team's own rules.
    ManagePolicy: "policy:manage" on Policy by Administrator,
    /// Record how good a version is on a data set.
    RecordEvaluation: "evaluation:record" on Evaluation by Contributor,
    /// Make, change, tag or delete what one script keeps beside the record.
    ManageResource: "resource:manage" on Resource by Contributor,
    /// Draw or erase lineage between things.
    ManageLineage: "lineage:manage" on Association by Contributor,
    /// Create, tag, fill or delete an evaluation dataset.
    ManageEvaluationDataset: "evaluation-dataset:manage" on EvaluationDataset by Contributor,
    /// Register, configure or delete scorers.
    ManageScorer: "scorer:manage" on Scorer by Contributor,
    /// Record traces, tag, link and assess them, and delete them.
    LogTrace: "trace:log" on Trace by Contributor,
    /// Report issues, write questions for reviewers, and fill and work off queues of traces to review.
    ManageReview: "review:manage" on ReviewQueue by Contributor,
    /// Make, change, test or delete webhooks.
    ManageWebhook: "webhook:manage" on Webhook by Administrator,
    /// Upload or delete artifacts.
    WriteArtifact: "artifact:write" on Artifact by Contributor,
    /// Make or remove a bucket.
    ManageBucket: "bucket:manage" on Bucket by Contributor,
    /// Put objects into buckets, and change or remove them.
    WriteObject: "object:write" on Object by Contributor,
    /// Bring experiments and models from elsewhere, with their ids, times and stages.
    LoadRecord: "record:load" on Workspace by Administrator,
    /// Read, export and verify the audit log, which is one for all workspaces.
    ReadAudit: "audit:read" on Workspace by Administrator,
    /// Remove for good what is in the trash.
    PurgeRecord: "record:purge" on Workspace by Administrator,
    /// Make, change, disable or delete accounts, groups and grants, and turn authentication on.
    ManageIdentity: "identity:manage" on Account by Administrator,
    /// Make, change or delete workspaces.
    ManageWorkspace: "workspace:manage" on Workspace by Administrator,
    /// Make or revoke tokens and access keys, and set a password.
    ManageCredential: "credential:manage" on Credential by Administrator,
}

impl Action {
    /// The verb of that name.
    pub fn parse(name: &str) -> Option<Action> {
        Action::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Whether it is done to what all workspaces share, so that only a role on the organisation lets one do it.
    pub fn is_on_organisation(self) -> bool {
        matches!(
            self,
            Action::ManagePolicy
                | Action::ManageIdentity
                | Action::ManageCredential
                | Action::ManageWorkspace
                | Action::ReadAudit
        )
    }

    /// Whether it is done to accounts and what lets them in, which lasts.
    pub(super) fn is_on_accounts(self) -> bool {
        matches!(self, Action::ManageIdentity | Action::ManageCredential)
    }

    /// Whether a team's rules are asked about it. About accounts, workspaces, the audit log and the rules themselves
    /// roles alone decide, so that nobody can lock everybody out.
    pub fn is_judged(self) -> bool {
        !self.is_on_organisation()
    }

    /// Whether it is done to one version of a model, which rules see with its stage, approval and tags.
    pub fn is_on_versions(self) -> bool {
        matches!(self, Action::PromoteModel | Action::ApproveModel)
    }

    /// Whether somebody who holds `role` on a thing may do this to it.
    pub fn is_allowed_by(self, role: Role) -> bool {
        role == Role::Administrator || role == self.role()
    }
}
