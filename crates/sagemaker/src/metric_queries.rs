//! `BatchGetMetrics`: one statistic of a metric in each step or each span of time. Times of the x-axis, of `Start` and of
//! `End` are milliseconds since the epoch.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stele_app::HistoryStart;
use stele_domain::id::RunId;
use stele_domain::{Error, Point};

use crate::arn;
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::metrics::{PAGE, Statistics};
use crate::trials::COMPONENT;

/// How many values one query gives, and how many points all queries of a request read.
const MOST_VALUES: usize = 10_000;
const MOST_POINTS: usize = 20_000_000;

pub(crate) async fn get(call: Call) -> Result<Value> {
    let queries: Vec<Value> =
        call.input.get("MetricQueries").and_then(Value::as_array).into_iter().flatten().cloned().collect();
    let mut points_left = MOST_POINTS;
    let mut results = Vec::with_capacity(queries.len());
    for query in &queries {
        results.push(answer(&call, query, &mut points_left).await?);
    }
    Ok(json!({ "MetricQueryResults": results }))
}

async fn answer(call: &Call, query: &Value, points_left: &mut usize) -> Result<Value> {
    let text = |member: &str| query.get(member).and_then(Value::as_str).unwrap_or_default();
    let wanted = match Wanted::read(query) {
        Ok(wanted) => wanted,
        Err(message) => return Ok(refused(&message)),
    };
    let run = match run_of(call, text("ResourceArn")).await? {
        Ok(run) => run,
        Err(message) => return Ok(refused(&message)),
    };
    let Series { buckets, is_cut } = read(call, run, text("MetricName"), &wanted, points_left).await?;
    let (xs, values): (Vec<i64>, Vec<f64>) = buckets
        .iter()
        .filter_map(|(key, bucket)| Some((wanted.x(*key, bucket), bucket.statistic(text("MetricStat"))?)))
        .unzip();
    let mut result = json!({ "Status": "Complete", "XAxisValues": xs, "MetricValues": values });
    if is_cut {
        result["Status"] = "Truncated".into();
        result["Message"] = format!(
            "A query gives at most {MOST_VALUES} values, and a request reads at most {MOST_POINTS}: narrow it by Start and \
             End, or ask for a longer Period."
        )
        .into();
    }
    Ok(result)
}

fn refused(message: &str) -> Value {
    let message: String = message.chars().take(2_048).collect();
    json!({ "Status": "ValidationError", "Message": message, "XAxisValues": [], "MetricValues": [] })
}

/// The run of a trial component, or why there is none.
async fn run_of(call: &Call, given: &str) -> Result<Result<RunId, String>> {
    let Some(path) = arn::parse(given, &call.account) else {
        return Ok(Err(format!("The resource '{given}' does not exist.")));
    };
    if path.kind != COMPONENT {
        return Ok(Err(format!("Metrics are those of trial components here, and '{given}' is none.")));
    }
    match call.app.component_get(&call.ctx, path.rest.to_owned()).await {
        Ok(component) => Ok(Ok(component.run.info.id)),
        Err(Error::NotFound { .. }) => Ok(Err(format!("Trial Component '{given}' does not exist."))),
        Err(error) => Err(Failure::from(error)),
    }
}

struct Series {
    buckets: BTreeMap<i64, Bucket>,
    is_cut: bool,
}

async fn read(call: &Call, run: RunId, key: &str, wanted: &Wanted, points_left: &mut usize) -> Result<Series> {
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    let mut start = HistoryStart::Offset(0);
    loop {
        let page = call.app.metric_history(&call.ctx, run.clone(), key.to_owned(), start, PAGE).await?;
        for point in page.points.iter().filter(|point| wanted.has(point)) {
            let bucket = wanted.bucket(point);
            if buckets.len() == MOST_VALUES && !buckets.contains_key(&bucket) {
                return Ok(Series { buckets, is_cut: true });
            }
            buckets.entry(bucket).or_default().add(point);
        }
        let read = page.points.len();
        match page.points.last() {
            Some(last) if page.has_more => start = HistoryStart::After(*last),
            _ => return Ok(Series { buckets, is_cut: false }),
        }
        if *points_left < read {
            return Ok(Series { buckets, is_cut: true });
        }
        *points_left -= read;
    }
}

