//! Evaluation datasets with their records, scorers, and webhooks.

use serde_json::Value;
use stele_app::{LoadedOnlineScoring, LoadedScorer};
use stele_domain::Result;
use stele_domain::evaluation::{EvaluationDataset, EvaluationRecord, RecordSchema};
use stele_domain::id::{EvaluationDatasetRow, ExperimentId, Timestamp};

use super::connection::{Cell, Row};
use super::{PAGE, Reader};
use crate::import::{Item, SourceWebhook};
use crate::mlflow::{OUTPUTS_KEY, record_source, webhook_status};

/// The characters of records in one part, unless one record has more.
const PART: usize = 4 << 20;

impl Reader<'_> {
    /// All evaluation datasets, each with its records after it.
    pub(super) fn evaluation_datasets(&self) -> Result<()> {
        const EXPERIMENTS: &str = "SELECT destination_id, created_time FROM entity_associations
             WHERE source_type = 'evaluation_dataset' AND destination_type = 'experiment' AND source_id = $1
             ORDER BY created_time, destination_id";
        const TAGS: &str = "SELECT key, value FROM evaluation_dataset_tags WHERE dataset_id = $1";
        if !self.schema.has_table("evaluation_datasets") {
            return Ok(());
        }
        let (of_workspace, binds) = self.of_workspace("evaluation_datasets", 1);
        let sql = format!(
            "SELECT dataset_id, name, schema, profile, digest, created_time, last_update_time, created_by, last_updated_by
             FROM evaluation_datasets WHERE {of_workspace} ORDER BY created_time, dataset_id"
        );
        self.database.pages(&sql, &binds, PAGE, |rows| {
            for mut row in rows {
                let mut dataset = dataset(&mut row)?;
                dataset.tags = self.tags(TAGS, Cell::Text(dataset.id.clone()))?;
                let mut experiments = Vec::new();
                for mut row in self.database.query(EXPERIMENTS, &[Cell::Text(dataset.id.clone())])? {
                    experiments.push((row.text(0)?, Timestamp(row.opt_int(1)?.unwrap_or_default())));
                }
                let id = dataset.id.clone();
                let is_known = self.runtime.block_on(self.sink.has_dataset(&id))?;
                self.send(Item::EvaluationDataset { dataset: Box::new(dataset), experiments })?;
                if !is_known {
                    self.evaluation_records(&id)?;
                }
                self.send(Item::EvaluationDatasetEnds)?;
            }
            Ok(())
        })
    }

    fn evaluation_records(&self, dataset: &str) -> Result<()> {
        let outputs = match self.schema.has("evaluation_dataset_records", "outputs") {
            true => "CAST(outputs AS TEXT)",
            false => "NULL",
        };
        let sql = format!(
            "SELECT dataset_record_id, created_time, last_update_time, created_by, last_updated_by, source_type,
                 CAST(inputs AS TEXT), {outputs}, CAST(expectations AS TEXT), CAST(tags AS TEXT), CAST(source AS TEXT)
             FROM evaluation_dataset_records WHERE dataset_id = $1 ORDER BY created_time, dataset_record_id"
        );
        self.database.pages(&sql, &[Cell::Text(dataset.to_owned())], PAGE, |rows| {
            let (mut part, mut size) = (Vec::with_capacity(rows.len()), 0);
            for mut row in rows {
                let id = row.text(0)?;
                let Some((record, own)) = record(id.clone(), &mut row)? else {
                    let why = "their inputs are no JSON object";
                    self.runtime.block_on(self.sink.not_taken("records of evaluation datasets", why, 1, Some(id)))?;
                    continue;
                };
                if size + own > PART && !part.is_empty() {
                    self.send(Item::EvaluationRecords(std::mem::take(&mut part)))?;
                    size = 0;
                }
                size += own;
                part.push(record);
            }
            if part.is_empty() { Ok(()) } else { self.send(Item::EvaluationRecords(part)) }
        })
    }

    /// All scorers of an experiment with their versions.
    pub(super) fn scorers(&self, experiment: ExperimentId) -> Result<()> {
        const SCORERS: &str = "SELECT scorer_id, scorer_name FROM scorers WHERE experiment_id = $1
             ORDER BY scorer_name, scorer_id";
        const VERSIONS: &str = "SELECT scorer_version, serialized_scorer, creation_time FROM scorer_versions
             WHERE scorer_id = $1 ORDER BY scorer_version";
        const ONLINE: &str = "SELECT online_scoring_config_id, sample_rate, filter_string FROM online_scoring_configs
             WHERE scorer_id = $1 ORDER BY online_scoring_config_id LIMIT 1";
        if !self.schema.has_table("scorers") {
            return Ok(());
        }
        self.database.pages(SCORERS, &[Cell::Int(experiment.0)], PAGE, |rows| {
            let mut scorers = Vec::with_capacity(rows.len());
            for mut row in rows {
                let id = row.text(0)?;
                let mut versions = Vec::new();
                for mut row in self.database.query(VERSIONS, &[Cell::Text(id.clone())])? {
                    versions.push((row.int(0)?, row.text(1)?, Timestamp(row.opt_int(2)?.unwrap_or_default())));
                }
                let online = match self.schema.has_table("online_scoring_configs") {
                    true => self.database.query(ONLINE, &[Cell::Text(id.clone())])?.into_iter().next(),
                    false => None,
                };
                let online = online.map(|mut row| {
                    let (id, filter) = (row.text(0)?, row.opt_text(2)?);
                    Ok::<_, stele_domain::Error>(LoadedOnlineScoring { id, sample_rate: row.real(1)?, filter })
                });
                scorers.push(LoadedScorer { id, name: row.text(1)?, versions, online: online.transpose()? });
            }
            self.send(Item::Scorers { experiment, scorers })
        })
    }

    /// The webhooks that were not deleted, without their secrets, which only the old server can read.
    pub(super) fn webhooks(&self) -> Result<()> {
        const EVENTS: &str = "SELECT entity, action FROM webhook_events WHERE webhook_id = $1 ORDER BY entity, action";
        if !self.schema.has_table("webhooks") {
            return Ok(());
        }
        let (of_workspace, binds) = self.of_workspace("webhooks", 1);
        let sql = format!(
            "SELECT webhook_id, name, description, url, status, secret IS NOT NULL, creation_timestamp,
                 last_updated_timestamp
             FROM webhooks WHERE deleted_timestamp IS NULL AND {of_workspace} ORDER BY creation_timestamp, webhook_id"
        );
        for mut row in self.database.query(&sql, &binds)? {
            let id = row.text(0)?;
            let mut events = Vec::new();
            for mut row in self.database.query(EVENTS, &[Cell::Text(id.clone())])? {
                events.push(format!("{}.{}", row.text(0)?, row.text(1)?));
            }
            let created_at = row.opt_int(6)?;
            self.send(Item::Webhook(SourceWebhook {
                id,
                name: row.text(1)?,
                description: row.opt_text(2)?,
                url: row.text(3)?,
                status: webhook_status(&row.text(4)?),
                is_signed: row.int(5)? != 0,
                events,
                created_at: Timestamp(created_at.unwrap_or_default()),
                updated_at: Timestamp(row.opt_int(7)?.or(created_at).unwrap_or_default()),
            }))?;
        }
        Ok(())
    }
}

