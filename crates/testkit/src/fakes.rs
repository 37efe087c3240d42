use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use stele_domain::id::{Clock, IdSource, Timestamp};
use uuid::Uuid;

/// A clock that stands still until a test moves it.
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> TestClock {
        TestClock(AtomicI64::new(1_700_000_000_000))
    }
}

impl TestClock {
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Ids that count from 1.
#[derive(Default)]
pub struct CountingIds(AtomicU64);

impl IdSource for CountingIds {
    fn next(&self, _now: Timestamp) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}
