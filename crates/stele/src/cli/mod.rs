//! The command line: what it takes, one file a command, and what the commands share.
//!
//! Data goes to standard output and talk to standard error. A command gives back `anyhow::Result`; a [`Failure`] in it
//! carries a hint and an exit code. `--json` prints what the native API answers, or a document of the command's own.

mod artifacts;
mod audit;
mod auth;
mod backup;
mod client;
mod completions;
mod doctor;
mod experiments;
mod export;
mod failure;
mod gc;
mod given;
mod governance;
mod human;
mod import;
mod lineage;
mod listing;
mod login;
mod models;
mod output;
mod past;
mod policy;
mod progress;
mod runs;
mod secret;
mod serve;
mod sheet;
mod table;
mod usage;
mod view;
mod webhooks;
mod when;

use std::process::ExitCode;

use crate::observe::Spans;
use crate::operations::LogFormat;
use clap::{Args, Parser, Subcommand};

pub(crate) use self::failure::Failure;
pub(crate) use self::output::Output;
pub(crate) use self::serve::Serve;
pub(crate) use self::usage::failure as usage_failure;

/// One record of a team's machine-learning work, for MLflow clients and more.
#[derive(Parser)]
#[command(version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// File of settings; flags and variables go before it [default: ./stele.toml, if there is one]
    #[arg(long, global = true, env = "STELE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,

    /// What is logged to standard error, such as `debug` or `info,stele_store=debug`
    #[arg(long, global = true, env = "STELE_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Say who uses the server, and who may do what
    Auth(auth::Auth),
    /// Log in at a server
    Login(login::Login),
    /// Log out at a server
    Logout(login::Logout),
    /// Say who you are at a server, and what you may do
    Whoami(login::Whoami),
    /// List, show, create and delete experiments
    Experiments(experiments::Experiments),
    /// List, search, show, compare and delete runs
    Runs(runs::Runs),
    /// List and show registered models, set stages and aliases
    Models(models::Models),
    /// List, export and verify the entries of the audit log
    Audit(audit::Audit),
    /// Tell other systems of events, and see what they were told
    Webhooks(webhooks::Webhooks),
    /// Declare gates, and ask what they answer
    Gate(governance::Gates),
    /// Declare and test a team's own rules, and say who may do what
    Policy(policy::Policies),
    /// Approve a version of a model
    Approve(governance::Decide),
    /// Reject a version of a model
    Reject(governance::Decide),
    /// Move a version of a model through the gates of a stage, in place of the one that is there
    Promote(governance::Promote),
    /// Request reviews of versions, comment on them, list what was said
    Review(governance::Reviews),
    /// Record and list how good versions are on data sets
    Evaluation(governance::Evaluations),
    /// Show what a run, logged model or version was made of, and what was made of it
    Lineage(lineage::Lineage),
    /// List, download and upload files
    Artifacts(artifacts::Artifacts),
    /// Bring in what MLflow kept
    Import(import::Import),
    /// Write the record for other programs
    Export(export::Export),
    /// Copy the record, also while a server serves it
    Backup(backup::Backup),
    /// Free what has been deleted, with its files
    Gc(gc::Gc),
    /// Look for what is wrong, and say how to mend it
    Doctor(doctor::Doctor),
    /// Print what makes a shell complete commands
    Completions(completions::Completions),
}

pub(crate) fn main() -> ExitCode {
    match crate::config::parse().and_then(run) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}

fn run(Cli { global, command }: Cli) -> anyhow::Result<ExitCode> {
    if matches!(command, Command::Serve(_)) {
        crate::heap::limit();
    }
    let output = Output::new(global.json);
    // A server tells how it fares; a command's user wants to hear of what is broken only.
    let usual = if matches!(command, Command::Serve(_)) { "info,refinery_core=warn,postgres=warn" } else { "error" };
    let (format, collector) = match &command {
        Command::Serve(options) => (options.operations.log_format, options.operations.otlp_endpoint.as_deref()),
        _ => (LogFormat::Text, None),
    };
    let spans = collector.map(Spans::to).transpose()?;
    start_log(global.log.as_deref().unwrap_or(usual), format, spans.as_ref())?;
    match command {
        Command::Serve(options) => block_on(crate::serve::run(&output, options))?,
        Command::Auth(options) => block_on(auth::run(&output, options))?,
        Command::Login(options) => block_on(login::login(&output, options))?,
        Command::Logout(options) => block_on(login::logout(&output, options))?,
        Command::Whoami(options) => block_on(login::whoami(&output, options))?,
        Command::Experiments(options) => block_on(experiments::run(&output, options))?,
        Command::Runs(options) => block_on(runs::run(&output, options))?,
        Command::Models(options) => block_on(models::run(&output, options))?,
        Command::Webhooks(options) => block_on(webhooks::run(&output, options))?,
        Command::Audit(options) => return block_on(audit::run(&output, options)),
        Command::Gate(options) => block_on(governance::run(&output, options))?,
        Command::Policy(options) => block_on(policy::run(&output, options))?,
        Command::Approve(options) => block_on(governance::approve(&output, options))?,
        Command::Reject(options) => block_on(governance::reject(&output, options))?,
        Command::Promote(options) => block_on(governance::promote(&output, options))?,
        Command::Review(options) => block_on(governance::reviews(&output, options))?,
        Command::Evaluation(options) => block_on(governance::evaluations(&output, options))?,
        Command::Lineage(options) => block_on(lineage::run(&output, options))?,
        Command::Artifacts(options) => block_on(artifacts::run(&output, options))?,
        Command::Import(options) => block_on(import::run(&output, options))?,
        Command::Export(options) => block_on(export::run(&output, options))?,
        Command::Backup(options) => block_on(backup::run(&output, options))?,
        Command::Gc(options) => block_on(gc::run(&output, options))?,
        Command::Doctor(options) => return block_on(doctor::run(&output, &global, options)),
        Command::Completions(options) => completions::run(&output, &options)?,
    }
    if let Some(spans) = spans {
        spans.finish();
    }
    Ok(ExitCode::SUCCESS)
}

fn start_log(filter: &str, format: LogFormat, spans: Option<&Spans>) -> anyhow::Result<()> {
    use std::io::IsTerminal;

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(format!("'{filter}' is no filter of logs: {error}"))
            .hint("a level such as --log debug, or levels by place such as --log info,stele_store=debug")
    })?;
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal() && console::colors_enabled_stderr()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(log.with_filter(filter)).with(spans.map(Spans::layer)).init();
    Ok(())
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    use anyhow::Context;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
