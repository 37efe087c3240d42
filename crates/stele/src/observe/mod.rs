//! What operators see of the server: a line for each failure, and numbers at `/metrics`.

mod numbers;
mod process;
mod requests;

pub(crate) use self::numbers::{Numbers, router};
pub(crate) use self::requests::{connection, watch};
