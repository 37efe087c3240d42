//! Webhooks, and the deliveries that wait for them.

use std::collections::HashMap;

use stele_domain::authz::{ManageWebhook, Permit, Place, Visibility};
use stele_domain::id::{Timestamp, WebhookRow, WorkspaceId};
use stele_domain::search::{Page, Window};
use stele_domain::webhook::{Subscription, Webhook, WebhookFormat, WebhookStatus};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

pub(crate) const COLUMNS: &str = "webhook.id, webhook.public_id, webhook.name, webhook.description, webhook.url, \
     webhook.secret, webhook.status, webhook.created_at, webhook.updated_at, webhook.format";

impl Tx<'_> {
    /// Makes a webhook with its subscriptions; the row in `new` is not looked at.
    pub fn webhook_create(&mut self, permit: &Permit<ManageWebhook>, new: &Webhook) -> Result<()> {
        const INSERT: &str = "INSERT INTO webhook
                 (public_id, workspace_id, name, description, url, secret, status, created_at, updated_at, format)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
        permit.require_workspace()?;
        let values = params![
            &new.id,
            permit.workspace(),
            &new.name,
            new.description.as_deref(),
            &new.url,
            new.secret.as_deref(),
            new.status.as_str(),
            new.created_at,
            new.updated_at,
            new.format.as_str(),
        ];
        let row = self.query_one(INSERT, values, |row| row.int(0)).map(WebhookRow)?;
        self.webhook_subscribe(row, &new.subscriptions)
    }

    pub fn webhook_get(&mut self, visible: &Visibility, id: &str) -> Result<Webhook> {
        visible.require(Place::Workspace, Kind::Webhook, id)?;
        self.webhook_read(visible.workspace(), id, "")
    }

    /// Reads a webhook that this transaction is about to change.
    pub fn webhook_open(&mut self, permit: &Permit<ManageWebhook>, id: &str) -> Result<Webhook> {
        let webhook = self.webhook_read(permit.workspace(), id, self.for_update())?;
        permit.require(self, Place::Workspace, Kind::Webhook, id)?;
        Ok(webhook)
    }

    fn webhook_read(&mut self, workspace: WorkspaceId, id: &str, lock: &str) -> Result<Webhook> {
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook WHERE workspace_id = $1 AND public_id = $2 AND deleted_at IS NULL{lock}"
        );
        let found: Vec<Webhook> = self.query_opt(&sql, params![workspace, id], webhook)?.into_iter().collect();
        self.webhooks_add_subscriptions(found)?.pop().ok_or_else(|| Error::not_found(Kind::Webhook, id))
    }

    /// The webhooks there are, of one format or of all, newest first.
    pub fn webhooks_list(
        &mut self,
        visible: &Visibility,
        format: Option<WebhookFormat>,
        window: Window,
    ) -> Result<Page<Webhook>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Page::empty());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook
             WHERE workspace_id = $1 AND deleted_at IS NULL AND ($4 = '' OR format = $4)
             ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3"
        );
        let wanted = format.map_or("", WebhookFormat::as_str);
        let found = self.query(&sql, params![visible.workspace(), window.limit + 1, window.offset, wanted], webhook)?;
        Page::of(found, window).try_map(|webhooks| self.webhooks_add_subscriptions(webhooks))
    }

    pub(crate) fn webhooks_add_subscriptions(&mut self, mut webhooks: Vec<Webhook>) -> Result<Vec<Webhook>> {
        let sql = format!(
            "SELECT webhook_id, event, action FROM webhook_subscription WHERE webhook_id {} ORDER BY webhook_id, event",
            self.is_one_of_ints(1)
        );
        let rows = list(webhooks.iter().map(|webhook| webhook.row.0));
        let mut all: HashMap<i64, Vec<Subscription>> = HashMap::new();
        for (webhook, subscription) in self.query(&sql, params![rows], |row| {
            Ok((row.int(0)?, Subscription { event: row.text(1)?, action: row.text(2)? }))
        })? {
            all.entry(webhook).or_default().push(subscription);
        }
        for webhook in &mut webhooks {
            webhook.subscriptions = all.remove(&webhook.row.0).unwrap_or_default();
        }
        Ok(webhooks)
    }

    /// Writes everything of a webhook that may change.
    pub fn webhook_update(&mut self, _permit: &Permit<ManageWebhook>, webhook: &Webhook) -> Result<()> {
        const UPDATE: &str = "UPDATE webhook SET name = $2, description = $3, url = $4, secret = $5, status = $6,
                 updated_at = $7 WHERE id = $1";
        const UNSUBSCRIBE: &str = "DELETE FROM webhook_subscription WHERE webhook_id = $1";
        let values = params![
            webhook.row,
            &webhook.name,
            webhook.description.as_deref(),
            &webhook.url,
            webhook.secret.as_deref(),
            webhook.status.as_str(),
            webhook.updated_at,
        ];
        self.execute(UPDATE, values)?;
        self.execute(UNSUBSCRIBE, params![webhook.row])?;
        self.webhook_subscribe(webhook.row, &webhook.subscriptions)
    }

    /// Deletes a webhook; its deliveries stay in the log for a while, and those that wait are not sent any more.
    pub fn webhook_delete(
        &mut self,
        _permit: &Permit<ManageWebhook>,
        webhook: WebhookRow,
        now: Timestamp,
    ) -> Result<()> {
        const DELETE: &str = "UPDATE webhook SET deleted_at = $2, updated_at = $2, secret = NULL WHERE id = $1";
        const UNSUBSCRIBE: &str = "DELETE FROM webhook_subscription WHERE webhook_id = $1";
        const SKIP: &str = "UPDATE webhook_delivery SET status = 'skipped', finished_at = $2
             WHERE webhook_id = $1 AND status = 'pending'";
        self.execute(DELETE, params![webhook, now])?;
        self.execute(UNSUBSCRIBE, params![webhook])?;
        self.execute(SKIP, params![webhook, now]).map(|_| ())
    }

    fn webhook_subscribe(&mut self, webhook: WebhookRow, subscriptions: &[Subscription]) -> Result<()> {
        let values: Vec<Value> = subscriptions
            .iter()
            .flat_map(|subscription| [webhook.into(), (&subscription.event).into(), (&subscription.action).into()])
            .collect();
        self.insert_rows(
            "INSERT INTO webhook_subscription (webhook_id, event, action)",
            3,
            "ON CONFLICT (webhook_id, event) DO NOTHING",
            &values,
        )
        .map(|_| ())
    }
}

/// Reads [`COLUMNS`]; the subscriptions come apart.
pub(crate) fn webhook(row: &Row) -> Result<Webhook> {
    Ok(Webhook {
        row: WebhookRow(row.int(0)?),
        id: row.text(1)?,
        name: row.text(2)?,
        description: row.opt_text(3)?,
        url: row.text(4)?,
        secret: row.opt_blob(5)?,
        status: row.parsed(6, WebhookStatus::parse)?,
        subscriptions: Vec::new(),
        created_at: Timestamp(row.int(7)?),
        updated_at: Timestamp(row.int(8)?),
        format: row.parsed(9, WebhookFormat::parse)?,
    })
}
