use rusqlite::params;
use sha2::{Digest, Sha256};
use stele_app::ExportedRun;
use stele_domain::record::{DatasetInput, LatestMetric, Run};
use stele_domain::{Point, Result};

use super::Writer;
use super::tracking::lifecycle_stage;
use crate::Progress;
use crate::export::Record;
use crate::mlflow::{RUN_NAME_TAG, run_status_name, value_to_store};

impl Writer {
    /// Runs with all that belongs to them, and then what they measured of logged models.
    pub(super) async fn runs(
        &mut self,
        record: &Record<'_>,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<()> {
        let mut page = record.runs(None).await?;
        while !page.is_empty() {
            for exported in &page {
                self.run(exported)?;
                for metric in &exported.run.metrics {
                    match exported.histories.get(&metric.key) {
                        Some(points) => self.points(&exported.run, metric, points)?,
                        None => self.history(record, &exported.run, metric).await?,
                    }
                }
            }
            self.commit()?;
            progress(Progress::Runs(page.len() as u64));
            page = record.runs(page.last()).await?;
        }
        self.model_metrics(record).await?;
        self.commit()
    }

    fn run(&self, ExportedRun { run, deleted_at, histories: _ }: &ExportedRun) -> Result<()> {
        let info = &run.info;
        let id = info.id.as_str();
        self.insert(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
                 end_time, deleted_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
             VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, ?4, ?5, ?6, ?7, '', ?8, ?9, ?10)",
            params![
                id,
                info.name,
                info.user,
                run_status_name(info.status),
                info.started_at.map(|time| time.0),
                info.ended_at.map(|time| time.0),
                deleted_at.map(|time| time.0),
                lifecycle_stage(info.presence),
                info.artifact_uri,
                info.experiment.0
            ],
        )?;
        let name = (!info.name.is_empty()).then_some((RUN_NAME_TAG, info.name.as_str()));
        let tags = run.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()));
        for (key, value) in tags.chain(name) {
            self.insert("INSERT INTO tags (run_uuid, key, value) VALUES (?1, ?2, ?3)", params![id, key, value])?;
        }
        for param in &run.params {
            self.insert(
                "INSERT INTO params (run_uuid, key, value) VALUES (?1, ?2, ?3)",
                params![id, param.key, param.value],
            )?;
        }
        for LatestMetric { key, point } in &run.metrics {
            let (value, is_nan) = value_to_store(point.value);
            self.insert(
                "INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id, key, value, point.timestamp, point.step, is_nan],
            )?;
        }
        run.dataset_inputs.iter().try_for_each(|input| self.reading(run, input))?;
        for model in &run.model_inputs {
            self.insert(
                "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
                 VALUES (?1, 'RUN_INPUT', ?2, 'MODEL_INPUT', ?3, 0)",
                params![stable_uuid(&["RUN_INPUT", id, model.as_str()]), id, model.as_str()],
            )?;
        }
        for output in &run.model_outputs {
            let model = output.model.as_str();
            self.insert(
                "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
                 VALUES (?1, 'RUN_OUTPUT', ?2, 'MODEL_OUTPUT', ?3, ?4)",
                params![stable_uuid(&["RUN_OUTPUT", id, model]), id, model, output.step],
            )?;
        }
        Ok(())
    }

    fn reading(&self, run: &Run, input: &DatasetInput) -> Result<()> {
        let (id, dataset) = (run.info.id.as_str(), &input.dataset);
        let uuid = stable_uuid(&["DATASET", id, &dataset.name, &dataset.digest]);
        self.insert(
            "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
             SELECT ?1, 'DATASET', dataset_uuid, 'RUN', ?2, 0 FROM datasets
             WHERE experiment_id = ?3 AND name = ?4 AND digest = ?5",
            params![uuid, id, run.info.experiment.0, dataset.name, dataset.digest],
        )?;
        for tag in &input.tags {
            self.insert(
                "INSERT INTO input_tags (input_uuid, name, value) VALUES (?1, ?2, ?3)",
                params![uuid, tag.key, tag.value],
            )?;
        }
        Ok(())
    }

    async fn history(&self, record: &Record<'_>, run: &Run, metric: &LatestMetric) -> Result<()> {
        let mut page = record.points(&run.info.id, &metric.key, None).await?;
        while let Some(last) = page.last().copied() {
            self.points(run, metric, &page)?;
            page = record.points(&run.info.id, &metric.key, Some(last)).await?;
        }
        Ok(())
    }

    /// Writes points that come by time. Some that differ here are one there: a zero and its negative, an infinity and the
    /// largest double.
    fn points(&self, run: &Run, metric: &LatestMetric, points: &[Point]) -> Result<()> {
        let mut before = None;
        for point in points {
            let (value, is_nan) = value_to_store(point.value);
            let stored = Some((point.timestamp, point.step, value, is_nan));
            if stored == before {
                continue;
            }
            before = stored;
            self.insert(
                "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![run.info.id.as_str(), metric.key, value, point.timestamp, point.step, is_nan],
            )?;
        }
        Ok(())
    }

    async fn model_metrics(&self, record: &Record<'_>) -> Result<()> {
        let mut page = record.logged_models(None).await?;
        while !page.is_empty() {
            for model in &page {
                for metric in &model.metrics {
                    let (value, _) = value_to_store(metric.point.value);
                    let dataset = metric.dataset.as_ref();
                    self.insert(
                        "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step,
                             metric_value, experiment_id, run_id, dataset_name, dataset_digest)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                        params![
                            model.id.as_str(),
                            metric.key,
                            metric.point.timestamp,
                            metric.point.step,
                            value,
                            model.experiment.0,
                            metric.run.as_str(),
                            dataset.map(|dataset| &dataset.name),
                            dataset.map(|dataset| &dataset.digest)
                        ],
                    )?;
                }
            }
            page = record.logged_models(page.last()).await?;
        }
        Ok(())
    }
}

/// MLflow gives each link an id of its own, which nobody refers to from outside: here it is made from what it links, so
/// that one record always exports to the same rows.
pub(super) fn stable_uuid(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}
