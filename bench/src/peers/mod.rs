//! The servers that are measured: how each is started, and where its data lies.

mod database;
mod running;
mod server;

pub(crate) use database::PostgresDatabase;
pub(crate) use running::Running;
pub(crate) use server::{Server, free_port};

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::options::{Database, Options, PeerName};

/// A server with its settings and its database: a line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) database: Database,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stele,
    Mlflow,
    /// MLflow's server with one worker process instead of its usual four.
    MlflowOneWorker,
    FastTrackMl,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Stele => "Stele",
            Kind::Mlflow => "MLflow",
            Kind::MlflowOneWorker => "MLflow, 1 worker",
            Kind::FastTrackMl => "FastTrackML",
        }
    }
}

impl Target {
    /// What to measure, in order.
    pub(crate) fn all(options: &Options) -> Vec<Target> {
        let peers = options.peers();
        let mut targets = Vec::new();
        for database in [Database::Sqlite, Database::Postgres] {
            if !options.databases.contains(&database) || (database == Database::Postgres && options.postgres.is_none())
            {
                continue;
            }
            let kinds: &[(PeerName, Kind)] = match database {
                Database::Sqlite => &[
                    (PeerName::Stele, Kind::Stele),
                    (PeerName::Mlflow, Kind::Mlflow),
                    (PeerName::Mlflow, Kind::MlflowOneWorker),
                    (PeerName::Fasttrackml, Kind::FastTrackMl),
                ],
                Database::Postgres => &[(PeerName::Stele, Kind::Stele), (PeerName::Mlflow, Kind::Mlflow)],
            };
            let wanted = kinds.iter().filter(|(peer, _)| peers.contains(peer));
            targets.extend(wanted.map(|(_, kind)| Target { kind: *kind, database }));
        }
        targets
    }

    /// The file of the server's SQLite database.
    pub(crate) fn sqlite_file(self, data: &Path) -> PathBuf {
        match self.kind {
            Kind::Stele => data.join("stele.db"),
            Kind::Mlflow | Kind::MlflowOneWorker => data.join("mlflow.db"),
            Kind::FastTrackMl => data.join("fasttrackml.db"),
        }
    }

    /// The command that serves at `port` from `data`, and from `postgres` if that is the database.
    fn command(self, options: &Options, port: u16, data: &Path, postgres: Option<&str>) -> Result<Command> {
        let sqlite = self.sqlite_file(data);
        let sqlite = sqlite.display();
        let artifacts = data.join("artifacts");
        let address = ["--host".to_owned(), "127.0.0.1".to_owned(), "--port".to_owned(), port.to_string()];
        match self.kind {
            Kind::Stele => {
                let mut command = Command::new(found(&options.stele, "cargo build --release -p stele")?);
                command.arg("serve").args(address).arg("--data").arg(data).arg("--artifacts").arg(artifacts);
                let database = postgres.map_or_else(|| format!("sqlite:{sqlite}"), str::to_owned);
                command.arg("--database").arg(database);
                Ok(command)
            }
            Kind::Mlflow | Kind::MlflowOneWorker => {
                let mut command =
                    Command::new(found(&options.environment.join("bin/mlflow"), "scripts/venv.sh bench")?);
                command.arg("server").args(address).arg("--artifacts-destination").arg(artifacts);
                let database = postgres.map_or_else(
                    || format!("sqlite:///{sqlite}"),
                    |url| url.replacen("postgres://", "postgresql://", 1),
                );
                command.arg("--backend-store-uri").arg(database);
                if self.kind == Kind::MlflowOneWorker {
                    command.args(["--workers", "1"]);
                }
                // It would tell its makers of being measured.
                command.env("MLFLOW_DISABLE_TELEMETRY", "true");
                Ok(command)
            }
            Kind::FastTrackMl => {
                if postgres.is_some() {
                    bail!("FastTrackML is measured on SQLite only");
                }
                let mut command = Command::new(found(&options.environment.join("bin/fml"), "scripts/venv.sh bench")?);
                command.arg("server").arg("--listen-address").arg(format!("127.0.0.1:{port}"));
                command.arg("--database-uri").arg(format!("sqlite://{sqlite}"));
                command.arg("--default-artifact-root").arg(artifacts);
                Ok(command)
            }
        }
    }
}

/// The file, if it is there.
fn found(file: &Path, hint: &str) -> Result<PathBuf> {
    match std::fs::canonicalize(file) {
        Ok(_) => Ok(std::path::absolute(file)?),
        Err(error) => bail!("{}: {error}\nhint: {hint}", file.display()),
    }
}
