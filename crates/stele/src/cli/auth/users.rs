use axum::http::Method;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};
use stele_domain::id::Clock;

use super::{ask, send};
use crate::cli::client::{Connection, Payload};
use crate::cli::listing::{Limit, list};
use crate::cli::secret::{self, NewPassword};
use crate::cli::table::{Cell, Column, Table};
use crate::cli::{Output, view};
use crate::system::SystemClock;

#[derive(Subcommand)]
pub(in crate::cli) enum UserAction {
    /// List the accounts by name
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Show one account with its groups
    Show {
        /// Its name
        name: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Create an account
    Create {
        /// Its name, which is never given to another one
        name: String,

        /// Of a program, which has tokens and access keys but no password
        #[arg(long, conflicts_with_all = ["password_stdin", "no_password"])]
        service: bool,

        /// Without a password: for tokens or an identity provider
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,

        /// What people call it
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,

        #[command(flatten)]
        password: NewPassword,

        #[command(flatten)]
        connection: Connection,
    },
    /// Set the password of an account
    Password {
        /// Its name
        name: String,

        #[command(flatten)]
        password: NewPassword,

        #[command(flatten)]
        connection: Connection,
    },
    /// Let an account in no more
    Disable {
        /// Its name
        name: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Let a disabled account in again
    Enable {
        /// Its name
        name: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Delete an account with its tokens, keys and roles
    Delete {
        /// Its name
        name: String,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Deserialize)]
struct Account {
    name: String,
    kind: String,
    display_name: String,
    disabled: bool,
    has_password: bool,
    created_at: i64,
}

pub(super) async fn run(output: &Output, action: UserAction) -> anyhow::Result<()> {
    match action {
        UserAction::List { limit, connection } => {
            let client = connection.open().await?;
            let listed = list(&client, "accounts", &["accounts"], &[], &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&table(&listed.views()?))?;
            listed.comment(output, "account");
            Ok(())
        }
        UserAction::Show { name, connection } => {
            let found: Value = connection.open().await?.get(&["accounts", &name], &[]).await?;
            if output.is_json() {
                return output.json(&found);
            }
            output.table(&table(&[Account::deserialize(&found)?]))
        }
        UserAction::Create { name, service, no_password, display_name, password, connection } => {
            let client = connection.open().await?;
            let password = match service || no_password {
                true => None,
                false => Some(secret::new_password(&password, &format!("password for '{name}'"))?),
            };
            let kind = if service { "service" } else { "user" };
            let new = json!({ "name": name, "kind": kind, "display_name": display_name, "password": password });
            ask(output, &client, Method::POST, &["accounts"], new, format!("'{name}' has an account")).await
        }
        UserAction::Password { name, password, connection } => {
            let client = connection.open().await?;
            let own = client.get::<super::Identity>(&["identity"], &[]).await?.name == name;
            let current = match own {
                true => Some(secret::current_password(&password, "current password")?),
                false => None,
            };
            let password = secret::new_password(&password, &format!("new password for '{name}'"))?;
            let document = Payload::Json(json!({ "password": password, "current_password": current }));
            let done = format!("'{name}' has another password");
            send(output, &client, Method::PUT, &["accounts", &name, "password"], document, done).await
        }
        UserAction::Disable { name, connection } => {
            let (client, change) = (connection.open().await?, json!({ "disabled": true }));
            let done = format!("'{name}' is not let in any more");
            ask(output, &client, Method::PATCH, &["accounts", &name], change, done).await
        }
        UserAction::Enable { name, connection } => {
            let (client, change) = (connection.open().await?, json!({ "disabled": false }));
            let done = format!("'{name}' is let in again");
            ask(output, &client, Method::PATCH, &["accounts", &name], change, done).await
        }
        UserAction::Delete { name, connection } => {
            let client = connection.open().await?;
            let done = format!("'{name}' has no account any more");
            send(output, &client, Method::DELETE, &["accounts", &name], Payload::Nothing, done).await
        }
    }
}

fn table(accounts: &[Account]) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::whole("NAME"),
        Column::whole("KIND"),
        Column::text("CALLED"),
        Column::whole("PASSWORD"),
        Column::text("STATE"),
        Column::whole("CREATED"),
    ]);
    for Account { name, kind, display_name, disabled, has_password, created_at } in accounts {
        table.row([
            Cell::from(name),
            Cell::from(kind),
            Cell::from(display_name),
            Cell::dim(if *has_password { "yes" } else { "no" }),
            Cell::from(if *disabled { "disabled" } else { "" }),
            view::ago_cell(Some(*created_at), now),
        ]);
    }
    table
}
