//! Takes what waits for webhooks and sends it, what happens to one model in order, until each has its end.

use std::time::Duration;

use stele_domain::Result;
use stele_domain::id::Timestamp;
use stele_domain::webhook::{Delivery, Outcome, Webhook};

use super::Translations;
use super::send::Message;
use crate::App;

/// How many deliveries one server makes at once.
const AT_ONCE: usize = 4;
/// How long to rest when nothing is due: retries come due, and other servers over the same database may stop.
const REST: Duration = Duration::from_secs(1);
/// Longer than an attempt can take. When it is over, the server that took a delivery is taken for gone.
const CLAIM: Duration = Duration::from_secs(60);

impl App {
    /// Delivers until the future is dropped. An attempt that this cuts short is made again, by whoever runs next.
    pub async fn deliver_webhooks(&self, translations: Translations) {
        let workers = (0..AT_ONCE).map(|_| self.deliver_one_by_one(&translations));
        futures::future::join_all(workers).await;
    }

    async fn deliver_one_by_one(&self, translations: &Translations) {
        loop {
            match self.deliver_next(translations).await {
                // Another one may be due for the next worker.
                Ok(true) => self.webhooks().wake(),
                Ok(false) => {
                    let _ = tokio::time::timeout(REST, self.webhooks().woken.notified()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "delivering to webhooks failed");
                    tokio::time::sleep(REST * 5).await;
                }
            }
        }
    }

    /// Makes one attempt at what is due; says whether there was anything.
    async fn deliver_next(&self, translations: &Translations) -> Result<bool> {
        let now = self.parts.clock.now();
        if !self.read(move |tx| tx.delivery_due(now)).await? {
            return Ok(false);
        }
        let sender = self.webhooks().sender()?;
        let claim = CLAIM + sender.timeout();
        let until = Timestamp(now.0 + i64::try_from(claim.as_millis()).unwrap_or(i64::MAX / 2));
        let Some((webhook, delivery)) = self.store().write(move |tx| tx.delivery_claim(now, until)).await? else {
            return Ok(false);
        };
        let outcome = self.attempt(&webhook, &delivery, translations).await?;
        let delivery = delivery.after(outcome, sender.most_attempts(), self.parts.clock.now());
        if let Some(error) = &delivery.error {
            tracing::warn!(webhook = webhook.name, attempt = delivery.attempts, %error, "a webhook was not told");
        }
        self.store().write(move |tx| tx.delivery_finish(&delivery)).await?;
        Ok(true)
    }

    async fn attempt(&self, webhook: &Webhook, delivery: &Delivery, translations: &Translations) -> Result<Outcome> {
        let Some(translation) = translations.get(&webhook.format) else {
            return Ok(Outcome::Forbidden(format!("this server tells nothing in format {}", webhook.format)));
        };
        let wanted = (translation.translate)(&delivery.event, &delivery.id)
            .filter(|told| webhook.subscriptions.iter().any(|subscription| subscription.event == told.event));
        let Some(told) = wanted else { return Ok(Outcome::Unwanted) };
        let message = Message { translation, delivery_id: &delivery.id, body: &told.body };
        Ok(self.webhooks().sender()?.send(webhook, &message, self.parts.clock.now()).await)
    }
}
