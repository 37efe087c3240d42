use std::io::Write;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stele_app::HistoryStart;
use stele_domain::Point;
use stele_domain::id::RunId;

use super::history_body::HistoryBody;
use crate::call::{Call, reply};
use crate::dto::MetricDto;
use crate::error::{Failure, Result};
use crate::page_token;

/// The most points that one answer of the bulk call holds.
const MOST_BULK: usize = 25_000;
const MOST_RUNS: usize = 100;
const MOST_SAMPLES: i64 = 2_500;
const SEE_DOCS: &str = " See the API docs for more information about request parameters.";

/// Every point of a metric, or a page of them. A run or metric that does not exist has none.
pub(crate) async fn history(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let run = RunId(input.run_id()?);
    let key = input.required_text("metric_key")?;
    let offset = page_token::offset(input.text("page_token")?.as_deref())?;
    let most = input.int("max_results")?;
    if let Some(most) = most.filter(|most| *most <= 0) {
        return Err(Failure::invalid(format!(
            "Invalid value {most} for parameter 'max_results' supplied. It must be a positive integer."
        )));
    }
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    HistoryBody::answer(call, run, key, offset, most).await
}

/// The points of a metric of several runs, for old web pages. Unlike everywhere else, NaN is a bare token.
pub(crate) async fn history_bulk(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let mut runs = input.texts("run_id")?;
    if runs.is_empty() {
        return Err(Failure::invalid("GetMetricHistoryBulk request must specify at least one run_id."));
    }
    if runs.len() > MOST_RUNS {
        return Err(Failure::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {MOST_RUNS} run_ids. Received {} run_ids.",
            runs.len()
        )));
    }
    let Some(key) = input.text("metric_key")? else {
        return Err(Failure::invalid("GetMetricHistoryBulk request must specify a metric_key."));
    };
    let most = input.int("max_results")?.unwrap_or(MOST_BULK as i64);
    let most = usize::try_from(most).unwrap_or(0).min(MOST_BULK);
    runs.sort_unstable();
    runs.dedup();
    let mut body = Vec::from(br#"{"metrics":["#);
    let mut left = most;
    for run in runs.into_iter().map(RunId) {
        let start = HistoryStart::Offset(0);
        let page = call.app.metric_history(&call.ctx, run.clone(), key.clone(), start, left).await?;
        left -= page.points.len();
        let (key, run) = (Value::from(key.as_str()), Value::from(run.as_str()));
        for Point { step, timestamp, value } in page.points {
            let comma = if body.ends_with(b"[") { "" } else { "," };
            let value =
                if value.is_nan() { "NaN".to_owned() } else { json!(value.clamp(f64::MIN, f64::MAX)).to_string() };
            write!(
                body,
                r#"{comma}{{"key":{key},"run_id":{run},"step":{step},"timestamp":{timestamp},"value":{value}}}"#
            )
            .map_err(|error| stele_domain::Error::internal(error.to_string()))?;
        }
        if left == 0 {
            break;
        }
    }
    body.extend(b"]}");
    Ok(crate::error::json_response(StatusCode::OK, body))
}

/// An even sample of the points of a metric of several runs, as MLflow takes it.
pub(crate) async fn history_bulk_interval(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let runs = input.texts("run_ids")?;
    if runs.is_empty() {
        return Err(crate::input::missing("run_ids"));
    }
    if runs.len() > MOST_RUNS {
        return Err(Failure::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify at most {MOST_RUNS} run_ids. Received {} run_ids.{SEE_DOCS}",
            runs.len()
        )));
    }
    let key = input.required_text("metric_key")?;
    let (start, end) = (input.int("start_step")?, input.int("end_step")?);
    let most = input.int("max_results")?.unwrap_or(MOST_SAMPLES);
    if !(1..=MOST_SAMPLES).contains(&most) {
        return Err(Failure::invalid(format!("max_results must be between 1 and {MOST_SAMPLES}.{SEE_DOCS}")));
    }
    let steps = match (start, end) {
        (Some(start), Some(end)) if start > end => {
            return Err(Failure::invalid(format!(
                "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
            )));
        }
        (Some(start), Some(end)) => start..=end,
        (None, None) => i64::MIN..=i64::MAX,
        _ => {
            return Err(Failure::invalid("If either start step or end step are specified, both must be specified."));
        }
    };
    let runs: Vec<RunId> = runs.into_iter().map(RunId).collect();
    let most = usize::try_from(most).unwrap_or(1);
    let ranks = move |count| sample(count, most);
    let histories = call.app.metric_samples(&call.ctx, runs, key.clone(), steps, ranks).await?;
    let metrics: Vec<Value> = histories
        .iter()
        .flat_map(|(run, points)| points.iter().map(|point| metric(&key, *point, run)).collect::<Vec<_>>())
        .collect();
    reply(&if metrics.is_empty() { json!({}) } else { json!({ "metrics": metrics }) })
}

fn metric(key: &str, point: Point, run: &RunId) -> Value {
    let dto = MetricDto { run_id: Some(run.0.clone()), ..MetricDto::new(key, point) };
    // The values are texts and numbers, which always serialize.
    serde_json::to_value(dto).unwrap_or(Value::Null)
}

/// Cuts so many sorted points into `most` parts of nearly equal size and takes the rank of the first of each, as SQL's
/// `NTILE` does; the very last point is always there.
fn sample(count: usize, most: usize) -> Vec<usize> {
    let Some(last) = count.checked_sub(1) else { return Vec::new() };
    let (size, larger) = (count / most, count % most);
    let mut sampled: Vec<usize> = (0..most.min(count)).map(|part| part * size + part.min(larger)).collect();
    if sampled.last() != Some(&last) {
        if sampled.len() >= most {
            sampled.pop();
        }
        sampled.push(last);
    }
    sampled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_the_ends() {
        assert_eq!(sample(3, 5), [0, 1, 2]);
        assert_eq!(sample(10, 4), [0, 3, 6, 9]);
        assert_eq!(sample(5, 1), [4]);
        assert_eq!(sample(0, 5), [0_usize; 0]);
    }
}
