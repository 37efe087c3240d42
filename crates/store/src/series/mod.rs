//! The metric series codec: pure code, no SQL and no IO.
//!
//! A series is the points of one metric of one run. It is stored as chunks, one database row each: the bytes that
//! [`encode`] makes, and beside the larger ones a [`ChunkSummary`]. Batches become chunks as they arrive; [`merge`]
//! turns small chunks into few large ones, in order and without duplicates. An [`Envelope`] draws a chart from the
//! summaries and from the points only of blocks that straddle a pixel column; a [`Sequencer`] puts the points of chunks
//! that may overlap in order, chunk by chunk.

mod block;
mod chunk;
mod envelope;
mod merge;
mod order;
mod reader;
mod summary;
mod values;

pub use block::BLOCK;
pub use chunk::{decode, decode_blocks, encode};
pub use envelope::{Bucket, Envelope};
pub use merge::{CHUNK_POINTS, merge};
pub use order::{Order, Sequencer};
pub use reader::CorruptChunk;
pub use summary::{ChunkSummary, Summary};

#[cfg(test)]
mod testing;
