//! The `stele` command.

mod api;
mod beacon;
mod cli;
mod config;
mod guard;
mod place;
mod serve;
mod system;
mod webhooks;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
