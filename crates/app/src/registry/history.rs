//! The history of models: what happened to one, and what it was at some time.

use stele_domain::audit::AuditEntry;
use stele_domain::authz::ReadAudit;
use stele_domain::id::Timestamp;
use stele_domain::model_history::ModelThen;
use stele_domain::{Error, Kind, Result};
use stele_store::AuditPage;

use crate::transact::check_text;
use crate::{App, Ctx};

/// The most entries about one model that are looked through.
const MOST: i64 = 1_000_000;

impl App {
    /// What was written about the model that has the name, or the last one that had it; newest first, before the id
    /// `before`.
    pub async fn model_history(&self, ctx: &Ctx, name: String, before: Option<i64>, limit: i64) -> Result<AuditPage> {
        let subjects = self.subjects(ctx, &name).await?;
        let subject = subjects.into_iter().next().ok_or_else(|| Error::not_found(Kind::Model, &name))?;
        let visible = ctx.visible();
        self.read(move |tx| tx.audit_of_model(&visible, &subject, before, limit)).await
    }

    /// A model as it was at a time: the one that had the name then, or else the one that has it now.
    pub async fn model_at(&self, ctx: &Ctx, name: String, at: Timestamp) -> Result<ModelThen> {
        let visible = ctx.visible();
        let mut under_other_name = None;
        for subject in self.subjects(ctx, &name).await? {
            let visible = visible.clone();
            let entries = self.read(move |tx| tx.audit_of_model_until(&visible, &subject, at, MOST)).await?;
            let then = replay(&entries);
            if then.exists && then.name == name {
                return Ok(then);
            }
            if then.exists && under_other_name.is_none() {
                under_other_name = Some(then);
            }
        }
        under_other_name.ok_or_else(|| Error::not_found(Kind::Model, name))
    }

    /// The lasting ids of the models that have or had a name, the present or last one first. Of a model that is gone only
    /// who may read the audit log hears.
    async fn subjects(&self, ctx: &Ctx, name: &str) -> Result<Vec<String>> {
        check_text("model name", name)?;
        let (visible, wanted) = (ctx.visible(), name.to_owned());
        let (present, all) = self
            .read(move |tx| {
                let present = match tx.model_get(&visible, &wanted) {
                    Ok(_) => true,
                    Err(Error::NotFound { .. }) => false,
                    Err(error) => return Err(error),
                };
                Ok((present, tx.audit_models_named(&visible, &wanted)?))
            })
            .await?;
        if !present {
            self.permit::<ReadAudit>(ctx, name).await?;
        }
        Ok(all)
    }
}

fn replay(entries: &[AuditEntry]) -> ModelThen {
    entries.iter().fold(ModelThen::default(), |mut then, entry| {
        then.follow(entry);
        then
    })
}
