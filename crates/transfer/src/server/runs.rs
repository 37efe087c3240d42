use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use stele_app::{LoadedLineage, LoadedMetric, LoadedReading, LoadedRun};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::lifecycle::RunKind;
use stele_domain::record::{Dataset, MetricValue, ModelOutput};
use stele_domain::{Error, Point, Result};

use super::client::Client;
use super::{int, list, optional, params, tags, text};
use crate::import::{Item, Sink};
use crate::mlflow::{presence, python_float, run_status, stored_value};

/// How many histories are asked for at a time.
const AT_A_TIME: usize = 8;
/// The points of one page of a history. Those of a metric with more come after its run, page by page.
const POINTS: usize = 25_000;
const RUNS: usize = 100;

/// Reads all runs of an experiment. `of_models` has what they measured of logged models.
pub(super) async fn read(
    client: &Client,
    sink: &Sink,
    experiment: ExperimentId,
    mut of_models: HashMap<RunId, Vec<MetricValue>>,
) -> Result<()> {
    let mut token: Option<String> = None;
    loop {
        let mut fields = json!({
            "experiment_ids": [experiment.to_string()],
            "run_view_type": "ALL",
            "order_by": ["attributes.start_time ASC"],
            "max_results": RUNS,
        });
        if let Some(token) = &token {
            fields["page_token"] = token.clone().into();
        }
        let answer = client.call(Method::POST, "runs/search", &fields).await?;
        let found = list(&answer, "runs");
        let ids = found.iter().map(|run| RunId(text(&run["info"], "run_id"))).collect();
        let known = sink.known(ids).await?;
        if !known.is_empty() {
            sink.send(Item::Known(known.len() as u64)).await?;
        }
        let mut runs = Vec::with_capacity(found.len());
        let mut long = Vec::new();
        for value in found {
            let run = run(value);
            let is_known = known.contains(&run.id);
            // A load that was killed may have left a run without all of its long histories.
            let (metrics, unfinished) = metrics(client, &run.id, list(&value["data"], "metrics")).await?;
            long.extend(unfinished);
            if !is_known {
                let mut run = with_inputs(client, run).await?;
                run.lineage.model_metrics = of_models.remove(&run.id).unwrap_or_default();
                runs.push(LoadedRun { metrics, ..run });
            }
        }
        if !runs.is_empty() {
            sink.send(Item::Runs { experiment, runs }).await?;
        }
        for (run, key) in long {
            long_history(client, sink, run, key).await?;
        }
        token = optional(&answer, "next_page_token").filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
}

/// The histories of a run, and the keys of those that are too long to come with it.
async fn metrics(client: &Client, run: &RunId, latest: &[Value]) -> Result<(Vec<LoadedMetric>, Vec<(RunId, String)>)> {
    let keys: Vec<String> = latest.iter().map(|metric| text(metric, "key")).collect();
    let pages = keys.into_iter().map(|key| {
        let run = run.clone();
        async move {
            let (points, next) = history(client, &run, &key, None).await?;
            Ok::<_, Error>((key, points, next))
        }
    });
    let found: Vec<_> = futures::stream::iter(pages).buffered(AT_A_TIME).try_collect().await?;
    let (mut metrics, mut long) = (Vec::new(), Vec::new());
    for (key, points, next) in found {
        match next {
            Some(_) => long.push((run.clone(), key)),
            None => metrics.push(LoadedMetric { key, points }),
        }
    }
    Ok((metrics, long))
}

async fn long_history(client: &Client, sink: &Sink, run: RunId, key: String) -> Result<()> {
    let mut token = None;
    loop {
        let (points, next) = history(client, &run, &key, token).await?;
        sink.send(Item::Points { run: run.clone(), key: key.clone(), points }).await?;
        token = next;
        if token.is_none() {
            return Ok(());
        }
    }
}

/// A page of a history, and the token of the next.
async fn history(
    client: &Client,
    run: &RunId,
    key: &str,
    token: Option<String>,
) -> Result<(Vec<Point>, Option<String>)> {
    let mut fields = json!({ "run_id": run.as_str(), "metric_key": key, "max_results": POINTS });
    if let Some(token) = token {
        fields["page_token"] = token.into();
    }
    let answer = client.call(Method::GET, "metrics/get-history", &fields).await?;
    let points = list(&answer, "metrics").iter().map(point).collect::<Result<_>>()?;
    Ok((points, optional(&answer, "next_page_token").filter(|token| !token.is_empty())))
}

pub(super) fn point(value: &Value) -> Result<Point> {
    let number = match &value["value"] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text == "Infinity" => Some(f64::INFINITY),
        Value::String(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
        Value::String(text) => python_float(text),
        // A field that is left out is zero.
        Value::Null => Some(0.0),
        _ => None,
    };
    let number = number.ok_or_else(|| Error::invalid(format!("{} is no metric value", value["value"])))?;
    let (step, timestamp) = (int(value, "step").unwrap_or_default(), int(value, "timestamp").unwrap_or_default());
    Ok(Point::new(step, timestamp, stored_value(number, number.is_nan())))
}

fn run(value: &Value) -> LoadedRun {
    let (info, data) = (&value["info"], &value["data"]);
    let started_at = int(info, "start_time").map(Timestamp);
    LoadedRun {
        id: RunId(text(info, "run_id")),
        kind: RunKind::Training,
        parent: None,
        name: text(info, "run_name"),
        status: run_status(&text(info, "status")),
        presence: presence(&text(info, "lifecycle_stage")),
        deleted_at: None,
        user: text(info, "user_id"),
        artifact_uri: optional(info, "artifact_uri"),
        started_at,
        ended_at: int(info, "end_time").map(Timestamp),
        created_at: started_at.unwrap_or(Timestamp(0)),
        tags: tags(data, "tags"),
        params: params(data, "params"),
        metrics: Vec::new(),
        lineage: lineage(value),
    }
}

/// A search leaves out the models that runs read, which only servers of MLflow 3 have.
async fn with_inputs(client: &Client, run: LoadedRun) -> Result<LoadedRun> {
    let answer = client.call(Method::GET, "runs/get", &json!({ "run_id": run.id.as_str() })).await?;
    Ok(LoadedRun { lineage: lineage(&answer["run"]), ..run })
}

fn lineage(run: &Value) -> LoadedLineage {
    let datasets = list(&run["inputs"], "dataset_inputs").iter().map(|input| {
        let dataset = &input["dataset"];
        LoadedReading {
            // The API does not tell the id of a dataset.
            public_id: String::new(),
            dataset: Dataset {
                name: text(dataset, "name"),
                digest: text(dataset, "digest"),
                source_type: text(dataset, "source_type"),
                source: text(dataset, "source"),
                schema: optional(dataset, "schema"),
                profile: optional(dataset, "profile"),
            },
            tags: tags(input, "tags"),
        }
    });
    let model_inputs = list(&run["inputs"], "model_inputs").iter();
    let model_outputs = list(&run["outputs"], "model_outputs").iter();
    LoadedLineage {
        datasets: datasets.collect(),
        model_inputs: model_inputs.map(|input| LoggedModelId(text(input, "model_id"))).collect(),
        model_outputs: model_outputs
            .map(|output| ModelOutput {
                model: LoggedModelId(text(output, "model_id")),
                step: int(output, "step").unwrap_or_default(),
            })
            .collect(),
        model_metrics: Vec::new(),
    }
}
