use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures Stele beside its peers and beside what the machine can do.
#[derive(Parser)]
#[command(name = "make bench", bin_name = "stele-bench")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// A route that does nothing, which the harness starts as the limit of small requests
    #[command(hide = true)]
    Hello { port: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerName {
    Stele,
    Mlflow,
    Fasttrackml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

#[derive(Args)]
pub(crate) struct Options {
    /// Measure only what matches, such as 'log-batch/*' or 'search/10000/*'; * stands for any text
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Servers to measure [default: all; with --quick only stele]
    #[arg(long, value_delimiter = ',')]
    pub(crate) peers: Vec<PeerName>,

    /// Databases to measure on
    #[arg(long, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    pub(crate) databases: Vec<Database>,

    /// Small sizes and short measurements: shows that everything runs, not how fast
    #[arg(long)]
    pub(crate) quick: bool,

    /// How long each measurement of writes takes [default: 5; with --quick 0.6]
    #[arg(long)]
    seconds: Option<f64>,

    /// Parts of a measurement, of which the median counts
    #[arg(long, default_value_t = 3)]
    pub(crate) repeats: usize,

    /// The longest that filling a server with one set of data may take; larger sets are left out with a note
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    seed_seconds: u64,

    /// The longest that one request may take; slower ones are left out with a note
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    request_seconds: u64,

    /// Load each server at a steady pace for so long, and look at its memory
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    soak: u64,

    /// Numbers of runs to search in [default: 10000,100000,1000000; with --quick 1000]
    #[arg(long, value_delimiter = ',', value_name = "RUNS")]
    search_runs: Vec<u64>,

    /// Lengths of series to read [default: 1000000,10000000; with --quick 20000]
    #[arg(long, value_delimiter = ',', value_name = "POINTS")]
    history_points: Vec<u64>,

    /// Lengths of the audit log to verify [default: 1000000,10000000; with --quick 20000]
    #[arg(long, value_delimiter = ',', value_name = "ENTRIES")]
    audit_entries: Vec<u64>,

    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Folder for the databases and files of the servers; its file system is what is measured
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub(crate) scratch: PathBuf,

    /// The server to measure
    #[arg(long, default_value = "target/release/stele", value_name = "FILE")]
    pub(crate) stele: PathBuf,

    /// Python environment with the peers
    #[arg(long, default_value = ".venv/bench", value_name = "DIR")]
    pub(crate) environment: PathBuf,

    /// A superuser's URL of a PostgreSQL cluster; scripts/postgres.sh sets it
    #[arg(long, env = "STELE_TEST_POSTGRES", hide_env_values = true, value_name = "URL")]
    pub(crate) postgres: Option<String>,
}

impl Database {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Database::Sqlite => "SQLite",
            Database::Postgres => "PostgreSQL",
        }
    }
}

impl Options {
    pub(crate) fn peers(&self) -> Vec<PeerName> {
        match (self.peers.is_empty(), self.quick) {
            (false, _) => self.peers.clone(),
            (true, true) => vec![PeerName::Stele],
            (true, false) => vec![PeerName::Stele, PeerName::Mlflow, PeerName::Fasttrackml],
        }
    }

    pub(crate) fn seconds(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 0.6 } else { 5.0 }).clamp(0.1, 3600.0))
    }

    pub(crate) fn seed_time(&self) -> Duration {
        Duration::from_secs(self.seed_seconds)
    }

    pub(crate) fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_seconds.max(1))
    }

    pub(crate) fn soak(&self) -> Option<Duration> {
        (self.soak > 0).then(|| Duration::from_secs(self.soak))
    }

    pub(crate) fn search_runs(&self) -> Vec<u64> {
        sizes(&self.search_runs, if self.quick { &[1_000] } else { &[10_000, 100_000, 1_000_000] })
    }

    pub(crate) fn history_points(&self) -> Vec<u64> {
        sizes(&self.history_points, if self.quick { &[20_000] } else { &[1_000_000, 10_000_000] })
    }

    pub(crate) fn audit_entries(&self) -> Vec<u64> {
        sizes(&self.audit_entries, if self.quick { &[20_000] } else { &[1_000_000, 10_000_000] })
    }

    pub(crate) fn large_artifact_bytes(&self) -> u64 {
        if self.quick { 16 << 20 } else { 1 << 30 }
    }

    pub(crate) fn small_artifacts(&self) -> usize {
        if self.quick { 100 } else { 10_000 }
    }

    pub(crate) fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|glob| matches(glob, id))
    }
}

fn sizes(given: &[u64], usual: &[u64]) -> Vec<u64> {
    let mut sizes = if given.is_empty() { usual.to_vec() } else { given.to_vec() };
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Whether `text` is what `glob` says, where each `*` stands for any text.
fn matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("log-batch/*", "log-batch/16-clients"));
        assert!(matches("search/*/metric*", "search/10000/metric-by-start"));
        assert!(matches("*", "anything"));
        assert!(matches("start/empty", "start/empty"));
        assert!(!matches("start", "start/empty"));
        assert!(!matches("*/16", "log-batch/16-clients"));
    }
}
