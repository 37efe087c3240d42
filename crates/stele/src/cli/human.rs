//! Times, sizes and numbers as people read them.

use chrono::DateTime;
use stele_domain::id::Timestamp;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What stands for a value that is not there.
pub(crate) const NOTHING: &str = "–";

/// How long ago, in the largest unit: `12 s ago`, `3 h ago`. A time to come is `in 5 min`.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let passed = now.0.saturating_sub(time.0);
    let size = passed.saturating_abs();
    let (count, unit) = match size {
        _ if size < SECOND => return "now".to_owned(),
        _ if size < MINUTE => (size / SECOND, "s"),
        _ if size < HOUR => (size / MINUTE, "min"),
        _ if size < DAY => (size / HOUR, "h"),
        _ if size < 60 * DAY => (size / DAY, "d"),
        _ if size < 730 * DAY => (size / (30 * DAY), "months"),
        _ => (size / (365 * DAY), "years"),
    };
    if passed < 0 { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

/// The time itself, in UTC: `2026-11-25 05:03:12 UTC`.
pub(crate) fn time(time: Timestamp) -> String {
    match DateTime::from_timestamp_millis(time.0) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => format!("{} ms", time.0),
    }
}

/// A length of time in its two largest units: `350 ms`, `12.3 s`, `4 min 05 s`, `2 h 07 min`, `3 d 4 h`.
pub(crate) fn duration(milliseconds: i64) -> String {
    let ms = milliseconds.max(0);
    match ms {
        _ if ms < SECOND => format!("{ms} ms"),
        _ if ms < MINUTE => format!("{}.{} s", ms / SECOND, ms % SECOND / 100),
        _ if ms < HOUR => format!("{} min {:02} s", ms / MINUTE, ms % MINUTE / SECOND),
        _ if ms < DAY => format!("{} h {:02} min", ms / HOUR, ms % HOUR / MINUTE),
        _ => format!("{} d {} h", ms / DAY, ms % DAY / HOUR),
    }
}

/// A number of bytes in binary units: `512 B`, `1.5 KiB`, `3.0 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A metric value with as many digits as help: six, and no trailing zeros.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let digits = (5.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `1 run`, `2 runs`.
pub(crate) fn count(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Text on one line without control characters, which could steer the terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
