//! The hot path: `runs/log-batch`, which training scripts send all their values through.

use std::collections::HashSet;
use std::fmt;

use axum::response::Response;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, de};
use stele_app::RunValues;
use stele_domain::Point;

use crate::call::{Call, empty};
use crate::error::{Failure, Result};
use crate::input::{Input, check_content_type, missing};
use crate::runs::take_tag;
use crate::validate;

const MOST_METRICS: usize = 1000;
const MOST_PARAMS: usize = 100;
const MOST_TAGS: usize = 100;
const MOST_VALUES: usize = 1000;

/// The message as it is parsed at speed. Whatever does not fit is explained by [`explain`].
#[derive(Deserialize)]
struct Batch {
    #[serde(default, alias = "runId")]
    run_id: Option<String>,
    #[serde(default)]
    metrics: Option<Vec<Metric>>,
    #[serde(default)]
    params: Option<Vec<KeyValue>>,
    #[serde(default)]
    tags: Option<Vec<KeyValue>>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    value: Option<Double>,
    #[serde(default)]
    timestamp: Option<Long>,
    #[serde(default)]
    step: Option<Long>,
    #[serde(default, alias = "modelId")]
    model_id: Option<String>,
    #[serde(default, alias = "datasetName")]
    dataset_name: Option<String>,
    #[serde(default, alias = "datasetDigest")]
    dataset_digest: Option<String>,
}

#[derive(Deserialize)]
struct KeyValue {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

pub(crate) async fn log_batch(mut call: Call) -> Result<Response> {
    let body = call.bytes().await?;
    check_content_type(&call.method, &call.headers)?;
    let batch: Batch = serde_json::from_slice(&body).or_else(|error| explain(&call, &body, &error))?;
    let (run, values) = batch.values()?;
    call.app.run_log(&call.ctx, run, values).await?;
    empty()
}

/// Reads a message that the fast way refused: one that is encoded twice is fine, others get MLflow's words.
fn explain(call: &Call, body: &[u8], error: &serde_json::Error) -> Result<Batch> {
    let input = Input::parse(&call.method, &call.headers, None, body, Default::default())?;
    let decoded: Result<Batch, _> = serde_json::from_value(serde_json::Value::Object(input.fields().clone()));
    if let Ok(batch) = decoded {
        return Ok(batch);
    }
    input.text("run_id")?;
    for (index, metric) in input.messages("metrics")?.into_iter().enumerate() {
        let metric = metric.at(&format!("metrics[{index}]"));
        for field in ["key", "model_id", "dataset_name", "dataset_digest"] {
            metric.text(field)?;
        }
        metric.float("value")?;
        metric.int("timestamp")?;
        metric.int("step")?;
    }
    for list in ["params", "tags"] {
        for (index, item) in input.messages(list)?.into_iter().enumerate() {
            let item = item.at(&format!("{list}[{index}]"));
            item.text("key")?;
            item.text("value")?;
        }
    }
    Err(Failure::invalid(format!("Malformed log-batch request: {error}")))
}

impl Batch {
    /// Checks everything in MLflow's order: presence, run id, names and lengths, sizes, duplicates.
    fn values(self) -> Result<(stele_domain::id::RunId, RunValues)> {
        let Batch { run_id, metrics, params, tags } = self;
        let run_id = run_id.filter(|id| !id.is_empty()).ok_or_else(|| missing("run_id"))?;
        let (metrics, params, tags) =
            (metrics.unwrap_or_default(), params.unwrap_or_default(), tags.unwrap_or_default());
        for (index, metric) in metrics.iter().enumerate() {
            metric.check_presence(index)?;
        }
        check_keys("params", &params)?;
        check_keys("tags", &tags)?;
        let run = validate::strict_run_id(run_id)?;

        let sizes = (metrics.len(), params.len(), tags.len());
        let mut values = RunValues { metrics: Vec::with_capacity(metrics.len()), ..RunValues::default() };
        for (index, metric) in metrics.into_iter().enumerate() {
            values.metrics.push(metric.value(index)?);
        }
        for (index, KeyValue { key, value }) in params.into_iter().enumerate() {
            values.params.push(validate::param(&format!("params[{index}]"), key.unwrap_or_default(), value)?);
        }
        for (index, KeyValue { key, value }) in tags.into_iter().enumerate() {
            take_tag(&mut values, validate::tag(&format!("tags[{index}]"), key.unwrap_or_default(), value)?);
        }
        check_sizes(sizes)?;
        check_duplicates(&values)?;
        Ok((run, values))
    }
}

impl Metric {
    fn check_presence(&self, index: usize) -> Result<()> {
        let given = [
            ("key", self.key.as_ref().is_some_and(|key| !key.is_empty())),
            ("value", self.value.is_some()),
            ("timestamp", self.timestamp.is_some()),
        ];
        match given.into_iter().find(|(_, given)| !given) {
            Some((field, _)) => Err(missing(&format!("metrics[{index}].{field}"))),
            None => Ok(()),
        }
    }

