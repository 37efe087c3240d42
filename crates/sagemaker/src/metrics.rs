//! Metrics of trial components: `BatchPutMetrics`, and the statistics of a component's metrics.

use serde_json::{Map, Value, json};
use stele_app::{Component, HistoryStart, RunValues};
use stele_domain::id::RunId;
use stele_domain::record::LatestMetric;
use stele_domain::{Error, MetricValuesBuilder, Point};

use crate::call::{Call, timestamp};
use crate::error::Result;
use crate::paging::nothing;
use crate::render;
use crate::trials::COMPONENT;

/// How many points are read at a time.
pub(crate) const PAGE: usize = 50_000;

/// All values or none. AWS answers like a success, with what was wrong beside the place of each value.
pub(crate) async fn put(call: Call) -> Result<Value> {
    let given: Vec<&Value> = call.input.get("MetricData").and_then(Value::as_array).into_iter().flatten().collect();
    let component = call.app.component_get(&call.ctx, call.required("TrialComponentName").to_owned()).await;
    let logged = match component {
        Ok(component) => log(&call, component.run.info.id, &given).await,
        Err(error) => Err(error),
    };
    let Err(error) = logged else { return Ok(nothing()) };
    let code = match &error {
        Error::LimitExceeded { .. } => "METRIC_LIMIT_EXCEEDED",
        Error::Conflict { .. } => "CONFLICT_ERROR",
        Error::NotFound { .. } | Error::Invalid { .. } | Error::WrongState { .. } => "VALIDATION_ERROR",
        _ => return Err(error.into()),
    };
    let errors = (0..given.len()).map(|index| json!({ "Code": code, "MetricIndex": index }));
    Ok(json!({ "Errors": errors.collect::<Value>() }))
}

async fn log(call: &Call, run: RunId, metrics: &[&Value]) -> stele_domain::Result<()> {
    let mut values = MetricValuesBuilder::default();
    for metric in metrics {
        let key = metric.get("MetricName").and_then(Value::as_str).unwrap_or_default();
        let time = timestamp(metric.get("Timestamp").and_then(Value::as_f64).unwrap_or_default());
        let step = metric.get("Step").and_then(Value::as_i64).unwrap_or_default();
        let value = metric.get("Value").map_or(f64::NAN, number);
        values.add(key, Point::new(step, time.0, value), None);
    }
    let values = RunValues { metrics: values.finish(), ..RunValues::default() };
    call.app.run_log(&call.ctx, run, values).await
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| match value.as_str() {
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => f64::NAN,
    })
}

/// The statistics of each metric of a component. Values that are not finite are left out of them, as JSON has no word for
/// them.
pub(crate) async fn summaries(call: &Call, component: &Component) -> Result<Value> {
    let name = component.name.as_deref().unwrap_or(component.run.info.id.as_str());
    let source = call.arn(COMPONENT, name);
    let mut summaries = Vec::with_capacity(component.run.metrics.len());
    for LatestMetric { key, point } in &component.run.metrics {
        let statistics = statistics(call, &component.run.info.id, key).await?;
        let mut summary = statistics.render();
        summary.insert("MetricName".to_owned(), key.as_str().into());
        summary.insert("SourceArn".to_owned(), source.as_str().into());
        summary.insert("TimeStamp".to_owned(), render::time(stele_domain::id::Timestamp(point.timestamp)));
        if point.value.is_finite() {
            summary.insert("Last".to_owned(), point.value.into());
        }
        summaries.push(Value::Object(summary));
    }
    Ok(Value::Array(summaries))
}

/// Of the whole history of a metric.
pub(crate) async fn statistics(call: &Call, run: &RunId, key: &str) -> Result<Statistics> {
    let mut statistics = Statistics::default();
    let mut start = HistoryStart::Offset(0);
    loop {
        let page = call.app.metric_history(&call.ctx, run.clone(), key.to_owned(), start, PAGE).await?;
        page.points.iter().for_each(|point| statistics.add(point.value));
        match page.points.last() {
            Some(last) if page.has_more => start = HistoryStart::After(*last),
            _ => return Ok(statistics),
        }
    }
}

/// Mean and deviation by Welford's method ("Note on a method for calculating corrected sums of squares and products",
/// 1962), in one pass.
#[derive(Default)]
pub(crate) struct Statistics {
    count: u64,
    min: Option<f64>,
    max: Option<f64>,
    mean: f64,
    squares: f64,
}

impl Statistics {
    pub(crate) fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.count += 1;
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
        let distance = value - self.mean;
        #[expect(clippy::cast_precision_loss, reason = "nobody logs 2^53 points")]
        let count = self.count as f64;
        self.mean += distance / count;
        self.squares += distance * (value - self.mean);
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// One of them by the name that answers give it; none of no values but their count.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.render().get(name).and_then(Value::as_f64)
    }

    fn render(&self) -> Map<String, Value> {
        let Value::Object(mut summary) = json!({ "Count": self.count }) else { return Map::new() };
        if let (Some(min), Some(max)) = (self.min, self.max) {
            #[expect(clippy::cast_precision_loss, reason = "nobody logs 2^53 points")]
            let deviation = (self.squares / self.count as f64).sqrt();
            let numbers = [("Min", min), ("Max", max), ("Avg", self.mean), ("StdDev", deviation)];
            summary.extend(numbers.map(|(name, value)| (name.to_owned(), value.into())));
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_finite_values() {
        let mut statistics = Statistics::default();
        for value in [2.0, 4.0, 4.0, f64::NAN, 4.0, 5.0, 5.0, f64::INFINITY, 7.0, 9.0] {
            statistics.add(value);
        }
        let expected = json!({ "Count": 8, "Min": 2.0, "Max": 9.0, "Avg": 5.0, "StdDev": 2.0 });
        assert_eq!(Value::Object(statistics.render()), expected);
    }
}
