//! Deliveries of events to webhooks: enqueued with the change, claimed by one server at a time, and kept as a log.

use serde_json::{Value as Json, json};
use stele_domain::authz::{ManageWebhook, Permit, Place, Visibility};
use stele_domain::change::Change;
use stele_domain::id::{DeliveryRow, Timestamp, WebhookRow, WorkspaceId};
use stele_domain::search::{Page, Window};
use stele_domain::webhook::{Delivery, DeliveryStatus, Event, Webhook};
use stele_domain::{Error, Kind, Result};

use crate::engine::{Row, params};
use crate::webhook::{COLUMNS as WEBHOOK, webhook};
use crate::{Origin, Tx};

/// Which deliveries are asked for; what is none does not matter.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// The id of a webhook.
    pub webhook: Option<String>,
    pub status: Option<DeliveryStatus>,
    /// Only those that were enqueued before it.
    pub before: Option<DeliveryRow>,
    pub limit: i64,
}

const COLUMNS: &str = "delivery.id, delivery.public_id, delivery.action, delivery.object, delivery.data, delivery.at, \
     delivery.status, delivery.attempts, delivery.next_at, delivery.response_status, delivery.error, \
     delivery.finished_at, \
     (SELECT webhook.workspace_id FROM webhook WHERE webhook.id = delivery.webhook_id)";

