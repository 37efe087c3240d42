//! What the system says about this process, under the names that Prometheus' own clients use.

use std::fmt::Write;
use std::fs;

/// The numbers that this system tells, as Prometheus reads them; those that it does not are left out.
pub(super) fn told() -> String {
    let mut text = String::new();
    let stat = Stat::read();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let seconds = |ticked: u64| ticked as f64 / ticks;
    let most_files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let numbers = [
        ("cpu_seconds_total", "counter", "User and system CPU time", stat.as_ref().map(|stat| seconds(stat.cpu_ticks))),
        ("resident_memory_bytes", "gauge", "Resident memory", resident_bytes()),
        ("virtual_memory_bytes", "gauge", "Virtual memory", stat.as_ref().map(|stat| stat.virtual_bytes as f64)),
        (
            "start_time_seconds",
            "gauge",
            "When the process started, in seconds since 1970",
            stat.as_ref().and_then(|stat| Some(booted_at()? + seconds(stat.started_ticks))),
        ),
        ("open_fds", "gauge", "Open file descriptors", open_files()),
        ("max_fds", "gauge", "The most file descriptors that may be open", most_files.map(|most| most as f64)),
    ];
    for (name, kind, help, value) in numbers {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ =
                writeln!(text, "# HELP process_{name} {help}\n# TYPE process_{name} {kind}\nprocess_{name} {value}\n");
        }
    }
    text
}

fn open_files() -> Option<f64> {
    // One of them is the listing itself.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// Seconds since 1970.
fn booted_at() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

struct Stat {
    /// In user and system mode together.
    cpu_ticks: u64,
    /// Since the system was booted.
    started_ticks: u64,
    virtual_bytes: u64,
}

impl Stat {
    fn read() -> Option<Stat> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program is in parentheses and may hold anything; the state is the field after it.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Stat { cpu_ticks: field(11)? + field(12)?, started_ticks: field(19)?, virtual_bytes: field(20)? })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_memory_and_time() {
        assert!(resident_bytes().unwrap() > 1_000_000.0);
        let before = Stat::read().unwrap();
        assert!(before.virtual_bytes > 1_000_000);
        let mut sum = 0_u64;
        while Stat::read().unwrap().cpu_ticks < before.cpu_ticks + 2 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(booted_at().unwrap() > 1_000_000_000.0);
        let told = told();
        for line in ["# TYPE process_cpu_seconds_total counter", "# TYPE process_start_time_seconds gauge"] {
            assert!(told.lines().any(|told| told == line), "{told}");
        }
    }
}
