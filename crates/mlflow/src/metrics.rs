//! Logging metrics, alone and in batches, and reading their histories.

mod batch;
mod history;
mod history_body;

use axum::response::Response;
use serde_json::{Value, json};
use stele_app::RunValues;
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::record::{DatasetKey, MetricSubject, MetricValue};
use stele_domain::{MetricValues, Point};

pub(crate) use batch::log_batch;
pub(crate) use history::{history, history_bulk, history_bulk_interval};

use crate::call::{Call, empty};
use crate::error::{Failure, Result};
use crate::input::{Input, below, check_content_type, invalid_value};
use crate::scan::{Scanner, once};
use crate::validate::{self, MOST_KEY};

pub(crate) async fn log_metric(mut call: Call) -> Result<Response> {
    let body = call.bytes().await?;
    check_content_type(&call.method, &call.headers)?;
    let (run, metric) = match quick(&body) {
        Some(read) => read,
        None => general(&call.read(&body)?)?,
    };
    let values = RunValues { metrics: MetricValues::from_iter([metric]), ..RunValues::default() };
    call.app.run_log(&call.ctx, run, values).await?;
    empty()
}

/// Reads a plain message in which all is well; `None` for any other.
fn quick(body: &[u8]) -> Option<(RunId, MetricValue)> {
    let mut scan = Scanner::new(body)?;
    let (mut run_id, mut run_uuid, mut key) = (None, None, None);
    let (mut value, mut timestamp, mut step) = (None, None, None);
    scan.object(|scan, field| match field {
        "run_id" => once(&mut run_id, Some(scan.text()?)),
        "run_uuid" => once(&mut run_uuid, Some(scan.text()?)),
        "key" => once(&mut key, Some(scan.text()?)),
        "value" => once(&mut value, Some(scan.double()?)),
        "timestamp" => once(&mut timestamp, Some(scan.long()?)),
        "step" => once(&mut step, Some(scan.long()?)),
        _ => None,
    })?;
    scan.end()?;
    let run = RunId(run_id.filter(|id| !id.is_empty())?.to_owned());
    let key = key.filter(|key| !key.is_empty())?.to_owned();
    let metric = metric("", key, Point::new(step.unwrap_or(0), timestamp?, value?), None).ok()?;
    Some((run, metric))
}

/// Reads any message, or tells what is wrong with it.
fn general(input: &Input) -> Result<(RunId, MetricValue)> {
    let run = RunId(input.run_id()?);
    let key = input.required_text("key")?;
    let value = input.required_float("value")?;
    let timestamp = input.required_int("timestamp")?;
    let step = input.int("step")?.unwrap_or(0);
    let subject = subject(input.text("model_id")?, input.text("dataset_name")?, input.text("dataset_digest")?)?;
    Ok((run, metric("", key, Point::new(step, timestamp, value), subject)?))
}

/// A metric value as it is stored. `path` is empty or like `metrics[0]`.
fn metric(path: &str, key: String, point: Point, subject: Option<MetricSubject>) -> Result<MetricValue> {
    check(path, &key, &point)?;
    Ok(MetricValue { key, point, subject })
}

/// Checks the name and the time of a metric value. `path` is empty or like `metrics[0]`.
fn check(path: &str, key: &str, point: &Point) -> Result<()> {
    validate::name(&below(path, "name"), key)?;
    if point.timestamp < 0 {
        let number = if point.value.is_nan() { "nan".to_owned() } else { json!(point.value).to_string() };
        let reason = format!("metric '{key}' (value={number}). Timestamp must be a nonnegative long (64-bit integer) ");
        let path = below(path, "timestamp");
        return Err(Failure::invalid(invalid_value(&path, &Value::from(point.timestamp), &reason)));
    }
    validate::length("Metric name", key, MOST_KEY)
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
