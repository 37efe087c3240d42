mod get;
mod put;
mod source;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use self::source::Source;
use super::client::{Client, Connection};
use super::table::{Cell, Column, Table};
use super::view::{Entry, Listing};
use super::{Output, human};

#[derive(Args)]
pub(crate) struct Artifacts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the files of a run, logged model or model version
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        from: From,

        /// List what is in folders as well
        #[arg(long, short)]
        recursive: bool,

        #[command(flatten)]
        connection: Connection,
    },
    /// Download a file or folder
    Get {
        #[command(flatten)]
        from: From,

        /// The file or folder to write; - writes a file to standard output [default: its name, here]
        target: Option<PathBuf>,

        /// Replace files that are there
        #[arg(long)]
        overwrite: bool,

        #[command(flatten)]
        connection: Connection,
    },
    /// Upload a file or folder
    Put {
        /// The file or folder to read
        local: PathBuf,

        #[command(flatten)]
        from: From,

        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Args)]
struct From {
    /// RUN/PATH, MODEL_ID/PATH of a logged model, models:/NAME/VERSION/PATH or models:/NAME@ALIAS/PATH
    #[arg(value_name = "PLACE", value_parser = Source::parse)]
    place: Source,
}

pub(super) async fn run(output: &Output, Artifacts { action }: Artifacts) -> anyhow::Result<()> {
    match action {
        Action::Ls { from, recursive, connection } => {
            let client = connection.open().await?;
            let root = from.place.root(&client).await?;
            ls(output, &client, &root.parts(), &from.place.path, recursive).await
        }
        Action::Get { from, target, overwrite, connection } => {
            get::run(output, &connection.open().await?, &from.place, target, overwrite).await
        }
        Action::Put { local, from, connection } => {
            put::run(output, &connection.open().await?, &local, &from.place).await
        }
    }
}

/// Asks what lies at a path below the artifacts of a thing.
async fn look(client: &Client, root: &[&str], path: &str) -> anyhow::Result<Value> {
    let query: &[(&str, &str)] = &[("path", path)];
    client.get(&[root, &["artifacts"]].concat(), if path.is_empty() { &[] } else { query }).await
}

async fn ls(output: &Output, client: &Client, root: &[&str], path: &str, recursive: bool) -> anyhow::Result<()> {
    let found = look(client, root, path).await?;
    if output.is_json() && !recursive {
        return output.json(&found);
    }
    let listing: Listing = serde_json::from_value(found.clone())?;
    let mut rows = match listing.kind.as_str() {
        "file" => {
            let name = listing.path.rsplit('/').next().unwrap_or_default().to_owned();
            vec![Entry { name, path: listing.path, kind: listing.kind, size: listing.size }]
        }
        _ => listing.entries,
    };
    if recursive {
        rows = all_below(client, root, rows).await?;
    }
    if output.is_json() {
        return output.json(&serde_json::json!({ "path": path, "entries": rows }));
    }
    if rows.is_empty() {
        output.say("there are no artifacts here");
        return Ok(());
    }
    let mut table = Table::new([Column::number("SIZE"), Column::whole(if recursive { "PATH" } else { "NAME" })]);
    for Entry { name, path, kind, size } in rows {
        let name = if recursive { path } else { name };
        let name = if kind == "folder" { format!("{name}/") } else { name };
        table.row([size.map_or_else(|| Cell::from(""), |size| Cell::from(human::size(size))), Cell::from(name)]);
    }
    output.table(&table)
}

/// The entries with everything below them, each folder before what is in it.
async fn all_below(client: &Client, root: &[&str], entries: Vec<Entry>) -> anyhow::Result<Vec<Entry>> {
    let mut waiting: Vec<Entry> = entries.into_iter().rev().collect();
    let mut found = Vec::new();
    while let Some(entry) = waiting.pop() {
        if entry.kind == "folder" {
            let listing: Listing = serde_json::from_value(look(client, root, &entry.path).await?)?;
            waiting.extend(listing.entries.into_iter().rev());
        }
        found.push(entry);
    }
    Ok(found)
}
