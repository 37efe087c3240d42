//! Model cards as documents to read: export jobs, and the pages that they write.

mod content;
pub(crate) mod export;
mod layout;
mod pdf;
