//! Request messages as MLflow's server reads them: a JSON object or a query string, with fields under their
//! snake_case or camelCase names.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method, header};
use serde_json::{Map, Value};
use stele_domain::canonical::canonical;

use crate::error::{Failure, Result};
use crate::python::type_name;

const SEE_DOCS: &str = " See the API docs for more information about request parameters.";

/// One request message. Getters check a field and word the refusal as MLflow does.
#[derive(Debug)]
pub(crate) struct Input {
    fields: Map<String, Value>,
    /// All values of a query string, so that repeated keys make lists.
    query: Option<Vec<(String, String)>>,
    path: HashMap<String, String>,
    /// Where a nested message stands, such as `metrics[0]`, for error texts.
    place: String,
}

impl Input {
    /// Reads a message from the query string of a GET, or else from the body.
    pub(crate) fn parse(
        method: &Method,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
        path: HashMap<String, String>,
    ) -> Result<Input> {
        let reads = method == Method::GET || method == Method::HEAD;
        if let Some(query) = query.filter(|query| reads && !query.is_empty()) {
            return Ok(Input::parse_query(query, path));
        }
        check_content_type(method, headers)?;
        Ok(Input { fields: parse_object(body)?, query: None, path, place: String::new() })
    }

    /// Reads a message from a query string.
    pub(crate) fn parse_query(query: &str, path: HashMap<String, String>) -> Input {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Input { fields: Map::new(), query: Some(pairs), path, place: String::new() }
    }

    /// The same message, whose errors name fields below `place`.
    pub(crate) fn at(self, place: &str) -> Input {
        Input { place: place.to_owned(), ..self }
    }

    /// The fields as they came; none for a query string.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    fn missing(&self, name: &str) -> Failure {
        missing(&below(&self.place, name))
    }

    fn wrong_type(&self, name: &str, value: &Value) -> Failure {
        wrong_type(&below(&self.place, name), value)
    }

    /// A part of the path, such as `model_id`.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The field as JSON; a value of a query string is a string.
    pub(crate) fn value(&self, name: &str) -> Result<Option<Value>> {
        if let Some(query) = &self.query {
            return Ok(query.iter().find(|(key, _)| key == name).map(|(_, value)| Value::String(value.clone())));
        }
        Ok(self.field(name)?.cloned())
    }

    /// The field of a body; null is as good as absent.
    fn field(&self, name: &str) -> Result<Option<&Value>> {
        let plain = self.fields.get(name);
        let renamed = if name.contains('_') { self.fields.get(&camel_case(name)) } else { None };
        if plain.is_some() && renamed.is_some() {
            let camel = camel_case(name);
            return Err(Failure::invalid(format!(
                "Request specifies both '{name}' and '{camel}'; provide only one of them."
            )));
        }
        Ok(plain.or(renamed).filter(|value| !value.is_null()))
    }

    pub(crate) fn has(&self, name: &str) -> Result<bool> {
        Ok(self.value(name)?.is_some())
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required_text(&self, name: &str) -> Result<String> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| self.missing(name))
    }

    /// A text; absent and null are the same.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_type(name, &other)),
        }
    }

    pub(crate) fn required_int(&self, name: &str) -> Result<i64> {
        match self.value(name)? {
            None => Err(self.missing(name)),
            Some(value) if value == "" => Err(self.missing(name)),
            Some(value) => int(&value).ok_or_else(|| self.wrong_type(name, &value)),
        }
    }

    /// A 64-bit integer, as a number or as its decimal text.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>> {
        self.value(name)?.map(|value| int(&value).ok_or_else(|| self.wrong_type(name, &value))).transpose()
    }

    pub(crate) fn required_float(&self, name: &str) -> Result<f64> {
        match self.value(name)? {
            None => Err(self.missing(name)),
            Some(value) if value == "" => Err(self.missing(name)),
            Some(value) => float(&value).ok_or_else(|| self.wrong_type(name, &value)),
        }
    }

    /// A double, as a number or as a text such as `NaN`.
    pub(crate) fn float(&self, name: &str) -> Result<Option<f64>> {
        self.value(name)?.map(|value| float(&value).ok_or_else(|| self.wrong_type(name, &value))).transpose()
    }

    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(text)) if self.query.is_some() => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                _ => Err(Failure::invalid(format!("Invalid boolean value: {text}, must be 'true' or 'false'."))),
            },
            Some(other) => Err(self.wrong_type(name, &other)),
        }
    }

    /// A list; absent and null are the empty one.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Value>> {
        if let Some(query) = &self.query {
            let values = query.iter().filter(|(key, _)| key == name);
            return Ok(values.map(|(_, value)| Value::String(value.clone())).collect());
        }
        match self.value(name)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong_type(name, &other)),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let items = self.list(name)?;
        if items.iter().any(|item| !item.is_string()) {
            return Err(self.wrong_type(name, &Value::Array(items)));
        }
        Ok(items
            .into_iter()
            .filter_map(|item| if let Value::String(text) = item { Some(text) } else { None })
            .collect())
    }

    /// A list of nested messages.
    pub(crate) fn messages(&self, name: &str) -> Result<Vec<Input>> {
        let items = self.list(name)?;
        if items.iter().any(|item| !item.is_object()) {
            return Err(self.wrong_type(name, &Value::Array(items)));
        }
        Ok(items.into_iter().filter_map(Input::nested).collect())
    }

    /// A nested message.
    pub(crate) fn message(&self, name: &str) -> Result<Option<Input>> {
        match self.value(name)? {
            None => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Input::nested(value)),
            Some(other) => Err(self.wrong_type(name, &other)),
        }
    }

    /// A nested message without fields.
    pub(crate) fn empty() -> Input {
        Input { fields: Map::new(), query: None, path: HashMap::new(), place: String::new() }
    }

    fn nested(value: Value) -> Option<Input> {
        match value {
            Value::Object(fields) => Some(Input { fields, query: None, path: HashMap::new(), place: String::new() }),
            _ => None,
        }
    }

    /// The run that a call names: `run_id`, or `run_uuid` as old clients call it.
    pub(crate) fn run_id(&self) -> Result<String> {
        match self.text("run_id")?.filter(|id| !id.is_empty()) {
            Some(id) => Ok(id),
            None => self.text("run_uuid")?.filter(|id| !id.is_empty()).ok_or_else(|| self.missing("run_id")),
        }
    }

    /// Reads a named constant given by its name or its number.
    pub(crate) fn named<T: Copy>(&self, name: &str, names: &[(&str, i64, T)]) -> Result<Option<T>> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let found = names.iter().find(|(text, number, _)| match &value {
            Value::String(given) => given == text || given.parse() == Ok(*number),
            given => given.as_i64() == Some(*number),
        });
        found.map(|(.., constant)| Some(*constant)).ok_or_else(|| self.wrong_type(name, &value))
    }
}

