//! Times as people write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use stele_domain::id::{Clock, Timestamp};

use crate::place::age;
use crate::system::SystemClock;

/// Reads `2026-03-03T14:00:00Z` (or with another offset), `2026-03-03 14:00[:00]` and `2026-03-03` (both UTC), or an age
/// such as `7d`.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Timestamp(time.timestamp_millis()));
    }
    let formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let time = time.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    if let Some(time) = time {
        return Ok(Timestamp(time.and_utc().timestamp_millis()));
    }
    let age = age(text).map_err(|_| {
        format!("expected a time such as 2026-03-03T14:00:00Z, 2026-03-03 14:00 (UTC) or 2026-03-03, or an age such as 7d, not '{text}'")
    })?;
    Ok(Timestamp(SystemClock.now().0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let at = Ok(Timestamp(1_772_546_400_000));
        for text in ["2026-03-03T14:00:00Z", "2026-03-03T15:00:00+01:00", "2026-03-03 14:00", "2026-03-03 14:00:00"] {
            assert_eq!(parse(text), at, "{text}");
        }
        assert_eq!(parse("2026-03-03"), Ok(Timestamp(1_772_496_000_000)));
        for text in ["", "yesterday", "2026-13-01", "14:00"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
