use stele_domain::authz::ManageWebhook;
use stele_domain::change::Change;
use stele_domain::webhook::Webhook;
use stele_domain::{Kind, Result};

use crate::transact::{Changed, check_text};
use crate::webhook::told;
use crate::{App, Ctx};

impl App {
    /// Brings a webhook with its id and times into the record, unless there is or was one of its id; says whether it is
    /// new. Its address is not resolved now: what it may not reach is refused when it is told something.
    pub async fn webhook_load(&self, ctx: &Ctx, webhook: Webhook) -> Result<bool> {
        check_text("webhook id", &webhook.id)?;
        check_text("webhook name", &webhook.name)?;
        check_text("description", webhook.description.as_deref().unwrap_or(""))?;
        check_text("webhook URL", &webhook.url)?;
        self.change::<ManageWebhook, _>(ctx, &webhook.id.clone(), move |tx, permit| {
            if !tx.webhook_load(permit, &webhook)? {
                return Ok(Changed::nothing(false));
            }
            let change = Change::quiet("webhook.load", Kind::Webhook, &webhook.id);
            Ok(Changed::one(true, change.after(told(&webhook))))
        })
        .await
    }
}
