use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stele_app::Upserted;
use stele_domain::evaluation::{EvaluationRecord, GivenRecord, RecordSource};
use stele_domain::id::Timestamp;

use super::datasets::user;
use super::{object, required_json};
use crate::call::{Call, reply};
use crate::error::{Failure, Result};
use crate::python::{json_dumps, repr, type_name};

const DEFAULT: i64 = 1_000;
const MOST: i64 = 50_000;

/// Where a record may come from.
const SOURCE_TYPES: &[&str] = &["UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE"];

pub(crate) async fn upsert(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.path("dataset_id").to_owned();
    let records = match required_json(&input, "records")? {
        Value::Array(records) => records.into_iter().map(given).collect::<Result<Vec<_>>>()?,
        other => {
            let message = format!("'records' must be a JSON array, got {}.", type_name(&other));
            return Err(Failure::invalid(message));
        }
    };
    let Upserted { inserted, updated } = call.app.evaluation_records_upsert(&call.ctx, id, records).await?;
    reply(&json!({ "inserted_count": inserted, "updated_count": updated }))
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.path("dataset_id").to_owned();
    let limit = match input.int("max_results")?.unwrap_or(DEFAULT) {
        0 => DEFAULT,
        limit => crate::search::max_results_at_most(limit, MOST)?,
    };
    let after = input.text("page_token")?.filter(|token| !token.is_empty()).map(|token| after(&token)).transpose()?;
    let mut records = call.app.evaluation_records_list(&call.ctx, id.clone(), after, limit + 1).await?;
    let more = i64::try_from(records.len()).unwrap_or(i64::MAX) > limit;
    if more {
        records.pop();
    }
    let token = records.last().filter(|_| more).map(token);
    let records: Value = records.into_iter().map(|record| record_json(&id, record)).collect();
    let mut body = json!({ "records": json_dumps(&records) });
    if let Some(token) = token {
        body["next_page_token"] = token.into();
    }
    reply(&body)
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (id, records) = (input.path("dataset_id").to_owned(), input.texts("dataset_record_ids")?);
    let deleted = call.app.evaluation_records_delete(&call.ctx, id, records).await?;
    reply(&json!({ "deleted_count": deleted }))
}

/// Tokens name the last record of a page by time and id.
fn token(last: &EvaluationRecord) -> String {
    STANDARD.encode(format!("{}:{}", last.created_at.0, last.id))
}

fn after(token: &str) -> Result<(Timestamp, String)> {
    let decoded = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = decoded.as_deref().and_then(|text| text.split_once(':'));
    parts
        .and_then(|(time, id)| Some((Timestamp(time.parse().ok()?), id.to_owned())))
        .filter(|(_, id)| !id.contains('\0'))
        .ok_or_else(|| Failure::invalid(format!("Invalid page token: {}", repr(token))))
}

fn given(record: Value) -> Result<GivenRecord> {
    let mut fields = object("records", record)?;
    let mut part = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => object(name, value).map(Some),
    };
    let inputs = part("inputs")?.unwrap_or_default();
    let expectations = part("expectations")?;
    let tags = part("tags")?;
    let source = part("source")?.filter(|source| !source.is_empty()).map(source).transpose()?;
    let user = tags.as_ref().and_then(user);
    Ok(GivenRecord { inputs, outputs: fields.remove("outputs"), expectations, tags, source, user })
}

fn source(mut given: Map<String, Value>) -> Result<RecordSource> {
    let kind = match given.remove("source_type") {
        Some(Value::String(kind)) => kind.to_uppercase(),
        other => {
            let found = type_name(&other.unwrap_or_default());
            return Err(Failure::invalid(format!("'source_type' of a record's source must be a text, got {found}.")));
        }
    };
    if !SOURCE_TYPES.contains(&kind.as_str()) {
        let known: Vec<String> = SOURCE_TYPES.iter().map(|kind| repr(kind)).collect();
        return Err(Failure::invalid(format!(
            "Invalid dataset record source type: {kind}. Valid source types: [{}]",
            known.join(", ")
        )));
    }
    let data = match given.remove("source_data") {
        None | Some(Value::Null) => Map::new(),
        Some(data) => object("source_data", data)?,
    };
    Ok(RecordSource { kind, data })
}

fn record_json(dataset: &str, record: EvaluationRecord) -> Value {
    let EvaluationRecord {
        id,
        inputs,
        outputs,
        expectations,
        tags,
        source,
        created_at,
        updated_at,
        created_by,
        updated_by,
    } = record;
    let mut body = json!({
        "dataset_record_id": id,
        "dataset_id": dataset,
        "inputs": inputs,
        "tags": tags,
        "created_time": created_at.0,
        "last_update_time": updated_at.0,
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    set("outputs", outputs);
    set("expectations", expectations.map(Value::Object));
    set("created_by", created_by.map(Value::String));
    set("last_updated_by", updated_by.map(Value::String));
    if let Some(RecordSource { kind, data }) = source {
        let id_field = if kind == "TRACE" { "trace_id" } else { "source_id" };
        set("source_id", data.get(id_field).filter(|id| id.is_string()).cloned());
        set("source_type", Some(kind.clone().into()));
        set("source", Some(json!({ "source_type": kind, "source_data": data })));
    }
    body
}