/// A delivery whose turn it is: no earlier one of its lane waits, nobody makes it, and its webhook has not got most of
/// those who deliver already.
const IS_DUE: &str = "delivery.status = 'pending' AND delivery.next_at <= $1 AND delivery.claimed_until <= $1
     AND EXISTS (SELECT 1 FROM webhook WHERE webhook.id = delivery.webhook_id AND webhook.deleted_at IS NULL)
     AND NOT EXISTS (SELECT 1 FROM webhook_delivery AS earlier
         WHERE earlier.webhook_id = delivery.webhook_id AND earlier.status = 'pending'
             AND substr(earlier.lane, 1, 200) = substr(delivery.lane, 1, 200) AND earlier.id < delivery.id)
     AND (SELECT COUNT(*) FROM webhook_delivery AS other WHERE other.webhook_id = delivery.webhook_id
         AND other.status = 'pending' AND other.claimed_until > $1) < 2";

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
                 (public_id, webhook_id, action, object, data, at, status, next_at, lane)
             VALUES ($1, $2, $3, $4, $5, $6, 'pending', $6, $7)";
        // Most changes are of runs, of which nobody can want to hear.
        if stele_domain::event::name_of(change.action).is_none() {
            return Ok(0);
        }
        let webhooks = self.query(SUBSCRIBED, params![change.action, origin.workspace], |row| row.int(0))?;
        if webhooks.is_empty() {
            return Ok(0);
        }
        let event_id = event_id();
        let data = json!({
            "before": change.before,
            "after": change.after,
            "by": origin.principal,
            "script": origin.script,
            "subject": change.subject,
            "version": self.version_told(origin, change)?,
        });
        let (data, lane) = (data.to_string(), change.subject.as_deref().unwrap_or(&change.object));
        for webhook in &webhooks {
            let id = format!("{event_id}-{webhook}");
            self.execute(INSERT, params![&id, *webhook, change.action, &change.object, &data, origin.at, lane])?;
        }
        Ok(webhooks.len() as u64)
    }

    /// The version that an event is about, as it is after it.
    fn version_told(&mut self, origin: &Origin, change: &Change) -> Result<Option<Json>> {
        const VERSION: &str = "SELECT version.stage, version.approval, version.description, version.source,
                 version.run, version.user_name, version.created_at, version.updated_at
             FROM model_version AS version JOIN model ON model.id = version.model_id
             WHERE model.workspace_id = $1 AND model.name = $2 AND version.number = $3";
        let Some((model, number)) = change.object.rsplit_once('/').filter(|_| change.kind == Kind::ModelVersion) else {
            return Ok(None);
        };
        let Ok(number) = number.parse::<i64>() else { return Ok(None) };
        self.query_opt(VERSION, params![origin.workspace, model, number], |row| {
            Ok(json!({
                "stage": row.text(0)?,
                "approval": row.text(1)?,
                "description": row.opt_text(2)?,
                "source": row.text(3)?,
                "run": row.opt_text(4)?,
                "user": row.opt_text(5)?,
                "created_at": row.int(6)?,
                "updated_at": row.int(7)?,
            }))
        })
    }

    /// Whether any delivery is due.
    pub fn delivery_due(&mut self, now: Timestamp) -> Result<bool> {
        let sql = format!("SELECT delivery.id FROM webhook_delivery AS delivery WHERE {IS_DUE} LIMIT 1");
        Ok(self.query_opt(&sql, params![now], |row| row.int(0))?.is_some())
    }

    /// Takes the delivery that is due longest, for as long as `until`. Another server passes it over.
    pub fn delivery_claim(&mut self, now: Timestamp, until: Timestamp) -> Result<Option<(Webhook, Delivery)>> {
        const CLAIM: &str = "UPDATE webhook_delivery SET claimed_until = $2 WHERE id = $1";
        let due = format!(
            "SELECT {COLUMNS}, delivery.webhook_id FROM webhook_delivery AS delivery WHERE {IS_DUE}
             ORDER BY delivery.next_at, delivery.id LIMIT 1{}",
            self.for_update_skipping_locked()
        );
        let of_row = format!("SELECT {WEBHOOK} FROM webhook WHERE id = $1");
        let found = self.query_opt(&due, params![now], |row| Ok((delivery(row)?, row.int(13)?)))?;
        let Some((delivery, webhook_row)) = found else { return Ok(None) };
        self.execute(CLAIM, params![delivery.row, until])?;
        let found = self.query(&of_row, params![webhook_row], webhook)?;
        let found = self.webhooks_add_subscriptions(found)?.pop();
        Ok(found.map(|webhook| (webhook, delivery)))
    }

    /// Writes how an attempt ended and lets the delivery go.
    pub fn delivery_finish(&mut self, delivery: &Delivery) -> Result<()> {
        // A webhook that was deleted meanwhile has given up its deliveries itself.
        const FINISH: &str = "UPDATE webhook_delivery SET status = $2, attempts = $3, next_at = $4,
                 response_status = $5, error = $6, finished_at = $7, claimed_until = 0
             WHERE id = $1 AND status = 'pending'";
        let values = params![
            delivery.row,
            delivery.status.as_str(),
            delivery.attempts,
            delivery.next_at,
            delivery.response_status,
            delivery.error.as_deref(),
            delivery.finished_at,
        ];
        self.execute(FINISH, values).map(|_| ())
    }

    /// Deliveries of one webhook or of all, of one outcome or of any, newest first, before a row; each with the id of its
    /// webhook.
    pub fn deliveries_log(&mut self, visible: &Visibility, wanted: &DeliveryFilter) -> Result<Vec<(String, Delivery)>> {
        let sql = format!(
            "SELECT {COLUMNS}, webhook.public_id FROM webhook_delivery AS delivery
             JOIN webhook ON webhook.id = delivery.webhook_id
             WHERE webhook.workspace_id = $1 AND ($2 = '' OR webhook.public_id = $2)
                 AND ($3 = '' OR delivery.status = $3) AND delivery.id < $4
             ORDER BY delivery.id DESC LIMIT $5"
        );
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let DeliveryFilter { webhook, status, before, limit } = wanted;
        let values = params![
            visible.workspace(),
            webhook.as_deref().unwrap_or_default(),
            status.map_or("", DeliveryStatus::as_str),
            before.map_or(i64::MAX, |row| row.0),
            *limit,
        ];
        self.query(&sql, values, |row| Ok((row.text(13)?, delivery(row)?)))
    }

    /// Lets a delivery that has ended be made again; gives back what it is then, with the id of its webhook.
    pub fn delivery_again(
        &mut self,
        permit: &Permit<ManageWebhook>,
        id: &str,
        now: Timestamp,
    ) -> Result<(String, Delivery)> {
        const AGAIN: &str = "UPDATE webhook_delivery SET status = 'pending', attempts = 0, next_at = $2,
                 finished_at = NULL, response_status = NULL, error = NULL, claimed_until = 0 WHERE id = $1";
        let sql = format!(
            "SELECT {COLUMNS}, webhook.public_id FROM webhook_delivery AS delivery
             JOIN webhook ON webhook.id = delivery.webhook_id
             WHERE webhook.workspace_id = $1 AND delivery.public_id = $2 AND webhook.deleted_at IS NULL"
        );
        permit.require_workspace()?;
        let found = self
            .query_opt(&sql, params![permit.workspace(), id], |row| Ok((row.text(13)?, delivery(row)?)))?
            .ok_or_else(|| Error::not_found(Kind::Delivery, id))?;
        if found.1.status == DeliveryStatus::Pending {
            let (kind, id) = (Kind::Delivery, id.to_owned());
            return Err(Error::WrongState { kind, id, state: "waiting", needed: "ended" });
        }
        self.execute(AGAIN, params![found.1.row, now])?;
        Ok(found)
    }

    /// The deliveries of a webhook, newest first.
    pub fn deliveries_list(
        &mut self,
        visible: &Visibility,
        webhook: WebhookRow,
        window: Window,
    ) -> Result<Page<Delivery>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Page::empty());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_delivery AS delivery JOIN webhook ON webhook.id = delivery.webhook_id
             WHERE webhook.workspace_id = $1 AND delivery.webhook_id = $2 ORDER BY delivery.id DESC LIMIT $3 OFFSET $4"
        );
        let values = params![visible.workspace(), webhook, window.limit + 1, window.offset];
        Ok(Page::of(self.query(&sql, values, delivery)?, window))
    }

    /// Forgets deliveries that ended before `before`; those that were given up only if that was before `dead`.
    pub fn deliveries_prune(&mut self, before: Timestamp, dead: Timestamp) -> Result<u64> {
        const PRUNE: &str = "DELETE FROM webhook_delivery WHERE finished_at IS NOT NULL AND finished_at < $1
                 AND (status <> 'failed' OR finished_at < $2)";
        self.execute(PRUNE, params![before, dead])
    }
}

fn delivery(row: &Row) -> Result<Delivery> {
    let mut data: Json = serde_json::from_str(&row.text(4)?)
        .map_err(|error| Error::internal(format!("a delivery holds damaged JSON: {error}")))?;
    Ok(Delivery {
        row: DeliveryRow(row.int(0)?),
        id: row.text(1)?,
        event: Event {
            workspace: WorkspaceId(row.int(12)?),
            action: row.text(2)?,
            object: row.text(3)?,
            before: data["before"].take(),
            after: data["after"].take(),
            at: Timestamp(row.int(5)?),
            by: data["by"].as_str().unwrap_or_default().to_owned(),
            script: data["script"].as_str().unwrap_or_default().to_owned(),
            subject: data["subject"].as_str().map(str::to_owned),
            version: data["version"].take(),
        },
        status: row.parsed(6, DeliveryStatus::parse)?,
        attempts: row.int(7)?,
        next_at: Timestamp(row.int(8)?),
        response_status: row.opt_int(9)?,
        error: row.opt_text(10)?,
        finished_at: row.opt_int(11)?.map(Timestamp),
    })
}
