use std::path::PathBuf;

use clap::{Args, Subcommand};
use stele_app::Script;
use stele_transfer::{ArtifactChoice, ImportOptions, ImportReport, Progress, Source};

use super::progress::{self, Watched};
use super::table::{Column, Table};
use super::{Failure, Output, human};
use crate::place::Place;

#[derive(Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Subcommand)]
enum From {
    /// From an mlruns folder, an MLflow database or a running MLflow server
    ///
    /// Ids, times and values stay as they are. What the record has already is left alone, so that an import that was
    /// interrupted goes on when it is started again.
    Mlflow(Mlflow),
}

#[derive(Args)]
struct Mlflow {
    /// Folder, database file, sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME, or http(s)://HOST:PORT
    source: String,

    /// Leave all artifacts where they are; otherwise those on this machine and behind the old server are copied, and
    /// those in buckets stay there
    #[arg(long)]
    keep_artifacts: bool,

    /// Folder in which the old server kept artifacts that went through it (its --artifacts-destination)
    #[arg(long, value_name = "DIR")]
    artifacts_destination: Option<PathBuf>,

    /// Workspace to read of a database that has several [default: default]
    #[arg(long, value_name = "NAME")]
    workspace: Option<String>,

    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(output: &Output, Import { from: From::Mlflow(options) }: Import) -> anyhow::Result<()> {
    let source = Source::parse(&options.source).map_err(|error| {
        Failure::usage(error.to_string())
            .hint("name an mlruns folder, a database such as sqlite:///mlflow.db, or the URL of a server")
    })?;
    let app = options.place.open_alone("import").await?;
    let ctx = app.local_owner(Script::Native, app.new_request_id());
    let choice = if options.keep_artifacts { ArtifactChoice::Keep } else { ArtifactChoice::Copy };
    let settings = ImportOptions {
        artifacts: choice,
        artifacts_destination: options.artifacts_destination,
        workspace: options.workspace,
        subscription: Some(stele_mlflow::webhook_subscription),
    };
    let bar = Watched::new(progress::spinner("reading"), "runs");
    // Without the password that a URL may have.
    let named = source.to_string();
    let imported = stele_transfer::import(&app, &ctx, source, settings, |progress| bar.on(&progress)).await;
    bar.finish();
    let report = imported.map_err(|error| {
        Failure::new(format!("cannot import {named}: {error}"))
            .hint("what was loaded stays, and the same command goes on from there")
    })?;
    tell(output, &report)
}

fn tell(output: &Output, report: &ImportReport) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(report);
    }
    let (taken, known) = (&report.taken, &report.known);
    let mut table = Table::new([Column::whole("WHAT"), Column::number("TAKEN"), Column::number("THERE ALREADY")]);
    let rows = [
        ("experiments", taken.experiments, Some(known.experiments)),
        ("runs", taken.runs, Some(known.runs)),
        ("params", taken.params, None),
        ("tags", taken.tags, None),
        ("metrics", taken.metrics, None),
        ("metric points", taken.points, None),
        ("dataset inputs", taken.dataset_inputs, None),
        ("logged models", taken.logged_models, Some(known.logged_models)),
        ("registered models", taken.models, Some(known.models)),
        ("model versions", taken.model_versions, None),
        ("traces", taken.traces, Some(known.traces)),
        ("spans", taken.spans, None),
        ("assessments", taken.assessments, None),
        ("evaluation datasets", taken.evaluation_datasets, Some(known.evaluation_datasets)),
        ("evaluation records", taken.evaluation_records, None),
        ("scorers", taken.scorers, Some(known.scorers)),
        ("issues", taken.issues, Some(known.issues)),
        ("label schemas", taken.label_schemas, Some(known.label_schemas)),
        ("review queues", taken.review_queues, Some(known.review_queues)),
        ("traces to review", taken.review_items, None),
        ("webhooks", taken.webhooks, Some(known.webhooks)),
        ("artifact files", report.artifacts.copied_files, None),
    ];
    for (what, taken, known) in rows {
        let known = known.map_or_else(String::new, |known| known.to_string());
        table.row([what.into(), taken.to_string().into(), known.into()]);
    }
    output.table(&table)?;
    for left in &report.artifacts.left {
        output.warn(format_args!(
            "artifacts of {} stay where they are, such as {}: {}",
            human::count(left.roots as usize, "place"),
            human::harmless(&left.example),
            left.why
        ));
    }
    for missing in &report.not_taken {
        let example = missing
            .example
            .as_ref()
            .map_or_else(String::new, |example| format!(" (such as {})", human::harmless(example)));
        output.warn(format_args!("not as it was: {} {}{example}: {}", missing.count, missing.what, missing.why));
    }
    output.done(format_args!("imported {}", report.source));
    Ok(())
}

impl Watched {
    /// Shows how far long work is.
    pub(super) fn on(&self, progress: &Progress) {
        match progress {
            Progress::Total(total) => self.total(*total),
            Progress::Runs(runs) => self.bar.inc(*runs),
            Progress::Doing(what) => self.bar.set_message(human::harmless(what)),
        }
    }
}
