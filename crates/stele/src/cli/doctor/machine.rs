//! The data folder, its disk, the port and the limits of the process.

use std::net::{IpAddr, TcpListener};
use std::path::Path;

use super::Finding;
use crate::beacon::Beacon;
use crate::cli::human;

/// Free bytes below which the disk is nearly full, and full.
const LITTLE_SPACE: u64 = 2 << 30;
const NO_SPACE: u64 = 128 << 20;

/// Each client and each open database or artifact takes a file.
const FEW_FILES: u64 = 1024;

pub(super) fn data_folder(data: &Path) -> Finding {
    const CHECK: &str = "data folder";

    if !data.exists() {
        return Finding::ok(CHECK, format!("{} is not there yet; the server makes it", data.display()));
    }
    let probe = data.join(format!(".stele-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::ok(CHECK, format!("{} can be written", data.display())),
        Err(error) => Finding::failed(
            CHECK,
            format!("{} cannot be written: {error}", data.display()),
            "make it a folder that the user of the server owns, or name another with --data",
        ),
    }
}

pub(super) fn disk_space(data: &Path) -> Option<Finding> {
    const CHECK: &str = "disk space";

    let data = std::path::absolute(data).ok()?;
    let there = data.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let message = format!("{} free at {}", human::size(free), there.display());
    let hint = "free some, or keep the data or the artifacts elsewhere (--data, --artifacts)";
    Some(match free {
        free if free < NO_SPACE => Finding::failed(CHECK, message, hint),
        free if free < LITTLE_SPACE => Finding::warning(CHECK, message, hint),
        _ => Finding::ok(CHECK, message),
    })
}

pub(super) fn port(host: IpAddr, port: u16, running: Option<&Beacon>) -> Finding {
    const CHECK: &str = "port";

    let shown = std::net::SocketAddr::new(host, port);
    match TcpListener::bind((host, port)) {
        Ok(_) => Finding::ok(CHECK, format!("{shown} is free")),
        Err(_) if running.is_some_and(|beacon| beacon.url.ends_with(&format!(":{port}"))) => {
            Finding::ok(CHECK, format!("{shown} is the server's"))
        }
        Err(error) if running.is_some() => {
            Finding::ok(CHECK, format!("{shown} cannot be had ({error}), but the server runs on another"))
        }
        Err(error) => Finding::failed(
            CHECK,
            format!("{shown} cannot be had: {error}"),
            "stop what listens there, or name another with --port (0 takes any free one)",
        ),
    }
}

/// The limit on open files, where the system tells it.
pub(super) fn open_files() -> Option<Finding> {
    const CHECK: &str = "open files";

    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit = match line.split_whitespace().next()? {
        "unlimited" => return Some(Finding::ok(CHECK, "as many as wanted")),
        limit => limit.parse::<u64>().ok()?,
    };
    Some(if limit < FEW_FILES {
        Finding::warning(
            CHECK,
            format!("at most {limit}, which some hundred clients use up"),
            format!("raise the limit: ulimit -n {}, or LimitNOFILE= of a systemd unit", FEW_FILES * 16),
        )
    } else {
        Finding::ok(CHECK, format!("up to {limit}"))
    })
}
