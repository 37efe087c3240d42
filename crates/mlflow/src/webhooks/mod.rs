//! Webhooks of the registry: who is told of models, versions, prompts, their tags and aliases.

mod events;

use std::sync::Arc;

use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use stele_app::{App, Ctx, KeyText, NewWebhook, Proof, Told, Translation, WebhookChange, WebhookTest};
use stele_domain::search::Window;
use stele_domain::webhook::{Delivery, Subscription, Webhook, WebhookFormat, WebhookStatus};
use stele_domain::{Error, Kind};

use self::events::Event;
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::input::{Input, missing};
use crate::python::repr;
use crate::search::{answer, next_token, window};

const DEFAULT: i64 = 100;
const MOST: i64 = 1_000;
const MOST_NAME: usize = 63;
const MOST_URL: usize = 2_000;
const MOST_DESCRIPTION: usize = 1_000;
const MOST_SECRET: usize = 1_000;

/// MLflow's states of a webhook with their numbers on the wire.
const STATUSES: &[(&str, i64, WebhookStatus)] =
    &[("ACTIVE", 1, WebhookStatus::Active), ("DISABLED", 2, WebhookStatus::Disabled)];

/// What of the record an event of MLflow's webhooks is, by its name such as `prompt.created`.
pub fn subscription(event: &str) -> Option<Subscription> {
    events::named(event).map(Event::subscription)
}

/// How MLflow's clients are told.
pub fn translation() -> Translation {
    Translation {
        translate: Arc::new(|event, _| events::translate(event).map(|(event, body)| Told { event, body })),
        content_type: "application/json",
        headers: &[],
        proof: Proof::Signed {
            id_header: "X-MLflow-Delivery-Id",
            timestamp_header: "X-MLflow-Timestamp",
            signature_header: "X-MLflow-Signature",
            key: KeyText::Plain,
        },
    }
}

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let name = input.required_text("name")?;
    let url = input.required_text("url")?;
    if !input.has("events")? {
        return Err(missing("events"));
    }
    let given = input.list("events")?;
    let description = input.text("description")?;
    let secret = input.text("secret")?;
    let status = input.named("status", STATUSES)?.unwrap_or(WebhookStatus::Active);
    let subscriptions = subscriptions(&given)?;
    check_name(&name)?;
    check_lengths(Some(&url), description.as_deref(), secret.as_deref())?;
    call.app.webhook_address_check(&url).await?;
    if subscriptions.is_empty() {
        return Err(Failure::invalid("Webhook events must be a non-empty list of WebhookEvent objects: []."));
    }
    let format = WebhookFormat::Mlflow;
    let new = NewWebhook { name, description, url, format, secret, status, subscriptions };
    reply_webhook(call.app.webhook_create(&call.ctx, new).await)
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let window = page(&input)?;
    let page = call.app.webhooks_list(&call.ctx, Some(WebhookFormat::Mlflow), window).await?;
    let next = next_token(window, page.more);
    reply(&answer("webhooks", page.items.into_iter().map(WebhookDto::from), next))
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = call.input().await?.path("webhook_id").to_owned();
    reply_webhook(own(&call.app, &call.ctx, id).await)
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let change = WebhookChange {
        name: given(input.text("name")?),
        description: input.text("description")?,
        url: given(input.text("url")?),
        secret: input.text("secret")?,
        status: input.named("status", STATUSES)?,
        subscriptions: Some(subscriptions(&input.list("events")?)?).filter(|events| !events.is_empty()),
    };
    // What is not there is told before what is wrong with the rest.
    let id = input.path("webhook_id").to_owned();
    own(&call.app, &call.ctx, id.clone()).await.map_err(absent)?;
    change.name.as_deref().map_or(Ok(()), check_name)?;
    check_lengths(change.url.as_deref(), change.description.as_deref(), change.secret.as_deref())?;
    reply_webhook(call.app.webhook_update(&call.ctx, id, change).await)
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = call.input().await?.path("webhook_id").to_owned();
    own(&call.app, &call.ctx, id.clone()).await.map_err(absent)?;
    call.app.webhook_delete(&call.ctx, id).await.map_err(absent)?;
    empty()
}

/// Sends an example of an event, of the first that the webhook wants unless the call names one.
pub(crate) async fn test(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.path("webhook_id").to_owned();
    let event = input.value("event")?.map(|event| parse_event(&event)).transpose()?;
    let webhook = own(&call.app, &call.ctx, id.clone()).await.map_err(absent)?;
    let first = || webhook.subscriptions.iter().find_map(|subscription| events::named(&subscription.event));
    let Some(event) = event.or_else(first) else {
        return Err(Failure::invalid("The webhook has no events that could be tested."));
    };
    let body = events::body(event, event.example(), call.ctx.now());
    let tested = call.app.webhook_test(&call.ctx, id, body, &translation()).await.map_err(absent)?;
    reply(&json!({ "result": match tested {
        WebhookTest::Answered { status, body } => {
            json!({ "success": status < 400, "response_status": status, "response_body": body })
        }
        WebhookTest::Failed { error } => {
            json!({ "success": false, "error_message": format!("Failed to test webhook: {error}") })
        }
    } }))
}

/// What a webhook was told, newest first. MLflow keeps no such log.
pub(crate) async fn deliveries(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.path("webhook_id").to_owned();
    let window = page(&input)?;
    own(&call.app, &call.ctx, id.clone()).await.map_err(absent)?;
    let page = call.app.webhook_deliveries(&call.ctx, id, window).await.map_err(absent)?;
    let next = next_token(window, page.more);
    reply(&answer("deliveries", page.items.into_iter().map(DeliveryDto::from), next))
}

