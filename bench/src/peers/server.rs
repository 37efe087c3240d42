use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use tempfile::TempDir;

use super::{PostgresDatabase, Running, Target};
use crate::options::{Database, Options};

/// A server over a database and a folder of its own. Dropping it ends its processes and removes its data.
pub(crate) struct Server<'a> {
    options: &'a Options,
    pub(crate) target: Target,
    pub(crate) port: u16,
    running: Option<Running>,
    // Dropped after the process.
    pub(crate) postgres: Option<PostgresDatabase>,
    data: TempDir,
    scratch: PathBuf,
}

impl<'a> Server<'a> {
    /// Prepares a server, without starting it.
    pub(crate) fn prepare(options: &'a Options, target: Target, scratch: &Path) -> Result<Server<'a>> {
        let postgres = database(options, target)?;
        let data = TempDir::new_in(scratch)?;
        Ok(Server { options, target, port: 0, running: None, postgres, data, scratch: scratch.to_owned() })
    }

    /// Ends the server and forgets all that it was given.
    pub(crate) fn renew(&mut self) -> Result<()> {
        self.stop();
        self.postgres = None;
        self.postgres = database(self.options, self.target)?;
        self.data = TempDir::new_in(&self.scratch)?;
        Ok(())
    }

    /// Starts the server, again if it runs, and waits for its first true answer. Gives how long that took.
    pub(crate) fn start(&mut self) -> Result<Duration> {
        self.stop();
        self.port = free_port()?;
        let url = self.postgres.as_ref().map(|database| database.url.as_str());
        let mut command = self.target.command(self.options, self.port, self.data.path(), url)?;
        command.current_dir(self.data.path());
        let (running, took) = Running::start(command, self.port, &self.data.path().join("server.log"))?;
        self.running = Some(running);
        Ok(took)
    }

    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The process group, 0 when the server does not run.
    pub(crate) fn group(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::group)
    }

    pub(crate) fn sqlite_file(&self) -> PathBuf {
        self.target.sqlite_file(self.data.path())
    }
}

/// A new database in the cluster, if the target wants one.
fn database(options: &Options, target: Target) -> Result<Option<PostgresDatabase>> {
    match (target.database, &options.postgres) {
        (Database::Postgres, Some(cluster)) => Ok(Some(PostgresDatabase::create(cluster)?)),
        (Database::Postgres, None) => bail!("no PostgreSQL cluster was given"),
        (Database::Sqlite, _) => Ok(None),
    }
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
