//! Evaluation datasets with their records, and scorers. Tags and records travel as JSON texts inside JSON strings.

pub(crate) mod datasets;
pub(crate) mod records;
pub(crate) mod scorers;

use serde_json::{Map, Value};

use crate::error::{Failure, Result};
use crate::input::Input;
use crate::python;

/// The tag that says who makes or changes something.
const USER_TAG: &str = "mlflow.user";

/// A field that holds a JSON text and must be there.
fn required_json(input: &Input, name: &str) -> Result<Value> {
    parse(name, &input.required_text(name)?)
}

/// A field that holds the text of a JSON object; none when it is absent or empty.
fn json_object(input: &Input, name: &str) -> Result<Option<Map<String, Value>>> {
    match input.text(name)?.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => object(name, parse(name, &text)?).map(Some),
    }
}

fn object(name: &str, value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(Failure::invalid(format!("'{name}' must be a JSON object, got {}.", python::type_name(&other)))),
    }
}

fn parse(name: &str, text: &str) -> Result<Value> {
    python::json_loads(text).map_err(|error| Failure::invalid(format!("'{name}' must be valid JSON: {error}")))
}
