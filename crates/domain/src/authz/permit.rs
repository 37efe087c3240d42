use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Action, Extent, ManageCredential, Place, Principal, Subject, Verb, Visibility, visible};
use crate::id::WorkspaceId;
use crate::{Error, Kind, Result};

/// Proof that [`authorize`] was asked for `V`, with the part of the workspace to whose things `V` may be done.
#[derive(Debug)]
pub struct Permit<V> {
    inner: Arc<Inner>,
    verb: PhantomData<V>,
}

#[derive(Debug)]
struct Inner {
    subject: Subject,
    action: Action,
    allowed: Extent,
    visible: Visibility,
    answers: Arc<Answers>,
}

/// What was answered so far, together with the permits of other verbs for the same change.
#[derive(Debug, Default)]
struct Answers {
    has_allowed: AtomicBool,
    refused: OnceLock<Action>,
}

// Not derived, since a derive would ask for `V: Clone`.
impl<V> Clone for Permit<V> {
    fn clone(&self) -> Self {
        Permit { inner: Arc::clone(&self.inner), verb: PhantomData }
    }
}

/// What `subject` may do `V` to, which may be nothing.
pub fn authorize<V: Verb>(subject: &Subject) -> Permit<V> {
    Permit::new(subject.clone(), Arc::default())
}

/// Lets an account look after its own credentials, whatever its roles are.
pub fn authorize_own(subject: &Subject, account: &str) -> Option<Permit<ManageCredential>> {
    let own = matches!(&subject.principal, Principal::Account(principal) if principal.name == account);
    own.then(|| Permit::over(subject.clone(), Arc::default(), Extent::Whole))
}

impl<V: Verb> Permit<V> {
    fn new(subject: Subject, answers: Arc<Answers>) -> Permit<V> {
        let counts = |role| V::ACTION.is_allowed_by(role);
        let allowed = match V::ACTION.is_on_organisation() {
            true => Extent::of_organisation(&subject, counts),
            false => Extent::of(&subject, counts),
        };
        Permit::over(subject, answers, allowed)
    }

    fn over(subject: Subject, answers: Arc<Answers>, allowed: Extent) -> Permit<V> {
        let visible = visible(&subject);
        Permit { inner: Arc::new(Inner { subject, action: V::ACTION, allowed, visible, answers }), verb: PhantomData }
    }
}

impl<V> Permit<V> {
    /// What the same subject may do another verb to, for a change that takes several.
    pub fn other<W: Verb>(&self) -> Permit<W> {
        Permit::new(self.inner.subject.clone(), Arc::clone(&self.inner.answers))
    }

    /// Who asks.
    pub fn subject(&self) -> &Subject {
        &self.inner.subject
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.inner.visible.workspace()
    }

    /// What the subject may see.
    pub fn visible(&self) -> &Visibility {
        &self.inner.visible
    }

    /// Allows the verb for a thing that is there, or refuses it: as forbidden to those who see the thing, and for others
    /// it does not exist. Whoever opens or makes a thing for a change asks this.
    pub fn require(&self, place: Place, kind: Kind, id: impl ToString) -> Result<()> {
        if !self.inner.visible.sees(place) {
            return Err(self.refused(Error::not_found(kind, id.to_string())));
        }
        if !self.inner.allowed.contains(place) {
            return Err(self.forbidden(&format!("{kind} '{}'", id.to_string())));
        }
        self.inner.answers.has_allowed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// As [`Permit::require`], for things of the workspace that are still to be made, and for the workspace as a whole.
    pub fn require_workspace(&self) -> Result<()> {
        if !self.inner.allowed.contains(Place::Workspace) {
            return Err(self.forbidden("the workspace"));
        }
        self.inner.answers.has_allowed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Refuses a change whose permit nobody asked about the thing that was changed, unless the answer is known.
    pub fn settle(&self) -> Result<()> {
        if self.inner.allowed == Extent::Whole || self.inner.answers.has_allowed.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(self.forbidden("what was not checked"))
    }

    /// The verb that was asked for in vain, if one was.
    pub fn refusal(&self) -> Option<Action> {
        self.inner.answers.refused.get().copied()
    }

    fn forbidden(&self, what: &str) -> Error {
        let Inner { subject, action, .. } = &*self.inner;
        let who = subject.principal.name();
        self.refused(Error::Forbidden { message: format!("{who} may not do {} to {what}", action.name()) })
    }

    fn refused(&self, error: Error) -> Error {
        let _ = self.inner.answers.refused.set(self.inner.action);
        error
    }
}
