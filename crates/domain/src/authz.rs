//! Who may do what. Every use case asks here, and store methods that change governed things take the
//! [`Permit`] that only [`authorize`] can make, so that a forgotten check does not compile.
//!
//! The policy today: the local owner and administrators of the organisation may do everything, anybody else nothing.

use std::marker::PhantomData;

use crate::id::WorkspaceId;
pub use crate::identity::Principal;
use crate::identity::{Role, Scope};
use crate::{Error, Kind, Result};

/// Who asks, and in which workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub principal: Principal,
    pub workspace: WorkspaceId,
}

/// A kind of change, as policies name it.
pub trait Verb: Send + Sync + 'static {
    const NAME: &'static str;
    const KIND: Kind;
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident: $name:literal on $kind:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $verb;
            impl Verb for $verb {
                const NAME: &'static str = $name;
                const KIND: Kind = Kind::$kind;
            }
        )+
    };
}

verbs! {
    /// Create, rename, tag, delete or restore an experiment.
    ManageExperiment: "experiment:manage" on Experiment,
    /// Create, update, delete or restore a run, and log to it.
    LogRun: "run:log" on Run,
    /// Create, finalize, tag or delete a logged model.
    LogModel: "logged-model:log" on LoggedModel,
    /// Create, rename, describe, tag or delete models and their versions.
    RegisterModel: "model:register" on Model,
    /// Move a model version to a stage or an alias.
    PromoteModel: "model:promote" on ModelVersion,
    /// Decide on a model version.
    ApproveModel: "model:approve" on ModelVersion,
    /// Make, change, tag or delete what one script keeps beside the record.
    ManageResource: "resource:manage" on Resource,
    /// Draw or erase lineage between things.
    ManageLineage: "lineage:manage" on Association,
    /// Create, tag, fill or delete an evaluation dataset.
    ManageEvaluationDataset: "evaluation-dataset:manage" on EvaluationDataset,
    /// Register, configure or delete scorers.
    ManageScorer: "scorer:manage" on Scorer,
    /// Make, change, test or delete webhooks.
    ManageWebhook: "webhook:manage" on Webhook,
    /// Upload or delete artifacts.
    WriteArtifact: "artifact:write" on Artifact,
    /// Bring experiments and models from elsewhere, with their ids, times and stages.
    LoadRecord: "record:load" on Workspace,
    /// Read, export and verify the audit log.
    ReadAudit: "audit:read" on Workspace,
    /// Remove for good what is in the trash.
    PurgeRecord: "record:purge" on Workspace,
}

/// Proof that [`authorize`] said yes to `V` in a workspace.
#[derive(Debug)]
pub struct Permit<V> {
    workspace: WorkspaceId,
    verb: PhantomData<V>,
}

// Not derived, since a derive would ask for `V: Clone`.
impl<V> Clone for Permit<V> {
    fn clone(&self) -> Self {
        Permit { workspace: self.workspace, verb: PhantomData }
    }
}

impl<V> Permit<V> {
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

/// Decides whether `subject` may do `V`.
pub fn authorize<V: Verb>(subject: &Subject) -> Result<Permit<V>> {
    let may = match &subject.principal {
        Principal::LocalOwner => true,
        Principal::Account(account) => {
            account.grants.iter().any(|grant| grant.role == Role::Administrator && grant.scope == Scope::Organisation)
        }
    };
    if !may {
        return Err(Error::Forbidden { message: format!("{} may not {}", subject.principal.name(), V::NAME) });
    }
    Ok(Permit { workspace: subject.workspace, verb: PhantomData })
}

/// What a subject may see; read and list methods of the store filter by it in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visibility {
    workspace: WorkspaceId,
}

impl Visibility {
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
}

/// The part of the record that `subject` may see. What it may not see does not exist for it.
pub fn visible(subject: &Subject) -> Visibility {
    Visibility { workspace: subject.workspace }
}
