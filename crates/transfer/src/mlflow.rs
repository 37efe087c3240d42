//! MLflow's words and conventions, as its databases, folders and servers share them.

use serde_json::{Map, Value};
use stele_domain::Point;
use stele_domain::evaluation::RecordSource;
use stele_domain::lifecycle::{LoggedModelStatus, Presence, RunStatus, Stage};
use stele_domain::webhook::WebhookStatus;

/// The tag that MLflow keeps a run's name in as well. The record has the name itself.
pub(crate) const RUN_NAME_TAG: &str = "mlflow.runName";
/// The tag that nests a run in another.
pub(crate) const PARENT_RUN_TAG: &str = "mlflow.parentRunId";
/// The stage of versions that were deleted, whose rows MLflow keeps so that their numbers are not used again.
pub(crate) const DELETED_STAGE: &str = "Deleted_Internal";

/// The source of versions of prompts, which have no files.
pub(crate) const PROMPT_SOURCE: &str = "dummy-source";

/// What the outputs of a record of an evaluation dataset are wrapped in.
pub(crate) const OUTPUTS_KEY: &str = "mlflow_wrapped";

/// MLflow's run states with their numbers in `meta.yaml`.
const RUN_STATUSES: &[(&str, &str, RunStatus)] = &[
    ("RUNNING", "1", RunStatus::Running),
    ("SCHEDULED", "2", RunStatus::Scheduled),
    ("FINISHED", "3", RunStatus::Completed),
    ("FAILED", "4", RunStatus::Failed),
    ("KILLED", "5", RunStatus::Stopped),
];

const STAGES: &[(&str, Stage)] = &[
    ("None", Stage::None),
    ("Staging", Stage::Staging),
    ("Production", Stage::Production),
    ("Archived", Stage::Archived),
];

/// By number in databases and folders, by name on the wire.
const LOGGED_MODEL_STATUSES: &[(i64, &str, LoggedModelStatus)] = &[
    (0, "LOGGED_MODEL_STATUS_UNSPECIFIED", LoggedModelStatus::Unspecified),
    (1, "LOGGED_MODEL_PENDING", LoggedModelStatus::Pending),
    (2, "LOGGED_MODEL_READY", LoggedModelStatus::Ready),
    (3, "LOGGED_MODEL_UPLOAD_FAILED", LoggedModelStatus::Failed),
];

/// A run status by its name or number; without one a run is running.
pub(crate) fn run_status(text: &str) -> RunStatus {
    let found = RUN_STATUSES.iter().find(|(name, number, _)| *name == text || *number == text);
    found.map_or(RunStatus::Running, |(.., status)| *status)
}

/// Folds the record's states into the five of MLflow.
pub(crate) fn run_status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Initializing | RunStatus::Scheduled | RunStatus::Queued | RunStatus::Provisioning => "SCHEDULED",
        RunStatus::Running | RunStatus::Paused | RunStatus::Retrying | RunStatus::Stopping => "RUNNING",
        RunStatus::Completed | RunStatus::Cached | RunStatus::Skipped => "FINISHED",
        RunStatus::Failed => "FAILED",
        RunStatus::Stopped => "KILLED",
    }
}

pub(crate) fn presence(lifecycle_stage: &str) -> Presence {
    if lifecycle_stage == "deleted" { Presence::Deleted } else { Presence::Active }
}

/// The stage of that name; a version without one is in none.
pub(crate) fn stage(name: &str) -> Stage {
    STAGES.iter().find(|(stage, _)| *stage == name).map_or(Stage::None, |(_, stage)| *stage)
}

pub(crate) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::None => "None",
        Stage::Staging => "Staging",
        Stage::Production => "Production",
        Stage::Archived => "Archived",
    }
}

pub(crate) fn logged_model_status(number: i64) -> LoggedModelStatus {
    let found = LOGGED_MODEL_STATUSES.iter().find(|(known, ..)| *known == number);
    found.map_or(LoggedModelStatus::Unspecified, |(.., status)| *status)
}

