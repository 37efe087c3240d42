use rusqlite::params;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use stele_app::{ExportedEvaluationDataset, ExportedScorer};
use stele_domain::Result;
use stele_domain::evaluation::{EvaluationRecord, RecordSource};
use stele_domain::webhook::Webhook;

use super::Writer;
use crate::export::Record;
use crate::mlflow::{OUTPUTS_KEY, webhook_status_name};
use crate::python;
use crate::traces::spaced;

/// The source of a record that is a trace, which MLflow looks up by another field than others.
const TRACE_SOURCE: &str = "TRACE";

impl Writer {
    /// Evaluation datasets with their records, scorers, and webhooks without their secrets.
    pub(super) async fn evaluation(&mut self, record: &Record<'_>) -> Result<()> {
        let mut page = record.evaluation_datasets(None).await?;
        while !page.is_empty() {
            for exported in &page {
                self.evaluation_dataset(exported)?;
                let id = &exported.dataset.id;
                let mut records = record.evaluation_records(id, None).await?;
                while !records.is_empty() {
                    records.iter().try_for_each(|record| self.evaluation_record(id, record))?;
                    self.commit()?;
                    records = record.evaluation_records(id, records.last()).await?;
                }
            }
            page = record.evaluation_datasets(page.last()).await?;
        }
        let mut experiments = record.experiments(None).await?;
        while !experiments.is_empty() {
            record.scorers(&experiments).await?.iter().try_for_each(|scorer| self.scorer(scorer))?;
            experiments = record.experiments(experiments.last()).await?;
        }
        let mut offset = 0;
        loop {
            let webhooks = record.webhooks(offset).await?;
            if webhooks.is_empty() {
                return self.commit();
            }
            offset += webhooks.len();
            webhooks.iter().try_for_each(|webhook| self.webhook(webhook))?;
        }
    }

    fn evaluation_dataset(&self, exported: &ExportedEvaluationDataset) -> Result<()> {
        let ExportedEvaluationDataset { dataset, experiments } = exported;
        self.insert(
            "INSERT INTO evaluation_datasets (dataset_id, name, schema, profile, digest, created_time, last_update_time,
                 created_by, last_updated_by, workspace)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'default')",
            params![
                dataset.id,
                dataset.name,
                dataset.schema.as_ref().map(|schema| spaced(&schema.to_json())),
                dataset.records.map(|count| spaced(&json!({ "num_records": count }))),
                dataset.digest,
                dataset.created_at.0,
                dataset.updated_at.0,
                dataset.created_by,
                dataset.updated_by
            ],
        )?;
        for tag in &dataset.tags {
            self.insert(
                "INSERT INTO evaluation_dataset_tags (dataset_id, key, value) VALUES (?1, ?2, ?3)",
                params![dataset.id, tag.key, tag.value],
            )?;
        }
        for (experiment, at) in experiments {
            self.association("evaluation_dataset", &dataset.id, "experiment", experiment, at.0)?;
        }
        Ok(())
    }

    fn evaluation_record(&self, dataset: &str, record: &EvaluationRecord) -> Result<()> {
        let object = |fields: &Map<String, Value>| spaced(&Value::Object(fields.clone()));
        let source = record.source.as_ref();
        let wrapped = |outputs: &Value| {
            let wrapped: Map<String, Value> = [(OUTPUTS_KEY.to_owned(), outputs.clone())].into_iter().collect();
            object(&wrapped)
        };
        // What MLflow finds the record of the same inputs by.
        let hash = Sha256::digest(python::json(&Value::Object(record.inputs.clone())));
        self.insert(
            "INSERT INTO evaluation_dataset_records (dataset_record_id, dataset_id, inputs, outputs, expectations, tags,
                 source, source_id, source_type, created_time, last_update_time, created_by, last_updated_by, input_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                record.id,
                dataset,
                object(&record.inputs),
                record.outputs.as_ref().map(wrapped),
                record.expectations.as_ref().map(object),
                object(&record.tags),
                source.map(|source| spaced(&json!({ "source_type": source.kind, "source_data": source.data }))),
                source.and_then(source_id),
                source.map(|source| &source.kind),
                record.created_at.0,
                record.updated_at.0,
                record.created_by,
                record.updated_by,
                hex::encode(hash)
            ],
        )
    }

    fn scorer(&self, ExportedScorer { experiment, scorer }: &ExportedScorer) -> Result<()> {
        self.insert(
            "INSERT INTO scorers (scorer_id, experiment_id, scorer_name) VALUES (?1, ?2, ?3)",
            params![scorer.id, experiment.0, scorer.name],
        )?;
        for (number, definition, at) in &scorer.versions {
            self.insert(
                "INSERT INTO scorer_versions (scorer_id, scorer_version, serialized_scorer, creation_time)
                 VALUES (?1, ?2, ?3, ?4)",
                params![scorer.id, number, definition, at.0],
            )?;
        }
        if let Some(online) = &scorer.online {
            self.insert(
                "INSERT INTO online_scoring_configs (online_scoring_config_id, scorer_id, experiment_id, sample_rate,
                     filter_string)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![online.id, scorer.id, experiment.0, online.sample_rate, online.filter],
            )?;
        }
        Ok(())
    }

    /// A webhook without its secret, which MLflow seals with a key of its own; one that had a secret is disabled.
    fn webhook(&self, webhook: &Webhook) -> Result<()> {
        let status = if webhook.secret.is_some() { "DISABLED" } else { webhook_status_name(webhook.status) };
        self.insert(
            "INSERT INTO webhooks (webhook_id, name, description, url, status, secret, creation_timestamp,
                 last_updated_timestamp, deleted_timestamp, workspace)
             VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7, NULL, 'default')",
            params![
                webhook.id,
                webhook.name,
                webhook.description,
                webhook.url,
                status,
                webhook.created_at.0,
                webhook.updated_at.0
            ],
        )?;
        for (entity, action) in webhook.subscriptions.iter().filter_map(|it| it.event.split_once('.')) {
            self.insert(
                "INSERT INTO webhook_events (webhook_id, entity, action) VALUES (?1, ?2, ?3)",
                params![webhook.id, entity, action],
            )?;
        }
        Ok(())
    }
}

/// The thing that a record came from, as MLflow looks for it.
fn source_id(source: &RecordSource) -> Option<&str> {
    let field = if source.kind == TRACE_SOURCE { "trace_id" } else { "source_id" };
    source.data.get(field)?.as_str()
}
