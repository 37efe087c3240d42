//! The hot path: `runs/log-batch`, which training scripts send all their values through.

use std::collections::HashSet;
use std::fmt;

use axum::response::Response;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, de};
use stele_app::RunValues;
use stele_domain::id::RunId;
use stele_domain::record::{MetricValue, Param, Tag};
use stele_domain::{MetricValues, MetricValuesBuilder, Point};

use crate::call::{Call, empty};
use crate::error::{Failure, Result};
use crate::input::{Input, check_content_type, missing};
use crate::runs::take_tag;
use crate::scan::{Scanner, once};
use crate::validate;

const MOST_METRICS: usize = 1000;
const MOST_PARAMS: usize = 100;
const MOST_TAGS: usize = 100;
const MOST_VALUES: usize = 1000;

/// The message. Whatever does not fit is explained by [`explain`].
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
    let (run, values) = match quick(&body) {
        Some(read) => read,
        None => general(&call, &body)?,
    };
    drop(body);
    call.app.run_log(&call.ctx, run, values).await?;
    empty()
}

/// Reads a plain message in which all is well; `None` for any other.
fn quick(body: &[u8]) -> Option<(RunId, RunValues)> {
    let mut scan = Scanner::new(body)?;
    let (mut run, mut metrics) = (None, None);
    let (mut params, mut tags): (Option<Vec<Param>>, Option<Vec<Tag>>) = (None, None);
    scan.object(|scan, field| match field {
        "run_id" => once(&mut run, Some(scan.text()?)),
        "metrics" => {
            once(&mut metrics, Some(MetricValuesBuilder::default()))?;
            let metrics = metrics.as_mut()?;
            scan.list(|scan| quick_metric(scan, metrics))
        }
        "params" => {
            once(&mut params, Some(Vec::new()))?;
            let params = params.as_mut()?;
            scan.list(|scan| {
                let (key, value) = quick_pair(scan)?;
                params.push(validate::param("", key, Some(value)).ok()?);
                Some(())
            })
        }
        "tags" => {
            once(&mut tags, Some(Vec::new()))?;
            let tags = tags.as_mut()?;
            scan.list(|scan| {
                let (key, value) = quick_pair(scan)?;
                tags.push(validate::tag("", key, Some(value)).ok()?);
                Some(())
            })
        }
        _ => None,
    })?;
    scan.end()?;
    let run = validate::strict_run_id(run?.to_owned()).ok()?;
    let metrics = metrics.unwrap_or_default().finish();
    let (params, tags) = (params.unwrap_or_default(), tags.unwrap_or_default());
    check_sizes((metrics.given(), params.len(), tags.len())).ok()?;
    let mut values = RunValues { metrics, params, ..RunValues::default() };
    tags.into_iter().for_each(|tag| take_tag(&mut values, tag));
    check_duplicates(&values).ok()?;
    Some((run, values))
}

fn quick_metric(scan: &mut Scanner, metrics: &mut MetricValuesBuilder) -> Option<()> {
    let (mut key, mut value, mut timestamp, mut step) = (None, None, None, None);
    let (mut model_id, mut dataset_name, mut dataset_digest) = (None, None, None);
    scan.object(|scan, field| match field {
        "key" => once(&mut key, Some(scan.text()?)),
        "value" => once(&mut value, Some(scan.double()?)),
        "timestamp" => once(&mut timestamp, Some(scan.long()?)),
        "step" => once(&mut step, Some(scan.long()?)),
        "model_id" => once(&mut model_id, Some(scan.text()?.to_owned())),
        "dataset_name" => once(&mut dataset_name, Some(scan.text()?.to_owned())),
        "dataset_digest" => once(&mut dataset_digest, Some(scan.text()?.to_owned())),
        _ => None,
    })?;
    let key = key.filter(|key| !key.is_empty())?;
    let point = Point::new(step.unwrap_or(0), timestamp?, value?);
    let subject = super::subject(model_id, dataset_name, dataset_digest).ok()?;
    // A name is checked once.
    if point.timestamp < 0 || !metrics.has(key) {
        super::check("", key, &point).ok()?;
    }
    metrics.add(key, point, subject);
    Some(())
}

fn quick_pair(scan: &mut Scanner) -> Option<(String, String)> {
    let (mut key, mut value) = (None, None);
    scan.object(|scan, field| match field {
        "key" => once(&mut key, Some(scan.text()?)),
        "value" => once(&mut value, Some(scan.text()?)),
        _ => None,
    })?;
    Some((key.filter(|key| !key.is_empty())?.to_owned(), value.unwrap_or_default().to_owned()))
}

