//! What operators see of the server: a line for each failure, numbers at `/metrics`, and spans at a collector.

mod numbers;
mod process;
mod requests;
mod spans;

pub(crate) use self::numbers::{Numbers, router};
pub(crate) use self::requests::{connection, watch};
pub(crate) use self::spans::Spans;
