//! What evaluations of generative applications start from: datasets of records to try, and scorers that judge.

use serde_json::{Map, Value, json};

use crate::canonical::canonical;
use crate::id::{EvaluationDatasetRow, ExperimentId, Timestamp};
use crate::record::Tag;
use crate::{Error, Result};

/// A named collection of records, shared by experiments.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationDataset {
    pub row: EvaluationDatasetRow,
    /// `d-` and 32 hex digits.
    pub id: String,
    pub name: String,
    /// Changes whenever records come or are merged.
    pub digest: String,
    /// The fields that its records have had, with their types.
    pub schema: Option<RecordSchema>,
    /// How many records it has; none when it never had any.
    pub records: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub created_by: Option<String>,
    pub updated_by: Option<String>,
    pub tags: Vec<Tag>,
}

/// One example: what goes in, what came out, what should have come out.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationRecord {
    /// `dr-` and 32 hex digits.
    pub id: String,
    pub inputs: Map<String, Value>,
    pub outputs: Option<Value>,
    pub expectations: Option<Map<String, Value>>,
    pub tags: Map<String, Value>,
    pub source: Option<RecordSource>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub created_by: Option<String>,
    pub updated_by: Option<String>,
}

/// A record as a client gives it, to be made or merged into the one with the same inputs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GivenRecord {
    pub inputs: Map<String, Value>,
    /// Absent keeps what is there; null removes it.
    pub outputs: Option<Value>,
    pub expectations: Option<Map<String, Value>>,
    pub tags: Option<Map<String, Value>>,
    pub source: Option<RecordSource>,
    /// Who gives it, where the client says so.
    pub user: Option<String>,
}

/// Where a record came from.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSource {
    pub kind: String,
    pub data: Map<String, Value>,
}

impl GivenRecord {
    /// Records of one dataset with equal inputs are one record; the order of keys does not matter.
    pub fn identity(&self) -> String {
        canonical(&Value::Object(self.inputs.clone()))
    }

    pub fn into_record(self, id: String, now: Timestamp) -> EvaluationRecord {
        let GivenRecord { inputs, outputs, expectations, tags, source, user } = self;
        EvaluationRecord {
            id,
            inputs,
            outputs: match outputs {
                None => Some(Value::Object(Map::new())),
                Some(Value::Null) => None,
                given => given,
            },
            expectations,
            tags: tags.unwrap_or_default(),
            source,
            created_at: now,
            updated_at: now,
            created_by: user.clone(),
            updated_by: user,
        }
    }
}

impl EvaluationRecord {
    /// As [`GivenRecord::identity`].
    pub fn identity(&self) -> String {
        canonical(&Value::Object(self.inputs.clone()))
    }

    /// Takes over what `given` says: outputs are replaced, expectations and tags merged key by key. Its first source
    /// and maker stay.
    pub fn merge(&mut self, given: GivenRecord, now: Timestamp) {
        let GivenRecord { inputs: _, outputs, expectations, tags, source: _, user } = given;
        match outputs {
            None => {}
            Some(Value::Null) => self.outputs = None,
            given => self.outputs = given,
        }
        if let Some(expectations) = expectations.filter(|given| !given.is_empty()) {
            self.expectations.get_or_insert_default().extend(expectations);
        }
        self.tags.extend(tags.unwrap_or_default());
        self.updated_at = now;
        if user.is_some() {
            self.updated_by = user;
        }
    }
}

/// The fields of a dataset's records with the type each had when it was first seen.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSchema {
    inputs: Map<String, Value>,
    /// An object of fields, or one type when outputs are no objects.
    outputs: Value,
    expectations: Map<String, Value>,
}

impl Default for RecordSchema {
    fn default() -> RecordSchema {
        RecordSchema { inputs: Map::new(), outputs: json!({}), expectations: Map::new() }
    }
}

impl RecordSchema {
    pub fn learn(&mut self, record: &GivenRecord) {
        learn_fields(&mut self.inputs, &record.inputs);
        match (&record.outputs, &mut self.outputs) {
            (None | Some(Value::Null), _) => {}
            (Some(Value::Object(fields)), Value::Object(known)) => learn_fields(known, fields),
            (Some(Value::Object(_)), _) => {}
            (Some(scalar), Value::Object(known)) if known.is_empty() => self.outputs = type_name(scalar).into(),
            (Some(_), _) => {}
        }
        if let Some(expectations) = &record.expectations {
            learn_fields(&mut self.expectations, expectations);
        }
    }

