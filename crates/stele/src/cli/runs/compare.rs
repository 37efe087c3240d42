use clap::Args;
use console::Style;
use serde_json::Value;
use stele_domain::id::Clock;

use crate::cli::client::Connection;
use crate::cli::table::{Cell, Column, Table};
use crate::cli::view::{self, Compared, Comparison};
use crate::cli::{Failure, Output, human};
use crate::system::SystemClock;

#[derive(Args)]
pub(super) struct Compare {
    /// The ids of two or more runs
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<String>,

    /// Show only what differs
    #[arg(long)]
    differences: bool,

    /// Show the tags of MLflow's own as well
    #[arg(long)]
    all_tags: bool,

    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(output: &Output, options: Compare) -> anyhow::Result<()> {
    let Compare { runs, differences, all_tags, connection } = options;
    if let Some(odd) = runs.iter().find(|id| id.contains(',')) {
        return Err(Failure::usage(format!("'{odd}' is not the id of a run")).hint("ids are parted by spaces").into());
    }
    let client = connection.open().await?;
    let found: Value = client.get(&["run-comparison"], &[("runs", &runs.join(","))]).await?;
    if output.is_json() {
        return output.json(&found);
    }
    let mut compared: Comparison = serde_json::from_value(found)?;
    compared.tags.retain(|row| all_tags || !row.key.starts_with("mlflow."));
    output.table(&heads(&compared))?;
    let metric = |point: &view::Point| human::number(point.value);
    for (name, table) in [
        ("params", rows("PARAM", &compared, &compared.params, differences, Clone::clone)),
        ("metrics", rows("METRIC", &compared, &compared.metrics, differences, metric)),
        ("tags", rows("TAG", &compared, &compared.tags, differences, Clone::clone)),
    ] {
        if table.is_empty() {
            output.say(format_args!("\nno {name}{}", if differences { " that differ" } else { "" }));
        } else {
            output.text("\n")?;
            output.table(&table)?;
        }
    }
    Ok(())
}

/// How the columns of a run are called below, since ids are wide.
fn label(index: usize) -> String {
    format!("#{}", index + 1)
}

fn heads(compared: &Comparison) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::whole(""),
        Column::whole("RUN"),
        Column::text("NAME"),
        Column::whole("STATUS"),
        Column::whole("STARTED"),
        Column::number("TOOK"),
    ]);
    for (index, run) in compared.runs.iter().enumerate() {
        let took = run.took(now).map_or_else(|| human::NOTHING.to_owned(), human::duration);
        table.row([
            Cell::styled(label(index), Style::new().bold()),
            Cell::from(&run.id),
            Cell::from(&run.name),
            run.status_cell(),
            view::ago_cell(run.started_at, now),
            Cell::from(took),
        ]);
    }
    table
}

/// A row a key: those that differ first and plain, the others dim.
fn rows<T>(
    title: &str,
    compared: &Comparison,
    keys: &[Compared<T>],
    differences: bool,
    shown: impl Fn(&T) -> String,
) -> Table {
    let columns = (0..compared.runs.len()).map(|index| Column::text(label(index)));
    let mut table = Table::new([Column::text(title)].into_iter().chain(columns));
    for Compared { key, differs, values } in keys.iter().filter(|row| row.differs || !differences) {
        let cell = |text: &str| if *differs { Cell::from(text) } else { Cell::dim(text) };
        let values = values.iter().map(|value| match value {
            Some(value) => cell(&shown(value)),
            None => Cell::dim(human::NOTHING),
        });
        table.row([cell(key)].into_iter().chain(values).collect::<Vec<_>>());
    }
    table
}
