//! The real clock and the real source of ids.

use std::time::{SystemTime, UNIX_EPOCH};

use stele_domain::id::{Clock, IdSource, Timestamp};
use uuid::Uuid;

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Version 7 UUIDs: ordered by time, so that rows that are made together lie together in the indexes.
pub(crate) struct OrderedIds;

impl IdSource for OrderedIds {
    #[expect(clippy::disallowed_methods, reason = "this is where ids come from")]
    fn next(&self, _now: Timestamp) -> Uuid {
        Uuid::now_v7()
    }
}
