//! Traces with their spans and assessments, in the third and the second version of the API, and OpenTelemetry's way in.

pub(crate) mod artifact;
pub(crate) mod assessments;
pub(crate) mod correlation;
mod decompress;
mod dto;
pub(crate) mod metrics;
pub(crate) mod otlp;
mod otlp_json;
pub(crate) mod read;
pub(crate) mod search;
mod span_dto;
pub(crate) mod start;
pub(crate) mod tags;
mod time;
pub(crate) mod v2;

use serde_json::Value;
use stele_domain::id::ExperimentId;
use stele_domain::record::Tag;
use stele_domain::trace::TraceId;
use stele_domain::{Error, Kind};

use crate::error::{Failure, Result};
use crate::input::Input;
use crate::validate;

/// The most ids in one request.
const MOST_IDS: usize = 1_000;
const LONGEST_KEY: usize = 250;
const LONGEST_VALUE: usize = 8_000;

/// The id of a trace that is looked for: what cannot be an id is the id of no trace.
fn known_id(text: &str) -> Result<TraceId> {
    TraceId::parse(text).map_err(|_| Error::not_found(Kind::Trace, text.chars().take(100).collect::<String>()).into())
}

/// The ids that a request names; those that cannot be one are of no trace, and left out.
fn known_ids(input: &Input, name: &str) -> Result<Vec<TraceId>> {
    let ids = input.texts(name)?;
    if ids.len() > MOST_IDS {
        return Err(Failure::invalid(format!("'{name}' has {} ids, and may have {MOST_IDS}", ids.len())));
    }
    Ok(ids.iter().filter_map(|id| TraceId::parse(id).ok()).collect())
}

fn experiment_ids(ids: &[String]) -> Result<Vec<ExperimentId>> {
    ids.iter().map(|id| validate::experiment_id(id)).collect()
}

/// A map of texts, as tags and metadata come in the third version.
fn text_map(input: &Input, name: &str) -> Result<Vec<Tag>> {
    match input.value(name)? {
        None => Ok(Vec::new()),
        Some(Value::Object(fields)) => fields
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(value) => entry(name, key, value),
                other => Err(crate::input::wrong_type(&format!("{name}.{key}"), &other)),
            })
            .collect(),
        Some(other) => Err(crate::input::wrong_type(name, &other)),
    }
}

/// An entry of tags or metadata; a value that is too long is cut, as MLflow does it.
fn entry(what: &str, key: String, value: String) -> Result<Tag> {
    validate::name(&format!("{what}.key"), &key)?;
    validate::length("key", &key, LONGEST_KEY)?;
    let value = match value.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => value[..end].to_owned(),
        None => value,
    };
    Ok(Tag { key, value })
}
