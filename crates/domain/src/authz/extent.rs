use std::sync::Arc;

use super::Subject;
use crate::id::{ExperimentId, WorkspaceId};
use crate::identity::{Principal, Role, Scope};
use crate::{Error, Kind, Result};

/// Where in a workspace a thing is, which decides who may do what to it. A run, a logged model, a metric and a trial
/// are in their experiment, a version is in its model, and all else is in the workspace itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    Workspace,
    Experiment(ExperimentId),
    Model(&'a str),
}

/// A part of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// Both sorted.
    Parts {
        experiments: Arc<[ExperimentId]>,
        models: Arc<[String]>,
    },
}

impl Scope {
    /// Whether what is in `place` of the subject's workspace lies within the scope.
    pub(super) fn reaches(&self, subject: &Subject, place: Place) -> bool {
        match (self, place) {
            (Scope::Organisation, _) => true,
            (Scope::Workspace(name), _) => **name == *subject.workspace_name,
            // An id that is not a number is that of no experiment.
            (Scope::Experiment(id), Place::Experiment(of)) => id.parse() == Ok(of.0),
            (Scope::Model(text), Place::Model(of)) => Scope::model_of(text, &subject.workspace_name) == Some(of),
            (Scope::Experiment(_) | Scope::Model(_), _) => false,
        }
    }
}

impl Extent {
    /// Everything for those who hold a role that `counts` on the organisation, and else nothing.
    pub(super) fn of_organisation(subject: &Subject, counts: impl Fn(Role) -> bool) -> Extent {
        let is_wide = match &subject.principal {
            Principal::LocalOwner => true,
            Principal::Account(account) => {
                account.grants.iter().any(|grant| counts(grant.role) && grant.scope == Scope::Organisation)
            }
        };
        if is_wide { Extent::Whole } else { Extent::Parts { experiments: Arc::default(), models: Arc::default() } }
    }

    /// The part of the workspace in which `subject` holds a role that `counts`.
    pub(super) fn of(subject: &Subject, counts: impl Fn(Role) -> bool) -> Extent {
        let account = match &subject.principal {
            Principal::LocalOwner => return Extent::Whole,
            Principal::Account(account) => account,
        };
        let (mut experiments, mut models) = (Vec::new(), Vec::new());
        for grant in account.grants.iter().filter(|grant| counts(grant.role)) {
            match &grant.scope {
                Scope::Organisation => return Extent::Whole,
                Scope::Workspace(name) if **name == *subject.workspace_name => return Extent::Whole,
                Scope::Workspace(_) => {}
                // An id that is not a number is that of no experiment.
                Scope::Experiment(id) => experiments.extend(id.parse().ok().map(ExperimentId)),
                Scope::Model(text) => models.extend(Scope::model_of(text, &subject.workspace_name).map(str::to_owned)),
            }
        }
        experiments.sort_unstable();
        experiments.dedup();
        models.sort_unstable();
        models.dedup();
        Extent::Parts { experiments: experiments.into(), models: models.into() }
    }

    pub fn contains(&self, place: Place) -> bool {
        match (self, place) {
            (Extent::Whole, _) => true,
            (Extent::Parts { .. }, Place::Workspace) => false,
            (Extent::Parts { experiments, .. }, Place::Experiment(id)) => experiments.binary_search(&id).is_ok(),
            (Extent::Parts { models, .. }, Place::Model(name)) => {
                models.binary_search_by(|model| model.as_str().cmp(name)).is_ok()
            }
        }
    }

    /// The experiments of a part; none when it is the whole.
    pub fn experiments(&self) -> Option<&[ExperimentId]> {
        match self {
            Extent::Whole => None,
            Extent::Parts { experiments, .. } => Some(experiments),
        }
    }

    /// The names of the models of a part; none when it is the whole.
    pub fn models(&self) -> Option<&[String]> {
        match self {
            Extent::Whole => None,
            Extent::Parts { models, .. } => Some(models),
        }
    }
}

/// What a subject may see; read and list methods of the store filter by it in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    workspace: WorkspaceId,
    extent: Extent,
}

impl Visibility {
    pub(super) fn new(workspace: WorkspaceId, extent: Extent) -> Visibility {
        Visibility { workspace, extent }
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    pub fn sees(&self, place: Place) -> bool {
        self.extent.contains(place)
    }

    /// Lets what is in `place` be read; it does not exist for those who do not see it.
    pub fn require(&self, place: Place, kind: Kind, id: impl ToString) -> Result<()> {
        if self.sees(place) { Ok(()) } else { Err(Error::not_found(kind, id.to_string())) }
    }

    /// Those of the experiments that are seen.
    pub fn among(&self, experiments: &[ExperimentId]) -> Vec<ExperimentId> {
        experiments.iter().copied().filter(|id| self.sees(Place::Experiment(*id))).collect()
    }
}
