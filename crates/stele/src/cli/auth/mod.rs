//! `stele auth`: who uses the server, and who may do what.

mod credentials;
mod grants;
mod groups;
mod users;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use self::credentials::CredentialAction;
use self::grants::GrantAction;
use self::groups::GroupAction;
use self::users::UserAction;
use super::Output;
use super::client::{Client, Connection, Payload};
use super::secret::{self, NewPassword};

#[derive(Args)]
pub(crate) struct Auth {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make the first administrator and turn authentication on
    Init {
        /// The name of the administrator
        #[arg(long, default_value = "admin")]
        name: String,

        /// Do nothing, and succeed, if authentication is on already
        #[arg(long)]
        once: bool,

        #[command(flatten)]
        password: NewPassword,

        #[command(flatten)]
        connection: Connection,
    },
    /// List, create, disable and delete accounts of people and programs
    #[command(subcommand, visible_alias = "users")]
    User(UserAction),
    /// List, create, fill and delete groups
    #[command(subcommand, visible_alias = "groups")]
    Group(GroupAction),
    /// List, grant and take away roles
    #[command(subcommand, visible_alias = "grants")]
    Grant(GrantAction),
    /// List, make and revoke tokens
    #[command(subcommand, visible_alias = "tokens")]
    Token(CredentialAction),
    /// List, make and revoke access keys for clients of AWS
    #[command(subcommand, visible_alias = "keys")]
    Key(CredentialAction),
}

pub(super) async fn run(output: &Output, Auth { action }: Auth) -> anyhow::Result<()> {
    match action {
        Action::Init { name, once, password, connection } => {
            let client = connection.open_or_make().await?;
            if once {
                let state: Value = client.get(&["authentication"], &[]).await?;
                if state["required"] == true {
                    output.done("authentication is on already");
                    return if output.is_json() { output.json(&state) } else { Ok(()) };
                }
            }
            let password = secret::new_password(&password, &format!("password for '{name}'"))?;
            let first = Payload::Json(json!({ "name": name, "password": password }));
            let state: Value = client.ask(Method::PUT, &["authentication"], &[], first).await?;
            output.done(format_args!("'{name}' administers this record, and authentication is on"));
            output.say(format_args!("`stele login --user {name}` logs in, on this machine or another"));
            if output.is_json() { output.json(&state) } else { Ok(()) }
        }
        Action::User(action) => users::run(output, action).await,
        Action::Group(action) => groups::run(output, action).await,
        Action::Grant(action) => grants::run(output, action).await,
        Action::Token(action) => credentials::run(output, credentials::TOKEN, action).await,
        Action::Key(action) => credentials::run(output, credentials::KEY, action).await,
    }
}

/// Who asks, as the server sees them.
#[derive(Deserialize)]
pub(super) struct Identity {
    pub(super) name: String,
}

/// The account that is named, or the one that asks.
async fn account_or_own(client: &Client, named: Option<String>) -> anyhow::Result<String> {
    match named {
        Some(name) => Ok(name),
        None => Ok(client.get::<Identity>(&["identity"], &[]).await?.name),
    }
}

/// Sends what is answered with nothing, and says what was done.
async fn send(
    output: &Output,
    client: &Client,
    method: Method,
    path: &[&str],
    payload: Payload,
    done: String,
) -> anyhow::Result<()> {
    client.send(method, path, &[], payload).await?;
    output.done(done);
    if output.is_json() { output.json(&json!({})) } else { Ok(()) }
}

/// Sends what is answered with a document, and says what was done.
async fn ask(
    output: &Output,
    client: &Client,
    method: Method,
    path: &[&str],
    document: Value,
    done: String,
) -> anyhow::Result<()> {
    let made: Value = client.ask(method, path, &[], Payload::Json(document)).await?;
    output.done(done);
    if output.is_json() { output.json(&made) } else { Ok(()) }
}
