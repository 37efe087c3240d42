//! Webhooks: who is told of events, a test of one, and the log of what was told.

mod address;
mod deliver;
mod send;
mod translation;

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use stele_domain::authz::ManageWebhook;
use stele_domain::change::Change;
use stele_domain::id::WebhookRow;
use stele_domain::search::{Page, Window};
use stele_domain::webhook::{Delivery, Subscription, Webhook, WebhookFormat, WebhookStatus};
use stele_domain::{Error, Kind, Result};
pub use stele_store::DeliveryFilter;
use tokio::sync::Notify;
use url::Url;

use self::send::{Message, Sender};
use self::translation::check_secret;
pub use self::translation::{KeyText, Proof, STANDARD_WEBHOOKS, Told, Translate, Translation, Translations};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx, SecretKey};

/// Where webhooks may point, and how they are told.
pub struct WebhookSettings {
    /// `https` alone unless told otherwise.
    pub schemes: Vec<String>,
    /// Whether addresses that are not public may be reached.
    pub private_addresses: bool,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// How often an attempt that failed is repeated.
    pub retries: u32,
    pub key: SecretKey,
}

/// The state of the server for webhooks; what it may do is told once, at start.
#[derive(Default)]
pub(crate) struct Webhooks {
    sender: OnceLock<Sender>,
    woken: Notify,
}

impl Webhooks {
    /// Tells the deliverers that there is something to deliver.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    fn sender(&self) -> Result<&Sender> {
        self.sender.get().ok_or_else(|| Error::unsupported("this server runs without webhooks"))
    }
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    pub name: String,
    pub description: Option<String>,
    pub url: String,
    pub format: WebhookFormat,
    pub secret: Option<String>,
    pub status: WebhookStatus,
    pub subscriptions: Vec<Subscription>,
}

/// What to change of a webhook; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    /// An empty one removes it.
    pub secret: Option<String>,
    pub status: Option<WebhookStatus>,
    pub subscriptions: Option<Vec<Subscription>>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookTest {
    Answered { status: u16, body: String },
    Failed { error: String },
}

impl App {
    /// Lets this server have webhooks; the first settings count.
    pub fn enable_webhooks(&self, settings: WebhookSettings) {
        let _ = self.webhooks().sender.set(Sender::new(settings));
    }

    /// Refuses an address that webhooks may not have. Resolves its host.
    pub async fn webhook_address_check(&self, url: &str) -> Result<()> {
        self.webhooks().sender()?.check(url).await
    }

    /// Makes a webhook, whose address must be allowed.
    pub async fn webhook_create(&self, ctx: &Ctx, new: NewWebhook) -> Result<Webhook> {
        let NewWebhook { name, description, url, format, secret, status, subscriptions } = new;
        check_text("webhook name", &name)?;
        check_text("description", description.as_deref().unwrap_or(""))?;
        check_text("webhook URL", &url)?;
        self.webhook_address_check(&url).await?;
        let now = ctx.now();
        let id = ctx.new_id().to_string();
        let secret = secret.filter(|secret| !secret.is_empty());
        check_secret(format, secret.as_deref())?;
        let secret = secret.map(|secret| self.webhooks().sender()?.key().seal(&id, &secret)).transpose()?;
        let webhook = Webhook {
            row: WebhookRow(0),
            id: id.clone(),
            name,
            description: description.filter(|text| !text.is_empty()),
            url,
            format,
            secret,
            status,
            subscriptions: ordered(subscriptions),
            created_at: now,
            updated_at: now,
        };
        self.change::<ManageWebhook, _>(ctx, &id, move |tx, permit| {
            tx.webhook_create(permit, &webhook)?;
            let change = Change::quiet("webhook.create", Kind::Webhook, &webhook.id);
            Ok(Changed::one(webhook.clone(), change.after(told(&webhook))))
        })
        .await
    }

    pub async fn webhook_get(&self, ctx: &Ctx, id: String) -> Result<Webhook> {
        let visible = ctx.visible();
        let webhook = self.read(move |tx| tx.webhook_get(&visible, &id)).await?;
        Ok(if self.may_know_addresses(ctx).await? { webhook } else { with_host_alone(webhook) })
    }

    /// Whether somebody is told where webhooks go to. An address may be a secret by itself, as those of Slack are, so
    /// that it is for those who could set it; others are told its host.
    async fn may_know_addresses(&self, ctx: &Ctx) -> Result<bool> {
        Ok(self.authorize::<ManageWebhook>(ctx).await?.require_workspace().is_ok())
    }

    /// Those of one format, or all, newest first.
    pub async fn webhooks_list(
        &self,
        ctx: &Ctx,
        format: Option<WebhookFormat>,
        window: Window,
    ) -> Result<Page<Webhook>> {
        let visible = ctx.visible();
        let mut page = self.read(move |tx| tx.webhooks_list(&visible, format, window)).await?;
        if !self.may_know_addresses(ctx).await? {
            page.items = page.items.into_iter().map(with_host_alone).collect();
        }
        Ok(page)
    }

