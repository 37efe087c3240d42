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
mod scenarios;
mod seed;
mod table;
mod template;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use tempfile::TempDir;

use crate::bench::Bench;
use crate::figure::{Figure, Unit};
use crate::machine::Machine;
use crate::options::{Cli, Command, Options};
use crate::peers::{Server, Target};

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
    if options.postgres.is_none() {
        eprintln!("no PostgreSQL: start this through scripts/postgres.sh");
    }

    let mut figures = Vec::new();
    for target in Target::all(options) {
        eprintln!("{} on {:?}", target.kind.name(), target.database);
        figures.extend(measure(options, target, scratch.path()));
    }
    eprintln!("limits of the machine");
    match limits::measure(options, scratch.path(), &figures) {
        Ok(limits) => figures.extend(limits),
        Err(error) => {
            figures.push(
                Figure::limit("limits", None, "limits", Unit::Milliseconds, f64::NAN).failed(format!("{error:#}")),
            );
        }
    }

    let figures = table::arrange(&figures);
    let took =
        format!("measured in {} s, {} s a measurement", started.elapsed().as_secs(), options.seconds().as_secs_f64());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n{}\n{took}", machine.text(), table::text(&figures))?;
    if let Some(file) = &options.json {
        let all = json!({ "machine": machine, "seconds": options.seconds().as_secs_f64(), "figures": figures });
        std::fs::write(file, serde_json::to_string_pretty(&all)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &options.markdown {
        let text = format!("{}\n{}\n{took}\n", machine.markdown(), table::markdown(&figures));
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // A peer that fails is told in the table; it is no fault of this repository.
    Ok(figures.iter().all(|figure| !figure.failed || (!figure.is_limit && figure.subject != "Stele")))
}

/// Every figure of one server. What goes wrong is a figure too, and does not keep the next server from its turn.
fn measure(options: &Options, target: Target, scratch: &std::path::Path) -> Vec<Figure> {
    let server = match Server::prepare(options, target, scratch) {
        Ok(server) => server,
        Err(error) => return vec![did_not_run(target, "start", &error)],
    };
    let mut bench = Bench { options, server, figures: Vec::new(), seeded_runs: None };
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
    bench.figures
}

fn did_not_run(target: Target, name: &str, error: &anyhow::Error) -> Figure {
    let figure = Figure::new(name, Some(target.database), target.kind.name(), Unit::Milliseconds, f64::NAN);
    figure.failed(format!("{error:#}"))
}
