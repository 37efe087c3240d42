use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::{
    Action, Concern, Decision, Described, Extent, Intent, ManageCredential, ManagePolicy, Place, Principal, Reason,
    Rule, Rules, Subject, Thing, Verb, Visibility, explain, visible,
};
use crate::id::{Timestamp, WorkspaceId};
use crate::{Error, Kind, Result};

/// Proof that [`authorize`] was asked for `V`, with the part of the workspace to whose things `V` may be done.
#[derive(Debug)]
pub struct Permit<V> {
    inner: Arc<Inner>,
    verb: PhantomData<V>,
}

#[derive(Debug, Clone)]
struct Inner {
    subject: Subject,
    rules: Rules,
    action: Action,
    intent: Intent,
    allowed: Extent,
    visible: Visibility,
    /// Which rules of the team there are about the verb.
    concern: Concern,
    answers: Arc<Answers>,
}

/// What was answered so far, together with the permits of other verbs for the same change.
#[derive(Debug, Default)]
struct Answers {
    has_allowed: AtomicBool,
    /// The verbs, a bit each, for which a version was opened that the rules have not judged yet.
    owed: AtomicU64,
    refused: OnceLock<Denial>,
}

/// What was asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub action: Action,
    /// The rules of the team that forbade it, if they did.
    pub rules: Vec<Rule>,
}

// Not derived, since a derive would ask for `V: Clone`.
impl<V> Clone for Permit<V> {
    fn clone(&self) -> Self {
        Permit { inner: Arc::clone(&self.inner), verb: PhantomData }
    }
}

/// What `subject` may do `V` to, which may be nothing.
pub fn authorize<V: Verb>(subject: &Subject, rules: Rules) -> Permit<V> {
    Permit::new(subject.clone(), rules, Arc::default())
}

/// Lets an account look after its own credentials, whatever its roles are.
pub fn authorize_own(subject: &Subject, account: &str) -> Option<Permit<ManageCredential>> {
    let own = matches!(&subject.principal, Principal::Account(principal) if principal.name == account);
    own.then(|| Permit::over(subject.clone(), Rules::none(), Arc::default(), Extent::Whole))
}

impl<V: Verb> Permit<V> {
    fn new(subject: Subject, rules: Rules, answers: Arc<Answers>) -> Permit<V> {
        let counts = |role| V::ACTION.is_allowed_by(role);
        let is_lent = matches!(&subject.principal, Principal::Account(account) if account.is_lent);
        let allowed = match V::ACTION.is_on_organisation() {
            true => Extent::of_organisation(&subject, |role| counts(role) && !(is_lent && V::ACTION.is_on_accounts())),
            false => Extent::of(&subject, counts),
        };
        Permit::over(subject, rules, answers, allowed)
    }

    fn over(subject: Subject, rules: Rules, answers: Arc<Answers>, allowed: Extent) -> Permit<V> {
        let (action, visible) = (V::ACTION, visible(&subject));
        let (concern, intent) = (rules.concern(action), Intent::default());
        let inner = Inner { subject, rules, action, intent, allowed, visible, concern, answers };
        Permit { inner: Arc::new(inner), verb: PhantomData }
    }
}

impl<V> Permit<V> {
    /// What the same subject may do another verb to, for a change that takes several.
    pub fn other<W: Verb>(&self) -> Permit<W> {
        let Inner { subject, rules, answers, .. } = &*self.inner;
        Permit::new(subject.clone(), rules.clone(), Arc::clone(answers))
    }