    pub async fn webhook_update(&self, ctx: &Ctx, id: String, change: WebhookChange) -> Result<Webhook> {
        let WebhookChange { name, description, url, secret, status, subscriptions } = change;
        check_text("webhook name", name.as_deref().unwrap_or(""))?;
        check_text("description", description.as_deref().unwrap_or(""))?;
        if let Some(url) = &url {
            check_text("webhook URL", url)?;
            self.webhook_address_check(url).await?;
        }
        let plain = secret.clone();
        let secret = match secret {
            None => None,
            Some(secret) if secret.is_empty() => Some(None),
            Some(secret) => Some(Some(self.webhooks().sender()?.key().seal(&id, &secret)?)),
        };
        let now = ctx.now();
        self.change::<ManageWebhook, _>(ctx, &id.clone(), move |tx, permit| {
            let before = tx.webhook_open(permit, &id)?;
            if let Some(plain) = &plain {
                check_secret(before.format, Some(plain.as_str()).filter(|plain| !plain.is_empty()))?;
            }
            let mut webhook = before.clone();
            if let Some(name) = &name {
                webhook.name.clone_from(name);
            }
            if let Some(description) = &description {
                webhook.description = Some(description.clone()).filter(|text| !text.is_empty());
            }
            if let Some(url) = &url {
                webhook.url.clone_from(url);
            }
            if let Some(secret) = &secret {
                webhook.secret.clone_from(secret);
            }
            if let Some(subscriptions) = &subscriptions {
                webhook.subscriptions = ordered(subscriptions.clone());
            }
            webhook.status = status.unwrap_or(webhook.status);
            webhook.updated_at = now.after(webhook.updated_at);
            tx.webhook_update(permit, &webhook)?;
            let change =
                Change::quiet("webhook.update", Kind::Webhook, &id).before(told(&before)).after(told(&webhook));
            Ok(Changed::one(webhook, change))
        })
        .await
    }

    /// Deletes a webhook; what waits for it is not sent.
    pub async fn webhook_delete(&self, ctx: &Ctx, id: String) -> Result<()> {
        let now = ctx.now();
        self.change::<ManageWebhook, _>(ctx, &id.clone(), move |tx, permit| {
            let webhook = tx.webhook_open(permit, &id)?;
            tx.webhook_delete(permit, webhook.row, now)?;
            Ok(Changed::one((), Change::quiet("webhook.delete", Kind::Webhook, &id).before(told(&webhook))))
        })
        .await
    }

    /// The webhook, to somebody who may test it.
    pub async fn webhook_to_test(&self, ctx: &Ctx, id: String) -> Result<Webhook> {
        let webhook = self.webhook_get(ctx, id.clone()).await?;
        self.permit::<ManageWebhook>(ctx, &id).await?;
        Ok(webhook)
    }

    /// Sends `body` to a webhook as a delivery would be, whatever it subscribes to, and tells what came of it.
    pub async fn webhook_test(&self, ctx: &Ctx, id: String, body: String, as_in: &Translation) -> Result<WebhookTest> {
        let webhook = self.webhook_to_test(ctx, id).await?;
        let sender = self.webhooks().sender()?;
        let delivery_id = ctx.new_id().to_string();
        let message = Message { translation: as_in, delivery_id: &delivery_id, body: &body };
        Ok(sender.test(&webhook, &message, || ctx.now()).await)
    }

    /// Deliveries to webhooks, each with the id of its webhook, newest first.
    pub async fn webhook_delivery_log(&self, ctx: &Ctx, wanted: DeliveryFilter) -> Result<Vec<(String, Delivery)>> {
        check_text("webhook id", wanted.webhook.as_deref().unwrap_or(""))?;
        let visible = ctx.visible();
        self.read(move |tx| tx.deliveries_log(&visible, &wanted)).await
    }

    /// Makes a delivery again that has ended, whichever way.
    pub async fn webhook_redeliver(&self, ctx: &Ctx, id: String) -> Result<()> {
        check_text("delivery id", &id)?;
        let now = ctx.now();
        self.change::<ManageWebhook, _>(ctx, &id.clone(), move |tx, permit| {
            let (webhook, delivery) = tx.delivery_again(permit, &id, now)?;
            let change = Change::quiet("webhook.redeliver", Kind::Webhook, webhook);
            let before = json!({ "delivery": delivery.id, "status": delivery.status.as_str() });
            Ok(Changed::one((), change.before(before)))
        })
        .await?;
        self.webhooks().wake();
        Ok(())
    }

    /// What a webhook was told or is about to be told, newest first.
    pub async fn webhook_deliveries(&self, ctx: &Ctx, id: String, window: Window) -> Result<Page<Delivery>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let webhook = tx.webhook_get(&visible, &id)?;
            tx.deliveries_list(&visible, webhook.row, window)
        })
        .await
    }
}

/// The webhook with nothing of its address but the scheme, the host and the port.
fn with_host_alone(webhook: Webhook) -> Webhook {
    let origin = Url::parse(&webhook.url).map(|url| url.origin().ascii_serialization());
    Webhook { url: origin.unwrap_or_default(), ..webhook }
}

fn ordered(mut subscriptions: Vec<Subscription>) -> Vec<Subscription> {
    subscriptions.sort();
    subscriptions.dedup();
    subscriptions
}

/// A webhook in the audit log: without its secret.
pub(crate) fn told(webhook: &Webhook) -> serde_json::Value {
    let events: Vec<&str> = webhook.subscriptions.iter().map(|subscription| subscription.event.as_str()).collect();
    json!({
        "name": webhook.name,
        "url": webhook.url,
        "format": webhook.format.as_str(),
        "status": webhook.status.as_str(),
        "events": events,
        "signed": webhook.secret.is_some(),
    })
}
