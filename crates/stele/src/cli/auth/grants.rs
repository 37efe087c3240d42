use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::{ask, send};
use crate::cli::Output;
use crate::cli::client::{Connection, Payload};
use crate::cli::listing::{Limit, list};
use crate::cli::table::{Cell, Column, Table};

#[derive(Subcommand)]
pub(in crate::cli) enum GrantAction {
    /// List which roles are held on what
    #[command(visible_alias = "ls")]
    List {
        /// Only what this account holds itself
        #[arg(long, conflicts_with = "group", value_name = "NAME")]
        account: Option<String>,

        /// Only what this group holds
        #[arg(long, value_name = "NAME")]
        group: Option<String>,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Grant a role
    Create {
        /// The role
        #[arg(value_parser = ["viewer", "contributor", "approver", "deployer", "administrator"])]
        role: String,

        #[command(flatten)]
        holder: Holder,

        #[command(flatten)]
        scope: Scope,

        #[command(flatten)]
        connection: Connection,
    },
    /// Take a granted role away
    Delete {
        /// The id that the list shows
        id: String,

        #[command(flatten)]
        connection: Connection,
    },
}

/// Who is to hold a role.
#[derive(Args)]
#[group(required = true, multiple = false, id = "holder")]
pub(in crate::cli) struct Holder {
    /// The account that is to hold it
    #[arg(long, group = "holder", value_name = "NAME")]
    account: Option<String>,

    /// The group that is to hold it
    #[arg(long, group = "holder", value_name = "NAME")]
    group: Option<String>,
}

/// What a role is held on.
#[derive(Args)]
#[group(required = true, multiple = false, id = "scope")]
pub(in crate::cli) struct Scope {
    /// On everything, with the accounts themselves
    #[arg(long, group = "scope")]
    organisation: bool,

    /// On a workspace
    #[arg(long, group = "scope", value_name = "NAME")]
    workspace: Option<String>,

    /// On an experiment
    #[arg(long, group = "scope", value_name = "ID")]
    experiment: Option<String>,

    /// On a registered model
    #[arg(long, group = "scope", value_name = "NAME")]
    model: Option<String>,
}

impl Scope {
    fn parts(self) -> (&'static str, Option<String>) {
        let Scope { organisation: _, workspace, experiment, model } = self;
        let named = [("workspace", workspace), ("experiment", experiment), ("model", model)];
        named.into_iter().find(|(_, name)| name.is_some()).unwrap_or(("organisation", None))
    }
}

#[derive(Deserialize)]
struct Grant {
    id: String,
    account: Option<String>,
    group: Option<String>,
    role: String,
    scope: String,
    of: Option<String>,
    granted_by: String,
}

pub(super) async fn run(output: &Output, action: GrantAction) -> anyhow::Result<()> {
    match action {
        GrantAction::List { account, group, limit, connection } => {
            let client = connection.open().await?;
            let query =
                [("account", account.as_deref().unwrap_or_default()), ("group", group.as_deref().unwrap_or_default())];
            let listed = list(&client, "grants", &["grants"], &query, &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&table(listed.views()?))?;
            listed.comment(output, "grant");
            Ok(())
        }
        GrantAction::Create { role, holder: Holder { account, group }, scope, connection } => {
            let client = connection.open().await?;
            let (kind, of) = scope.parts();
            let who = account.as_ref().or(group.as_ref()).map_or("", String::as_str);
            let done = format!(
                "'{who}' is {role} of the {kind}{}",
                of.iter().map(|of| format!(" '{of}'")).collect::<String>()
            );
            let new = json!({ "account": account, "group": group, "role": role, "scope": kind, "of": of });
            ask(output, &client, Method::POST, &["grants"], new, done).await
        }
        GrantAction::Delete { id, connection } => {
            let client = connection.open().await?;
            let done = format!("the role of grant {id} is taken away");
            send(output, &client, Method::DELETE, &["grants", &id], Payload::Nothing, done).await
        }
    }
}

fn table(grants: Vec<Grant>) -> Table {
    let mut table = Table::new([
        Column::whole("ID"),
        Column::whole("HOLDER"),
        Column::whole("ROLE"),
        Column::whole("SCOPE"),
        Column::text("OF"),
        Column::text("GRANTED BY"),
    ]);
    for Grant { id, account, group, role, scope, of, granted_by } in grants {
        let holder = account.unwrap_or_else(|| format!("group {}", group.unwrap_or_default()));
        let of = of.unwrap_or_default();
        table.row([id.into(), holder.into(), role.into(), scope.into(), of.into(), Cell::dim(granted_by)]);
    }
    table
}
