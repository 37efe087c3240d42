use std::collections::BTreeMap;

use clap::Args;
use console::measure_text_width;
use stele_domain::id::{Clock, Timestamp};

use crate::cli::client::{Client, Connection};
use crate::cli::listing::{Limit, Trash, list};
use crate::cli::table::{Cell, Column, Table};
use crate::cli::view::{self, Experiment, Run};
use crate::cli::{Failure, Output, experiments, human};
use crate::system::SystemClock;

#[derive(Args)]
pub(super) struct Options {
    /// Only runs of this experiment, by id or name; may be given several times
    #[arg(long = "experiment", short, value_name = "EXPERIMENT")]
    experiments: Vec<String>,

    /// Up to four keys to sort by, such as "metrics.loss ASC, start_time DESC"
    #[arg(long, value_name = "KEYS")]
    order_by: Option<String>,

    /// Params, metrics and tags to show, such as metrics.loss,params.lr [default: the metrics that there is room for]
    #[arg(long, short, value_delimiter = ',', value_name = "KEYS", value_parser = key)]
    columns: Vec<Key>,

    #[command(flatten)]
    trash: Trash,

    #[command(flatten)]
    limit: Limit,

    #[command(flatten)]
    connection: Connection,
}

/// A value of a run that is shown as a column.
#[derive(Clone)]
struct Key {
    kind: Kind,
    name: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Metric,
    Param,
    Tag,
}

fn key(text: &str) -> Result<Key, &'static str> {
    let (kind, name) = text.trim().split_once('.').ok_or("expected metrics.KEY, params.KEY or tags.KEY")?;
    let kind = match kind {
        "metric" | "metrics" => Kind::Metric,
        "param" | "params" => Kind::Param,
        "tag" | "tags" => Kind::Tag,
        _ => return Err("expected metrics.KEY, params.KEY or tags.KEY"),
    };
    Ok(Key { kind, name: name.trim_matches('`').to_owned() })
}

pub(super) async fn run(output: &Output, filter: &str, options: Options) -> anyhow::Result<()> {
    let Options { experiments, order_by, columns, trash, limit, connection } = options;
    let client = connection.open().await?;
    let mut ids = Vec::new();
    for text in &experiments {
        let Experiment { id, .. } = serde_json::from_value(experiments::find(&client, text).await?)?;
        ids.push(id);
    }
    let query = [
        ("experiments", ids.join(",")),
        ("filter", filter.to_owned()),
        ("order_by", order_by.unwrap_or_default()),
        ("presence", trash.presence().to_owned()),
    ];
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let listed = list(&client, "runs", &["runs"], &query, &limit).await?;
    if output.is_json() {
        return listed.json(output);
    }
    let runs: Vec<Run> = listed.views()?;
    let mixed = runs.windows(2).any(|pair| pair[0].info.experiment_id != pair[1].info.experiment_id);
    let names = if mixed { experiment_names(&client, &runs).await? } else { BTreeMap::new() };
    output.table(&table(&runs, &names, columns, output.width()))?;
    listed.comment(output, "run");
    Ok(())
}

/// The names of the experiments of some runs, by id.
async fn experiment_names(client: &Client, runs: &[Run]) -> anyhow::Result<BTreeMap<String, String>> {
    const MOST: usize = 1_000;

    let mut ids: Vec<String> = runs.iter().map(|run| format!("'{}'", run.info.experiment_id)).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    ids.truncate(MOST);
    let filter = format!("experiment_id IN ({})", ids.join(", "));
    let query = [("filter", filter.as_str()), ("presence", "all"), ("limit", "1000")];
    let page: serde_json::Value = client.get(&["experiments"], &query).await?;
    let found: Vec<Experiment> = serde_json::from_value(page["experiments"].clone())
        .map_err(|error| Failure::new(format!("the list of experiments cannot be read: {error}")))?;
    Ok(found.into_iter().map(|experiment| (experiment.id, experiment.name)).collect())
}

fn table(runs: &[Run], names: &BTreeMap<String, String>, chosen: Vec<Key>, width: Option<usize>) -> Table {
    let now = SystemClock.now();
    let filled = |keys: &[Key]| filled(runs, names, keys, now);
    let bare = filled(&chosen);
    if !chosen.is_empty() {
        return bare;
    }
    // As many metrics as there is room for.
    let Some(width) = width else { return bare };
    let mut shown = Vec::new();
    let mut taken = bare.natural_width();
    for key in telling_metrics(runs) {
        let cells = runs.iter().map(|run| measure_text_width(&cell_text(run, &key)));
        taken += 2 + cells.chain([measure_text_width(&key.name)]).max().unwrap_or(0);
        if taken > width {
            break;
        }
        shown.push(key);
    }
    filled(&shown)
}

fn filled(runs: &[Run], names: &BTreeMap<String, String>, keys: &[Key], now: Timestamp) -> Table {
    let mut columns = vec![Column::whole("RUN"), Column::text("NAME")];
    if !names.is_empty() {
        columns.push(Column::text("EXPERIMENT"));
    }
    columns.extend([Column::whole("STATUS"), Column::whole("STARTED").spare(), Column::number("TOOK").spare()]);
    columns.extend(keys.iter().map(|key| match key.kind {
        Kind::Metric => Column::number(&key.name),
        Kind::Param | Kind::Tag => Column::text(&key.name),
    }));
    let mut table = Table::new(columns);
    for run in runs {
        let info = &run.info;
        let mut row = vec![Cell::from(&info.id), Cell::from(&info.name)];
        if !names.is_empty() {
            row.push(Cell::from(names.get(&info.experiment_id).unwrap_or(&info.experiment_id)));
        }
        let took = info.took(now).map_or_else(|| human::NOTHING.to_owned(), human::duration);
        row.extend([info.status_cell(), view::ago_cell(info.started_at, now), Cell::from(took)]);
        row.extend(keys.iter().map(|key| Cell::from(cell_text(run, key))));
        table.row(row);
    }
    table
}

fn cell_text(run: &Run, key: &Key) -> String {
    let value = match key.kind {
        Kind::Metric => run.metrics.get(&key.name).map(|point| human::number(point.value)),
        Kind::Param => run.params.get(&key.name).cloned(),
        Kind::Tag => run.tags.get(&key.name).cloned(),
    };
    value.unwrap_or_else(|| human::NOTHING.to_owned())
}

/// The metrics of some runs: those first that tell the runs apart, then those that most of them have.
fn telling_metrics(runs: &[Run]) -> Vec<Key> {
    let mut values: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (name, point) in runs.iter().flat_map(|run| &run.metrics) {
        values.entry(name).or_default().push(point.value.to_bits());
    }
    let mut names: Vec<(&str, Vec<u64>)> = values.into_iter().collect();
    names.sort_by_key(|(_, values)| {
        let same = values.windows(2).all(|pair| pair[0] == pair[1]);
        (same && runs.len() > 1, std::cmp::Reverse(values.len()))
    });
    names.into_iter().map(|(name, _)| Key { kind: Kind::Metric, name: name.to_owned() }).collect()
}
