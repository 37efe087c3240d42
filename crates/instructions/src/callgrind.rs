//! Runs this program under callgrind and reads what it counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::paths::{HotPath, WARMING};

/// Instructions for one operation of each path, on copies of the record in `prepared`. The profiles stay in `profiles`.
pub(crate) fn count(paths: &[&HotPath], prepared: &Path, profiles: &Path) -> Result<BTreeMap<String, u64>> {
    let left = Mutex::new(paths.iter());
    let counted = Mutex::new(BTreeMap::new());
    let work = || -> Result<()> {
        loop {
            let Some(path) = left.lock().map_err(|_| anyhow!("another count failed"))?.next() else { return Ok(()) };
            let few = run(path, WARMING, prepared, profiles)?;
            let many = run(path, WARMING + path.operations, prepared, profiles)?;
            ensure!(many > few, "{} counted {many} instructions for more work and {few} for less", path.name);
            let each = (many - few) / path.operations as u64;
            counted.lock().map_err(|_| anyhow!("another count failed"))?.insert(path.name.to_owned(), each);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a count panicked"))))
    })?;
    counted.into_inner().map_err(|_| anyhow!("a count failed"))
}

/// All instructions of a process that does `operations`.
fn run(path: &HotPath, operations: usize, prepared: &Path, profiles: &Path) -> Result<u64> {
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    copy(prepared, folder.path())?;
    let profile = profiles.join(format!("{}.callgrind", path.name));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args(["repeat", path.name])
        .arg(folder.path())
        .arg(operations.to_string())
        .output()
        .context("cannot start valgrind")?;
    ensure!(
        output.status.success(),
        "{} did not run under callgrind: {}",
        path.name,
        String::from_utf8_lossy(&output.stderr)
    );
    total(&profile)
}

fn total(profile: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(profile)?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    let total = total.with_context(|| format!("{} has no totals", profile.display()))?;
    total.trim().parse().with_context(|| format!("{} has strange totals", profile.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// What decides about the counts besides our own code, a line each.
pub(crate) fn toolchain() -> Result<Vec<String>> {
    let rustc = said("rustc", &["--version", "--verbose"])?;
    let rustc = rustc.lines().filter(|line| line.starts_with("release:") || line.starts_with("host:"));
    let mut toolchain: Vec<String> = rustc.map(|line| format!("rustc {line}")).collect();
    // Both choose among implementations, such as those of memcpy.
    toolchain.push(said("getconf", &["GNU_LIBC_VERSION"])?);
    toolchain.push(said("valgrind", &["--version"])?);
    Ok(toolchain)
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} {} failed", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
