//! The `stele` command.

mod api;
mod beacon;
mod cli;
mod client_address;
mod config;
mod decision;
mod front_page;
mod guard;
mod heap;
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
mod unread;
mod webhook_formats;
mod webhooks;
#[cfg(test)]
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
