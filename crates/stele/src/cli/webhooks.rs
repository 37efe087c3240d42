use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stele_domain::id::{Clock, Timestamp};

use super::client::{Connection, Payload};
use super::listing::{Limit, list};
use super::table::{Cell, Column, Table};
use super::{Failure, Output, human};
use crate::system::SystemClock;

#[derive(Args)]
pub(crate) struct Webhooks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List webhooks, the newest first
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Let an address be told of events
    Create {
        /// A name for people
        name: String,

        /// Where to
        url: String,

        /// The words to tell in
        #[arg(long, value_parser = ["cloudevents", "slack", "github", "eventbridge"], default_value = "cloudevents")]
        format: String,

        /// What to tell of: version.created, version.approval, version.stage, alias.set and others; * is all
        #[arg(long = "event", value_name = "EVENT", value_delimiter = ',', default_value = "*")]
        events: Vec<String>,

        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,

        /// File with whsec_ and the base64 of 24 to 64 random bytes, or with a token of GitHub's; - is standard input
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,

        #[command(flatten)]
        connection: Connection,
    },
    /// Stop telling a webhook for now
    Disable(One),
    /// Tell a webhook again
    Enable(One),
    /// Delete a webhook; what waits for it is not sent
    Delete(One),
    /// Send an example of an event
    Test(One),
    /// List what webhooks were told or are about to be told, the newest first
    Deliveries {
        /// The id of a webhook [default: all]
        webhook: Option<String>,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// List the deliveries that were given up
    Dead {
        /// The id of a webhook [default: all]
        webhook: Option<String>,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Make a delivery again
    Redeliver {
        /// The id of the delivery
        delivery: String,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Args)]
struct One {
    /// Its id
    webhook: String,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Webhook {
    id: String,
    name: String,
    url: String,
    format: String,
    status: String,
    events: Vec<String>,
}

#[derive(Deserialize)]
struct Delivery {
    id: String,
    webhook: String,
    action: String,
    object: String,
    status: String,
    attempts: i64,
    at: i64,
    response_status: Option<i64>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Tested {
    delivered: bool,
    status: Option<u16>,
    error: Option<String>,
}

pub(super) async fn run(output: &Output, Webhooks { action }: Webhooks) -> anyhow::Result<()> {
    match action {
        Action::List { limit, connection } => {
            let listed = list(&connection.open().await?, "webhooks", &["webhooks"], &[], &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&webhook_table(&listed.views()?))?;
            listed.comment(output, "webhook");
            Ok(())
        }
        Action::Create { name, url, format, events, description, secret_file, connection } => {
            let secret = secret_file.as_deref().map(read_secret).transpose()?;
            let mut new = Map::new();
            new.extend([("name".to_owned(), json!(name)), ("url".to_owned(), json!(url))]);
            new.extend([("format".to_owned(), json!(format)), ("events".to_owned(), json!(events))]);
            new.extend(description.map(|text| ("description".to_owned(), json!(text))));
            new.extend(secret.filter(|secret| !secret.is_empty()).map(|text| ("secret".to_owned(), json!(text))));
            let client = connection.open().await?;
            let made: Value = client.ask(Method::POST, &["webhooks"], &[], Payload::Json(new.into())).await?;
            output.done(format_args!("made webhook {}", made["id"].as_str().unwrap_or_default()));
            if output.is_json() { output.json(&made) } else { Ok(()) }
        }
        Action::Disable(one) => set_status(output, &one, "disabled").await,
        Action::Enable(one) => set_status(output, &one, "active").await,
        Action::Delete(One { webhook, connection }) => {
            let path = ["webhooks", &webhook];
            connection.open().await?.send(Method::DELETE, &path, &[], Payload::Nothing).await?;
            output.done(format_args!("deleted webhook {webhook}"));
            if output.is_json() { output.json(&json!({ "id": webhook })) } else { Ok(()) }
        }
        Action::Test(One { webhook, connection }) => {
            let path = ["webhooks", &webhook, "test"];
            let answer: Value = connection.open().await?.ask(Method::POST, &path, &[], Payload::Nothing).await?;
            if output.is_json() {
                output.json(&answer)?;
            }
            let Tested { delivered, status, error } = serde_json::from_value(answer)?;
            let status = status.map_or_else(String::new, |status| status.to_string());
            if delivered {
                output.done(format_args!("the receiver answered {status}"));
                return Ok(());
            }
            let why = error.unwrap_or_else(|| format!("it answered {status}"));
            Err(Failure::new(format!("the receiver did not take it: {why}")).into())
        }
        Action::Deliveries { webhook, limit, connection } => {
            deliveries(output, &connection, webhook.as_deref(), "", &limit).await
        }
        Action::Dead { webhook, limit, connection } => {
            deliveries(output, &connection, webhook.as_deref(), "failed", &limit).await
        }
        Action::Redeliver { delivery, connection } => {
            let path = ["webhook-deliveries", &delivery, "redelivery"];
            connection.open().await?.send(Method::POST, &path, &[], Payload::Nothing).await?;
            output.done(format_args!("delivery {delivery} waits to be made again"));
            if output.is_json() { output.json(&json!({ "id": delivery })) } else { Ok(()) }
        }
    }
}

/// The largest file of a secret, in bytes.
const MOST_SECRET: u64 = 64 * 1024;

fn read_secret(file: &Path) -> anyhow::Result<String> {
    let text = super::given::text(file, MOST_SECRET)?;
    Ok(text.trim().to_owned())
}

async fn set_status(output: &Output, One { webhook, connection }: &One, status: &str) -> anyhow::Result<()> {
    let change = Payload::Json(json!({ "status": status }));
    let changed: Value = connection.open().await?.ask(Method::PATCH, &["webhooks", webhook], &[], change).await?;
    output.done(format_args!("webhook {webhook} is {status}"));
    if output.is_json() { output.json(&changed) } else { Ok(()) }
}

async fn deliveries(
    output: &Output,
    connection: &Connection,
    webhook: Option<&str>,
    status: &str,
    limit: &Limit,
) -> anyhow::Result<()> {
    let query = [("webhook", webhook.unwrap_or_default()), ("status", status)];
    let listed = list(&connection.open().await?, "deliveries", &["webhook-deliveries"], &query, limit).await?;
    if output.is_json() {
        return listed.json(output);
    }
    output.table(&delivery_table(&listed.views()?))?;
    listed.comment(output, "delivery");
    Ok(())
}

fn webhook_table(webhooks: &[Webhook]) -> Table {
    let mut table = Table::new([
        Column::whole("ID"),
        Column::text("NAME"),
        Column::whole("FORMAT"),
        Column::whole("STATUS"),
        Column::text("URL"),
        Column::text("EVENTS"),
    ]);
    for Webhook { id, name, url, format, status, events } in webhooks {
        table.row([
            Cell::from(id),
            Cell::from(name),
            Cell::from(format),
            Cell::from(status),
            Cell::from(url),
            Cell::dim(events.join(" ")),
        ]);
    }
    table
}

fn delivery_table(deliveries: &[Delivery]) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::whole("ID"),
        Column::whole("WEBHOOK"),
        Column::whole("HAPPENED"),
        Column::whole("ACTION"),
        Column::text("OBJECT"),
        Column::whole("STATUS"),
        Column::number("ATTEMPTS"),
        Column::text("ANSWER"),
    ]);
    for delivery in deliveries {
        let answer = match (&delivery.error, delivery.response_status) {
            (Some(error), _) => error.clone(),
            (None, Some(status)) => status.to_string(),
            (None, None) => String::new(),
        };
        table.row([
            Cell::from(&delivery.id),
            Cell::dim(&delivery.webhook),
            Cell::dim(human::ago(Timestamp(delivery.at), now)),
            Cell::from(&delivery.action),
            Cell::from(&delivery.object),
            Cell::from(&delivery.status),
            Cell::from(delivery.attempts.to_string()),
            Cell::dim(answer),
        ]);
    }
    table
}
