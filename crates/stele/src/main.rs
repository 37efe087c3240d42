//! The `stele` command.

mod cli;
mod guard;
mod serve;
mod system;

use std::process::ExitCode;

use clap::Parser;

/// A fifth less work for small requests than with the allocator of the C library. SQLite allocates with it as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
