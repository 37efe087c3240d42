use std::collections::BTreeMap;

use serde::Serialize;

/// What an import took, and what it could not take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    pub source: String,
    /// What is new in the record.
    pub taken: Counts,
    /// What the record had already, which stayed as it is.
    pub known: Known,
    pub artifacts: Artifacts,
    pub not_taken: Vec<NotTaken>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub experiments: u64,
    pub runs: u64,
    pub params: u64,
    pub tags: u64,
    pub metrics: u64,
    pub points: u64,
    pub dataset_inputs: u64,
    pub logged_models: u64,
    pub models: u64,
    pub model_versions: u64,
    pub traces: u64,
    pub spans: u64,
    pub assessments: u64,
    pub evaluation_datasets: u64,
    pub evaluation_records: u64,
    pub scorers: u64,
    pub issues: u64,
    pub label_schemas: u64,
    pub review_queues: u64,
    pub review_items: u64,
    pub webhooks: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    pub experiments: u64,
    pub runs: u64,
    pub logged_models: u64,
    pub models: u64,
    pub traces: u64,
    pub evaluation_datasets: u64,
    pub scorers: u64,
    pub issues: u64,
    pub label_schemas: u64,
    pub review_queues: u64,
    pub webhooks: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Artifacts {
    pub copied_files: u64,
    pub copied_bytes: u64,
    /// Places that stay where they are.
    pub left: Vec<Left>,
}

/// Artifact roots that were not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    pub roots: u64,
    /// One of them.
    pub example: String,
    pub why: String,
}

/// Something that an import could not take, or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotTaken {
    pub what: String,
    pub count: u64,
    /// One of them, where they have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    pub why: String,
}

/// Counts what is alike, so that a report stays short.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(String, String), (u64, Option<String>)>,
}

impl Tally {
    pub(super) fn add(&mut self, what: &str, why: &str, count: u64, example: Option<String>) {
        let entry = self.counts.entry((what.to_owned(), why.to_owned())).or_insert((0, example));
        entry.0 += count;
    }

    pub(super) fn not_taken(&self) -> Vec<NotTaken> {
        let counts = self.counts.iter();
        counts
            .map(|((what, why), (count, example))| NotTaken {
                what: what.clone(),
                count: *count,
                example: example.clone(),
                why: why.clone(),
            })
            .collect()
    }

    pub(super) fn left(&self) -> Vec<Left> {
        let counts = self.counts.iter();
        counts
            .map(|((_, why), (roots, example))| Left {
                roots: *roots,
                example: example.clone().unwrap_or_default(),
                why: why.clone(),
            })
            .collect()
    }
}
