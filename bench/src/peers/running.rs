use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::{self, Connection};
use crate::interrupt;

/// MLflow's server imports for many seconds on a busy machine.
const START: Duration = Duration::from_secs(300);
const STOP: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(1);

/// A process group that serves. Dropping it ends it.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts a server and waits for its first true answer. Gives how long that took.
    pub(crate) fn start(mut command: Command, port: u16, log: &Path) -> Result<(Running, Duration)> {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| ["MLFLOW_", "STELE_", "FML_"].iter().any(|own| name.starts_with(own))) {
                command.env_remove(name);
            }
        }
        let file = std::fs::File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        interrupt::add_group(child.id());
        let mut running = Running { child };
        while !answers(port) {
            if let Some(status) = running.child.try_wait()? {
                bail!("it ended with {status}: {}", end_of(log));
            }
            if started.elapsed() > START {
                bail!("it did not start: {}", end_of(log));
            }
            std::thread::sleep(POLL);
        }
        Ok((running, started.elapsed()))
    }

    /// The process group.
    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    /// Asks the server to end, and makes it.
    fn drop(&mut self) {
        interrupt::terminate_group(self.child.id());
        let asked = Instant::now();
        while asked.elapsed() < STOP && !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        interrupt::kill_group(self.child.id());
        let _ = self.child.wait();
    }
}

/// Whether the server reads its database: the experiment that every one of them makes at its first start.
fn answers(port: u16) -> bool {
    let mut connection = Connection::new(port, Duration::from_secs(10));
    connection.expect_ok(&http::get("/api/2.0/mlflow/experiments/get?experiment_id=0")).is_ok()
}

fn end_of(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
