//! Ways in and out of Stele: MLflow's folders, databases and servers come in, MLflow databases and Parquet files go out.
//!
//! An import reads its source in parts of bounded size, on one task, and loads them into the record, on another; what it
//! cannot take it counts, with the reason. An export reads the record page by page. Neither holds more than a few
//! megabytes, however large the record is.

mod database;
mod export;
mod files;
mod import;
mod mlflow;
mod python;
mod review;
mod server;
mod traces;

pub use export::mlflow::export_mlflow;
pub use export::parquet::export_parquet;
pub use export::{ExportReport, Exported};
pub use import::{ArtifactChoice, Counts, ImportOptions, ImportReport, Left, NotTaken, Source, import};

/// What long work tells of itself, as it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// How many runs there are.
    Total(u64),
    /// So many runs are done.
    Runs(u64),
    /// What is being done now.
    Doing(String),
}
