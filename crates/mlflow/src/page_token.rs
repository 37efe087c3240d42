//! MLflow's page tokens: base64 of `{"offset": N}`, which its tests look into. Beside the offset a token may say where
//! the page ended in the order, so that the next one need not be counted off from the first.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stele_domain::search::{SortPosition, SortValue};

use crate::error::{Failure, Result};
use crate::python::{json_dumps, repr};

pub(crate) fn encode(offset: usize) -> String {
    STANDARD.encode(format!("{{\"offset\": {offset}}}"))
}

/// The longest token that says where a page ended, in bytes before base64. Clients may send it in a query string.
const LONGEST: usize = 2_000;

/// A token for the page after `end`, which another search than `search` does not understand.
pub(crate) fn encode_with_end(offset: usize, end: Option<&SortPosition>, search: u64) -> String {
    let Some(SortPosition(values)) = end else { return encode(offset) };
    let token =
        json_dumps(&json!({ "offset": offset, "after": values_to_json(values), "search": format!("{search:016x}") }));
    if token.len() > LONGEST { encode(offset) } else { STANDARD.encode(token) }
}

/// Where the page before ended, when a token of the same search says it. What is odd about a token is no error here:
/// its offset is enough.
pub(crate) fn end(token: Option<&str>, search: u64) -> Option<SortPosition> {
    let decoded: Value = serde_json::from_slice(&STANDARD.decode(token?).ok()?).ok()?;
    if decoded.get("search")?.as_str()? != format!("{search:016x}") {
        return None;
    }
    values_of_json(decoded.get("after")?).map(SortPosition)
}

/// The values of a position in an order, for a token.
pub fn values_to_json(values: &[SortValue]) -> Value {
    values.iter().map(value_to_json).collect()
}

/// What [`values_to_json`] has made; `None` for anything else.
pub fn values_of_json(values: &Value) -> Option<Vec<SortValue>> {
    values.as_array()?.iter().map(value_of_json).collect()
}

/// Infinities have no number in JSON, so doubles are texts in an array of one.
fn value_to_json(value: &SortValue) -> Value {
    match value {
        SortValue::Absent => Value::Null,
        SortValue::Integer(number) => json!(number),
        SortValue::Real(number) => json!([number.to_string()]),
        SortValue::Text(text) => json!(text),
    }
}

fn value_of_json(value: &Value) -> Option<SortValue> {
    match value {
        Value::Null => Some(SortValue::Absent),
        Value::Number(number) => number.as_i64().map(SortValue::Integer),
        Value::Array(parts) => match &parts[..] {
            [Value::String(number)] => number.parse().ok().map(SortValue::Real),
            _ => None,
        },
        Value::String(text) => Some(SortValue::Text(text.clone())),
        Value::Bool(_) | Value::Object(_) => None,
    }
}

/// The offset in a token; without a token, or with an empty one, it is 0.
pub(crate) fn offset(token: Option<&str>) -> Result<usize> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
    let bytes = STANDARD.decode(token).map_err(|_| Failure::invalid("Invalid page token, could not base64-decode"))?;
    let decoded: Value = serde_json::from_slice(&bytes).map_err(|_| {
        Failure::invalid(format!("Invalid page token, decoded value=b{}", repr(&String::from_utf8_lossy(&bytes))))
    })?;
    let offset = decoded
        .get("offset")
        .ok_or_else(|| Failure::invalid(format!("Invalid page token, parsed value={}", json_dumps(&decoded))))?;
    offset
        .as_u64()
        .or_else(|| offset.as_str()?.parse().ok())
        .and_then(|offset| usize::try_from(offset).ok())
        .ok_or_else(|| Failure::invalid(format!("Invalid offset in page token: {offset}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_where_a_page_ended() {
        let end_of = |values: &[SortValue]| {
            let position = SortPosition(values.to_vec());
            let token = encode_with_end(7, Some(&position), 1);
            assert_eq!(offset(Some(&token)).ok(), Some(7));
            assert_eq!(end(Some(&token), 2), None, "another search");
            (end(Some(&token), 1), position)
        };
        for number in [0.1, -0.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
            let (kept, position) = end_of(&[SortValue::Real(number), SortValue::Text("é\"".to_owned())]);
            assert_eq!(kept, Some(position));
        }
        let (kept, position) = end_of(&[SortValue::Absent, SortValue::Integer(i64::MIN), SortValue::Integer(i64::MAX)]);
        assert_eq!(kept, Some(position));
        let (kept, _) = end_of(&[SortValue::Text("x".repeat(LONGEST))]);
        assert_eq!(kept, None, "a token stays short enough for a query string");
        for odd in ["", "!", "e30=", "eyJhZnRlciI6IDF9"] {
            assert_eq!(end(Some(odd), 1), None);
        }
    }
}
