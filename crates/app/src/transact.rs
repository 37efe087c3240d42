use serde_json::json;
use stele_domain::authz::{Denial, Permit, Rules, Verb, authorize};
use stele_domain::change::Change;
use stele_domain::gate::Refusal;
use stele_domain::{Error, Result};
use stele_store::Tx;

use crate::governance::{Kept, refusal_kept};
use crate::{App, Ctx};

/// What a write gives back, with the changes that it made for the audit log and the outbox.
pub(crate) struct Changed<T> {
    value: T,
    changes: Vec<Change>,
}

impl<T> Changed<T> {
    pub(crate) fn one(value: T, change: Change) -> Changed<T> {
        Changed { value, changes: vec![change] }
    }

    pub(crate) fn many(value: T, changes: Vec<Change>) -> Changed<T> {
        Changed { value, changes }
    }

    /// The record was as the caller wanted it already.
    pub(crate) fn nothing(value: T) -> Changed<T> {
        Changed { value, changes: Vec::new() }
    }
}

impl App {
    /// The frame of every changing use case: authorizes `V`, runs `work` in one transaction, and commits the
    /// audit entries and events of its changes with it. A denial is recorded as well. `object` names what the
    /// change is about when it is denied.
    pub(crate) async fn change<V: Verb, T: Send + 'static>(
        &self,
        ctx: &Ctx,
        object: &str,
        work: impl FnMut(&mut Tx, &Permit<V>) -> Result<Changed<T>> + Send + 'static,
    ) -> Result<T> {
        let permit = match V::ACTION.is_on_organisation() {
            true => self.permit::<V>(ctx, object).await?,
            false => self.authorize::<V>(ctx).await?,
        };
        self.change_permitted(ctx, object, permit, work).await
    }

    /// The rest of the frame, for a change that has its permit.
    pub(crate) async fn change_permitted<V: Verb, T: Send + 'static>(
        &self,
        ctx: &Ctx,
        object: &str,
        permit: Permit<V>,
        mut work: impl FnMut(&mut Tx, &Permit<V>) -> Result<Changed<T>> + Send + 'static,
    ) -> Result<T> {
        let origin = ctx.origin();
        let ids = ctx.clone();
        let asked = permit.clone();
        let outcome = self
            .store()
            .write(move |tx| {
                ids.hold_workspace(tx)?;
                let Changed { value, changes } = work(tx, &permit)?;
                if !changes.is_empty() {
                    permit.settle()?;
                }
                let mut deliveries = 0;
                for change in &changes {
                    deliveries += tx.change_record(&origin, change, || ids.new_id().simple().to_string())?;
                }
                Ok((value, deliveries))
            })
            .await;
        let (value, deliveries) = match outcome {
            Ok(done) => done,
            Err(error) => return Err(self.refused(ctx, &asked, object, error).await?),
        };
        if deliveries > 0 {
            self.webhooks().wake();
        }
        Ok(value)
    }

    /// What the one who asks may do `V` to, by their roles and the team's rules.
    pub(crate) async fn authorize<V: Verb>(&self, ctx: &Ctx) -> Result<Permit<V>> {
        let rules = match V::ACTION.is_judged() {
            true => self.rules(ctx).await?,
            false => Rules::none(),
        };
        Ok(authorize::<V>(ctx, rules))
    }

    /// Whether the one who asks may do `V` to the workspace as a whole, without doing it.
    pub async fn may_in_workspace<V: Verb>(&self, ctx: &Ctx) -> Result<bool> {
        Ok(self.authorize::<V>(ctx).await?.require_workspace().is_ok())
    }

    /// Authorizes `V` for all of the workspace, for use cases that change something outside of the database; a denial
    /// is recorded. What they did goes to [`App::record`].
    pub(crate) async fn permit<V: Verb>(&self, ctx: &Ctx, object: &str) -> Result<Permit<V>> {
        let permit = self.authorize::<V>(ctx).await?;
        match permit.require_workspace() {
            Ok(()) => Ok(permit),
            Err(refusal) => Err(self.refused(ctx, &permit, object, refusal).await?),
        }
    }

    /// Records that something was denied, if `permit` did so, and gives back why.
    pub(crate) async fn refused<V: Verb>(
        &self,
        ctx: &Ctx,
        permit: &Permit<V>,
        object: &str,
        error: Error,
    ) -> Result<Error> {
        if let Error::GateFailed { refusal: Some(refusal), .. } = &error {
            self.refusal_record(ctx, permit, refusal.clone()).await?;
            return Ok(error);
        }
        if let Some(Denial { action, rules }) = permit.refusal() {
            let origin = ctx.origin();
            let mut denied = Change::quiet(action.name(), action.kind(), object);
            if !rules.is_empty() {
                let rules: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
                denied = denied.after(json!({ "forbidden_by": rules }));
            }
            self.store().write(move |tx| tx.denial_record(&origin, &denied)).await?;
        }
        Ok(error)
    }

    /// Records what gates found when they refused, since the transaction of the move is undone.
    async fn refusal_record<V: Verb>(&self, ctx: &Ctx, permit: &Permit<V>, refusal: Box<Refusal>) -> Result<()> {
        let (origin, ids, permit, now) = (ctx.origin(), ctx.clone(), permit.clone(), ctx.now());
        let told = self
            .store()
            .write(move |tx| {
                let Kept { denials, changes } = refusal_kept(tx, &permit, &refusal, now)?;
                for denied in &denials {
                    tx.denial_record(&origin, denied)?;
                }
                let mut deliveries = 0;
                for change in &changes {
                    deliveries += tx.change_record(&origin, change, || ids.new_id().simple().to_string())?;
                }
                Ok(deliveries)
            })
            .await?;
        if told > 0 {
            self.webhooks().wake();
        }
        Ok(())
    }

    /// Records a change that `permit` allowed and that is made already, together with what `noted` keeps of it.
    pub(crate) async fn record_with<V: Verb>(
        &self,
        ctx: &Ctx,
        _permit: &Permit<V>,
        change: Change,
        mut noted: impl FnMut(&mut Tx) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (origin, ids) = (ctx.origin(), ctx.clone());
        let told = self
            .store()
            .write(move |tx| {
                ids.hold_workspace(tx)?;
                noted(tx)?;
                tx.change_record(&origin, &change, || ids.new_id().simple().to_string())
            })
            .await?;
        if told > 0 {
            self.webhooks().wake();
        }
        Ok(())
    }

    /// Runs a read against one snapshot.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store().read(work).await
    }
}

/// Refuses text that PostgreSQL cannot keep.
pub(crate) fn check_text(field: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(format!("{field} contains a NUL character")));
    }
    Ok(())
}
