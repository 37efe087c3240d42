//! What the native API answers, as far as tables show it.

use std::collections::BTreeMap;

use console::Style;
use serde::{Deserialize, Deserializer, Serialize};
use stele_domain::id::Timestamp;

use super::human;
use super::table::Cell;

#[derive(Deserialize)]
pub(super) struct Experiment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) presence: String,
    pub(super) artifact_location: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct RunInfo {
    pub(super) id: String,
    pub(super) experiment_id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) presence: String,
    pub(super) user: String,
    pub(super) artifact_uri: String,
    pub(super) started_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub(super) info: RunInfo,
    pub(super) params: BTreeMap<String, String>,
    pub(super) metrics: BTreeMap<String, Point>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) datasets: Vec<Dataset>,
    pub(super) model_inputs: Vec<String>,
    pub(super) model_outputs: Vec<ModelOutput>,
}

#[derive(Deserialize)]
pub(super) struct Point {
    pub(super) step: i64,
    #[serde(deserialize_with = "number")]
    pub(super) value: f64,
}

#[derive(Deserialize)]
pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct ModelOutput {
    pub(super) model_id: String,
    pub(super) step: i64,
}

#[derive(Deserialize)]
pub(super) struct Envelope {
    pub(super) buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
pub(super) struct Bucket {
    pub(super) index: usize,
    pub(super) last: Point,
}

#[derive(Deserialize)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) aliases: BTreeMap<String, i64>,
    pub(super) latest_versions: Vec<Version>,
}

#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) version: i64,
    pub(super) stage: String,
    pub(super) approval: String,
    pub(super) aliases: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) run_id: Option<String>,
    pub(super) created_at: i64,
}

#[derive(Deserialize)]
pub(super) struct Listing {
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) size: Option<u64>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) size: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Comparison {
    pub(super) runs: Vec<RunInfo>,
    pub(super) params: Vec<Compared<String>>,
    pub(super) metrics: Vec<Compared<Point>>,
    pub(super) tags: Vec<Compared<String>>,
}

#[derive(Deserialize)]
pub(super) struct Compared<T> {
    pub(super) key: String,
    pub(super) differs: bool,
    pub(super) values: Vec<Option<T>>,
}

impl RunInfo {
    /// How long it took, or has taken so far.
    pub(super) fn took(&self, now: Timestamp) -> Option<i64> {
        let end = match self.ended_at {
            Some(end) => end,
            None if self.status == "running" => now.0,
            None => return None,
        };
        self.started_at.map(|start| end.saturating_sub(start)).filter(|took| *took >= 0)
    }

    pub(super) fn status_cell(&self) -> Cell {
        if self.presence == "deleted" {
            return Cell::dim("deleted");
        }
        Cell::styled(&self.status, status_style(&self.status))
    }
}

fn status_style(status: &str) -> Style {
    match status {
        "completed" | "cached" => Style::new().green(),
        "failed" => Style::new().red(),
        "running" | "retrying" | "provisioning" | "initializing" => Style::new().cyan(),
        "stopped" | "stopping" | "skipped" | "paused" => Style::new().yellow(),
        _ => Style::new(),
    }
}

pub(super) fn stage_cell(stage: &str) -> Cell {
    match stage {
        "production" => Cell::styled(stage, Style::new().green().bold()),
        "staging" => Cell::styled(stage, Style::new().cyan()),
        "none" => Cell::dim(human::NOTHING),
        other => Cell::dim(other),
    }
}

pub(super) fn approval_cell(approval: &str) -> Cell {
    match approval {
        "approved" => Cell::styled(approval, Style::new().green()),
        "rejected" => Cell::styled(approval, Style::new().red()),
        other => Cell::dim(other),
    }
}

/// When something was, as long ago.
pub(super) fn ago_cell(time: Option<i64>, now: Timestamp) -> Cell {
    time.map_or_else(|| Cell::dim(human::NOTHING), |time| Cell::from(human::ago(Timestamp(time), now)))
}

/// A time with how long ago it was.
pub(super) fn moment(time: i64, now: Timestamp) -> String {
    format!("{} ({})", human::time(Timestamp(time)), human::ago(Timestamp(time), now))
}

/// A number, or the text for one that JSON cannot hold.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
