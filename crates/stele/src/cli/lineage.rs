use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::Output;
use super::client::Connection;
use super::table::{Cell, Column, Table};

#[derive(Args)]
pub(crate) struct Lineage {
    /// A run's or logged model's id, models:/NAME/VERSION, models:/NAME@ALIAS, or a thing as this command prints it
    thing: String,

    /// Only what it was made of
    #[arg(long, conflicts_with = "products")]
    origins: bool,

    /// Only what was made of it
    #[arg(long)]
    products: bool,

    /// How many steps to go, from 1 to 1000 [default: 100]
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    depth: Option<u32>,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Walked {
    edges: Vec<Edge>,
    is_complete: bool,
}

#[derive(Deserialize)]
struct Edge {
    source: String,
    target: String,
    kind: String,
}

pub(super) async fn run(output: &Output, options: Lineage) -> anyhow::Result<()> {
    let Lineage { thing, origins, products, depth, connection } = options;
    let thing = uri(thing);
    let depth = depth.map(|depth| depth.to_string());
    let mut query = vec![("of", thing.as_str())];
    query.extend(origins.then_some(("direction", "origins")));
    query.extend(products.then_some(("direction", "products")));
    query.extend(depth.as_deref().map(|depth| ("depth", depth)));
    let found: Value = connection.open().await?.get(&["lineage"], &query).await?;
    if output.is_json() {
        return output.json(&found);
    }
    let Walked { edges, is_complete } = serde_json::from_value(found)?;
    let table = edge_table(edges);
    output.table(&table)?;
    if !is_complete {
        output.say("there may be more; --depth goes further");
    } else if table.is_empty() {
        output.say(format_args!("nothing is known of the lineage of {thing}"));
    }
    Ok(())
}

/// Ids of runs and of logged models are given alone elsewhere on the command line.
fn uri(thing: String) -> String {
    match thing.contains([':', '/']) {
        true => thing,
        false if thing.starts_with("m-") => format!("models:/{thing}"),
        false => format!("runs:/{thing}"),
    }
}

fn edge_table(edges: Vec<Edge>) -> Table {
    let mut table = Table::new([Column::whole("SOURCE"), Column::whole("KIND"), Column::whole("TARGET")]);
    for Edge { source, target, kind } in edges {
        table.row([source, kind, target].map(Cell::from));
    }
    table
}