fn dataset(row: &mut Row) -> Result<EvaluationDataset> {
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let created_at = Timestamp(row.opt_int(5)?.unwrap_or_default());
    Ok(EvaluationDataset {
        row: EvaluationDatasetRow(0),
        id: row.text(0)?,
        name: row.text(1)?,
        schema: row.opt_text(2)?.and_then(|text| RecordSchema::from_json(&text).ok()),
        records: json(row.opt_text(3)?).and_then(|profile| profile["num_records"].as_i64()),
        digest: row.text(4)?,
        created_at,
        updated_at: row.opt_int(6)?.map_or(created_at, Timestamp),
        created_by: row.opt_text(7)?,
        updated_by: row.opt_text(8)?,
        tags: Vec::new(),
    })
}

/// A record with about how many characters it has; none if its inputs cannot be read.
fn record(id: String, row: &mut Row) -> Result<Option<(EvaluationRecord, usize)>> {
    let mut size = 0;
    let mut json = |text: Option<String>| {
        let text = text?;
        size += text.len();
        serde_json::from_str::<Value>(&text).ok()
    };
    let object = |value: Option<Value>| match value {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    };
    let inputs = object(json(row.opt_text(6)?));
    let outputs = object(json(row.opt_text(7)?)).and_then(|mut wrapped| wrapped.remove(OUTPUTS_KEY));
    let expectations = object(json(row.opt_text(8)?));
    let tags = object(json(row.opt_text(9)?)).unwrap_or_default();
    let kind = row.opt_text(5)?;
    let source = object(json(row.opt_text(10)?)).map(|fields| record_source(fields, kind));
    let Some(inputs) = inputs else { return Ok(None) };
    let created_at = Timestamp(row.opt_int(1)?.unwrap_or_default());
    let record = EvaluationRecord {
        id,
        inputs,
        outputs,
        expectations,
        tags,
        source,
        created_at,
        updated_at: row.opt_int(2)?.map_or(created_at, Timestamp),
        created_by: row.opt_text(3)?,
        updated_by: row.opt_text(4)?,
    };
    Ok(Some((record, size)))
}
