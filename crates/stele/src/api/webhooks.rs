use axum::response::Response;
use serde::{Deserialize, Serialize};
use stele_app::{DeliveryFilter, NewWebhook, WebhookChange, WebhookTest};
use stele_domain::Error;
use stele_domain::event::{EVENTS, action_of};
use stele_domain::id::{DeliveryRow, Timestamp, WorkspaceId};
use stele_domain::search::Window;
use stele_domain::webhook::{Delivery, DeliveryStatus, Event, Subscription, Webhook, WebhookFormat, WebhookStatus};
use utoipa::ToSchema;

use super::Result;
use super::audit::window;
use super::call::{Call, done, reply};
use super::page::{LIMIT, PAGE_TOKEN};
use super::problem::Problem;
use super::route::Parameter;
use crate::webhook_formats::translations;

pub(super) const LIST: &[Parameter] = &[LIMIT, PAGE_TOKEN];
pub(super) const DELIVERIES: &[Parameter] = &[
    Parameter::text("webhook", "The id of a webhook; all of them unless given."),
    Parameter::one_of("status", &["pending", "sent", "failed", "skipped"], "What became of them."),
    LIMIT,
    PAGE_TOKEN,
];

const MOST_NAME: usize = 255;
const MOST_TEXT: usize = 2_000;

/// The formats that this API makes webhooks of; those of MLflow's are made through MLflow.
const FORMATS: &[WebhookFormat] =
    &[WebhookFormat::Cloudevents, WebhookFormat::Slack, WebhookFormat::Github, WebhookFormat::Eventbridge];

pub(super) async fn list(call: Call) -> Result<Response> {
    let (after, limit) = window(&call)?;
    // Webhooks are few; a page begins after so many.
    let offset = after.filter(|offset| *offset >= 0).unwrap_or(0);
    let page = call.app.webhooks_list(&call.ctx, None, Window { offset, limit }).await?;
    reply(&WebhookPage {
        next_page_token: page.more.then(|| (offset + limit).to_string()),
        webhooks: page.items.into_iter().map(WebhookDto::from).collect(),
    })
}

pub(super) async fn get(call: Call) -> Result<Response> {
    reply(&WebhookDto::from(call.app.webhook_get(&call.ctx, call.path("webhook_id").to_owned()).await?))
}

pub(super) async fn create(mut call: Call) -> Result<Response> {
    let NewWebhookDto { name, description, url, format, secret, events } = call.json().await?;
    let format = WebhookFormat::parse(&format).filter(|format| FORMATS.contains(format)).ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.as_str()).collect();
        Problem::invalid(format!("there is no format '{format}'; there are: {}", known.join(", ")))
    })?;
    check(Some(&name), [Some(&url), description.as_ref(), secret.as_ref()])?;
    let subscriptions = subscriptions(&events)?;
    let status = WebhookStatus::Active;
    let new = NewWebhook { name, description, url, format, secret, status, subscriptions };
    reply(&WebhookDto::from(call.app.webhook_create(&call.ctx, new).await?))
}

pub(super) async fn update(mut call: Call) -> Result<Response> {
    let WebhookChangeDto { name, description, url, secret, events, status } = call.json().await?;
    let id = call.path("webhook_id").to_owned();
    check(name.as_ref(), [url.as_ref(), description.as_ref(), secret.as_ref()])?;
    let webhook = call.app.webhook_get(&call.ctx, id.clone()).await?;
    if events.is_some() && !FORMATS.contains(&webhook.format) {
        return Err(Problem::invalid(format!(
            "the events of a webhook of format {} are changed there",
            webhook.format
        )));
    }
    let status = status.map(|status| {
        WebhookStatus::parse(&status).ok_or_else(|| {
            Problem::invalid(format!("there is no status '{status}' of webhooks; there are: active, disabled"))
        })
    });
    let change = WebhookChange {
        name,
        description,
        url,
        secret,
        status: status.transpose()?,
        subscriptions: events.as_deref().map(subscriptions).transpose()?,
    };
    reply(&WebhookDto::from(call.app.webhook_update(&call.ctx, id, change).await?))
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.webhook_delete(&call.ctx, call.path("webhook_id").to_owned()).await?;
    done()
}

