//! Logging metrics, alone and in batches, and reading their histories.

mod batch;
mod history;
mod history_body;

use axum::response::Response;
use serde_json::{Value, json};
use stele_app::RunValues;
use stele_domain::Point;
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::record::{DatasetKey, MetricSubject, MetricValue};

pub(crate) use batch::log_batch;
pub(crate) use history::{history, history_bulk, history_bulk_interval};

use crate::call::{Call, empty};
use crate::error::{Failure, Result};
use crate::input::{below, invalid_value};
use crate::validate::{self, MOST_KEY};

pub(crate) async fn log_metric(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = RunId(input.run_id()?);
    let key = input.required_text("key")?;
    let value = input.required_float("value")?;
    let timestamp = input.required_int("timestamp")?;
    let step = input.int("step")?.unwrap_or(0);
    let subject = subject(input.text("model_id")?, input.text("dataset_name")?, input.text("dataset_digest")?)?;
    let metric = metric("", key, Point::new(step, timestamp, value), subject)?;
    call.app.run_log(&call.ctx, run, RunValues { metrics: vec![metric], ..RunValues::default() }).await?;
    empty()
}

/// A metric value as it is stored. `path` is empty or like `metrics[0]`.
fn metric(path: &str, key: String, point: Point, subject: Option<MetricSubject>) -> Result<MetricValue> {
    validate::name(&below(path, "name"), &key)?;
    if point.timestamp < 0 {
        let number = if point.value.is_nan() { "nan".to_owned() } else { json!(point.value).to_string() };
        let reason = format!("metric '{key}' (value={number}). Timestamp must be a nonnegative long (64-bit integer) ");
        let path = below(path, "timestamp");
        return Err(Failure::invalid(invalid_value(&path, &Value::from(point.timestamp), &reason)));
    }
    validate::length("Metric name", &key, MOST_KEY)?;
    Ok(MetricValue { key, point, subject })
}

/// What a metric value is about; a dataset counts only together with a model.
fn subject(model: Option<String>, name: Option<String>, digest: Option<String>) -> Result<Option<MetricSubject>> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let dataset = match (given(name), given(digest)) {
        (Some(name), Some(digest)) => Some(DatasetKey { name, digest }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(Failure::invalid("Both dataset_name and dataset_digest must be provided if one is provided"));
        }
    };
    Ok(given(model).map(|model| MetricSubject { model: LoggedModelId(model), dataset }))
}
