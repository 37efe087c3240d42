//! The runs that are searched: the same in every server, so that every server must find the same.

/// How many of each a run has.
pub(crate) const METRICS: usize = 20;
pub(crate) const PARAMS: usize = 20;
pub(crate) const TAGS: usize = 10;

/// Everything about one run follows from its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunData {
    pub(crate) index: u64,
}

impl RunData {
    pub(crate) fn name(self) -> String {
        format!("run-{:07}", self.index)
    }

    /// 32 hex digits that are all over the place, as real ids are. The size of the experiment keeps experiments apart.
    pub(crate) fn id(self, salt: u64) -> String {
        format!("{:016x}{:016x}", mix(self.index ^ (salt << 32)), mix(self.index.wrapping_mul(3) ^ salt))
    }

    /// Milliseconds since the epoch; no two runs start together.
    pub(crate) fn start_time(self) -> i64 {
        1_700_000_000_000 + self.index as i64 * 1_000
    }

    pub(crate) fn end_time(self) -> i64 {
        self.start_time() + 600_000
    }

    /// Evenly spread over 0 to 1.
    pub(crate) fn metric(self, number: usize) -> f64 {
        unit(self.index * 1_000 + number as u64)
    }

    /// One of 50 values.
    pub(crate) fn param(self, number: usize) -> String {
        format!("value-{:02}", mix(self.index * 1_000 + 100 + number as u64) % 50)
    }

    /// One of 20 values.
    pub(crate) fn tag(self, number: usize) -> String {
        format!("group-{:02}", mix(self.index * 1_000 + 200 + number as u64) % 20)
    }
}

pub(crate) fn metric_key(number: usize) -> String {
    format!("metric_{number:02}")
}

pub(crate) fn param_key(number: usize) -> String {
    format!("param_{number:02}")
}

pub(crate) fn tag_key(number: usize) -> String {
    format!("tag_{number:02}")
}

/// A number from 0 to 1 that looks random and is always the same.
pub(crate) fn unit(seed: u64) -> f64 {
    (mix(seed) >> 11) as f64 / (1u64 << 53) as f64
}

/// SplitMix64's finalizer.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
