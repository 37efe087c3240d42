use std::collections::BTreeMap;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stele_domain::id::Clock;

use super::client::{Client, Connection, Payload};
use super::listing::{Limit, Trash, list};
use super::sheet::Sheet;
use super::table::{Cell, Column, Table};
use super::view::{self, Experiment};
use super::{Failure, Output};
use crate::system::SystemClock;

#[derive(Args)]
pub(crate) struct Experiments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List experiments, the newest first
    #[command(visible_alias = "ls")]
    List {
        /// A condition in MLflow's language, such as "name LIKE 'iris%'"
        #[arg(long, short, value_name = "CONDITION")]
        filter: Option<String>,

        /// Keys to sort by, such as "name ASC" (keys: name, experiment_id, creation_time, last_update_time)
        #[arg(long, value_name = "KEYS")]
        order_by: Option<String>,

        #[command(flatten)]
        trash: Trash,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Show one experiment
    Show {
        #[command(flatten)]
        which: Which,

        #[command(flatten)]
        connection: Connection,
    },
    /// Create an experiment
    Create {
        /// Its name
        name: String,

        /// Where its artifacts lie [default: behind the server]
        #[arg(long, value_name = "URI")]
        artifact_location: Option<String>,

        /// A tag; may be given several times
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = key_value)]
        tags: Vec<(String, String)>,

        #[command(flatten)]
        connection: Connection,
    },
    /// Move an experiment with its runs to the trash
    Delete {
        #[command(flatten)]
        which: Which,

        #[command(flatten)]
        connection: Connection,
    },
    /// Take an experiment with its runs out of the trash
    Restore {
        #[command(flatten)]
        which: Which,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Args)]
struct Which {
    /// Its id or its name
    experiment: String,
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE"),
    }
}

pub(super) async fn run(output: &Output, Experiments { action }: Experiments) -> anyhow::Result<()> {
    match action {
        Action::List { filter, order_by, trash, limit, connection } => {
            let client = connection.open().await?;
            let query = [
                ("filter", filter.as_deref().unwrap_or_default()),
                ("order_by", order_by.as_deref().unwrap_or_default()),
                ("presence", trash.presence()),
            ];
            let listed = list(&client, "experiments", &["experiments"], &query, &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&table(&listed.views()?))?;
            listed.comment(output, "experiment");
            Ok(())
        }
        Action::Show { which, connection } => {
            let found = find(&connection.open().await?, &which.experiment).await?;
            if output.is_json() {
                return output.json(&found);
            }
            output.text(sheet(output, &serde_json::from_value(found)?).text())
        }
        Action::Create { name, artifact_location, tags, connection } => {
            let tags: BTreeMap<String, String> = tags.into_iter().collect();
            let new = json!({ "name": name, "artifact_location": artifact_location, "tags": tags });
            let client = connection.open().await?;
            let made: Value = client.ask(Method::POST, &["experiments"], &[], Payload::Json(new)).await?;
            if output.is_json() {
                return output.json(&made);
            }
            let made: Experiment = serde_json::from_value(made)?;
            output.text(&format!("{}\n", made.id))?;
            output.done(format_args!("created experiment '{}'", made.name));
            Ok(())
        }
        Action::Delete { which, connection } => {
            let client = connection.open().await?;
            let (id, name) = id_and_name(find(&client, &which.experiment).await?)?;
            client.send(Method::DELETE, &["experiments", &id], &[], Payload::Nothing).await?;
            tell(output, &id, format_args!("moved experiment {id} '{name}' to the trash"))
        }
        Action::Restore { which, connection } => {
            let client = connection.open().await?;
            let (id, name) = id_and_name(find(&client, &which.experiment).await?)?;
            client.send(Method::POST, &["experiments", &id, "restore"], &[], Payload::Nothing).await?;
            tell(output, &id, format_args!("took experiment {id} '{name}' out of the trash"))
        }
    }
}

fn tell(output: &Output, id: &str, what: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&json!({ "id": id }));
    }
    output.done(what);
    Ok(())
}

fn id_and_name(experiment: Value) -> anyhow::Result<(String, String)> {
    let Experiment { id, name, .. } = serde_json::from_value(experiment)?;
    Ok((id, name))
}

/// Finds an experiment by its id, else by its name, also in the trash.
pub(super) async fn find(client: &Client, text: &str) -> anyhow::Result<Value> {
    if text.chars().all(|c| c.is_ascii_digit()) && !text.is_empty() {
        let found = client.get(&["experiments", text], &[]).await;
        // A name may be a number as well.
        if !found.as_ref().is_err_and(Failure::is_not_found) {
            return found;
        }
    }
    let mut page: Value = client.get(&["experiments"], &[("name", text), ("presence", "all")]).await?;
    let found = page["experiments"].as_array_mut().and_then(Vec::pop);
    found.ok_or_else(|| {
        Failure::not_found(format!("there is no experiment with the id or name '{text}'"))
            .hint("`stele experiments list` shows the experiments that there are")
            .into()
    })
}

fn table(experiments: &[Experiment]) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::number("ID"),
        Column::text("NAME"),
        Column::whole("CREATED"),
        Column::whole("CHANGED"),
        Column::text("TAGS"),
    ]);
    for experiment in experiments {
        let name = match experiment.presence.as_str() {
            "deleted" => Cell::dim(format!("{} (deleted)", experiment.name)),
            _ => Cell::from(&experiment.name),
        };
        let tags: Vec<String> = experiment.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        table.row([
            Cell::from(&experiment.id),
            name,
            view::ago_cell(Some(experiment.created_at), now),
            view::ago_cell(Some(experiment.updated_at), now),
            Cell::dim(tags.join(" ")),
        ]);
    }
    table
}

fn sheet(output: &Output, experiment: &Experiment) -> Sheet {
    let Experiment { id, name, presence, artifact_location, created_at, updated_at, tags } = experiment;
    let now = SystemClock.now();
    let mut sheet = Sheet::new(output.width(), name);
    let state = if presence == "deleted" { "in the trash" } else { "" };
    sheet.fields(&[
        ("id", id.clone()),
        ("state", state.to_owned()),
        ("created", view::moment(*created_at, now)),
        ("changed", view::moment(*updated_at, now)),
        ("artifacts", artifact_location.clone()),
    ]);
    sheet.values("Tags", tags);
    sheet
}
