//! The metric series codec: pure code, no SQL and no IO.
//!
//! A series is the points of one metric of one run. It is stored as chunks, one database row each: the bytes that
//! [`encode`] makes and the [`ChunkSummary`] beside them. Batches become chunks as they arrive; [`merge`] turns small
//! chunks into few large ones, in order and without duplicates; [`envelope`] draws a chart from the summaries and
//! decodes only the chunks that straddle a pixel column.

mod block;
mod chunk;
mod envelope;
mod merge;
mod reader;
mod summary;
mod values;

pub use chunk::{decode, decode_into, encode};
pub use envelope::{Bucket, envelope};
pub use merge::{CHUNK_POINTS, merge};
pub use reader::CorruptChunk;
pub use summary::{ChunkSummary, summarize};

#[cfg(test)]
mod testing;
