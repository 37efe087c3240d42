//! Traces: what is known of each, its spans in compressed blocks with an index for searches, and assessments.

mod assessment;
mod block;
mod info;
mod remove;
mod span;
mod tag;

pub use info::NewTrace;
pub use span::SpanBatch;

pub(crate) use info::{COLUMNS, trace};
