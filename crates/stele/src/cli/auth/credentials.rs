//! Tokens and access keys, which are listed, made and revoked alike.

use std::time::Duration;

use axum::http::Method;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};
use stele_domain::id::Clock;

use super::{account_or_own, send};
use crate::cli::client::{Connection, Payload};
use crate::cli::listing::{Limit, list};
use crate::cli::table::{Cell, Column, Table};
use crate::cli::{Output, human, view};
use crate::place;
use crate::system::SystemClock;

/// What the API and people call a kind of credential.
#[derive(Clone, Copy)]
pub(super) struct Words {
    path: &'static str,
    list: &'static str,
    thing: &'static str,
}

pub(super) const TOKEN: Words = Words { path: "tokens", list: "tokens", thing: "token" };
pub(super) const KEY: Words = Words { path: "access-keys", list: "access_keys", thing: "access key" };

#[derive(Subcommand)]
pub(in crate::cli) enum CredentialAction {
    /// List them, without what is secret
    #[command(visible_alias = "ls")]
    List {
        /// The account that they are of [default: your own]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Make one; what is secret is printed this once
    Create {
        /// What it is for
        #[arg(value_name = "PURPOSE", default_value = "", hide_default_value = true)]
        name: String,

        /// The account that it is of [default: your own]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,

        /// Narrow it to these roles
        #[arg(long, value_delimiter = ',', value_name = "ROLE",
              value_parser = ["viewer", "contributor", "approver", "deployer", "administrator"])]
        roles: Vec<String>,

        /// Let it read only; the same as --roles viewer
        #[arg(long, conflicts_with = "roles")]
        read_only: bool,

        /// How long it is good for, such as 90d [default: until it is revoked]
        #[arg(long, value_name = "AGE", value_parser = place::age)]
        expires: Option<Duration>,

        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke one
    #[command(visible_alias = "revoke")]
    Delete {
        /// The id that the list shows
        id: String,

        /// The account that it is of [default: your own]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Deserialize)]
struct Credential {
    id: String,
    name: String,
    roles: Option<Vec<String>>,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

pub(super) async fn run(output: &Output, words: Words, action: CredentialAction) -> anyhow::Result<()> {
    match action {
        CredentialAction::List { account, limit, connection } => {
            let client = connection.open().await?;
            let account = account_or_own(&client, account).await?;
            let listed = list(&client, words.list, &["accounts", &account, words.path], &[], &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&table(listed.views()?))?;
            listed.comment(output, words.thing);
            Ok(())
        }
        CredentialAction::Create { name, account, roles, read_only, expires, connection } => {
            let client = connection.open().await?;
            let account = account_or_own(&client, account).await?;
            let roles = if read_only { vec!["viewer".to_owned()] } else { roles };
            let expires = expires
                .map(|age| SystemClock.now().0.saturating_add(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
            let new = json!({
                "name": name, "roles": Some(roles).filter(|roles| !roles.is_empty()), "expires_at": expires,
            });
            let path = ["accounts", &account, words.path];
            let made: Value = client.ask(Method::POST, &path, &[], Payload::Json(new)).await?;
            told(output, words, &account, &made)
        }
        CredentialAction::Delete { id, account, connection } => {
            let client = connection.open().await?;
            let account = account_or_own(&client, account).await?;
            let (path, done) = (["accounts", &account, words.path, &id], format!("revoked {} {id}", words.thing));
            send(output, &client, Method::DELETE, &path, Payload::Nothing, done).await
        }
    }
}

/// What is secret goes to standard output alone, so that a script can take it.
fn told(output: &Output, words: Words, account: &str, made: &Value) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(made);
    }
    let part = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default();
    output.done(format_args!("'{account}' has a new {}; it is not shown again", words.thing));
    match part("token") {
        "" => output.text(&format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", part("id"), part("secret"))),
        token => output.text(&format!("{token}\n")),
    }
}

fn table(credentials: Vec<Credential>) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::whole("ID"),
        Column::text("PURPOSE"),
        Column::text("ROLES"),
        Column::whole("CREATED"),
        Column::whole("LAST USED"),
        Column::whole("EXPIRES"),
    ]);
    for Credential { id, name, roles, created_at, expires_at, last_used_at } in credentials {
        let expires = match expires_at {
            None => Cell::dim(human::NOTHING),
            Some(at) if at <= now.0 => Cell::from("expired"),
            Some(at) => Cell::from(view::moment(at, now)),
        };
        table.row([
            Cell::from(id),
            Cell::from(name),
            Cell::from(roles.map_or_else(String::new, |roles| roles.join(" "))),
            view::ago_cell(Some(created_at), now),
            view::ago_cell(last_used_at, now),
            expires,
        ]);
    }
    table
}
