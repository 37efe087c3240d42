//! The `stele` command.

mod api;
mod cli;
mod front_page;
mod guard;
mod listen;
mod mlflow_ui;
mod observe;
mod operations;
mod paths;
mod serve;
mod system;
mod tls;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let outcome = match cli.command {
        cli::Command::Serve(options) => serve::run(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
