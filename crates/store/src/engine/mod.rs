//! One SQL text on two engines: values, rows, transactions, and how closures reach a database thread.

mod append;
mod percentile;
mod postgres;
mod regexp;
mod sqlite;
mod tx;
mod value;

pub(crate) use postgres::Postgres;
pub(crate) use sqlite::{Sqlite, lock, open_writer};
pub use tx::Tx;
pub(crate) use tx::{EngineKind, list};
pub(crate) use value::{Row, Value, params};
