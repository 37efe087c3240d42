//! Times and durations as protocol buffers write them in JSON.

use chrono::{DateTime, SecondsFormat};
use stele_domain::id::Timestamp;

use crate::error::{Failure, Result};

/// The last millisecond of the year 9999, beyond which there is no text for a time.
const LATEST: i64 = 253_402_300_799_999;

/// `2026-11-28T20:04:07.782Z`; whole seconds have no fraction.
pub(super) fn time_text(Timestamp(milliseconds): Timestamp) -> String {
    let time = DateTime::from_timestamp_millis(milliseconds.clamp(-62_135_596_800_000, LATEST)).unwrap_or_default();
    let format = if milliseconds % 1_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    time.to_rfc3339_opts(format, true)
}

pub(super) fn parse_time(name: &str, text: &str) -> Result<Timestamp> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| Timestamp(time.timestamp_millis()))
        .map_err(|_| Failure::invalid(format!("Invalid value for parameter '{name}' supplied: it is no RFC 3339 time")))
        .and_then(|time| in_range(name, time.0))
}

/// A time in milliseconds for which there is a text.
pub(super) fn in_range(name: &str, milliseconds: i64) -> Result<Timestamp> {
    if (0..=LATEST).contains(&milliseconds) {
        return Ok(Timestamp(milliseconds));
    }
    Err(Failure::invalid(format!(
        "Invalid value {milliseconds} for parameter '{name}' supplied: it must be from 0 to {LATEST}"
    )))
}

/// `0.405s`, from milliseconds; whole seconds have no fraction.
pub(super) fn duration_text(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let (seconds, rest) = (milliseconds.unsigned_abs() / 1_000, milliseconds.unsigned_abs() % 1_000);
    if rest == 0 { format!("{sign}{seconds}s") } else { format!("{sign}{seconds}.{rest:03}s") }
}

/// Milliseconds.
pub(super) fn parse_duration(name: &str, text: &str) -> Result<i64> {
    let wrong =
        || Failure::invalid(format!("Invalid value for parameter '{name}' supplied: it is no duration like '1.5s'"));
    let number = text.strip_suffix('s').ok_or_else(wrong)?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |number| (-1, number));
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || seconds.len() > 12 || fraction.len() > 9 {
        return Err(wrong());
    }
    let seconds: i64 = seconds.parse().map_err(|_| wrong())?;
    let milliseconds: i64 = format!("{fraction:0<3}")[..3].parse().map_err(|_| wrong())?;
    Ok(sign * (seconds * 1_000 + milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_come_back() {
        for (text, milliseconds) in [("1970-01-01T00:00:00Z", 0), ("2026-11-28T20:04:07.782Z", 1_795_896_247_782)] {
            assert_eq!(time_text(Timestamp(milliseconds)), text);
            assert_eq!(parse_time("t", text).unwrap(), Timestamp(milliseconds));
        }
        for (text, milliseconds) in
            [("0s", 0), ("0.405s", 405), ("1s", 1_000), ("-0.001s", -1), ("3600.500s", 3_600_500)]
        {
            assert_eq!(duration_text(milliseconds), text);
            assert_eq!(parse_duration("d", text).unwrap(), milliseconds);
        }
        assert_eq!(parse_duration("d", "1.5s").unwrap(), 1_500);
        for wrong in ["", "s", "1", "1.s", ".5s", "1e3s", "--1s", "9999999999999s"] {
            assert!(parse_duration("d", wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "yesterday", "10000-01-01T00:00:00Z", "1960-01-01T00:00:00Z"] {
            assert!(parse_time("t", wrong).is_err(), "{wrong}");
        }
    }
}
