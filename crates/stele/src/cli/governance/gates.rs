use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OfVersion, Verdict, file, print_verdicts};
use crate::cli::client::{Connection, Payload};
use crate::cli::models::version_number;
use crate::cli::table::{Cell, Column, Table};
use crate::cli::{Failure, Output};

#[derive(Args)]
pub(crate) struct Gates {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Declare the gates of a file, or change them; each change makes the next version of a gate
    Apply {
        /// A .yaml, .toml or .json file with one gate, or with a list of them under `gates`
        file: PathBuf,

        #[command(flatten)]
        connection: Connection,
    },
    /// List gates by name
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one gate, as JSON that `apply` takes
    Show {
        /// Its name
        gate: String,

        /// Show every version that it has had
        #[arg(long)]
        versions: bool,

        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a gate
    Delete {
        /// Its name
        gate: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Say what the gates would answer; ends with 5 when one refuses
    Check {
        #[command(flatten)]
        of: OfVersion,

        #[command(flatten)]
        target: TargetOptions,

        #[command(flatten)]
        connection: Connection,
    },
    /// List what gates answered about a version
    Verdicts {
        #[command(flatten)]
        of: OfVersion,

        #[command(flatten)]
        connection: Connection,
    },
    /// Let a version past its gates for a while; everybody who listens hears of it
    BreakGlass {
        #[command(flatten)]
        of: OfVersion,

        #[command(flatten)]
        target: TargetOptions,

        /// Why
        #[arg(long)]
        reason: String,

        /// For how long
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: u32,

        #[command(flatten)]
        connection: Connection,
    },
}

/// What the version is to become.
#[derive(Args)]
#[group(multiple = false)]
struct TargetOptions {
    /// The stage that it is to be in [default: production]
    #[arg(long, value_parser = ["staging", "production"])]
    stage: Option<String>,

    /// The alias that is to point at it
    #[arg(long)]
    alias: Option<String>,

    /// It is to be approved
    #[arg(long)]
    approved: bool,
}

impl TargetOptions {
    fn pair(&self) -> (&'static str, &str) {
        match self {
            TargetOptions { approved: true, .. } => ("approval", "approved"),
            TargetOptions { alias: Some(alias), .. } => ("alias", alias),
            TargetOptions { stage, .. } => ("stage", stage.as_deref().unwrap_or("production")),
        }
    }
}

#[derive(Deserialize)]
struct Gate {
    name: String,
    version: i64,
    definition: Value,
    applied_by: String,
}

#[derive(Deserialize)]
struct GateList {
    gates: Vec<Gate>,
}

#[derive(Deserialize)]
struct Check {
    passed: bool,
    verdicts: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Kept {
    verdicts: Vec<Verdict>,
}

pub(crate) async fn run(output: &Output, Gates { action }: Gates) -> anyhow::Result<()> {
    match action {
        Action::Apply { file, connection } => {
            let gates = file::read(&file)?;
            let client = connection.open().await?;
            let mut applied = Vec::with_capacity(gates.len());
            for gate in gates {
                let gate: Value = client.ask(Method::POST, &["gates"], &[], Payload::Json(gate)).await?;
                output.done(format_args!("gate {} is at version {}", gate["name"], gate["version"]));
                applied.push(gate);
            }
            if output.is_json() { output.json(&json!({ "gates": applied })) } else { Ok(()) }
        }
        Action::List { connection } => {
            let found: Value = connection.open().await?.get(&["gates"], &[]).await?;
            if output.is_json() {
                return output.json(&found);
            }
            let GateList { gates } = serde_json::from_value(found)?;
            output.all(&table(&gates), "gate")
        }
        Action::Show { gate, versions, connection } => {
            let client = connection.open().await?;
            if versions {
                return output.json(&client.get::<Value>(&["gates", &gate, "versions"], &[]).await?);
            }
            let found: Value = client.get(&["gates", &gate], &[]).await?;
            output.json(if output.is_json() { &found } else { &found["definition"] })
        }
        Action::Delete { gate, connection } => {
            let client = connection.open().await?;
            client.send(Method::DELETE, &["gates", &gate], &[], Payload::Nothing).await?;
            output.done(format_args!("deleted gate {gate}"));
            if output.is_json() { output.json(&json!({ "name": gate })) } else { Ok(()) }
        }
        Action::Check { of: OfVersion { model, version }, target, connection } => {
            let client = connection.open().await?;
            let number = version_number(&client, &model, &version).await?;
            let (kind, value) = target.pair();
            let path = ["models", &model, "versions", &number, "gate-check"];
            let found: Value = client.get(&path, &[(kind, value)]).await?;
            let target = format!("{kind} {value}");
            if output.is_json() {
                output.json(&found)?;
            }
            let Check { passed, verdicts } = serde_json::from_value(found)?;
            if !output.is_json() {
                print_verdicts(output, &verdicts)?;
            }
            if !passed {
                return Err(Failure::gate(format!("version {number} of '{model}' does not pass to {target}")).into());
            }
            match verdicts.is_empty() {
                true => output.say(format_args!("no gate guards {target} of '{model}'")),
                false => output.done(format_args!("version {number} of '{model}' passes to {target}")),
            }
            Ok(())
        }
        Action::Verdicts { of: OfVersion { model, version }, connection } => {
            let client = connection.open().await?;
            let number = version_number(&client, &model, &version).await?;
            let found: Value = client.get(&["models", &model, "versions", &number, "verdicts"], &[]).await?;
            if output.is_json() {
                return output.json(&found);
            }
            let Kept { verdicts } = serde_json::from_value(found)?;
            if verdicts.is_empty() {
                output.say(format_args!("no gate was asked about version {number} of '{model}' yet"));
            }
            print_verdicts(output, &verdicts)
        }
        Action::BreakGlass { of: OfVersion { model, version }, target, reason, minutes, connection } => {
            let client = connection.open().await?;
            let number = version_number(&client, &model, &version).await?;
            let (kind, value) = target.pair();
            let target = format!("{kind} {value}");
            let body = json!({ "target": { kind: value }, "reason": reason, "minutes": minutes });
            let path = ["models", &model, "versions", &number, "gate-exceptions"];
            let made: Value = client.ask(Method::POST, &path, &[], Payload::Json(body)).await?;
            output.done(format_args!(
                "version {number} of '{model}' may pass to {target} for {minutes} minutes, whatever its gates say"
            ));
            if output.is_json() { output.json(&made) } else { Ok(()) }
        }
    }
}

fn table(gates: &[Gate]) -> Table {
    let mut table = Table::new([
        Column::text("NAME"),
        Column::number("VERSION"),
        Column::text("MODELS"),
        Column::text("TARGET"),
        Column::number("RULES"),
        Column::text("BY"),
    ]);
    for Gate { name, version, definition, applied_by } in gates {
        let target = definition["target"].as_object().into_iter().flatten();
        let target: Vec<String> =
            target.map(|(kind, value)| format!("{kind} {}", value.as_str().unwrap_or_default())).collect();
        table.row([
            Cell::from(name),
            Cell::from(version.to_string()),
            Cell::from(definition["models"].as_str().unwrap_or_default()),
            Cell::from(target.join(" ")),
            Cell::from(definition["rules"].as_array().map_or(0, Vec::len).to_string()),
            Cell::from(applied_by),
        ]);
    }
    table
}