/// Reads any message, or tells what is wrong with it.
fn general(call: &Call, body: &[u8]) -> Result<(RunId, RunValues)> {
    let batch: Batch = serde_json::from_slice(body).or_else(|error| explain(call, body, &error))?;
    batch.values()
}

/// Reads a message that does not fit the types: one that is encoded twice is fine, others get MLflow's words.
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
    fn values(self) -> Result<(RunId, RunValues)> {
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
        let metrics = metrics.into_iter().enumerate().map(|(index, metric)| metric.value(index));
        let mut values = RunValues { metrics: metrics.collect::<Result<MetricValues>>()?, ..RunValues::default() };
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

    fn value(self, index: usize) -> Result<MetricValue> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn slow(body: &[u8]) -> Option<(RunId, RunValues)> {
        serde_json::from_slice::<Batch>(body).ok()?.values().ok()
    }

    fn field(
        name: &'static str,
        value: impl Strategy<Value = Value> + 'static,
    ) -> BoxedStrategy<Option<(String, Value)>> {
        prop_oneof![8 => value.prop_map(move |value| Some((name.to_owned(), value))), 1 => Just(None)].boxed()
    }

    fn text() -> impl Strategy<Value = Value> {
        prop_oneof!["[ab]{1,2}", "(train/)?loss", "[a./\"\\\\é]{0,3}"].prop_map(Value::from)
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            (0i64..9).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof![Just("NaN"), Just("3"), Just("x")].prop_map(Value::from),
        ]
    }

    fn object(fields: Vec<BoxedStrategy<Option<(String, Value)>>>) -> impl Strategy<Value = Value> {
        fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
    }

    fn list(item: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        prop::collection::vec(item, 0..6).prop_map(Value::from)
    }

    fn message() -> impl Strategy<Value = Value> {
        let odd = |name| prop_oneof![20 => Just(None), 1 => number().prop_map(move |value| Some((String::from(name), value)))];
        let metric = object(vec![
            field("key", text()),
            field("value", number()),
            field("timestamp", number()),
            field("step", number()),
            prop_oneof![6 => Just(None), 1 => field("model_id", text())].boxed(),
            prop_oneof![6 => Just(None), 1 => field("dataset_name", text())].boxed(),
            prop_oneof![6 => Just(None), 1 => field("dataset_digest", text())].boxed(),
            odd("other").boxed(),
        ]);
        let pair = || object(vec![field("key", text()), field("value", text())]);
        object(vec![
            field("run_id", "[a-z0-9]{1,4}".prop_map(Value::from)),
            field("metrics", list(metric)),
            field("params", list(pair())),
            field("tags", list(pair())),
            odd("runId").boxed(),
        ])
    }

    proptest! {
        #[test]
        fn a_message_read_quickly_is_read_as_any_other(message in message(), pretty in any::<bool>()) {
            let body = if pretty { serde_json::to_vec_pretty(&message) } else { serde_json::to_vec(&message) }.unwrap();
            if let Some(read) = quick(&body) {
                prop_assert_eq!(Some(read), slow(&body));
            }
        }
    }

    #[test]
    fn what_stock_clients_send_is_read_quickly() {
        let metric = |key: &str, step: i64| json!({ "key": key, "value": 0.1, "timestamp": 17, "step": step });
        let message = json!({
            "run_id": "0123456789abcdef0123456789abcdef",
            "metrics": [metric("a", 1), metric("b", 1), metric("a", 2), metric("a", 2)],
            "params": [{ "key": "lr", "value": "0.1" }],
            "tags": [{ "key": "mlflow.runName", "value": "x" }],
        });
        let read = quick(message.to_string().as_bytes());
        assert_eq!(read.as_ref().map(|(_, values)| values.metrics.given()), Some(4));
        assert_eq!(read, slow(message.to_string().as_bytes()));
    }

    #[test]
    fn a_message_with_anything_wrong_is_left_to_the_general_way() {
        for wrong in [
            r#"{"run_id": "a", "metrics": [{"key": "a", "value": 1, "timestamp": -1}]}"#,
            r#"{"run_id": "a", "metrics": [{"key": "a", "value": 1}]}"#,
            r#"{"run_id": "a", "metrics": [{"key": "../a", "value": 1, "timestamp": 1}]}"#,
            r#"{"run_id": "a", "params": [{"key": "a", "value": "1"}, {"key": "a", "value": "1"}]}"#,
            r#"{"run_id": "a", "run_id": "b"}"#,
            r#"{"metrics": []}"#,
            r#"{"run_id": "a"} x"#,
            r#""{\"run_id\": \"a\"}""#,
        ] {
            assert_eq!(quick(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