    fn value(self, index: usize) -> Result<stele_domain::record::MetricValue> {
        let Metric { key, value, timestamp, step, model_id, dataset_name, dataset_digest } = self;
        let number = |long: Option<Long>| long.map_or(0, |long| long.0);
        let point = Point::new(number(step), number(timestamp), value.map_or(0.0, |double| double.0));
        let subject = super::subject(model_id, dataset_name, dataset_digest)?;
        super::metric(&format!("metrics[{index}]"), key.unwrap_or_default(), point, subject)
    }
}

fn check_keys(list: &str, items: &[KeyValue]) -> Result<()> {
    match items.iter().position(|item| item.key.as_ref().is_none_or(String::is_empty)) {
        Some(index) => Err(missing(&format!("{list}[{index}].key"))),
        None => Ok(()),
    }
}

fn check_sizes((metrics, params, tags): (usize, usize, usize)) -> Result<()> {
    for (what, most, size) in [
        ("metrics", MOST_METRICS, metrics),
        ("params", MOST_PARAMS, params),
        ("tags", MOST_TAGS, tags),
        ("metrics, params, and tags", MOST_VALUES, metrics + params + tags),
    ] {
        if size > most {
            return Err(Failure::invalid(format!(
                "A batch logging request can contain at most {most} {what}. Got {size} {what}. Please split up \
                 {what} across multiple requests and try again."
            )));
        }
    }
    Ok(())
}

fn check_duplicates(values: &RunValues) -> Result<()> {
    let mut seen = HashSet::new();
    let repeated: Vec<String> =
        values.params.iter().filter(|param| !seen.insert(&param.key)).map(|param| format!("'{}'", param.key)).collect();
    if repeated.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value \
         per param key.",
        repeated.join(", ")
    )))
}

/// A double, which comes as a number or as a text such as `"NaN"`.
struct Double(f64);

/// A 64-bit integer, which comes as a number or as its decimal text.
struct Long(i64);

macro_rules! from_number_or_text {
    ($type:ident, $expecting:literal, $from_value:path) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                struct NumberOrText;
                impl Visitor<'_> for NumberOrText {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_i64<E: de::Error>(self, value: i64) -> Result<$type, E> {
                        convert(value.into())
                    }

                    fn visit_u64<E: de::Error>(self, value: u64) -> Result<$type, E> {
                        convert(value.into())
                    }

                    fn visit_f64<E: de::Error>(self, value: f64) -> Result<$type, E> {
                        convert(value.into())
                    }

                    fn visit_str<E: de::Error>(self, value: &str) -> Result<$type, E> {
                        convert(value.into())
                    }
                }

                fn convert<E: de::Error>(value: serde_json::Value) -> Result<$type, E> {
                    $from_value(&value).map($type).ok_or_else(|| E::custom(concat!("expected ", $expecting)))
                }
                deserializer.deserialize_any(NumberOrText)
            }
        }
    };
}

from_number_or_text!(Double, "a number", crate::input::float);
from_number_or_text!(Long, "a 64-bit integer", crate::input::int);