/// What a query asks of a history.
struct Wanted {
    /// Milliseconds; of steps when it is none.
    period: Option<i64>,
    is_by_time: bool,
    start: i64,
    end: i64,
}

impl Wanted {
    fn read(query: &Value) -> Result<Wanted, String> {
        let text = |member: &str| query.get(member).and_then(Value::as_str).unwrap_or_default();
        let bound = |member: &str| query.get(member).and_then(Value::as_i64);
        let period = match text("Period") {
            "OneMinute" => Some(60_000),
            "FiveMinute" => Some(300_000),
            "OneHour" => Some(3_600_000),
            _ => None,
        };
        let (start, end) = (bound("Start").unwrap_or(i64::MIN), bound("End").unwrap_or(i64::MAX));
        if start > end {
            return Err(format!("Start {start} is after End {end}."));
        }
        Ok(Wanted { period, is_by_time: text("XAxisType") == "Timestamp", start, end })
    }

    fn has(&self, point: &Point) -> bool {
        let at = if self.is_by_time { point.timestamp } else { point.step };
        (self.start..=self.end).contains(&at) && point.value.is_finite()
    }

    fn bucket(&self, point: &Point) -> i64 {
        match self.period {
            Some(period) => point.timestamp.div_euclid(period).saturating_mul(period),
            None => point.step,
        }
    }

    /// Where a bucket is on the axis: where it begins, or else where its newest value is.
    fn x(&self, key: i64, bucket: &Bucket) -> i64 {
        match (self.period.is_some(), self.is_by_time) {
            (true, true) | (false, false) => key,
            (true, false) => bucket.last.map_or(key, |last| last.step),
            (false, true) => bucket.last.map_or(key, |last| last.timestamp),
        }
    }
}

#[derive(Default)]
struct Bucket {
    statistics: Statistics,
    last: Option<Point>,
}

impl Bucket {
    fn add(&mut self, point: &Point) {
        self.statistics.add(point.value);
        if self.last.is_none_or(|last| last <= *point) {
            self.last = Some(*point);
        }
    }

    fn statistic(&self, name: &str) -> Option<f64> {
        match name {
            "Last" => self.last.map(|last| last.value),
            name => self.statistics.get(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_steps_or_spans_of_time() {
        let wanted = |period: &str, axis: &str| {
            Wanted::read(&json!({ "Period": period, "XAxisType": axis })).map_err(|_| ()).ok()
        };
        let points = [Point::new(0, 59_000, 1.0), Point::new(1, 61_000, 3.0), Point::new(1, 119_000, 5.0)];
        let table = [
            ("IterationNumber", "IterationNumber", vec![(0, 1.0), (1, 4.0)]),
            ("IterationNumber", "Timestamp", vec![(59_000, 1.0), (119_000, 4.0)]),
            ("OneMinute", "Timestamp", vec![(0, 1.0), (60_000, 4.0)]),
            ("OneMinute", "IterationNumber", vec![(0, 1.0), (1, 4.0)]),
            ("FiveMinute", "Timestamp", vec![(0, 3.0)]),
        ];
        for (period, axis, expected) in table {
            let wanted = wanted(period, axis).unwrap();
            let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
            points.iter().for_each(|point| buckets.entry(wanted.bucket(point)).or_default().add(point));
            let found: Vec<(i64, f64)> = buckets
                .iter()
                .map(|(key, bucket)| (wanted.x(*key, bucket), bucket.statistic("Avg").unwrap()))
                .collect();
            assert_eq!(found, expected, "{period} {axis}");
        }
    }
}
