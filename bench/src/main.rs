//! Measures Stele beside its peers, and beside what the same machine does for the same bytes without any server.

mod api;
mod bench;
mod figure;
mod http;
mod interrupt;
mod latency;
mod limits;
mod load;
mod machine;
mod options;
mod peers;
mod process;
mod report;
mod scenarios;
mod seed;
mod table;
mod template;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use tempfile::TempDir;

use crate::bench::Bench;
use crate::figure::{Figure, Unit};
use crate::machine::Machine;
use crate::options::{Cli, Command, Options};
use crate::peers::{Server, Target};
use crate::report::Report;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Some(Command::Hello { port }) => limits::hello::serve(port).map(|()| true),
        None => run(&cli.options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: some figures failed, see the table");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether every figure could be trusted.
fn run(options: &Options) -> Result<bool> {
    let started = Instant::now();
    std::fs::create_dir_all(&options.scratch)
        .with_context(|| format!("cannot make the folder {}", options.scratch.display()))?;
    let scratch = TempDir::new_in(std::path::absolute(&options.scratch)?)?;
    interrupt::add_folder(scratch.path().to_owned());
    interrupt::watch()?;
    let sync = limits::sync::latency(scratch.path(), 200)?;
    let machine = Machine::describe(options, scratch.path(), sync.p50);
    eprint!("{}", machine.text());
    let report = Report::begin(options, machine, started);
    if options.postgres.is_none() {
        eprintln!("no PostgreSQL: start this through scripts/postgres.sh");
    }

    for target in Target::all(options) {
        eprintln!("{} on {:?}", target.kind.name(), target.database);
        measure(options, target, scratch.path());
    }
    eprintln!("limits of the machine");
    if let Err(error) = limits::measure(options, scratch.path(), &report::figures()) {
        report::add(Figure::limit("limits", None, "limits", Unit::Milliseconds, f64::NAN).failed(format!("{error:#}")));
    }
    let figures = report.finish()?;
    // A peer that fails is told in the table; it is no fault of this repository.
    Ok(figures.iter().all(|figure| !figure.failed || (!figure.is_limit && figure.subject != "Stele")))
}

/// Measures one server. What goes wrong is a figure too, and does not keep the next server from its turn.
fn measure(options: &Options, target: Target, scratch: &std::path::Path) {
    let server = match Server::prepare(options, target, scratch) {
        Ok(server) => server,
        Err(error) => return report::add(did_not_run(target, "start", &error)),
    };
    let mut bench = Bench { options, server, seeded_runs: None };
    for scenario in scenarios::of(target, options) {
        if let Err(error) = scenario.run(&mut bench) {
            let figure = did_not_run(target, scenario.name, &error);
            bench.record(figure);
            // It may still be busy with what it could not answer.
            bench.server.stop();
        }
        if !bench.server.is_running()
            && let Err(error) = bench.server.start()
        {
            let figure = did_not_run(target, scenario.name, &error);
            bench.record(figure);
            break;
        }
    }
}

fn did_not_run(target: Target, name: &str, error: &anyhow::Error) -> Figure {
    let figure = Figure::new(name, Some(target.database), target.kind.name(), Unit::Milliseconds, f64::NAN);
    figure.failed(format!("{error:#}"))
}
