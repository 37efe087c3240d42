//! Counts the instructions of the hot paths under callgrind and compares them with the committed baseline.
//!
//! A clock tells a loaded machine from an idle one sooner than a slow program from a fast one; instructions of the same
//! binary hardly vary. The cost of one operation is what a process that does many of them executes beyond one that does
//! a few, so starting, filling caches and building the requests cancel out, and all threads count.

mod baseline;
mod callgrind;
mod paths;
mod record;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

use baseline::Baseline;
use paths::HotPath;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count, and fail when a path costs more than the baseline allows
    Check(Counting),
    /// Count, and write the counts as the new baseline
    Write(Counting),
    /// Do some operations of one path; what callgrind is put around
    #[command(hide = true)]
    Repeat { path: String, folder: PathBuf, operations: usize },
}

#[derive(clap::Args)]
struct Counting {
    /// The file with the counts to compare with
    #[arg(long, default_value = "crates/instructions/baseline.json")]
    baseline: PathBuf,

    /// Where to leave callgrind's output, for callgrind_annotate
    #[arg(long, default_value = "target/instructions")]
    profiles: PathBuf,

    /// Only these paths
    paths: Vec<String>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Check(counting) => check(&counting),
        Command::Write(counting) => write(&counting),
        Command::Repeat { path, folder, operations } => repeat(&path, &folder, operations).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no path got dearer.
fn check(counting: &Counting) -> Result<bool> {
    let baseline = Baseline::read(&counting.baseline)?;
    let counted = count(counting)?;
    let comparison = baseline.compare(&counted);
    eprint!("{comparison}");
    Ok(comparison.is_fine())
}

fn write(counting: &Counting) -> Result<bool> {
    if !counting.paths.is_empty() {
        bail!("a baseline holds all paths: name none");
    }
    let counted = count(counting)?;
    if let Ok(old) = Baseline::read(&counting.baseline) {
        eprint!("{}", old.compare(&counted));
    }
    counted.write(&counting.baseline)?;
    eprintln!("wrote {}", counting.baseline.display());
    Ok(true)
}

fn count(counting: &Counting) -> Result<Baseline> {
    let wanted: Vec<&HotPath> = match counting.paths.as_slice() {
        [] => paths::ALL.iter().collect(),
        names => names.iter().map(|name| paths::find(name)).collect::<Result<_>>()?,
    };
    std::fs::create_dir_all(&counting.profiles)
        .with_context(|| format!("cannot make the folder {}", counting.profiles.display()))?;
    let prepared = tempfile::tempdir().context("cannot make a scratch folder")?;
    server::run(record::prepare(prepared.path()))?;
    let instructions = callgrind::count(&wanted, prepared.path(), &counting.profiles)?;
    Ok(Baseline { toolchain: callgrind::toolchain()?, instructions })
}

fn repeat(path: &str, folder: &std::path::Path, operations: usize) -> Result<()> {
    server::run(paths::find(path)?.repeat(folder, operations))
}
