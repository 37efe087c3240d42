//! What a measurement gives: one figure for one server, or for what the machine does without any.

use serde::Serialize;

use crate::bench::Timed;
use crate::latency::Percentiles;
use crate::options::Database;

/// A line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured; also what `--only` matches.
    pub(crate) measurement: String,
    pub(crate) database: &'static str,
    /// The server, or the limit.
    pub(crate) subject: String,
    pub(crate) is_limit: bool,
    pub(crate) unit: Unit,
    /// None when it could not be measured; the note says why.
    pub(crate) value: Option<f64>,
    pub(crate) latency: Option<Percentiles>,
    /// Processor time over real time, in cores.
    pub(crate) load_cpu: Option<f64>,
    pub(crate) server_cpu: Option<f64>,
    /// The length of an answer, where reading is what is measured.
    pub(crate) answer_bytes: Option<u64>,
    pub(crate) note: String,
    /// Something is wrong with the server or the harness: an error, or data that did not come back.
    pub(crate) failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "points/s")]
    PointsPerSecond,
    #[serde(rename = "requests/s")]
    RequestsPerSecond,
    SpansPerSecond,
    #[serde(rename = "files/s")]
    FilesPerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "\u{b5}s")]
    Microseconds,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "%")]
    Percent,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::PointsPerSecond => "points/s",
            Unit::RequestsPerSecond => "requests/s",
            Unit::SpansPerSecond => "spans/s",
            Unit::FilesPerSecond => "files/s",
            Unit::MegabytesPerSecond => "MB/s",
            Unit::Milliseconds => "ms",
            Unit::Microseconds => "\u{b5}s",
            Unit::Mebibytes => "MiB",
            Unit::Percent => "%",
        }
    }

    /// How many times better `ours` is than `theirs`.
    pub(crate) fn advantage(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Unit::Milliseconds | Unit::Microseconds | Unit::Mebibytes | Unit::Percent => theirs / ours,
            _ => ours / theirs,
        }
    }
}

impl Figure {
    pub(crate) fn new(measurement: &str, database: Option<Database>, subject: &str, unit: Unit, value: f64) -> Figure {
        Figure {
            measurement: measurement.to_owned(),
            database: database.map_or("", Database::name),
            subject: subject.to_owned(),
            is_limit: false,
            unit,
            value: value.is_finite().then_some(value),
            latency: None,
            load_cpu: None,
            server_cpu: None,
            answer_bytes: None,
            note: String::new(),
            failed: false,
        }
    }

    pub(crate) fn limit(measurement: &str, database: Option<Database>, what: &str, unit: Unit, value: f64) -> Figure {
        Figure { is_limit: true, ..Figure::new(measurement, database, what, unit, value) }
    }

    pub(crate) fn latency(self, latency: Option<Percentiles>) -> Figure {
        Figure { latency, ..self }
    }

    /// The time that an answer of so many bytes takes.
    pub(crate) fn timed(self, timed: &Timed) -> Figure {
        Figure { value: Some(timed.latency.p50), answer_bytes: Some(timed.bytes), ..self.latency(Some(timed.latency)) }
    }

    pub(crate) fn note(mut self, note: impl AsRef<str>) -> Figure {
        if !self.note.is_empty() {
            self.note += "; ";
        }
        self.note += note.as_ref();
        self
    }

    pub(crate) fn failed(self, why: impl AsRef<str>) -> Figure {
        Figure { failed: true, ..self.note(why) }
    }

    /// Not measured, which is no fault of anybody.
    pub(crate) fn missing(self, why: impl AsRef<str>) -> Figure {
        Figure { value: None, ..self.note(why) }
    }
}
