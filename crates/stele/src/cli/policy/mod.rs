//! Commands about a team's own rules: what they are, what they decide, and whether they decide what was meant.

mod cases;
mod file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use stele_domain::policy::Policy;

use super::client::{Client, Connection, Payload};
use super::human::harmless;
use super::table::{Cell, Column, Table};
use super::{Output, when};
use crate::decision::{self, DecisionDto, IntentDto};

#[derive(Args)]
pub(crate) struct Policies {
    #[command(subcommand)]
    action: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// List policies by name
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show the text of one policy
    Show {
        /// Its name
        policy: String,

        /// Show every version that it has had, as JSON
        #[arg(long)]
        versions: bool,

        #[command(flatten)]
        connection: Connection,
    },
    /// Declare policies, or change them; each change makes the next version of a policy
    Apply {
        /// Files of rules; policy `critical` is in `critical.cedar`
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// Keep them without asking them
        #[arg(long)]
        disabled: bool,

        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a policy; its versions stay
    #[command(visible_alias = "delete")]
    Remove {
        /// Its name
        policy: String,

        #[command(flatten)]
        connection: Connection,
    },
    /// Print what rules can speak of, in Cedar's language for schemas
    Schema,
    /// Check rules before they hold; ends with 1 when a case comes out otherwise than it expects
    Test {
        /// Files of rules [default: the policies of the record, which is then looked for]
        files: Vec<PathBuf>,

        /// A .toml file of cases: who does what, and what is to come of it; docs/POLICY.md describes it
        #[arg(long, value_name = "FILE")]
        cases: Option<PathBuf>,

        #[command(flatten)]
        connection: Connection,
    },
    /// Say whether somebody may do something, and which roles or rules decide it
    Explain(Box<Explain>),
}

#[derive(Args)]
struct Explain {
    /// The name of an account
    who: String,

    /// Such as model:promote
    verb: String,

    /// `workspace`, `experiment:ID`, `model:NAME` or `model:NAME/VERSION`
    what: String,

    /// As if the experiment or version had this tag
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,

    /// As if the model had this tag
    #[arg(long = "model-tag", value_name = "KEY=VALUE", value_parser = pair)]
    model_tags: Vec<(String, String)>,

    /// The stage that the version is to enter
    #[arg(long)]
    stage: Option<String>,

    /// How the version is to be decided on: approved, rejected or pending
    #[arg(long)]
    approval: Option<String>,

    /// The alias that is to be set or removed
    #[arg(long)]
    alias: Option<String>,

    /// What is made is to be called, or renamed to
    #[arg(long)]
    new_name: Option<String>,

    /// The key of a tag that is to be set or removed
    #[arg(long = "changed-tag", value_name = "KEY")]
    changed_tags: Vec<String>,

    /// When, such as 2026-11-27T10:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    at: Option<stele_domain::id::Timestamp>,