    pub fn to_json(&self) -> Value {
        let RecordSchema { inputs, outputs, expectations } = self;
        json!({ "inputs": inputs, "outputs": outputs, "expectations": expectations, "version": "1.0" })
    }

    pub fn from_json(text: &str) -> Result<RecordSchema> {
        let damaged = || Error::internal(format!("the schema of an evaluation dataset is damaged: {text}"));
        let mut value: Value = serde_json::from_str(text).map_err(|_| damaged())?;
        let mut take = |field: &str| value.get_mut(field).map(Value::take).ok_or_else(damaged);
        let (inputs, outputs, expectations) = (take("inputs")?, take("outputs")?, take("expectations")?);
        match (inputs, expectations) {
            (Value::Object(inputs), Value::Object(expectations)) => Ok(RecordSchema { inputs, outputs, expectations }),
            _ => Err(damaged()),
        }
    }
}

fn learn_fields(known: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (key, value) in fields {
        if !known.contains_key(key) {
            known.insert(key.clone(), type_name(value).into());
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A version of a scorer: the client's own description of how to judge, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScorerVersion {
    /// Of the scorer, the same for all its versions.
    pub scorer: String,
    pub experiment: ExperimentId,
    pub name: String,
    /// Counts from 1 in each scorer.
    pub number: i64,
    pub definition: String,
    pub created_at: Timestamp,
}

/// How much of the traces of an experiment a scorer is to judge by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineScoring {
    pub id: String,
    pub scorer: String,
    pub experiment: ExperimentId,
    /// From 0 to 1.
    pub sample_rate: f64,
    pub filter: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: Value) -> GivenRecord {
        let object = |field: &str| value.get(field).and_then(Value::as_object).cloned();
        GivenRecord {
            inputs: object("inputs").unwrap_or_default(),
            outputs: value.get("outputs").cloned(),
            expectations: object("expectations"),
            tags: object("tags"),
            source: None,
            user: None,
        }
    }

    #[test]
    fn the_order_of_keys_does_not_make_another_record() {
        let one: Value = serde_json::from_str(r#"{"inputs": {"b": {"y": 1, "x": [1, 2]}, "a": "é"}}"#).unwrap();
        let same: Value = serde_json::from_str(r#"{"inputs": {"a": "é", "b": {"x": [1, 2], "y": 1}}}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"inputs": {"a": "é", "b": {"x": [2, 1], "y": 1}}}"#).unwrap();
        assert_eq!(given(one.clone()).identity(), given(same).identity());
        assert_ne!(given(one).identity(), given(other).identity());
    }

    #[test]
    fn merging_replaces_outputs_and_extends_the_rest() {
        let first = json!({ "outputs": { "a": 1 }, "expectations": { "x": 1, "y": 1 }, "tags": { "t": "1" } });
        let mut record = given(first).into_record("dr-1".to_owned(), Timestamp(1));
        record.merge(given(json!({ "expectations": { "y": 2 }, "tags": { "u": "2" } })), Timestamp(2));
        assert_eq!(record.outputs, Some(json!({ "a": 1 })));
        assert_eq!(record.expectations, json!({ "x": 1, "y": 2 }).as_object().cloned());
        assert_eq!(Value::Object(record.tags.clone()), json!({ "t": "1", "u": "2" }));
        assert_eq!((record.created_at, record.updated_at), (Timestamp(1), Timestamp(2)));
        record.merge(given(json!({ "outputs": null })), Timestamp(3));
        assert_eq!(record.outputs, None);
    }

    #[test]
    fn a_schema_keeps_the_first_type_of_each_field() {
        let mut schema = RecordSchema::default();
        schema.learn(&given(json!({ "inputs": { "q": "text", "n": 1 }, "outputs": "plain" })));
        schema.learn(&given(json!({ "inputs": { "q": 1, "f": 1.5 }, "expectations": { "ok": true } })));
        let expected = json!({
            "inputs": { "q": "string", "n": "integer", "f": "float" },
            "outputs": "string",
            "expectations": { "ok": "boolean" },
            "version": "1.0",
        });
        assert_eq!(schema.to_json(), expected);
        assert_eq!(RecordSchema::from_json(&expected.to_string()).unwrap(), schema);
    }
}
