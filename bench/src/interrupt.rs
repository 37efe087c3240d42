//! Leaves nothing behind: stops the servers and removes their data, also on Ctrl-C, which tells what was measured so far.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use crate::report;

/// What there is to clean up.
struct Left {
    groups: Vec<u32>,
    folders: Vec<PathBuf>,
}

static LEFT: Mutex<Left> = Mutex::new(Left { groups: Vec::new(), folders: Vec::new() });

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn add_group(leader: u32) {
    left().groups.push(leader);
}

/// Ends every process of the group now.
pub(crate) fn kill_group(leader: u32) {
    left().groups.retain(|group| *group != leader);
    send(leader, Signal::KILL);
}

pub(crate) fn terminate_group(leader: u32) {
    send(leader, Signal::TERM);
}

fn send(leader: u32, signal: Signal) {
    // A group that is gone already is what was wanted.
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, signal);
    }
}

pub(crate) fn add_folder(folder: PathBuf) {
    left().folders.push(folder);
}

/// Watches for Ctrl-C and SIGTERM on a thread of its own.
pub(crate) fn watch() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        runtime.block_on(async {
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            eprintln!("interrupted: stopping the servers and removing their data");
            // Before servers are gone, which measurements would take for failures.
            let figures = report::figures();
            let (groups, folders) = {
                let mut left = left();
                (std::mem::take(&mut left.groups), std::mem::take(&mut left.folders))
            };
            for group in groups {
                send(group, Signal::KILL);
            }
            report::tell_interrupted(&figures);
            for folder in folders {
                let _ = std::fs::remove_dir_all(folder);
            }
            std::process::exit(130);
        });
    })?;
    Ok(())
}
