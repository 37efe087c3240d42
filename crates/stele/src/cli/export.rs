use std::path::PathBuf;

use clap::{Args, Subcommand};
use stele_app::Script;
use stele_transfer::ExportReport;

use super::progress::{self, Watched};
use super::table::{Column, Table};
use super::{Failure, Output};
use crate::place::Place;

#[derive(Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    to: To,
}

#[derive(Subcommand)]
enum To {
    /// Write an SQLite database that MLflow 3.17 opens; artifacts stay where they are
    Mlflow(Target),
    /// Write a folder of Parquet files, for DuckDB, Polars and others
    Parquet(Target),
}

#[derive(Args)]
struct Target {
    /// What to write; it must not be there
    target: PathBuf,

    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(output: &Output, Export { to }: Export) -> anyhow::Result<()> {
    let (To::Mlflow(options) | To::Parquet(options)) = &to;
    let app = options.place.open_alone("export").await?;
    let ctx = app.local_owner(Script::Native, app.new_request_id());
    let bar = Watched::new(progress::spinner("writing"), "runs");
    let exported = match &to {
        To::Mlflow(options) => stele_transfer::export_mlflow(&app, &ctx, &options.target, |p| bar.on(&p)).await,
        To::Parquet(options) => stele_transfer::export_parquet(&app, &ctx, &options.target, |p| bar.on(&p)).await,
    };
    bar.finish();
    let report = exported.map_err(|error| {
        Failure::new(format!("cannot export to {}: {error}", options.target.display()))
            .hint("name a place that is not there yet, on a disk with room")
    })?;
    tell(output, &report)
}

fn tell(output: &Output, report: &ExportReport) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(report);
    }
    let mut table = Table::new([Column::whole("TABLE"), Column::number("ROWS")]);
    for exported in &report.rows {
        table.row([(&exported.name).into(), exported.rows.to_string().into()]);
    }
    output.table(&table)?;
    output.done(format_args!("wrote {}", report.target.display()));
    Ok(())
}
