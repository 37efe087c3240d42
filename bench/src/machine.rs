//! What a reader must know of the machine to make sense of the figures.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::options::{Options, PeerName};

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    lines: Vec<(String, String)>,
}

impl Machine {
    pub(crate) fn describe(options: &Options, scratch: &Path, sync_ms: f64) -> Machine {
        let mut lines = Vec::new();
        let mut add = |name: &str, value: String| lines.push((name.to_owned(), value));
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        add("processor", format!("{}, {cores} cores", proc_field("/proc/cpuinfo", "model name").unwrap_or_default()));
        add("memory", memory());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        add("kernel", format!("Linux {}", kernel.trim()));
        add("file system", file_system(scratch));
        add("fdatasync", format!("{} ms for 4 KiB appended (median)", crate::table::number(sync_ms)));
        add("load average at the start", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned());
        add("Stele", version(Command::new(&options.stele).arg("--version")));
        let program = |name: &str| Command::new(options.environment.join("bin").join(name));
        if options.peers().contains(&PeerName::Mlflow) {
            add("MLflow", version(program("mlflow").arg("--version")));
        }
        if options.peers().contains(&PeerName::Fasttrackml) {
            add("FastTrackML", version(program("fml").arg("--version")));
        }
        if let Some(postgres) = &options.postgres {
            add("PostgreSQL", postgres_version(postgres));
        }
        Machine { lines }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|(name, value)| format!("{name:<26} {value}\n")).collect()
    }

    pub(crate) fn markdown(&self) -> String {
        let rows = self.lines.iter().map(|(name, value)| format!("| {name} | {value} |\n"));
        format!("| machine | |\n|---|---|\n{}", rows.collect::<String>())
    }
}

fn proc_field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> String {
    let kibibytes: Option<f64> =
        proc_field("/proc/meminfo", "MemTotal").and_then(|total| total.split_whitespace().next()?.parse().ok());
    kibibytes.map_or("unknown".to_owned(), |kibibytes| format!("{:.1} GiB", kibibytes / f64::from(1 << 20)))
}

fn file_system(folder: &Path) -> String {
    let output = Command::new("df").arg("--output=fstype,source,target").arg(folder).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().nth(1).map_or("unknown".to_owned(), |line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn version(command: &mut Command) -> String {
    match command.output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => format!("not there: {error}"),
    }
}

fn postgres_version(url: &str) -> String {
    let asked = postgres::Client::connect(url, postgres::NoTls).and_then(|mut client| {
        let row = client.query_one(
            "SELECT version(), current_setting('data_directory'), current_setting('shared_buffers'), current_setting('fsync')",
            &[],
        )?;
        let (version, folder): (String, String) = (row.get(0), row.get(1));
        let (buffers, fsync): (String, String) = (row.get(2), row.get(3));
        let version = version.split(',').next().unwrap_or_default().to_owned();
        Ok(format!("{version}, shared_buffers {buffers}, fsync {fsync}, on {}", file_system(Path::new(&folder))))
    });
    asked.unwrap_or_else(|error| format!("not reached: {error}"))
}
