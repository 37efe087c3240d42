use std::fmt::Write;

use anyhow::Result;

use crate::api::TRACKING;
use crate::bench::Bench;
use crate::figure::Unit;
use crate::load::Client;
use crate::template::Template;

pub(crate) const CLIENTS: [usize; 3] = [1, 4, 16];
pub(crate) const KEYS: [&str; 10] = [
    "train/loss",
    "train/accuracy",
    "train/grad_norm",
    "train/learning_rate",
    "val/loss",
    "val/accuracy",
    "val/f1",
    "val/auc",
    "system/gpu_utilization",
    "throughput",
];
pub(crate) const STEPS: u64 = 100;
pub(crate) const POINTS: u64 = KEYS.len() as u64 * STEPS;

pub(crate) const FIRST_STEP: u64 = 100_000_000;
pub(crate) const FIRST_TIMESTAMP: u64 = 1_764_000_000_000;
/// Milliseconds from one step to the next.
pub(crate) const STEP_TIME: u64 = 37;

/// Durable points a second through log-batch: each client logs full batches to a run of its own.
pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    for clients in CLIENTS {
        let id = id(clients);
        if !bench.wants(&id) {
            continue;
        }
        let mut api = bench.api();
        let experiment = api.create_experiment(&id)?;
        let runs = api.create_runs(&experiment, clients)?;
        let loads = runs.iter().map(|run| client(run)).collect();
        bench.measure_writes(&id, Unit::PointsPerSecond, loads, |api, _| {
            let mut stored = 0;
            for run in &runs {
                for key in KEYS {
                    stored += api.count_points(run, &key.replace('/', "%2F"))?;
                }
            }
            Ok(stored)
        })?;
    }
    Ok(())
}

pub(crate) fn id(clients: usize) -> String {
    format!("log-batch/{clients}-client{}", if clients == 1 { "" } else { "s" })
}

pub(crate) fn client(run: &str) -> Client {
    let mut template = body(run).post(&format!("{TRACKING}/runs/log-batch"));
    Box::new(move |connection| {
        connection.expect_ok(template.next()?)?;
        Ok(POINTS)
    })
}

/// The body that the stock client sends for 100 steps of a training loop with ten metrics: step after step, spaces
/// after colons and commas, floats with all their digits.
pub(crate) fn body(run: &str) -> Template {
    let mut template = Template::new().text(&format!(r#"{{"run_id": "{run}", "metrics": ["#));
    for step in 0..STEPS {
        for (index, key) in KEYS.iter().enumerate() {
            let mut text = String::new();
            let comma = if step == 0 && index == 0 { "" } else { ", " };
            let value = value(step, index as u64);
            let _ = write!(text, r#"{comma}{{"key": "{key}", "value": {value}, "timestamp": "#);
            template = template
                .text(&text)
                .number(FIRST_TIMESTAMP + step * STEP_TIME + index as u64, STEPS * STEP_TIME)
                .text(r#", "step": "#)
                .number(FIRST_STEP + step, STEPS)
                .text("}");
        }
    }
    template.text(r#"], "params": [], "tags": []}"#)
}

/// A noisy curve, as training makes them.
pub(crate) fn value(step: u64, curve: u64) -> f64 {
    let noise = crate::seed::unit(step * 31 + curve);
    (0.3 + 2.0 / (1.0 + step as f64 * 0.05)) * (0.9 + 0.2 * noise)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn no_point_is_sent_twice() {
        let mut template = body("0123456789abcdef0123456789abcdef");
        let mut points = HashSet::new();
        for _ in 0..30 {
            let body: Value = serde_json::from_slice(template.next().unwrap()).unwrap();
            let metrics = body["metrics"].as_array().unwrap();
            assert_eq!(metrics.len() as u64, POINTS);
            for metric in metrics {
                let step = metric["step"].as_u64().unwrap();
                let timestamp = metric["timestamp"].as_u64().unwrap();
                assert_eq!((timestamp - FIRST_TIMESTAMP) / STEP_TIME, step - FIRST_STEP);
                assert!(points.insert((metric["key"].as_str().unwrap().to_owned(), step)));
            }
        }
    }
}