    /// The wire API that is used: mlflow, sagemaker, aws or native [default: native]
    #[arg(long)]
    script: Option<String>,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    version: i64,
    enabled: bool,
    rules: i64,
    text: String,
    applied_by: String,
}

#[derive(Deserialize)]
struct FoundList {
    policies: Vec<Found>,
}

#[derive(Deserialize)]
struct Explained {
    account: String,
    verb: String,
    what: String,
    #[serde(flatten)]
    decision: DecisionDto,
}

pub(crate) async fn run(output: &Output, Policies { action }: Policies) -> anyhow::Result<()> {
    match action {
        Subject::List { connection } => {
            let found: Value = connection.open().await?.get(&["policies"], &[]).await?;
            if output.is_json() {
                return output.json(&found);
            }
            let FoundList { policies } = serde_json::from_value(found)?;
            output.all(&table(&policies), "policy")
        }
        Subject::Show { policy, versions, connection } => {
            let client = connection.open().await?;
            if versions {
                return output.json(&client.get::<Value>(&["policies", &policy, "versions"], &[]).await?);
            }
            let found: Value = client.get(&["policies", &policy], &[]).await?;
            if output.is_json() {
                return output.json(&found);
            }
            let Found { text, .. } = serde_json::from_value(found)?;
            output.text(&text)
        }
        Subject::Apply { files, disabled, connection } => {
            // All of them are read before one of them holds.
            let policies = files.iter().map(|file| file::read(file)).collect::<anyhow::Result<Vec<Policy>>>()?;
            let client = connection.open().await?;
            let mut applied = Vec::with_capacity(policies.len());
            for Policy { name, text, .. } in policies {
                let body = json!({ "text": text, "enabled": !disabled });
                let found: Value = client.ask(Method::PUT, &["policies", &name], &[], Payload::Json(body)).await?;
                output.done(format_args!("policy {name} is at version {}", found["version"]));
                applied.push(found);
            }
            if output.is_json() { output.json(&json!({ "policies": applied })) } else { Ok(()) }
        }
        Subject::Remove { policy, connection } => {
            let client = connection.open().await?;
            client.send(Method::DELETE, &["policies", &policy], &[], Payload::Nothing).await?;
            output.done(format_args!("deleted policy {policy}"));
            if output.is_json() { output.json(&json!({ "name": policy })) } else { Ok(()) }
        }
        Subject::Schema => match output.is_json() {
            true => output.json(&json!({ "text": stele_policy::SCHEMA })),
            false => output.text(stele_policy::SCHEMA),
        },
        Subject::Test { files, cases, connection } => {
            let policies = match files.is_empty() {
                true => kept(&connection.open().await?).await?,
                false => files.iter().map(|file| file::read(file)).collect::<anyhow::Result<Vec<Policy>>>()?,
            };
            cases::test(output, &policies, cases.as_deref())
        }
        Subject::Explain(question) => explain(output, *question).await,
    }
}

/// The policies that hold in a record.
async fn kept(client: &Client) -> anyhow::Result<Vec<Policy>> {
    let FoundList { policies } = client.get(&["policies"], &[]).await?;
    let kept = policies.into_iter().map(|Found { name, text, enabled, .. }| Policy { name, text, enabled });
    Ok(kept.collect())
}

async fn explain(output: &Output, question: Explain) -> anyhow::Result<()> {
    let Explain {
        who,
        verb,
        what,
        tags,
        model_tags,
        stage,
        approval,
        alias,
        new_name,
        changed_tags,
        at,
        script,
        connection,
    } = question;
    let change = IntentDto { target_stage: stage, target_approval: approval, alias, new_name, changed_tags };
    let usage = |message: String| anyhow::Error::from(super::Failure::usage(message));
    decision::verb(&verb).map_err(usage)?;
    decision::thing(&what).map_err(usage)?;
    let body = json!({
        "account": who, "verb": verb, "what": what, "change": change, "script": script,
        "tags": tags.into_iter().collect::<BTreeMap<_, _>>(),
        "model_tags": model_tags.into_iter().collect::<BTreeMap<_, _>>(),
        "at": at.map(|at| at.0),
    });
    let client = connection.open().await?;
    let found: Value = client.ask(Method::POST, &["policy-explanations"], &[], Payload::Json(body)).await?;
    if output.is_json() {
        return output.json(&found);
    }
    let Explained { account, verb, what, decision } = serde_json::from_value(found)?;
    let may = if decision.allowed { "may" } else { "may not" };
    output.text(&format!("{}\n", harmless(&format!("{account} {may} do {verb} to {what}: {}", decision.says()))))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or_else(|| format!("expected KEY=VALUE, not '{text}'"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn table(policies: &[Found]) -> Table {
    let mut table = Table::new([
        Column::text("NAME"),
        Column::number("VERSION"),
        Column::text("ENABLED"),
        Column::number("RULES"),
        Column::text("BY"),
    ]);
    for Found { name, version, enabled, rules, text: _, applied_by } in policies {
        table.row([
            Cell::from(name),
            Cell::from(version.to_string()),
            Cell::from(if *enabled { "yes" } else { "no" }),
            Cell::from(rules.to_string()),
            Cell::from(applied_by),
        ]);
    }
    table
}