    /// The same permit, for a change of which the team's rules are told what it wants.
    #[must_use]
    pub fn intending(&self, intent: Intent) -> Permit<V> {
        if !self.is_judged() {
            return self.clone();
        }
        Permit { inner: Arc::new(Inner { intent, ..(*self.inner).clone() }), verb: PhantomData }
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
    /// it does not exist. Whoever opens or makes a thing for a change asks this, before anything changes.
    pub fn require(&self, record: &mut impl Described, place: Place, kind: Kind, id: impl ToString) -> Result<()> {
        let Inner { visible, action, allowed, concern, answers, .. } = &*self.inner;
        if !visible.sees(place) {
            return Err(self.refused(Error::not_found(kind, id.to_string()), Vec::new()));
        }
        if !self.is_judged() || (action.is_on_versions() && !allowed.contains(place) && !concern.permits) {
            return match allowed.contains(place) {
                true => self.allowed(),
                false => Err(self.forbidden(&format!("{kind} '{}'", id.to_string()), Vec::new())),
            };
        }
        if action.is_on_versions() {
            answers.owed.fetch_or(bit(*action), Ordering::Relaxed);
            return self.allowed();
        }
        let thing = record.describe(self.workspace(), place)?;
        self.decide(&thing, &format!("{kind} '{}'", id.to_string()))
    }

    /// As [`Permit::require`], for things of the workspace that are still to be made, and for the workspace as a whole.
    pub fn require_workspace(&self) -> Result<()> {
        if self.is_judged() && self.inner.visible.sees(Place::Workspace) {
            return self.decide(&Thing::Workspace, "the workspace");
        }
        match self.inner.allowed.contains(Place::Workspace) {
            true => self.allowed(),
            false => Err(self.forbidden("the workspace", Vec::new())),
        }
    }

    /// Refuses a new name for a thing that rules go by which forbid, unless to those who may change the rules.
    pub fn require_rename(&self, kind: Kind, old: &str, new: &str) -> Result<()> {
        let rules = self.inner.rules.forbidding_by_name(kind, old, new);
        if rules.is_empty() {
            return Ok(());
        }
        self.other::<ManagePolicy>().require_workspace().map_err(|_| Error::Forbidden {
            message: format!(
                "{} may not rename {kind} '{old}' to '{new}', which {} goes by: that takes policy:manage",
                self.subject().principal.name(),
                rules.iter().map(|rule| format!("rule {}", rule.name)).collect::<Vec<_>>().join(", ")
            ),
        })
    }

    /// Whether a team's rules have a word about the verb.
    pub fn is_judged(&self) -> bool {
        self.inner.concern != Concern::default()
    }

    /// Asks the team's rules about a version, which [`Permit::require`] leaves to whoever knows what the change wants.
    pub fn require_version(&self, version: &Thing) -> Result<()> {
        if !self.is_judged() {
            return Ok(());
        }
        self.inner.answers.owed.fetch_and(!bit(self.inner.action), Ordering::Relaxed);
        self.decide(version, &version.to_string())
    }

    /// Whether somebody else might do the verb to a thing, by their roles and the team's rules. Nothing is allowed by it.
    pub fn would_allow(&self, principal: Principal, thing: &Thing) -> bool {
        self.would_decide(principal, thing, &self.inner.rules).is_allowed
    }

    /// As [`Permit::would_allow`], with what decides, at another time and through another script.
    pub fn would_have_decided(
        &self,
        principal: Principal,
        thing: &Thing,
        at: Timestamp,
        script: &'static str,
    ) -> Decision {
        self.would_decide(principal, thing, &self.inner.rules.clone().at(at, script))
    }

    fn would_decide(&self, principal: Principal, thing: &Thing, rules: &Rules) -> Decision {
        let Inner { subject, action, intent, .. } = &*self.inner;
        explain(&Subject { principal, ..subject.clone() }, rules, *action, thing, intent)
    }

    fn decide(&self, thing: &Thing, what: &str) -> Result<()> {
        let Inner { subject, rules, action, intent, .. } = &*self.inner;
        match explain(subject, rules, *action, thing, intent) {
            Decision { is_allowed: true, .. } => self.allowed(),
            Decision { reason: Reason::Forbidden(rules), .. } => Err(self.forbidden(what, rules)),
            Decision { .. } => Err(self.forbidden(what, Vec::new())),
        }
    }

    /// Answers that it is allowed.
    #[expect(clippy::unnecessary_wraps, reason = "it is an answer, as the other one is")]
    fn allowed(&self) -> Result<()> {
        self.inner.answers.has_allowed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Refuses a change whose permit nobody asked about the thing that was changed, unless the answer is known.
    pub fn settle(&self) -> Result<()> {
        let Inner { allowed, answers, .. } = &*self.inner;
        let is_known = *allowed == Extent::Whole && !self.is_judged();
        let is_owed = answers.owed.load(Ordering::Relaxed) != 0;
        if !is_owed && (is_known || answers.has_allowed.load(Ordering::Relaxed)) {
            return Ok(());
        }
        Err(self.forbidden("what was not checked", Vec::new()))
    }

    /// What was asked for in vain, if something was.
    pub fn refusal(&self) -> Option<&Denial> {
        self.inner.answers.refused.get()
    }

    fn forbidden(&self, what: &str, rules: Vec<Rule>) -> Error {
        let Inner { subject, action, .. } = &*self.inner;
        let mut message = format!("{} may not do {} to {what}", subject.principal.name(), action.name());
        if !rules.is_empty() {
            let rules: Vec<String> = rules.iter().map(Rule::to_string).collect();
            message.push_str(": forbidden by ");
            message.push_str(&rules.join(", "));
        }
        self.refused(Error::Forbidden { message }, rules)
    }

    fn refused(&self, error: Error, rules: Vec<Rule>) -> Error {
        let _ = self.inner.answers.refused.set(Denial { action: self.inner.action, rules });
        error
    }
}

const _: () = assert!(Action::ALL.len() <= 64, "each verb has a bit");

const fn bit(action: Action) -> u64 {
    1 << (action as u32)
}
