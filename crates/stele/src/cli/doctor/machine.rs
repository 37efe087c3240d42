//! The data folder, its disk, the port and the limits of the process.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};

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
        return match cannot_be_made(data) {
            None => Finding::ok(CHECK, format!("{} is not there yet; the server makes it", data.display())),
            Some(why) => Finding::failed(
                CHECK,
                format!("{} cannot be made: {why}", data.display()),
                "name another with --data, or make it as a folder that the user of the server owns",
            ),
        };
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

/// Why a folder that is not there could not be made by this user, as far as that can be told without trying.
pub(super) fn cannot_be_made(folder: &Path) -> Option<String> {
    let above = nearest(folder)?;
    if !above.is_dir() {
        return Some(format!("{} is no folder", above.display()));
    }
    let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    let refused = rustix::fs::access(&above, wanted).err()?;
    Some(format!("{} cannot be written: {}", above.display(), std::io::Error::from(refused)))
}

/// The folder itself, or what is there of those above it.
fn nearest(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    folder.ancestors().find(|folder| folder.exists()).map(Path::to_path_buf)
}

/// How much room there is for the data, and for artifacts that are kept in a folder on another disk.
pub(super) fn disk_space(data: &Path, artifacts: Option<&Path>) -> Vec<Finding> {
    let disk = |folder: &Path| Some(rustix::fs::statvfs(nearest(folder)?).ok()?.f_fsid);
    let elsewhere = artifacts.filter(|artifacts| disk(artifacts) != disk(data));
    [Some(data), elsewhere].into_iter().flatten().filter_map(free_space).collect()
}

fn free_space(folder: &Path) -> Option<Finding> {
    const CHECK: &str = "disk space";

    let there = nearest(folder)?;
    let disk = rustix::fs::statvfs(&there).ok()?;
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
        Err(error) => {
            let hint = match error.kind() {
                ErrorKind::AddrNotAvailable => "name an address of this machine with --host",
                ErrorKind::PermissionDenied => {
                    "ports below 1024 want the capability CAP_NET_BIND_SERVICE; name another with --port"
                }
                _ => "stop what listens there, or name another with --port (0 takes any free one)",
            };
            Finding::failed(CHECK, format!("{shown} cannot be had: {error}"), hint)
        }
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
