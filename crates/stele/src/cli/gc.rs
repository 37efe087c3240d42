use std::time::Duration;

use clap::Args;
use serde_json::json;
use stele_app::{PurgeReport, Script, Trash};
use stele_domain::id::Timestamp;

use super::progress::{self, Watched};
use super::table::{Column, Table};
use super::{Failure, Output, human};
use crate::place::{self, Place};

#[derive(Args)]
pub(crate) struct Gc {
    /// Free it; without this the command only says what it would free
    #[arg(long)]
    yes: bool,

    /// Only what was deleted at least so long ago, such as 30d, 12h or 1d12h
    #[arg(long, value_name = "AGE", value_parser = place::age, default_value = "0s")]
    older_than: Duration,

    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(output: &Output, options: Gc) -> anyhow::Result<()> {
    let app = options.place.open_alone("gc").await?;
    let ctx = app.local_owner(Script::Native, app.new_request_id());
    let age = i64::try_from(options.older_than.as_millis()).unwrap_or(i64::MAX);
    let cutoff = Timestamp(ctx.now().0.saturating_sub(age));
    let due = app.trash_due_everywhere(&ctx, cutoff).await?;
    if !options.yes {
        return tell_due(output, &due);
    }
    let bar = Watched::new(progress::counting(due.runs + due.logged_models + due.traces, "freeing"), "things");
    let freed = app.purge_everywhere(&ctx, cutoff, |count| bar.bar.inc(count)).await;
    bar.finish();
    let report = freed.map_err(|error| {
        Failure::new(format!("cannot free everything: {error}")).hint("the same command goes on from there")
    })?;
    tell_freed(output, &due, &report)
}

fn tell_due(output: &Output, due: &Trash) -> anyhow::Result<()> {
    let Trash { runs, runs_kept, logged_models, logged_models_kept, traces, experiments } = *due;
    if output.is_json() {
        return output.json(&json!({
            "dry_run": true,
            "runs": runs,
            "logged_models": logged_models,
            "traces": traces,
            "experiments": experiments,
            "kept": { "runs": runs_kept, "logged_models": logged_models_kept },
        }));
    }
    let mut table = Table::new([Column::whole("DELETED"), Column::number("TO FREE"), Column::number("KEPT")]);
    table.row(["runs".into(), runs.to_string().into(), runs_kept.to_string().into()]);
    table.row(["logged models".into(), logged_models.to_string().into(), logged_models_kept.to_string().into()]);
    table.row(["traces".into(), traces.to_string().into(), "".into()]);
    table.row(["experiments".into(), experiments.to_string().into(), "".into()]);
    output.table(&table)?;
    tell_kept(output, due);
    output.say("nothing was freed: add --yes to do it");
    Ok(())
}

fn tell_freed(output: &Output, due: &Trash, report: &PurgeReport) -> anyhow::Result<()> {
    let PurgeReport { runs, logged_models, traces, experiments, roots, left } = report;
    if output.is_json() {
        let left: Vec<_> = left.iter().map(|(place, why)| json!({ "place": place, "why": why })).collect();
        return output.json(&json!({
            "dry_run": false,
            "runs": runs,
            "logged_models": logged_models,
            "traces": traces,
            "experiments": experiments,
            "artifact_roots": roots,
            "artifacts_left": left,
            "kept": { "runs": due.runs_kept, "logged_models": due.logged_models_kept },
        }));
    }
    tell_kept(output, due);
    for (place, why) in left {
        output.warn(format_args!("the files at {} are left: {why}", human::harmless(place)));
    }
    output.done(format_args!(
        "freed {}, {}, {} and {}, with the files of {}",
        human::count(*runs as usize, "run"),
        human::count(*logged_models as usize, "logged model"),
        human::count(*traces as usize, "trace"),
        human::count(*experiments as usize, "experiment"),
        human::count(*roots as usize, "place")
    ));
    Ok(())
}

fn tell_kept(output: &Output, due: &Trash) {
    if due.runs_kept + due.logged_models_kept > 0 {
        output.warn(format_args!(
            "{} and {} are kept, since registered model versions were made from them",
            human::count(due.runs_kept as usize, "run"),
            human::count(due.logged_models_kept as usize, "logged model")
        ));
    }
}
