//! Deliveries of events to webhooks: enqueued with the change, claimed by one server at a time, and kept as a log.

use serde_json::Value as Json;
use stele_domain::authz::Visibility;
use stele_domain::change::Change;
use stele_domain::id::{DeliveryRow, Timestamp, WebhookRow};
use stele_domain::search::{Page, Window};
use stele_domain::webhook::{Delivery, DeliveryStatus, Event, Webhook};
use stele_domain::{Error, Result};

use crate::engine::{Row, params};
use crate::webhook::{COLUMNS as WEBHOOK, webhook};
use crate::{Origin, Tx};

const COLUMNS: &str = "delivery.id, delivery.public_id, delivery.action, delivery.object, delivery.data, delivery.at, \
     delivery.status, delivery.attempts, delivery.next_at, delivery.response_status, delivery.error, \
     delivery.finished_at";

/// A webhook that nobody is telling anything, whose oldest waiting delivery is due.
const IS_DUE: &str = "webhook.claimed_until <= $1 AND webhook.deleted_at IS NULL AND EXISTS (
         SELECT 1 FROM webhook_delivery AS delivery WHERE delivery.next_at <= $1 AND delivery.id =
             (SELECT MIN(first.id) FROM webhook_delivery AS first
              WHERE first.webhook_id = webhook.id AND first.status = 'pending'))";

impl Tx<'_> {
    /// Enqueues an event for every active webhook that may want it; says for how many.
    pub(crate) fn deliveries_enqueue(
        &mut self,
        origin: &Origin,
        change: &Change,
        event_id: impl FnOnce() -> String,
    ) -> Result<u64> {
        // Webhooks are few; starting at the subscriptions would need a sort against repeated ones at every change.
        const SUBSCRIBED: &str = "SELECT webhook.id FROM webhook
             WHERE webhook.workspace_id = $2 AND webhook.status = 'active' AND webhook.deleted_at IS NULL
                 AND EXISTS (SELECT 1 FROM webhook_subscription AS subscription
                     WHERE subscription.webhook_id = webhook.id AND subscription.action = $1)";
        const INSERT: &str = "INSERT INTO webhook_delivery
                 (public_id, webhook_id, action, object, data, at, status, next_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'pending', $6)";
        let webhooks = self.query(SUBSCRIBED, params![change.action, origin.workspace], |row| row.int(0))?;
        if webhooks.is_empty() {
            return Ok(0);
        }
        let event_id = event_id();
        let data = serde_json::json!({ "before": change.before, "after": change.after }).to_string();
        for webhook in &webhooks {
            let id = format!("{event_id}-{webhook}");
            self.execute(INSERT, params![&id, *webhook, change.action, &change.object, &data, origin.at])?;
        }
        Ok(webhooks.len() as u64)
    }

    /// Whether any delivery is due.
    pub fn delivery_due(&mut self, now: Timestamp) -> Result<bool> {
        let sql = format!("SELECT webhook.id FROM webhook WHERE {IS_DUE} LIMIT 1");
        Ok(self.query_opt(&sql, params![now], |row| row.int(0))?.is_some())
    }

    /// Takes a webhook whose oldest delivery is due, for as long as `until`. Another server passes it over.
    pub fn delivery_claim(&mut self, now: Timestamp, until: Timestamp) -> Result<Option<(Webhook, Delivery)>> {
        const CLAIM: &str = "UPDATE webhook SET claimed_until = $2 WHERE id = $1";
        let free = format!(
            "SELECT {WEBHOOK} FROM webhook WHERE {IS_DUE} ORDER BY webhook.claimed_until, webhook.id LIMIT 1{}",
            self.for_update_skipping_locked()
        );
        let first = format!(
            "SELECT {COLUMNS} FROM webhook_delivery AS delivery
             WHERE delivery.webhook_id = $1 AND delivery.status = 'pending' ORDER BY delivery.id LIMIT 1"
        );
        let Some(found) = self.query_opt(&free, params![now], webhook)? else { return Ok(None) };
        let row = found.row;
        let Some(delivery) = self.query_opt(&first, params![row], delivery)?.filter(|first| first.next_at <= now)
        else {
            return Ok(None);
        };
        self.execute(CLAIM, params![row, until])?;
        let found = self.webhooks_add_subscriptions(vec![found])?.pop();
        Ok(found.map(|webhook| (webhook, delivery)))
    }

    /// Writes how an attempt ended and lets the webhook go.
    pub fn delivery_finish(&mut self, webhook: WebhookRow, delivery: &Delivery) -> Result<()> {
        // A webhook that was deleted meanwhile has given up its deliveries itself.
        const FINISH: &str = "UPDATE webhook_delivery SET status = $2, attempts = $3, next_at = $4,
                 response_status = $5, error = $6, finished_at = $7 WHERE id = $1 AND status = 'pending'";
        const RELEASE: &str = "UPDATE webhook SET claimed_until = 0 WHERE id = $1";
        let values = params![
            delivery.row,
            delivery.status.as_str(),
            delivery.attempts,
            delivery.next_at,
            delivery.response_status,
            delivery.error.as_deref(),
            delivery.finished_at,
        ];
        self.execute(FINISH, values)?;
        self.execute(RELEASE, params![webhook]).map(|_| ())
    }

    /// The deliveries of a webhook, newest first.
    pub fn deliveries_list(
        &mut self,
        visible: Visibility,
        webhook: WebhookRow,
        window: Window,
    ) -> Result<Page<Delivery>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_delivery AS delivery JOIN webhook ON webhook.id = delivery.webhook_id
             WHERE webhook.workspace_id = $1 AND delivery.webhook_id = $2 ORDER BY delivery.id DESC LIMIT $3 OFFSET $4"
        );
        let values = params![visible.workspace(), webhook, window.limit + 1, window.offset];
        Ok(Page::of(self.query(&sql, values, delivery)?, window))
    }

    /// Forgets deliveries that ended before `before`.
    pub fn deliveries_prune(&mut self, before: Timestamp) -> Result<u64> {
        const PRUNE: &str = "DELETE FROM webhook_delivery WHERE finished_at IS NOT NULL AND finished_at < $1";
        self.execute(PRUNE, params![before])
    }
}

fn delivery(row: &Row) -> Result<Delivery> {
    let mut data: Json = serde_json::from_str(&row.text(4)?)
        .map_err(|error| Error::internal(format!("a delivery holds damaged JSON: {error}")))?;
    Ok(Delivery {
        row: DeliveryRow(row.int(0)?),
        id: row.text(1)?,
        event: Event {
            action: row.text(2)?,
            object: row.text(3)?,
            before: data["before"].take(),
            after: data["after"].take(),
            at: Timestamp(row.int(5)?),
        },
        status: row.parsed(6, DeliveryStatus::parse)?,
        attempts: row.int(7)?,
        next_at: Timestamp(row.int(8)?),
        response_status: row.opt_int(9)?,
        error: row.opt_text(10)?,
        finished_at: row.opt_int(11)?.map(Timestamp),
    })
}