/// Sends an example of the first event that the webhook wants and that its format has.
pub(super) async fn test(call: Call) -> Result<Response> {
    let id = call.path("webhook_id").to_owned();
    let webhook = call.app.webhook_to_test(&call.ctx, id.clone()).await?;
    let translations = translations(&call.app, &call.account);
    let translation = translations
        .get(&webhook.format)
        .filter(|_| FORMATS.contains(&webhook.format))
        .ok_or_else(|| Error::unsupported(format!("webhooks of format {} are tested there", webhook.format)))?;
    let (now, workspace) = (call.ctx.now(), call.ctx.workspace);
    let told = webhook
        .subscriptions
        .iter()
        .find_map(|wanted| (translation.translate)(&example(workspace, wanted, now), "test"));
    let Some(told) = told else {
        return Err(Problem::invalid(format!("format {} has no words for what the webhook wants", webhook.format)));
    };
    let tested = call.app.webhook_test(&call.ctx, id, told.body, translation).await?;
    reply(&match tested {
        WebhookTest::Answered { status, body } => TestDto {
            delivered: status < 300,
            event: told.event,
            status: Some(status),
            answer: Some(body),
            error: None,
        },
        WebhookTest::Failed { error } => {
            TestDto { delivered: false, event: told.event, status: None, answer: None, error: Some(error) }
        }
    })
}

fn example(workspace: WorkspaceId, wanted: &Subscription, at: Timestamp) -> Event {
    let object = if wanted.action.starts_with("model.") { "example" } else { "example/1" };
    let version = serde_json::json!({ "stage": "staging", "approval": "pending", "created_at": at.0 });
    Event {
        workspace,
        action: wanted.action.clone(),
        object: object.to_owned(),
        before: serde_json::Value::Null,
        after: serde_json::json!({ "example": true }),
        at,
        by: "nobody".to_owned(),
        script: "native".to_owned(),
        subject: None,
        version,
    }
}

pub(super) async fn deliveries(call: Call) -> Result<Response> {
    let (before, limit) = window(&call)?;
    let wanted = DeliveryFilter {
        webhook: call.query.text("webhook").map(str::to_owned),
        status: call.query.text("status").and_then(DeliveryStatus::parse),
        before: before.map(DeliveryRow),
        limit: limit + 1,
    };
    let mut found = call.app.webhook_delivery_log(&call.ctx, wanted).await?;
    let more = found.len() as i64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(0));
    let next_page_token = found.last().filter(|_| more).map(|(_, last)| last.row.0.to_string());
    reply(&DeliveryPage { deliveries: found.into_iter().map(DeliveryDto::from).collect(), next_page_token })
}

pub(super) async fn redeliver(call: Call) -> Result<Response> {
    call.app.webhook_redeliver(&call.ctx, call.path("delivery_id").to_owned()).await?;
    done()
}

/// The subscriptions of events by name; `*` is all of them.
fn subscriptions(events: &[String]) -> Result<Vec<Subscription>> {
    let one = |event: &str, action: &str| Subscription { event: event.to_owned(), action: action.to_owned() };
    if events.iter().any(|event| event == "*") {
        return Ok(EVENTS.iter().map(|(event, action)| one(event, action)).collect());
    }
    if events.is_empty() {
        return Err(Problem::invalid("a webhook needs at least one event"));
    }
    let known = || EVENTS.iter().map(|(event, _)| *event).collect::<Vec<_>>().join(", ");
    let named = events.iter().map(|event| match action_of(event) {
        Some(action) => Ok(one(event, action)),
        None => Err(Problem::invalid(format!("there is no event '{event}'; there are: *, {}", known()))),
    });
    named.collect()
}