pub(crate) fn logged_model_status_by_name(name: &str) -> LoggedModelStatus {
    let found = LOGGED_MODEL_STATUSES.iter().find(|(_, known, _)| *known == name);
    found.map_or(LoggedModelStatus::Unspecified, |(.., status)| *status)
}

pub(crate) fn logged_model_status_number(status: LoggedModelStatus) -> i64 {
    match status {
        LoggedModelStatus::Unspecified => 0,
        LoggedModelStatus::Pending => 1,
        LoggedModelStatus::Ready => 2,
        LoggedModelStatus::Failed => 3,
    }
}

/// The source of a record of an evaluation dataset, whose kind may stand beside it.
pub(crate) fn record_source(mut fields: Map<String, Value>, kind: Option<String>) -> RecordSource {
    let data = match fields.remove("source_data") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    let kind = fields.get("source_type").and_then(Value::as_str).map(str::to_owned).or(kind);
    RecordSource { kind: kind.unwrap_or_default(), data }
}

pub(crate) fn webhook_status(name: &str) -> WebhookStatus {
    if name == "ACTIVE" { WebhookStatus::Active } else { WebhookStatus::Disabled }
}

pub(crate) fn webhook_status_name(status: WebhookStatus) -> &'static str {
    match status {
        WebhookStatus::Active => "ACTIVE",
        WebhookStatus::Disabled => "DISABLED",
    }
}

/// A metric value as MLflow's databases have it: infinities are the largest doubles there, and so they are read back.
pub(crate) fn stored_value(value: f64, is_nan: bool) -> f64 {
    if is_nan {
        f64::NAN
    } else if value >= f64::MAX {
        f64::INFINITY
    } else if value <= f64::MIN {
        f64::NEG_INFINITY
    } else {
        value
    }
}

/// The reverse of [`stored_value`].
pub(crate) fn value_to_store(value: f64) -> (f64, bool) {
    if value.is_nan() { (0.0, true) } else { (value.clamp(f64::MIN, f64::MAX), false) }
}

/// A number as Python prints it, with `nan` and `inf` in any case.
pub(crate) fn python_float(text: &str) -> Option<f64> {
    text.trim().replace('_', "").parse().ok()
}

/// Databases keep no NaN about a logged model, only zero: a zero is NaN if the run has NaN at that place.
pub(crate) fn was_nan(point: &Point, of_run: &[Point]) -> bool {
    point.value == 0.0
        && of_run
            .iter()
            .any(|known| known.value.is_nan() && known.step == point.step && known.timestamp == point.timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_logged() {
        for value in [0.5, -0.0, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, 1.7e308] {
            let (stored, is_nan) = value_to_store(value);
            assert!(stored.is_finite());
            assert_eq!(stored_value(stored, is_nan).to_bits(), value.to_bits());
        }
        let (stored, is_nan) = value_to_store(f64::NAN);
        assert!(stored_value(stored, is_nan).is_nan());
    }

    #[test]
    fn python_prints_floats_that_we_read() {
        assert_eq!(python_float("1e-05"), Some(1e-5));
        assert_eq!(python_float("inf"), Some(f64::INFINITY));
        assert_eq!(python_float("-inf"), Some(f64::NEG_INFINITY));
        assert!(python_float("nan").is_some_and(f64::is_nan));
        assert_eq!(python_float("lots"), None);
    }

    #[test]
    fn every_status_has_a_name_that_reads_back_or_folds() {
        for status in RunStatus::ALL {
            let folded = run_status(run_status_name(*status));
            assert_eq!(run_status_name(folded), run_status_name(*status));
        }
        for stage_of_record in Stage::ALL {
            assert_eq!(stage(stage_name(*stage_of_record)), *stage_of_record);
        }
        for status in LoggedModelStatus::ALL {
            assert_eq!(logged_model_status(logged_model_status_number(*status)), *status);
        }
    }
}