pub(crate) fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<()> {
    if method != Method::POST && method != Method::PUT {
        return Ok(());
    }
    let Some(given) = headers.get(header::CONTENT_TYPE) else {
        return Err(Failure::invalid("Bad Request. Content-Type header is missing."));
    };
    match given.to_str().unwrap_or("").split(';').next() {
        Some("application/json") => Ok(()),
        _ => Err(Failure::invalid("Bad Request. Content-Type must be one of ['application/json'].")),
    }
}

/// Old clients send their JSON as a JSON string; an empty body is an empty message.
fn parse_object(body: &[u8]) -> Result<Map<String, Value>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let broken = |error: serde_json::Error| Failure::invalid(format!("Malformed JSON in the request body: {error}"));
    let mut value: Value = serde_json::from_slice(body).map_err(broken)?;
    if let Value::String(text) = &value {
        value = serde_json::from_str(text).map_err(broken)?;
    }
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        other => Err(Failure::invalid(format!("The request body must be a JSON object, not a {}.", type_name(&other)))),
    }
}

/// `run_id` as `runId`.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if upper {
            camel.extend(letter.to_uppercase());
            upper = false;
        } else {
            camel.push(letter);
        }
    }
    camel
}

pub(crate) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9.0e15).then_some(value as i64)
}

/// Clients send what JSON cannot say as the texts `NaN`, `Infinity` and `-Infinity`.
pub(crate) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.trim() {
            "NaN" | "nan" => Some(f64::NAN),
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            number => number.parse().ok(),
        },
        _ => None,
    }
}

/// Where a field of a nested message stands: `metrics[0]` and `key` make `metrics[0].key`.
pub(crate) fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

pub(crate) fn missing(path: &str) -> Failure {
    Failure::invalid(format!("Missing value for required parameter '{path}'.{SEE_DOCS}"))
}

pub(crate) fn wrong_type(name: &str, value: &Value) -> Failure {
    let hint = format!(" Hint: Value was of type '{}'.", type_name(value));
    Failure::invalid(invalid_value(name, value, &hint) + SEE_DOCS)
}

/// MLflow's text for a value that it does not take: `Invalid value 5 for parameter 'x' supplied: reason`.
pub(crate) fn invalid_value(path: &str, value: &Value, reason: &str) -> String {
    format!("Invalid value {} for parameter '{path}' supplied: {reason}", python_json(value))
}

/// Compact JSON in ASCII with sorted keys, cut where an error message would become a book.
pub(crate) fn python_json(value: &Value) -> String {
    const MOST: usize = 2_000;
    let mut text = String::new();
    for letter in canonical(value).chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
        if text.len() > MOST {
            text.push_str("...");
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: &Value) -> Input {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
        Input::parse(&Method::POST, &headers, None, value.to_string().as_bytes(), HashMap::new()).unwrap()
    }

    #[test]
    fn fields_are_found_under_either_name_but_not_both() {
        assert_eq!(body(&json!({ "runId": "a" })).run_id().unwrap(), "a");
        assert_eq!(body(&json!({ "run_uuid": "b" })).run_id().unwrap(), "b");
        let both = body(&json!({ "run_id": "a", "runId": "a" })).run_id().unwrap_err();
        assert_eq!(both, Failure::invalid("Request specifies both 'run_id' and 'runId'; provide only one of them."));
    }

    #[test]
    fn a_json_string_that_holds_json_is_decoded_again() {
        assert_eq!(body(&json!("{\"name\": \"x\"}")).required_text("name").unwrap(), "x");
    }

    #[test]
    fn wrong_types_are_told_in_python_terms() {
        let failure = body(&json!({ "name": { "é": 1 } })).text("name").unwrap_err();
        let text = "Invalid value {\"\\u00e9\":1} for parameter 'name' supplied:  Hint: Value was of type 'dict'. \
                    See the API docs for more information about request parameters.";
        assert_eq!(failure, Failure::invalid(text));
    }

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        let input = body(&json!({ "a": 20.0, "b": "20", "c": 20.5, "d": "NaN" }));
        assert_eq!(input.int("a").unwrap(), Some(20));
        assert_eq!(input.int("b").unwrap(), Some(20));
        assert!(input.int("c").is_err());
        assert!(input.required_float("d").unwrap().is_nan());
    }
}
