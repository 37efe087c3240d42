use axum::http::Method;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use super::{ask, send};
use crate::cli::Output;
use crate::cli::client::{Connection, Payload};
use crate::cli::listing::{Limit, list};
use crate::cli::table::{Cell, Column, Table};

#[derive(Subcommand)]
pub(in crate::cli) enum GroupAction {
    /// List the groups by name
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Create a group
    Create {
        /// Its name
        name: String,

        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a group with its roles
    Delete {
        /// Its name
        name: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// List the members of a group
    Members {
        /// The name of the group
        group: String,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Put an account into a group
    Add {
        /// The name of the group
        group: String,

        /// The name of the account
        account: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Take an account out of a group
    Remove {
        /// The name of the group
        group: String,

        /// The name of the account
        account: String,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Deserialize)]
struct Group {
    name: String,
    description: String,
    members: i64,
}

#[derive(Deserialize)]
struct Member {
    account: String,
}

pub(super) async fn run(output: &Output, action: GroupAction) -> anyhow::Result<()> {
    match action {
        GroupAction::List { limit, connection } => {
            let client = connection.open().await?;
            let listed = list(&client, "groups", &["groups"], &[], &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            let mut table = Table::new([Column::whole("NAME"), Column::number("MEMBERS"), Column::text("DESCRIPTION")]);
            for Group { name, description, members } in listed.views()? {
                table.row([Cell::from(name), Cell::from(members.to_string()), Cell::dim(description)]);
            }
            output.table(&table)?;
            listed.comment(output, "group");
            Ok(())
        }
        GroupAction::Create { name, description, connection } => {
            let (client, new) = (connection.open().await?, json!({ "name": name, "description": description }));
            ask(output, &client, Method::POST, &["groups"], new, format!("there is a group '{name}'")).await
        }
        GroupAction::Delete { name, connection } => {
            let client = connection.open().await?;
            let done = format!("there is no group '{name}' any more");
            send(output, &client, Method::DELETE, &["groups", &name], Payload::Nothing, done).await
        }
        GroupAction::Members { group, limit, connection } => {
            let client = connection.open().await?;
            let listed = list(&client, "members", &["groups", &group, "members"], &[], &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            let mut table = Table::new([Column::whole("ACCOUNT")]);
            for Member { account } in listed.views()? {
                table.row([Cell::from(account)]);
            }
            output.table(&table)?;
            listed.comment(output, "member");
            Ok(())
        }
        GroupAction::Add { group, account, connection } => {
            let client = connection.open().await?;
            let (path, done) = (["groups", &group, "members", &account], format!("'{account}' is in '{group}'"));
            send(output, &client, Method::PUT, &path, Payload::Nothing, done).await
        }
        GroupAction::Remove { group, account, connection } => {
            let client = connection.open().await?;
            let (path, done) = (["groups", &group, "members", &account], format!("'{account}' is not in '{group}'"));
            send(output, &client, Method::DELETE, &path, Payload::Nothing, done).await
        }
    }
}
