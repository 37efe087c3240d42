//! The store through its public interface, on every engine that the machine offers.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod audit;
mod load;
mod metric_read;
mod metrics;
