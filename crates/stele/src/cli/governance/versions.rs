use std::collections::BTreeMap;

use anyhow::Context;
use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use stele_domain::id::Clock;

use super::OfVersion;
use crate::cli::client::{Connection, Payload};
use crate::cli::models::version_number;
use crate::cli::table::{Cell, Column, Table};
use crate::cli::{Failure, Output, human, view};
use crate::system::SystemClock;

#[derive(Args)]
pub(crate) struct Decide {
    #[command(flatten)]
    of: OfVersion,

    /// Why
    #[arg(long, short, default_value = "")]
    reason: String,

    /// After how many days the decision counts no more
    #[arg(long, value_name = "DAYS")]
    expires_in: Option<u32>,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(crate) struct Comment {
    #[command(flatten)]
    of: OfVersion,

    /// What to say
    text: String,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(crate) struct Promote {
    #[command(flatten)]
    of: OfVersion,

    /// The stage to move it to
    #[arg(long, default_value = "production", value_parser = ["staging", "production"])]
    stage: String,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(crate) struct Reviews {
    #[command(subcommand)]
    action: ReviewAction,
}

#[derive(Subcommand)]
enum ReviewAction {
    /// Ask others to decide on a version
    Request(Decide),
    /// Say something about a version
    Comment(Comment),
    /// Take back one's own decision
    Withdraw(Decide),
    /// List what was said of a version
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        of: OfVersion,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Args)]
pub(crate) struct Evaluations {
    #[command(subcommand)]
    action: EvaluationAction,
}

#[derive(Subcommand)]
enum EvaluationAction {
    /// List the evaluations that gates see of a version
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        of: OfVersion,

        #[command(flatten)]
        connection: Connection,
    },
    /// Record how good a version is on a data set
    Record {
        #[command(flatten)]
        of: OfVersion,

        /// The digest of the data set
        #[arg(long)]
        digest: String,

        /// The name of the data set
        #[arg(long, default_value = "")]
        dataset: String,

        /// A metric such as auc=0.91, or auc@SLICE=0.88 for a part of the data set; may be given many times
        #[arg(long = "metric", short, required = true, value_name = "KEY=VALUE")]
        metrics: Vec<String>,

        /// Where the report is
        #[arg(long)]
        report: Option<String>,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Deserialize)]
struct Review {
    review: String,
    person: String,
    reason: String,
    at: i64,
}

#[derive(Deserialize)]
struct Evaluation {
    source: String,
    dataset: String,
    digest: String,
    at: i64,
    metrics: BTreeMap<String, f64>,
    slices: BTreeMap<String, BTreeMap<String, f64>>,
    artifacts_changed: bool,
}

pub(crate) async fn approve(output: &Output, options: Decide) -> anyhow::Result<()> {
    say(output, options, "approve").await
}

pub(crate) async fn reject(output: &Output, options: Decide) -> anyhow::Result<()> {
    say(output, options, "reject").await
}

async fn say(output: &Output, options: Decide, review: &str) -> anyhow::Result<()> {
    let Decide { of: OfVersion { model, version }, reason, expires_in, connection } = options;
    let client = connection.open().await?;
    let number = version_number(&client, &model, &version).await?;
    let body = json!({ "review": review, "reason": reason, "expires_in_days": expires_in });
    let path = ["models", &model, "versions", &number, "reviews"];
    let answer: Value = client.ask(Method::POST, &path, &[], Payload::Json(body)).await?;
    let approval = answer["version"]["approval"].as_str().unwrap_or_default();
    output.done(format_args!("version {number} of '{model}' is {approval}"));
    if let Some(missing) = answer["missing"].as_str() {
        output.say(human::harmless(missing));
    }
    if output.is_json() { output.json(&answer) } else { Ok(()) }
}

pub(crate) async fn promote(output: &Output, options: Promote) -> anyhow::Result<()> {
    let Promote { of: OfVersion { model, version }, stage, connection } = options;
    let client = connection.open().await?;
    let number = version_number(&client, &model, &version).await?;
    let change = json!({ "stage": stage, "archive_others": true });
    let path = ["models", &model, "versions", &number, "stage"];
    let moved: Value = client.ask(Method::PUT, &path, &[], Payload::Json(change)).await?;
    output.done(format_args!("version {number} of '{model}' is in stage {stage}"));
    if output.is_json() { output.json(&moved) } else { Ok(()) }
}

pub(crate) async fn reviews(output: &Output, Reviews { action }: Reviews) -> anyhow::Result<()> {
    let (of, connection) = match action {
        ReviewAction::Request(options) => return say(output, options, "request").await,
        ReviewAction::Comment(Comment { of, text, connection }) => {
            return say(output, Decide { of, reason: text, expires_in: None, connection }, "comment").await;
        }
        ReviewAction::Withdraw(options) => return say(output, options, "withdraw").await,
        ReviewAction::List { of, connection } => (of, connection),
    };
    let found = of_version(&of, &connection, "reviews").await?;
    if output.is_json() {
        return output.json(&found);
    }
    let reviews: Vec<Review> = serde_json::from_value(found["reviews"].clone())?;
    let now = SystemClock.now();
    let mut table =
        Table::new([Column::whole("WHEN"), Column::text("WHO"), Column::whole("WHAT"), Column::text("REASON")]);
    for Review { review, person, reason, at } in reviews {
        table.row([view::ago_cell(Some(at), now), Cell::from(person), Cell::from(review), Cell::from(reason)]);
    }
    output.all(&table, "review")
}

pub(crate) async fn evaluations(output: &Output, Evaluations { action }: Evaluations) -> anyhow::Result<()> {
    match action {
        EvaluationAction::List { of, connection } => {
            let found = of_version(&of, &connection, "evaluations").await?;
            if output.is_json() {
                return output.json(&found);
            }
            let evaluations: Vec<Evaluation> = serde_json::from_value(found["evaluations"].clone())?;
            let now = SystemClock.now();
            let mut table = Table::new([
                Column::whole("WHEN"),
                Column::text("DATA SET"),
                Column::whole("DIGEST"),
                Column::text("METRICS"),
                Column::text("SOURCE"),
            ]);
            for Evaluation { source, dataset, digest, at, metrics, slices, artifacts_changed } in evaluations {
                let of_slices = slices.iter().flat_map(|(slice, metrics)| {
                    metrics.iter().map(move |(key, value)| format!("{key}@{slice}={}", human::number(*value)))
                });
                let metrics: Vec<String> = metrics
                    .iter()
                    .map(|(key, value)| format!("{key}={}", human::number(*value)))
                    .chain(of_slices)
                    .collect();
                let source = if artifacts_changed { format!("{source} (artifacts changed since)") } else { source };
                table.row([
                    view::ago_cell(Some(at), now),
                    Cell::from(dataset),
                    Cell::from(digest),
                    Cell::from(metrics.join(" ")),
                    Cell::from(source),
                ]);
            }
            output.all(&table, "evaluation")
        }
        EvaluationAction::Record { of: OfVersion { model, version }, digest, dataset, metrics, report, connection } => {
            let (metrics, slices) = values(&metrics)?;
            let client = connection.open().await?;
            let number = version_number(&client, &model, &version).await?;
            let body =
                json!({ "digest": digest, "dataset": dataset, "metrics": metrics, "slices": slices, "report": report });
            let path = ["models", &model, "versions", &number, "evaluations"];
            let made: Value = client.ask(Method::POST, &path, &[], Payload::Json(body)).await?;
            output.done(format_args!("recorded evaluation {} of version {number} of '{model}'", made["evaluation"]));
            if output.is_json() { output.json(&made) } else { Ok(()) }
        }
    }
}

async fn of_version(of: &OfVersion, connection: &Connection, list: &str) -> anyhow::Result<Value> {
    let client = connection.open().await.context("cannot reach the record")?;
    let number = version_number(&client, &of.model, &of.version).await?;
    client.get(&["models", &of.model, "versions", &number, list], &[]).await
}

type Metrics = BTreeMap<String, f64>;

/// Metrics of the whole data set, and of its slices.
fn values(given: &[String]) -> anyhow::Result<(Metrics, BTreeMap<String, Metrics>)> {
    let (mut metrics, mut slices) = (Metrics::new(), BTreeMap::<String, Metrics>::new());
    for text in given {
        let parsed = text.rsplit_once('=').and_then(|(key, value)| Some((key, value.parse::<f64>().ok()?)));
        let (key, value) = parsed.filter(|(key, value)| !key.is_empty() && value.is_finite()).ok_or_else(|| {
            Failure::usage(format!("'{text}' is no metric")).hint("metrics look like auc=0.91 or auc@young=0.88")
        })?;
        match key.split_once('@') {
            Some((key, slice)) => slices.entry(slice.to_owned()).or_default().insert(key.to_owned(), value),
            None => metrics.insert(key.to_owned(), value),
        };
    }
    Ok((metrics, slices))
}
