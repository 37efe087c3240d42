//! The few calls of MLflow's API with which measurements are set up and checked.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use serde_json::{Value, json};

use crate::http::{self, Connection};

pub(crate) struct Api {
    connection: Connection,
}

pub(crate) const TRACKING: &str = "/api/2.0/mlflow";

impl Api {
    pub(crate) fn new(port: u16, timeout: Duration) -> Api {
        Api { connection: Connection::new(port, timeout) }
    }

    pub(crate) fn post(&mut self, call: &str, body: &Value) -> Result<Value> {
        self.json(&http::post(&format!("{TRACKING}/{call}"), &body.to_string())).with_context(|| call.to_owned())
    }

    /// As [`Api::post`], to any path.
    pub(crate) fn post_to(&mut self, target: &str, body: &Value) -> Result<Value> {
        self.json(&http::post(target, &body.to_string())).with_context(|| target.to_owned())
    }

    pub(crate) fn get(&mut self, target: &str) -> Result<Value> {
        self.json(&http::get(target)).with_context(|| target.to_owned())
    }

    fn json(&mut self, request: &[u8]) -> Result<Value> {
        let mut body = Vec::new();
        let status = self.connection.exchange(request, &mut body)?;
        ensure!(status == 200, "the server answered {status}: {}", http::shown(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    pub(crate) fn create_experiment(&mut self, name: &str) -> Result<String> {
        let answer = self.post("experiments/create", &json!({ "name": name }))?;
        text(&answer["experiment_id"])
    }

    pub(crate) fn create_run(&mut self, experiment: &str) -> Result<String> {
        let body =
            json!({ "experiment_id": experiment, "user_id": "bench", "start_time": 1_700_000_000_000u64, "tags": [] });
        text(&self.post("runs/create", &body)?["run"]["info"]["run_id"])
    }

    pub(crate) fn create_runs(&mut self, experiment: &str, count: usize) -> Result<Vec<String>> {
        (0..count).map(|_| self.create_run(experiment)).collect()
    }

    pub(crate) fn run(&mut self, run: &str) -> Result<Value> {
        let answer = self.get(&format!("{TRACKING}/runs/get?run_id={run}"))?;
        Ok(answer["run"].clone())
    }

    /// How many points the server gives back of a series. They are counted as they come, not parsed.
    pub(crate) fn count_points(&mut self, run: &str, key: &str) -> Result<u64> {
        let target = format!("{TRACKING}/metrics/get-history?run_id={run}&metric_key={key}");
        let mut counter = Counter::new(b"\"step\"");
        let status = self.connection.stream(&[&http::get(&target)], &mut |part| counter.take(part))?;
        ensure!(status == 200, "get-history answered {status}");
        Ok(counter.found)
    }

    /// How many runs an experiment has, page by page.
    pub(crate) fn count_runs(&mut self, experiment: &str) -> Result<u64> {
        let mut token: Option<String> = None;
        let mut count = 0;
        loop {
            let mut body = json!({ "experiment_ids": [experiment], "max_results": 10_000 });
            if let Some(token) = &token {
                body["page_token"] = token.as_str().into();
            }
            let page = self.post("runs/search", &body)?;
            count += page["runs"].as_array().map_or(0, Vec::len) as u64;
            token = page["next_page_token"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(count);
            }
        }
    }
}

pub(crate) fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("expected text, not {value}"))
}

/// Counts a word in a text that comes in parts.
pub(crate) struct Counter {
    word: &'static [u8],
    /// The end of what came before, too short to hold the word.
    before: Vec<u8>,
    pub(crate) found: u64,
}

impl Counter {
    pub(crate) fn new(word: &'static [u8]) -> Counter {
        Counter { word, before: Vec::new(), found: 0 }
    }

    pub(crate) fn take(&mut self, part: &[u8]) {
        let overlap = self.word.len() - 1;
        let start = self.before.len();
        self.before.extend_from_slice(&part[..part.len().min(overlap)]);
        // Across the border only: a word that lies in `part` alone is counted below.
        let across = memmem::find_iter(&self.before, self.word).filter(|at| *at < start).count();
        self.found += (across + memmem::find_iter(part, self.word).count()) as u64;
        if part.len() >= overlap {
            self.before.clear();
            self.before.extend_from_slice(&part[part.len() - overlap..]);
        } else {
            let excess = self.before.len().saturating_sub(overlap);
            self.before.drain(..excess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn words_are_counted_once_wherever_the_text_is_cut() {
        let text = br#"{"step": 1, "x": "step"}"step""step"#;
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut counter = Counter::new(b"\"step\"");
                for part in [&text[..first], &text[first..second], &text[second..]] {
                    counter.take(part);
                }
                assert_eq!(counter.found, 3, "cut at {first} and {second}");
            }
        }
    }
}
