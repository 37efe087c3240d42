//! All SQL, the metric series, and the artifact bytes. No HTTP, no policy decisions.

pub mod blobs;
