//! What the kernel says of processes: processor time and memory.

use std::fs;
use std::time::Duration;

/// The kernel counts in hundredths of a second here on every architecture, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

/// The processes of a group, which is what a server with its workers is.
pub(crate) fn group(leader: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid, 2) == Some(u64::from(leader))).collect()
}

/// Processor time that a group of processes and those of its children that ended have used.
pub(crate) fn group_cpu(leader: u32) -> Duration {
    group(leader).into_iter().map(|pid| ticks(pid, &[11, 12, 13, 14])).sum()
}

/// Processor time that this process has used.
pub(crate) fn own_cpu() -> Duration {
    ticks(std::process::id(), &[11, 12])
}

fn ticks(pid: u32, fields: &[usize]) -> Duration {
    let ticks: u64 = fields.iter().filter_map(|field| stat(pid, *field)).sum();
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// A field of /proc/PID/stat, counted from the state, which follows the name in parentheses.
fn stat(pid: u32, field: usize) -> Option<u64> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = line.rsplit_once(')')?;
    fields.split_whitespace().nth(field)?.parse().ok()
}

/// Bytes of memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

/// The resident memory of a server. Of several processes each gets its share of the pages that they have in common;
/// their peaks are simply added.
pub(crate) fn group_memory(leader: u32) -> Memory {
    let pids = group(leader);
    let alone = pids.len() == 1;
    let sum = |value: &dyn Fn(u32) -> Option<u64>| pids.iter().filter_map(|pid| value(*pid)).sum();
    Memory {
        resident: sum(&|pid| if alone { field(pid, "status", "VmRSS:") } else { field(pid, "smaps_rollup", "Pss:") }),
        peak: sum(&|pid| field(pid, "status", "VmHWM:")),
    }
}

/// Starts the peak anew.
pub(crate) fn forget_peak(leader: u32) {
    for pid in group(leader) {
        // Where the kernel lacks this, the peak is that of the whole life, which is never too small.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}

/// A field in kibibytes, as bytes.
fn field(pid: u32, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_the_processor() {
        let me = std::process::id();
        assert!(field(me, "status", "VmRSS:").unwrap() > 1 << 20);
        let before = own_cpu();
        let mut sum = 0u64;
        while own_cpu() == before {
            sum = (0..1_000_000).fold(sum, |sum, x| sum.wrapping_mul(31).wrapping_add(x));
        }
        assert!(own_cpu() > before, "{sum}");
    }
}
