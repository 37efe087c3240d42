mod compare;
mod list;
mod show;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Output;
use super::client::{Connection, Payload};

#[derive(Args)]
pub(crate) struct Runs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List runs, the newest first
    #[command(visible_alias = "ls")]
    List {
        /// A condition in MLflow's language, such as "metrics.loss < 0.3 AND params.optimizer = 'adam'"
        #[arg(long, short, value_name = "CONDITION")]
        filter: Option<String>,

        #[command(flatten)]
        options: list::Options,
    },
    /// Search runs by a condition
    Search {
        /// A condition in MLflow's language, such as "metrics.loss < 0.3 AND params.optimizer = 'adam'"
        #[arg(value_name = "CONDITION")]
        filter: String,

        #[command(flatten)]
        options: list::Options,
    },
    /// Show one run with its params, metrics and tags
    Show(show::Show),
    /// Put runs side by side, what differs first
    Compare(compare::Compare),
    /// Move runs to the trash
    Delete(Named),
    /// Take runs out of the trash
    Restore(Named),
}

#[derive(Args)]
struct Named {
    /// Their ids
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,

    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(output: &Output, Runs { action }: Runs) -> anyhow::Result<()> {
    match action {
        Action::List { filter, options } => list::run(output, filter.as_deref().unwrap_or_default(), options).await,
        Action::Search { filter, options } => list::run(output, &filter, options).await,
        Action::Show(options) => show::run(output, options).await,
        Action::Compare(options) => compare::run(output, options).await,
        Action::Delete(named) => each(output, named, Method::DELETE, &[], "moved run", "to the trash").await,
        Action::Restore(named) => each(output, named, Method::POST, &["restore"], "took run", "out of the trash").await,
    }
}

/// Does the same to each run; the first refusal ends it, and what was done before stays.
async fn each(
    output: &Output,
    Named { runs, connection }: Named,
    method: Method,
    then: &[&str],
    did: &str,
    to_where: &str,
) -> anyhow::Result<()> {
    let client = connection.open().await?;
    for id in &runs {
        let path: Vec<&str> = ["runs", id].into_iter().chain(then.iter().copied()).collect();
        client.send(method.clone(), &path, &[], Payload::Nothing).await?;
        output.done(format_args!("{did} {id} {to_where}"));
    }
    if output.is_json() { output.json(&json!({ "ids": runs })) } else { Ok(()) }
}
