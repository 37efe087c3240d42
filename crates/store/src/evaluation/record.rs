use std::collections::HashMap;

use serde_json::Map;
use stele_domain::authz::{ManageEvaluationDataset, Permit, Place, Visibility};
use stele_domain::evaluation::{EvaluationRecord, RecordSource};
use stele_domain::id::{EvaluationDatasetRow, Timestamp};
use stele_domain::{Error, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

const COLUMNS: &str = "record.public_id, record.inputs, record.outputs, record.expectations, record.tags, \
     record.source, record.created_at, record.updated_at, record.created_by, record.updated_by";

impl Tx<'_> {
    /// The records of a dataset with these identities, by identity.
    pub fn evaluation_records_by_identity(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        identities: &[String],
    ) -> Result<HashMap<String, EvaluationRecord>> {
        let sql = format!(
            "SELECT {COLUMNS}, record.identity FROM evaluation_record AS record
             WHERE record.dataset_id = $1 AND record.identity {}",
            self.is_one_of_texts(2)
        );
        let identities = list(identities.iter().map(String::as_str));
        let found = self.query(&sql, params![dataset, identities], |row| Ok((row.text(10)?, record(row)?)))?;
        Ok(found.into_iter().collect())
    }

    /// Makes records and replaces those that are there, each under its identity.
    pub fn evaluation_records_put(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        records: &[(String, EvaluationRecord)],
    ) -> Result<()> {
        let mut values: Vec<Value> = Vec::with_capacity(records.len() * 12);
        for (identity, record) in records {
            let EvaluationRecord { id, inputs, outputs, expectations, tags, source, .. } = record;
            values.extend([
                dataset.into(),
                identity.into(),
                id.into(),
                json(inputs)?.into(),
                outputs.as_ref().map(ToString::to_string).into(),
                expectations.as_ref().map(json).transpose()?.into(),
                json(tags)?.into(),
                source.as_ref().map(source_json).into(),
                record.created_at.into(),
                record.updated_at.into(),
                record.created_by.as_deref().into(),
                record.updated_by.as_deref().into(),
            ]);
        }
        self.insert_rows(
            "INSERT INTO evaluation_record (dataset_id, identity, public_id, inputs, outputs, expectations, tags,
                 source, created_at, updated_at, created_by, updated_by)",
            12,
            "ON CONFLICT (dataset_id, identity) DO UPDATE SET outputs = excluded.outputs,
                 expectations = excluded.expectations, tags = excluded.tags, updated_at = excluded.updated_at,
                 updated_by = excluded.updated_by",
            &values,
        )
        .map(|_| ())
    }

    pub fn evaluation_records_count(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
    ) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM evaluation_record WHERE dataset_id = $1";
        self.query_one(COUNT, params![dataset], |row| row.int(0))
    }

    /// Says how many of the records were there.
    pub fn evaluation_records_delete(
        &mut self,
        _permit: &Permit<ManageEvaluationDataset>,
        dataset: EvaluationDatasetRow,
        ids: &[String],
    ) -> Result<u64> {
        let sql =
            format!("DELETE FROM evaluation_record WHERE dataset_id = $1 AND public_id {}", self.is_one_of_texts(2));
        self.execute(&sql, params![dataset, list(ids.iter().map(String::as_str))])
    }

    /// Up to `limit` records of a dataset in the order in which they came, after the one made at the time and with
    /// the id given; none for a dataset that is not there.
    pub fn evaluation_records_list(
        &mut self,
        visible: &Visibility,
        dataset: &str,
        after: Option<(Timestamp, &str)>,
        limit: i64,
    ) -> Result<Vec<EvaluationRecord>> {
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM evaluation_record AS record
             JOIN evaluation_dataset AS dataset ON dataset.id = record.dataset_id
             WHERE dataset.workspace_id = $1 AND dataset.public_id = $2
                 AND (record.created_at > $3 OR (record.created_at = $3 AND record.public_id > $4))
             ORDER BY record.created_at, record.public_id LIMIT $5"
        );
        let (time, id) = after.unwrap_or((Timestamp(i64::MIN), ""));
        self.query(&sql, params![visible.workspace(), dataset, time, id, limit], record)
    }
}

fn record(row: &Row) -> Result<EvaluationRecord> {
    let optional = |column: usize| row.opt_text(column)?.map(|text| parsed(&text)).transpose();
    Ok(EvaluationRecord {
        id: row.text(0)?,
        inputs: object(parsed(&row.text(1)?)?)?,
        outputs: optional(2)?,
        expectations: optional(3)?.map(object).transpose()?,
        tags: object(parsed(&row.text(4)?)?)?,
        source: optional(5)?.map(source).transpose()?,
        created_at: Timestamp(row.int(6)?),
        updated_at: Timestamp(row.int(7)?),
        created_by: row.opt_text(8)?,
        updated_by: row.opt_text(9)?,
    })
}

fn json(fields: &Map<String, serde_json::Value>) -> Result<String> {
    serde_json::to_string(fields).map_err(|error| Error::internal(error.to_string()))
}

fn parsed(text: &str) -> Result<serde_json::Value> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("a record holds damaged JSON: {error}")))
}

fn object(value: serde_json::Value) -> Result<Map<String, serde_json::Value>> {
    match value {
        serde_json::Value::Object(fields) => Ok(fields),
        other => Err(Error::internal(format!("a record holds {other} where an object belongs"))),
    }
}

fn source_json(source: &RecordSource) -> String {
    serde_json::json!({ "kind": source.kind, "data": source.data }).to_string()
}

fn source(value: serde_json::Value) -> Result<RecordSource> {
    let mut fields = object(value)?;
    let kind = fields.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Ok(RecordSource { kind, data: object(fields.remove("data").unwrap_or_default())? })
}