fn check(name: Option<&String>, texts: [Option<&String>; 3]) -> Result<()> {
    if name.is_some_and(|name| name.trim().is_empty() || name.chars().count() > MOST_NAME) {
        return Err(Problem::invalid(format!("the name of a webhook has 1 to {MOST_NAME} characters")));
    }
    if texts.into_iter().flatten().any(|text| text.chars().count() > MOST_TEXT) {
        return Err(Problem::invalid(format!("a text of a webhook has more than {MOST_TEXT} characters")));
    }
    Ok(())
}

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub(super) struct NewWebhookDto {
    name: String,
    description: Option<String>,
    /// Where to; not to addresses that are not public, unless the server allows them.
    url: String,
    /// `cloudevents`, `slack`, `github` or `eventbridge`.
    format: String,
    /// `whsec_` and the base64 of 24 to 64 random bytes for cloudevents and eventbridge, a token for github. Nobody reads
    /// it back.
    secret: Option<String>,
    /// Such as `version.created`, `version.approval`, `version.stage`, `alias.set`; `*` is all.
    events: Vec<String>,
}

/// What to change of a webhook; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange)]
pub(super) struct WebhookChangeDto {
    name: Option<String>,
    description: Option<String>,
    url: Option<String>,
    /// An empty one removes it.
    secret: Option<String>,
    events: Option<Vec<String>>,
    /// `active` or `disabled`.
    status: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct WebhookPage {
    webhooks: Vec<WebhookDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookDto {
    id: String,
    name: String,
    description: Option<String>,
    url: String,
    /// `mlflow`, `cloudevents`, `slack`, `github` or `eventbridge`.
    format: &'static str,
    /// Whether it has a secret.
    secret: bool,
    /// `active` or `disabled`.
    status: &'static str,
    events: Vec<String>,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
}

impl From<Webhook> for WebhookDto {
    fn from(webhook: Webhook) -> WebhookDto {
        let Webhook {
            row: _,
            id,
            name,
            description,
            url,
            format,
            secret,
            status,
            subscriptions,
            created_at,
            updated_at,
        } = webhook;
        WebhookDto {
            id,
            name,
            description,
            url,
            format: format.as_str(),
            secret: secret.is_some(),
            status: status.as_str(),
            events: subscriptions.into_iter().map(|subscription| subscription.event).collect(),
            created_at: created_at.0,
            updated_at: updated_at.0,
        }
    }
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub(super) struct TestDto {
    delivered: bool,
    event: String,
    status: Option<u16>,
    /// The beginning of what the receiver answered.
    answer: Option<String>,
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryPage {
    deliveries: Vec<DeliveryDto>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryDto {
    id: String,
    webhook: String,
    action: String,
    object: String,
    /// `pending`, `sent`, `failed` (given up) or `skipped` (nothing that the webhook asked for, or the webhook is gone).
    status: &'static str,
    attempts: i64,
    /// When it happened, in milliseconds since 1970.
    at: i64,
    /// When it is tried next, in milliseconds since 1970.
    next_at: Option<i64>,
    /// Milliseconds since 1970.
    finished_at: Option<i64>,
    response_status: Option<i64>,
    error: Option<String>,
}

impl From<(String, Delivery)> for DeliveryDto {
    fn from((webhook, delivery): (String, Delivery)) -> DeliveryDto {
        let Delivery { row: _, id, event, status, attempts, next_at, response_status, error, finished_at } = delivery;
        DeliveryDto {
            id,
            webhook,
            action: event.action,
            object: event.object,
            status: status.as_str(),
            attempts,
            at: event.at.0,
            next_at: finished_at.is_none().then_some(next_at.0),
            finished_at: finished_at.map(|time| time.0),
            response_status,
            error,
        }
    }
}