/// A webhook that MLflow's clients made; those of other formats have events that they could not read.
async fn own(app: &App, ctx: &Ctx, id: String) -> stele_domain::Result<Webhook> {
    let webhook = app.webhook_get(ctx, id).await?;
    if webhook.format == WebhookFormat::Mlflow { Ok(webhook) } else { Err(Error::not_found(Kind::Webhook, webhook.id)) }
}

fn page(input: &Input) -> Result<Window> {
    let limit = match input.int("max_results")?.unwrap_or(DEFAULT) {
        0 => DEFAULT,
        limit if !(1..=MOST).contains(&limit) => {
            return Err(Failure::invalid(format!("max_results must be between 1 and {MOST}.")));
        }
        limit => limit,
    };
    window(input, limit)
}

fn subscriptions(given: &[Value]) -> Result<Vec<Subscription>> {
    let events = given.iter().map(parse_event);
    events.map(|event| event.map(|event| event.subscription())).collect()
}

/// An event is an entity and an action, each by its name or its number.
fn parse_event(given: &Value) -> Result<&'static Event> {
    let Value::Object(fields) = given else {
        return Err(crate::input::wrong_type("events", given));
    };
    let part = |name: &str, known: &'static [(&'static str, i64)]| {
        let value = fields.get(name).ok_or_else(|| missing(&format!("events.{name}")))?;
        let found = known.iter().find(|(text, number)| match value {
            Value::String(given) => given == text,
            given => given.as_i64() == Some(*number),
        });
        found.map(|(text, _)| text.to_ascii_lowercase()).ok_or_else(|| {
            Failure::invalid(format!("Unknown {name} of a webhook event: {}.", crate::python::to_repr(value)))
        })
    };
    let (entity, action) = (part("entity", events::ENTITIES)?, part("action", events::ACTIONS)?);
    events::find(&entity, &action).ok_or_else(|| {
        let valid: Vec<String> = events::actions_of(&entity).map(repr).collect();
        Failure::invalid(format!(
            "Invalid action '{action}' for entity '{entity}'. Valid actions are: [{}]",
            valid.join(", ")
        ))
    })
}

fn check_name(name: &str) -> Result<()> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if name.len() <= MOST_NAME && allowed && edge(name.chars().next()) && edge(name.chars().last()) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "Webhook name {} is invalid. It must start and end with a letter or digit, be less than 63 characters long, and \
         contain only letters, digits, dots (.), underscores (_), and hyphens (-).",
        repr(name)
    )))
}

fn check_lengths(url: Option<&str>, description: Option<&str>, secret: Option<&str>) -> Result<()> {
    crate::validate::length("url", url.unwrap_or(""), MOST_URL)?;
    crate::validate::length("description", description.unwrap_or(""), MOST_DESCRIPTION)?;
    crate::validate::length("secret", secret.unwrap_or(""), MOST_SECRET)
}

fn absent(error: Error) -> Failure {
    match error {
        Error::NotFound { kind: Kind::Webhook, id } => Failure::not_found(format!("Webhook with ID {id} not found.")),
        other => other.into(),
    }
}

fn reply_webhook(webhook: stele_domain::Result<Webhook>) -> Result<Response> {
    reply(&json!({ "webhook": WebhookDto::from(webhook.map_err(absent)?) }))
}

#[derive(Serialize)]
struct WebhookDto {
    webhook_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    url: String,
    events: Vec<EventDto>,
    status: &'static str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
}

#[derive(Serialize)]
struct EventDto {
    entity: String,
    action: String,
}

impl From<Webhook> for WebhookDto {
    fn from(webhook: Webhook) -> WebhookDto {
        let Webhook {
            row: _,
            id,
            name,
            description,
            url,
            format: _,
            // Nobody reads it back.
            secret: _,
            status,
            subscriptions,
            created_at,
            updated_at,
        } = webhook;
        let events = subscriptions.iter().filter_map(|subscription| subscription.event.split_once('.'));
        WebhookDto {
            webhook_id: id,
            name,
            description,
            url,
            events: events
                .map(|(entity, action)| EventDto {
                    entity: entity.to_ascii_uppercase(),
                    action: action.to_ascii_uppercase(),
                })
                .collect(),
            status: match status {
                WebhookStatus::Active => "ACTIVE",
                WebhookStatus::Disabled => "DISABLED",
            },
            creation_timestamp: created_at.0,
            last_updated_timestamp: updated_at.0,
        }
    }
}

#[derive(Serialize)]
struct DeliveryDto {
    delivery_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'static str>,
    subject: String,
    status: &'static str,
    attempts: i64,
    event_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

impl From<Delivery> for DeliveryDto {
    fn from(delivery: Delivery) -> DeliveryDto {
        let Delivery { row: _, id, event, status, attempts, next_at, response_status, error, finished_at } = delivery;
        DeliveryDto {
            delivery_id: id,
            event: events::of(&event).map(|event| event.name),
            subject: event.object,
            status: status.as_str(),
            attempts,
            event_timestamp: event.at.0,
            next_attempt_timestamp: finished_at.is_none().then_some(next_at.0),
            end_timestamp: finished_at.map(|time| time.0),
            response_status,
            error_message: error,
        }
    }
}
