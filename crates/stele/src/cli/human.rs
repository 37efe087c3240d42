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

/// A number of bytes in binary units: `512 B`, `1.5 KiB`, `293 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if size < 9.95 { format!("{size:.1} {}", UNITS[unit]) } else { format!("{size:.0} {}", UNITS[unit]) }
}

/// A metric value with as many digits as help: six, and no trailing zeros.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        let text = format!("{value:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_zeros(digits));
    }
    let digits = (5.0 - magnitude).clamp(0.0, 9.0) as usize;
    without_zeros(&format!("{value:.digits$}")).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// `1 run`, `2 runs`.
pub(crate) fn count(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {}", plural(thing)) }
}

/// The name of several things of a kind.
pub(crate) fn plural(thing: &str) -> String {
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{thing}s"),
    }
}

/// Text on one line without control characters, which could steer the terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_things_have_their_plural() {
        for (thing, shown) in
            [("run", "2 runs"), ("delivery", "2 deliveries"), ("entry", "2 entries"), ("key", "2 keys")]
        {
            assert_eq!(count(2, thing), shown);
        }
        assert_eq!(count(1, "delivery"), "1 delivery");
    }

    #[test]
    fn numbers_have_the_digits_that_help() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (0.1 + 0.2, "0.3"),
            (0.016_666_666, "0.0166667"),
            (123_456.789, "123457"),
            (59.0, "59"),
            (100_000_000.0, "100000000"),
            (1.23e18, "1.23e18"),
            (-2.5e-9, "-2.5e-9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number(value), shown);
        }
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (300_000, "293 KiB"),
            (1_048_575, "1.0 MiB"),
            (5_368_709_120, "5.0 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn times_are_told_in_the_largest_unit() {
        let ago = |passed| super::ago(Timestamp(10_000_000_000_000 - passed), Timestamp(10_000_000_000_000));
        for (passed, shown) in [
            (999, "now"),
            (1_000, "1 s ago"),
            (59_999, "59 s ago"),
            (3_599_999, "59 min ago"),
            (DAY, "1 d ago"),
            (61 * DAY, "2 months ago"),
            (800 * DAY, "2 years ago"),
            (-90_000, "in 1 min"),
        ] {
            assert_eq!(ago(passed), shown);
        }
        assert_eq!(super::ago(Timestamp(i64::MIN), Timestamp(i64::MAX)), "292471208 years ago");
        assert_eq!(
            [350, 12_340, 245_000, 2 * HOUR + 7 * MINUTE, 3 * DAY + 4 * HOUR].map(duration),
            ["350 ms", "12.3 s", "4 min 05 s", "2 h 07 min", "3 d 4 h"]
        );
        assert_eq!(time(Timestamp(1_700_000_000_000)), "2023-11-14 22:13:20 UTC");
    }

    #[test]
    fn what_a_client_stored_does_not_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\nc\u{9b}"), "a [31mb c ");
    }
}
