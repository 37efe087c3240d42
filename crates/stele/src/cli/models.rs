use std::collections::BTreeMap;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stele_domain::id::{Clock, Timestamp};

use super::client::{Client, Connection, Payload};
use super::listing::{Limit, list};
use super::sheet::Sheet;
use super::table::{Cell, Column, Table};
use super::view::{self, Model, Version};
use super::{Failure, Output, human};
use crate::system::SystemClock;

#[derive(Args)]
pub(crate) struct Models {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List registered models by name
    #[command(visible_alias = "ls")]
    List {
        /// A condition in MLflow's language, such as "name LIKE 'churn%' AND tags.team = 'growth'"
        #[arg(long, short, value_name = "CONDITION")]
        filter: Option<String>,

        /// Keys to sort by, such as "last_updated_timestamp DESC"
        #[arg(long, value_name = "KEYS")]
        order_by: Option<String>,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Show one model
    Show {
        /// Its name
        model: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// List the versions of a model, the newest first
    Versions {
        /// Its name
        model: String,

        /// A condition in MLflow's language, such as "tags.checked = 'yes'"
        #[arg(long, short, value_name = "CONDITION")]
        filter: Option<String>,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Point an alias at a version, or remove it
    Alias {
        /// The name of the model
        model: String,

        /// The alias, such as champion
        alias: String,

        /// The number of the version
        #[arg(id = "number", value_name = "VERSION", required_unless_present = "remove", conflicts_with = "remove")]
        version: Option<u32>,

        /// Remove the alias
        #[arg(long)]
        remove: bool,

        #[command(flatten)]
        connection: Connection,
    },
    /// List what happened to a model, the newest first
    History {
        /// Its name, now or then
        model: String,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Show what a model was at a time: stages, approvals and aliases, and who made it so
    At {
        /// Its name, then or now
        model: String,

        /// 2026-03-03T14:00:00Z, 2026-03-03 14:00 (UTC), 2026-03-03, or an age such as 7d
        #[arg(long, value_name = "TIME", value_parser = super::when::parse)]
        time: Timestamp,

        /// Only the versions that were in it
        #[arg(long, value_parser = ["none", "staging", "production", "archived"])]
        stage: Option<String>,

        #[command(flatten)]
        connection: Connection,
    },
    /// Move a version to a stage
    Stage {
        /// The name of the model
        model: String,

        /// The number of the version, or @ALIAS
        #[arg(id = "number", value_name = "VERSION")]
        version: String,

        /// The stage
        #[arg(value_parser = ["none", "staging", "production", "archived"])]
        stage: String,

        /// Archive the other versions in that stage; production holds one version at a time
        #[arg(long)]
        archive_others: bool,

        #[command(flatten)]
        connection: Connection,
    },
}

pub(super) async fn run(output: &Output, Models { action }: Models) -> anyhow::Result<()> {
    match action {
        Action::List { filter, order_by, limit, connection } => {
            let client = connection.open().await?;
            let query = [
                ("filter", filter.as_deref().unwrap_or_default()),
                ("order_by", order_by.as_deref().unwrap_or_default()),
            ];
            let listed = list(&client, "models", &["models"], &query, &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&model_table(&listed.views()?))?;
            listed.comment(output, "model");
            Ok(())
        }
        Action::Show { model, connection } => {
            let found: Value = connection.open().await?.get(&["models", &model], &[]).await?;
            if output.is_json() {
                return output.json(&found);
            }
            output.text(sheet(output, serde_json::from_value(found)?).text())
        }
        Action::Versions { model, filter, limit, connection } => {
            let client = connection.open().await?;
            let query = [("filter", filter.as_deref().unwrap_or_default())];
            let listed = list(&client, "versions", &["models", &model, "versions"], &query, &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&version_table(&listed.views()?))?;
            listed.comment(output, "version");
            Ok(())
        }
        Action::Alias { model, alias, version, remove: _, connection } => {
            alias_set(output, &connection.open().await?, &model, &alias, version).await
        }
        Action::History { model, limit, connection } => {
            let client = connection.open().await?;
            let listed = list(&client, "entries", &["models", &model, "history"], &[], &limit).await?;
            if output.is_json() {
                return listed.json(output);
            }
            output.table(&super::audit::entry_table(&listed.views()?))?;
            listed.comment(output, "entry");
            Ok(())
        }
        Action::At { model, time, stage, connection } => {
            let time = time.0.to_string();
            let mut query = vec![("time", time.as_str())];
            query.extend(stage.as_deref().map(|stage| ("stage", stage)));
            let then: Value = connection.open().await?.get(&["models", &model, "at"], &query).await?;
            if output.is_json() {
                return output.json(&then);
            }
            output.table(&super::past::version_table(serde_json::from_value(then)?))
        }
        Action::Stage { model, version, stage, archive_others, connection } => {
            let client = connection.open().await?;
            let number = version_number(&client, &model, &version).await?;
            let change = json!({ "stage": stage, "archive_others": archive_others });
            let path = ["models", &model, "versions", &number, "stage"];
            let moved = client.ask(Method::PUT, &path, &[], Payload::Json(change)).await;
            let moved: Value = moved.map_err(|error| match error.downcast::<Failure>() {
                // A gate that refuses says what is missing; archiving the others would not help.
                Ok(failure)
                    if stage == "production"
                        && !archive_others
                        && failure.is("gate_failed")
                        && failure.to_string().contains("one version in production") =>
                {
                    failure.hint("--archive-others archives the version that is there").into()
                }
                Ok(failure) => failure.into(),
                Err(error) => error,
            })?;
            if output.is_json() {
                return output.json(&moved);
            }
            output.done(format_args!("version {number} of '{model}' is in stage {stage}"));
            Ok(())
        }
    }
}

async fn alias_set(
    output: &Output,
    client: &Client,
    model: &str,
    alias: &str,
    version: Option<u32>,
) -> anyhow::Result<()> {
    let path = ["models", model, "aliases", alias];
    let Some(version) = version else {
        client.send(Method::DELETE, &path, &[], Payload::Nothing).await?;
        output.done(format_args!("'{model}' has no alias '{alias}'"));
        return if output.is_json() { output.json(&json!({ "model": model, "alias": alias })) } else { Ok(()) };
    };
    let target = Payload::Json(json!({ "version": version }));
    let pointed: Value = client.ask(Method::PUT, &path, &[], target).await?;
    output.done(format_args!("'{alias}' of '{model}' points at version {version}"));
    if output.is_json() { output.json(&pointed) } else { Ok(()) }
}

/// The number of a version that is written as a number or as an alias with an `@`.
pub(super) async fn version_number(client: &Client, model: &str, text: &str) -> anyhow::Result<String> {
    match text.strip_prefix('@') {
        Some(alias) => {
            let Version { version, .. } = client.get(&["models", model, "aliases", alias], &[]).await?;
            Ok(version.to_string())
        }
        None if text.parse::<u32>().is_ok() => Ok(text.to_owned()),
        None => Err(Failure::usage(format!("'{text}' is not the number of a version, nor an alias such as @champion"))
            .hint(format!("`stele models versions {model}` lists the versions"))
            .into()),
    }
}

fn model_table(models: &[Model]) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::text("NAME"),
        Column::number("NEWEST"),
        Column::number("PRODUCTION"),
        Column::number("STAGING"),
        Column::text("ALIASES"),
        Column::whole("CHANGED"),
    ]);
    for model in models {
        let newest = model.latest_versions.iter().map(|version| version.version).max();
        let in_stage = |stage: &str| {
            let version = model.latest_versions.iter().find(|version| version.stage == stage);
            number_cell(version.map(|version| version.version))
        };
        table.row([
            Cell::from(&model.name),
            number_cell(newest),
            in_stage("production"),
            in_stage("staging"),
            Cell::from(aliases(&model.aliases)),
            view::ago_cell(Some(model.updated_at), now),
        ]);
    }
    table
}

fn number_cell(number: Option<i64>) -> Cell {
    number.map_or_else(|| Cell::dim(human::NOTHING), |number| Cell::from(number.to_string()))
}

/// Aliases but for those that say a stage, such as `champion=3`.
fn aliases(aliases: &BTreeMap<String, i64>) -> String {
    let own = aliases.iter().filter(|(alias, _)| !is_stage(alias));
    own.map(|(alias, version)| format!("{alias}={version}")).collect::<Vec<_>>().join(" ")
}

fn is_stage(alias: &str) -> bool {
    matches!(alias, "staging" | "production" | "archived")
}

fn version_table(versions: &[Version]) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::number("VERSION"),
        Column::whole("STAGE"),
        Column::whole("APPROVAL"),
        Column::text("ALIASES"),
        Column::whole("CREATED"),
        Column::whole("RUN"),
        Column::text("DESCRIPTION"),
    ]);
    for version in versions {
        let aliases: Vec<&str> = version.aliases.iter().map(String::as_str).filter(|alias| !is_stage(alias)).collect();
        table.row([
            Cell::from(version.version.to_string()),
            view::stage_cell(&version.stage),
            view::approval_cell(&version.approval),
            Cell::from(aliases.join(" ")),
            view::ago_cell(Some(version.created_at), now),
            version.run_id.as_ref().map_or_else(|| Cell::dim(human::NOTHING), Cell::from),
            Cell::dim(version.description.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn sheet(output: &Output, model: Model) -> Sheet {
    let Model { name, description, created_at, updated_at, tags, aliases: of_model, mut latest_versions } = model;
    latest_versions.sort_by_key(|version| std::cmp::Reverse(version.version));
    let now = SystemClock.now();
    let mut sheet = Sheet::new(output.width(), &name);
    sheet.fields(&[
        ("description", description.unwrap_or_default()),
        ("created", view::moment(created_at, now)),
        ("changed", view::moment(updated_at, now)),
        ("aliases", aliases(&of_model)),
    ]);
    sheet.table("Newest versions by stage", &version_table(&latest_versions));
    sheet.values("Tags", &tags);
    sheet
}
