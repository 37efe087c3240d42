use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;
use stele_domain::id::Clock;

use crate::cli::client::{Client, Connection};
use crate::cli::sheet::Sheet;
use crate::cli::table::{Cell, Column, Table};
use crate::cli::view::{self, Envelope, Experiment, Run};
use crate::cli::{Output, human};
use crate::system::SystemClock;

/// Metrics beyond these are shown without their history, each of which is a request of its own.
const MOST_HISTORIES: usize = 50;

/// How wide a history is drawn.
const BUCKETS: usize = 24;

#[derive(Args)]
pub(super) struct Show {
    /// Its id
    run: String,

    /// Show the tags of MLflow's own as well
    #[arg(long)]
    all_tags: bool,

    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(output: &Output, Show { run: id, all_tags, connection }: Show) -> anyhow::Result<()> {
    let client = connection.open().await?;
    let found: Value = client.get(&["runs", &id], &[]).await?;
    if output.is_json() {
        return output.json(&found);
    }
    let run: Run = serde_json::from_value(found)?;
    let experiment: Experiment = client.get(&["experiments", &run.info.experiment_id], &[]).await?;
    let mut histories = BTreeMap::new();
    for key in run.metrics.iter().filter(|(_, last)| last.step != 0).map(|(key, _)| key).take(MOST_HISTORIES) {
        histories.insert(key.clone(), history(&client, &id, key).await?);
    }
    output.text(sheet(output, &run, &experiment, &histories, all_tags).text())
}

async fn history(client: &Client, run: &str, key: &str) -> anyhow::Result<String> {
    let buckets = BUCKETS.to_string();
    let query = [("key", key), ("buckets", buckets.as_str())];
    let envelope: Envelope = client.get(&["runs", run, "metrics", "envelope"], &query).await?;
    Ok(sparkline(&envelope))
}

/// The last value of each range of steps as a bar of eighths; a range without a number is a gap.
fn sparkline(envelope: &Envelope) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

    let values: BTreeMap<usize, f64> = envelope
        .buckets
        .iter()
        .map(|bucket| (bucket.index, bucket.last.value))
        .filter(|(_, value)| value.is_finite())
        .collect();
    let least = values.values().copied().fold(f64::INFINITY, f64::min);
    let most = values.values().copied().fold(f64::NEG_INFINITY, f64::max);
    let bar = |value: f64| {
        let part = if most > least { (value - least) / (most - least) } else { 0.5 };
        BARS[((part * 7.0).round() as usize).min(7)]
    };
    // Fewer steps than ranges leave ranges empty, which are no gaps.
    if values.len() < BUCKETS / 2 {
        return values.values().copied().map(bar).collect();
    }
    (0..BUCKETS).map(|index| values.get(&index).copied().map_or(' ', bar)).collect::<String>().trim_end().to_owned()
}

fn sheet(
    output: &Output,
    run: &Run,
    experiment: &Experiment,
    histories: &BTreeMap<String, String>,
    all_tags: bool,
) -> Sheet {
    let Run { info, params, metrics, tags, datasets, model_inputs, model_outputs } = run;
    let now = SystemClock.now();
    let title = if info.name.is_empty() { &info.id } else { &info.name };
    let mut sheet = Sheet::new(output.width(), title);
    let state = if info.presence == "deleted" { format!("{}, in the trash", info.status) } else { info.status.clone() };
    let kind = if info.kind == "training" { String::new() } else { info.kind.clone() };
    sheet.fields(&[
        ("run", info.id.clone()),
        ("experiment", format!("{} ({})", experiment.name, experiment.id)),
        ("kind", kind),
        ("status", state),
        ("started", info.started_at.map(|time| view::moment(time, now)).unwrap_or_default()),
        ("ended", info.ended_at.map(|time| view::moment(time, now)).unwrap_or_default()),
        ("took", info.took(now).map(human::duration).unwrap_or_default()),
        ("user", info.user.clone()),
        ("artifacts", info.artifact_uri.clone()),
    ]);
    sheet.values("Params", params);
    let mut table =
        Table::new([Column::text("METRIC"), Column::number("VALUE"), Column::number("STEP"), Column::whole("HISTORY")]);
    for (key, point) in metrics {
        let history = histories.get(key).map(String::as_str).unwrap_or_default();
        table.row([
            Cell::from(key),
            Cell::from(human::number(point.value)),
            Cell::from(point.step.to_string()),
            Cell::from(history),
        ]);
    }
    sheet.table("Metrics", &table);
    sheet.table("Datasets", &dataset_table(datasets));
    sheet.table("Models", &model_table(model_inputs, model_outputs));
    let (own, of_mlflow): (BTreeMap<_, _>, BTreeMap<_, _>) =
        tags.clone().into_iter().partition(|(key, _)| all_tags || !key.starts_with("mlflow."));
    sheet.values("Tags", &own);
    if !of_mlflow.is_empty() {
        sheet.remark(&format!("{} of MLflow's own: --all-tags shows them", human::count(of_mlflow.len(), "tag")));
    }
    sheet
}

fn dataset_table(datasets: &[view::Dataset]) -> Table {
    let mut table = Table::new([Column::text("NAME"), Column::whole("DIGEST"), Column::text("CONTEXT")]);
    for view::Dataset { name, digest, tags } in datasets {
        let context = tags.get("mlflow.data.context").map(String::as_str).unwrap_or_default();
        table.row([Cell::from(name), Cell::from(digest), Cell::from(context)]);
    }
    table
}

fn model_table(inputs: &[String], outputs: &[view::ModelOutput]) -> Table {
    let mut table = Table::new([Column::whole("LOGGED MODEL"), Column::whole("HOW"), Column::number("STEP")]);
    for model in inputs {
        table.row([Cell::from(model), Cell::from("read"), Cell::from("")]);
    }
    for view::ModelOutput { model_id, step } in outputs {
        table.row([Cell::from(model_id), Cell::from("made"), Cell::from(step.to_string())]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawn(points: &[(usize, Value)]) -> String {
        let buckets: Vec<Value> = points
            .iter()
            .map(|(index, value)| json!({ "index": index, "last": { "step": index, "value": value } }))
            .collect();
        sparkline(&serde_json::from_value(json!({ "buckets": buckets })).unwrap())
    }

    #[test]
    fn a_history_is_drawn_between_its_least_and_greatest_value() {
        let falling: Vec<_> = (0..BUCKETS).map(|index| (index, json!(BUCKETS - index))).collect();
        assert_eq!(drawn(&falling), "██▇▇▇▆▆▆▆▅▅▅▄▄▄▃▃▃▃▂▂▂▁▁");
        assert_eq!(drawn(&[(0, json!(1.0)), (23, json!(3.0))]), "▁█");
        assert_eq!(drawn(&[(0, json!(2)), (5, json!(2))]), "▅▅");
        assert_eq!(drawn(&[(0, json!("NaN")), (5, json!(2)), (6, json!("Infinity"))]), "▅");
        assert_eq!(drawn(&[]), "");
    }
}
