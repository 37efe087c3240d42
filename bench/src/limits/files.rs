//! Files without a server: what copying and writing them takes when they must be on the disk.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::latency::median;
use crate::scenarios::artifacts::{BLOCK, SMALL, block};

/// Megabytes a second of a copy that is synced, and of reading the file.
pub(super) fn copy(folder: &Path, bytes: u64, times: usize) -> Result<(f64, f64)> {
    let (from, to) = (folder.join("from"), folder.join("to"));
    let mut file = File::create(&from)?;
    let block = block();
    for _ in 0..bytes as usize / BLOCK {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let (mut copies, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..times.max(1) {
        let started = Instant::now();
        std::fs::copy(&from, &to)?;
        File::open(&to)?.sync_all()?;
        copies.push(bytes as f64 / 1e6 / started.elapsed().as_secs_f64());
        let started = Instant::now();
        let (mut file, mut buffer, mut read) = (File::open(&to)?, vec![0; BLOCK], 0u64);
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                part => read += part as u64,
            }
        }
        reads.push(read as f64 / 1e6 / started.elapsed().as_secs_f64());
        std::fs::remove_file(&to)?;
    }
    std::fs::remove_file(&from)?;
    Ok((median(copies).unwrap_or(f64::NAN), median(reads).unwrap_or(f64::NAN)))
}

/// Small files a second that are written and synced one after another on one thread.
pub(super) fn small(folder: &Path, files: usize) -> Result<f64> {
    let folder = folder.join("files");
    std::fs::create_dir(&folder)?;
    let content = &block()[..SMALL];
    let started = Instant::now();
    for number in 0..files {
        let mut file = File::create(folder.join(number.to_string()))?;
        file.write_all(content)?;
        file.sync_data()?;
    }
    let rate = files as f64 / started.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&folder)?;
    Ok(rate)
}
