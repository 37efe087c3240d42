//! The `stele` command.

mod api;
mod beacon;
mod cli;
mod config;
mod front_page;
mod guard;
mod listen;
mod login;
mod mlflow_ui;
mod observe;
mod operations;
mod paths;
mod place;
mod serve;
mod system;
mod tls;
mod webhooks;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
