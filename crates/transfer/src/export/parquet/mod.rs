//! Parquet files of the record, for DuckDB, Polars and whatever else reads them.

mod review;
mod table;
mod traces;

use std::path::Path;

use stele_app::{App, Ctx, ExportedRun};
use stele_domain::Result;
use stele_domain::id::Timestamp;
use stele_domain::record::{Experiment, LatestMetric, Run, Tag};
use stele_domain::registry::{Model, ModelVersion};

use self::table::{Cell, Kind, Table};
use super::{ExportReport, Exported, Partial, Record, cannot_write};
use crate::Progress;

const TAGS: [(&str, Kind); 3] = [("id", Kind::Text), ("key", Kind::Text), ("value", Kind::Text)];

/// Writes all of the record as Parquet files into the new folder `target`, which appears under its name when it is whole.
pub async fn export_parquet(
    app: &App,
    ctx: &Ctx,
    target: &Path,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ExportReport> {
    let partial = Partial::of(target, |path| std::fs::remove_dir_all(path))?;
    let folder = &partial.path;
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let record = Record { app, ctx };
    let mut rows = experiments(&record, folder).await?;
    progress(Progress::Total(app.runs_count(ctx).await?));
    rows.extend(runs(&record, folder, &progress).await?);
    rows.extend(traces::traces(&record, folder).await?);
    rows.extend(review::reviews(&record, folder).await?);
    rows.extend(registry(&record, folder).await?);
    partial.publish(rows)
}

async fn experiments(record: &Record<'_>, folder: &Path) -> Result<Vec<Exported>> {
    let columns = [
        ("experiment_id", Kind::Int),
        ("name", Kind::Text),
        ("artifact_location", Kind::Text),
        ("lifecycle_stage", Kind::Text),
        ("creation_time", Kind::Time),
        ("last_update_time", Kind::Time),
    ];
    let mut experiments = Table::create(folder, "experiments", &columns)?;
    let tag_columns = [("experiment_id", Kind::Int), ("key", Kind::Text), ("value", Kind::Text)];
    let mut tags = Table::create(folder, "experiment_tags", &tag_columns)?;
    let mut page = record.experiments(None).await?;
    while !page.is_empty() {
        for Experiment { id, name, artifact_location, presence, created_at, updated_at, tags: own } in &page {
            experiments.push([
                Cell::Int(id.0),
                text(name),
                text(artifact_location),
                text(presence.as_str()),
                time(Some(*created_at)),
                time(Some(*updated_at)),
            ])?;
            for Tag { key, value } in own {
                tags.push([Cell::Int(id.0), text(key), text(value)])?;
            }
        }
        page = record.experiments(page.last()).await?;
    }
    finish([experiments, tags])
}

async fn runs(
    record: &Record<'_>,
    folder: &Path,
    progress: &(impl Fn(Progress) + Send + Sync),
) -> Result<Vec<Exported>> {
    let columns = [
        ("run_id", Kind::Text),
        ("experiment_id", Kind::Int),
        ("name", Kind::Text),
        ("kind", Kind::Text),
        ("status", Kind::Text),
        ("lifecycle_stage", Kind::Text),
        ("user", Kind::Text),
        ("start_time", Kind::Time),
        ("end_time", Kind::Time),
        ("deleted_time", Kind::Time),
        ("artifact_uri", Kind::Text),
    ];
    let of_run = |key: [(&'static str, Kind); 2]| [("run_id", Kind::Text), key[0], key[1]];
    let points = [
        ("run_id", Kind::Text),
        ("key", Kind::Text),
        ("step", Kind::Int),
        ("timestamp", Kind::Int),
        ("value", Kind::Real),
    ];
    let mut runs = Table::create(folder, "runs", &columns)?;
    let mut params = Table::create(folder, "params", &of_run([("key", Kind::Text), ("value", Kind::Text)]))?;
    let mut tags = Table::create(folder, "tags", &of_run([("key", Kind::Text), ("value", Kind::Text)]))?;
    let mut latest = Table::create(folder, "latest_metrics", &points)?;
    let mut metrics = Table::create(folder, "metrics", &points)?;
    let mut page = record.runs(None).await?;
    while !page.is_empty() {
        for ExportedRun { run, deleted_at, histories } in &page {
            let Run { info, tags: own_tags, params: own_params, metrics: own_metrics, .. } = run;
            let id = info.id.as_str();
            runs.push([
                text(id),
                Cell::Int(info.experiment.0),
                text(&info.name),
                text(info.kind.as_str()),
                text(info.status.as_str()),
                text(info.presence.as_str()),
                text(&info.user),
                time(info.started_at),
                time(info.ended_at),
                time(*deleted_at),
                text(&info.artifact_uri),
            ])?;
            own_tags.iter().try_for_each(|tag| tags.push([text(id), text(&tag.key), text(&tag.value)]))?;
            own_params.iter().try_for_each(|param| params.push([text(id), text(&param.key), text(&param.value)]))?;
            for LatestMetric { key, point } in own_metrics {
                latest.push(point_row(id, key, point))?;
                if let Some(points) = histories.get(key) {
                    points.iter().try_for_each(|point| metrics.push(point_row(id, key, point)))?;
                    continue;
                }
                let mut page = record.points(&info.id, key, None).await?;
                while let Some(last) = page.last().copied() {
                    page.iter().try_for_each(|point| metrics.push(point_row(id, key, point)))?;
                    page = record.points(&info.id, key, Some(last)).await?;
                }
            }
        }
        progress(Progress::Runs(page.len() as u64));
        page = record.runs(page.last()).await?;
    }
    finish([runs, params, tags, latest, metrics])
}

async fn registry(record: &Record<'_>, folder: &Path) -> Result<Vec<Exported>> {
    let model_columns = [
        ("name", Kind::Text),
        ("description", Kind::Text),
        ("creation_time", Kind::Time),
        ("last_updated_time", Kind::Time),
    ];
    let version_columns = [
        ("model", Kind::Text),
        ("version", Kind::Int),
        ("stage", Kind::Text),
        ("approval", Kind::Text),
        ("description", Kind::Text),
        ("user", Kind::Text),
        ("source", Kind::Text),
        ("storage_uri", Kind::Text),
        ("run_id", Kind::Text),
        ("run_link", Kind::Text),
        ("logged_model_id", Kind::Text),
        ("creation_time", Kind::Time),
        ("last_updated_time", Kind::Time),
    ];
    let alias_columns = [("model", Kind::Text), ("alias", Kind::Text), ("version", Kind::Int)];
    let version_tag_columns =
        [("model", Kind::Text), ("version", Kind::Int), ("key", Kind::Text), ("value", Kind::Text)];
    let mut models = Table::create(folder, "models", &model_columns)?;
    let mut model_tags = Table::create(folder, "model_tags", &[("model", Kind::Text), TAGS[1], TAGS[2]])?;
    let mut aliases = Table::create(folder, "model_aliases", &alias_columns)?;
    let mut versions = Table::create(folder, "model_versions", &version_columns)?;
    let mut version_tags = Table::create(folder, "model_version_tags", &version_tag_columns)?;
    let mut page = record.models(None).await?;
    while !page.is_empty() {
        for exported in &page {
            let Model { row, name, description, created_at, updated_at, tags, aliases: own, latest_versions: _ } =
                &exported.model;
            models.push([
                text(name),
                optional(description.as_ref()),
                time(Some(*created_at)),
                time(Some(*updated_at)),
            ])?;
            tags.iter().try_for_each(|tag| model_tags.push([text(name), text(&tag.key), text(&tag.value)]))?;
            own.iter()
                .try_for_each(|alias| aliases.push([text(name), text(&alias.alias), Cell::Int(alias.version)]))?;
            let mut of_model = record.versions(*row, None).await?;
            while !of_model.is_empty() {
                for version in &of_model {
                    versions.push(version_row(version))?;
                    version.tags.iter().try_for_each(|tag| {
                        version_tags.push([text(name), Cell::Int(version.number), text(&tag.key), text(&tag.value)])
                    })?;
                }
                of_model = record.versions(*row, of_model.last()).await?;
            }
        }
        page = record.models(page.last()).await?;
    }
    finish([models, model_tags, aliases, versions, version_tags])
}

fn version_row(version: &ModelVersion) -> [Cell; 13] {
    [
        text(&version.model),
        Cell::Int(version.number),
        text(version.stage.as_str()),
        text(version.approval.as_str()),
        optional(version.description.as_ref()),
        optional(version.user.as_ref()),
        text(&version.source),
        text(&version.storage_uri),
        optional(version.run.as_ref().map(|run| &run.0)),
        optional(version.run_link.as_ref()),
        optional(version.logged_model.as_ref().map(|model| &model.0)),
        time(Some(version.created_at)),
        time(Some(version.updated_at)),
    ]
}

fn point_row(run: &str, key: &str, point: &stele_domain::Point) -> [Cell; 5] {
    [text(run), text(key), Cell::Int(point.step), Cell::Int(point.timestamp), Cell::Real(point.value)]
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn optional(text: Option<&String>) -> Cell {
    text.map_or(Cell::Null, |text| Cell::Text(text.clone()))
}

/// A time that readers can show; they stop at the year 294246 and fail beyond.
fn time(time: Option<Timestamp>) -> Cell {
    const MOST: i64 = i64::MAX / 1000;
    time.filter(|time| (-MOST..=MOST).contains(&time.0)).map_or(Cell::Null, |time| Cell::Int(time.0))
}

fn finish<const COUNT: usize>(tables: [Table; COUNT]) -> Result<Vec<Exported>> {
    tables
        .into_iter()
        .map(|table| table.finish().map(|(name, rows)| Exported { name: name.to_owned(), rows }))
        .collect()
}
