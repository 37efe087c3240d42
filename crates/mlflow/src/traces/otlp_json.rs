//! OpenTelemetry's messages in JSON: names in camelCase or as in the definition, ids in hexadecimal digits, 64-bit
//! numbers as texts or numbers. What is not known is passed over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stele_domain::otlp::{
    Any, AnyValue, ArrayValue, Event, KeyValue, Link, MapValue, Resource, ResourceSpans, ScopeSpans, Span, Status,
};

type Result<T> = std::result::Result<T, String>;

/// Deeper values than this are refused by their depth later; this is for the stack alone.
const DEEPEST: usize = 64;

pub(super) fn resource_spans(request: &Value) -> Result<Vec<ResourceSpans>> {
    list(request, "resourceSpans", "resource_spans", |item| {
        let resource = match field(item, "resource", "resource") {
            None => None,
            Some(resource) => Some(Resource { attributes: attributes(resource)? }),
        };
        let scope_spans = list(item, "scopeSpans", "scope_spans", |item| {
            Ok(ScopeSpans { spans: list(item, "spans", "spans", span)? })
        })?;
        Ok(ResourceSpans { resource, scope_spans })
    })
}

fn span(item: &Value) -> Result<Span> {
    Ok(Span {
        trace_id: id(item, "traceId", "trace_id")?,
        span_id: id(item, "spanId", "span_id")?,
        trace_state: text(item, "traceState", "trace_state")?,
        parent_span_id: id(item, "parentSpanId", "parent_span_id")?,
        name: text(item, "name", "name")?,
        kind: number(item, "kind", "kind", |value| constant(value, KINDS))?,
        start_time_unix_nano: number(item, "startTimeUnixNano", "start_time_unix_nano", unsigned)?,
        end_time_unix_nano: number(item, "endTimeUnixNano", "end_time_unix_nano", unsigned)?,
        attributes: attributes(item)?,
        dropped_attributes_count: count(item, "droppedAttributesCount", "dropped_attributes_count")?,
        events: list(item, "events", "events", event)?,
        dropped_events_count: count(item, "droppedEventsCount", "dropped_events_count")?,
        links: list(item, "links", "links", link)?,
        dropped_links_count: count(item, "droppedLinksCount", "dropped_links_count")?,
        status: field(item, "status", "status").map(status).transpose()?,
        flags: count(item, "flags", "flags")?,
    })
}

const KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const STATUSES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

fn status(item: &Value) -> Result<Status> {
    Ok(Status {
        message: text(item, "message", "message")?,
        code: number(item, "code", "code", |value| constant(value, STATUSES))?,
    })
}

fn event(item: &Value) -> Result<Event> {
    Ok(Event {
        time_unix_nano: number(item, "timeUnixNano", "time_unix_nano", unsigned)?,
        name: text(item, "name", "name")?,
        attributes: attributes(item)?,
        dropped_attributes_count: count(item, "droppedAttributesCount", "dropped_attributes_count")?,
    })
}

fn link(item: &Value) -> Result<Link> {
    Ok(Link {
        trace_id: id(item, "traceId", "trace_id")?,
        span_id: id(item, "spanId", "span_id")?,
        trace_state: text(item, "traceState", "trace_state")?,
        attributes: attributes(item)?,
        dropped_attributes_count: count(item, "droppedAttributesCount", "dropped_attributes_count")?,
        flags: count(item, "flags", "flags")?,
    })
}

fn attributes(item: &Value) -> Result<Vec<KeyValue>> {
    list(item, "attributes", "attributes", |item| key_value(item, 0))
}

fn key_value(item: &Value, depth: usize) -> Result<KeyValue> {
    let value = field(item, "value", "value").map(|value| any_value(value, depth)).transpose()?;
    Ok(KeyValue { key: text(item, "key", "key")?, value })
}

fn any_value(item: &Value, depth: usize) -> Result<AnyValue> {
    if depth > DEEPEST {
        return Err(format!("a value is nested deeper than {DEEPEST} levels"));
    }
    let Value::Object(fields) = item else { return Err(format!("expected a value, found {}", kind_of(item))) };
    let value = match fields.iter().find(|(_, value)| !value.is_null()) {
        None => None,
        Some((name, value)) => Some(match name.as_str() {
            "stringValue" | "string_value" => Any::Text(as_text(name, value)?),
            "boolValue" | "bool_value" => Any::Bool(value.as_bool().ok_or_else(|| wrong(name, value))?),
            "intValue" | "int_value" => Any::Int(signed(value).ok_or_else(|| wrong(name, value))?),
            "doubleValue" | "double_value" => {
                Any::Double(crate::input::float(value).ok_or_else(|| wrong(name, value))?)
            }
            "bytesValue" | "bytes_value" => {
                Any::Bytes(STANDARD.decode(as_text(name, value)?).map_err(|_| wrong(name, value))?)
            }
            "arrayValue" | "array_value" => {
                Any::Array(ArrayValue { values: list(value, "values", "values", |item| any_value(item, depth + 1))? })
            }
            "kvlistValue" | "kvlist_value" => {
                Any::Map(MapValue { values: list(value, "values", "values", |item| key_value(item, depth + 1))? })
            }
            _ => return Err(format!("a value has the unknown kind '{}'", name.chars().take(50).collect::<String>())),
        }),
    };
    Ok(AnyValue { value })
}

fn field<'v>(item: &'v Value, name: &str, other: &str) -> Option<&'v Value> {
    item.get(name).or_else(|| item.get(other)).filter(|value| !value.is_null())
}

fn list<T>(item: &Value, name: &str, other: &str, read: impl Fn(&Value) -> Result<T>) -> Result<Vec<T>> {
    if !item.is_object() {
        return Err(format!("expected an object with '{name}', found {}", kind_of(item)));
    }
    match field(item, name, other) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(read).collect(),
        Some(value) => Err(wrong(name, value)),
    }
}

fn text(item: &Value, name: &str, other: &str) -> Result<String> {
    field(item, name, other).map_or(Ok(String::new()), |value| as_text(name, value))
}

fn as_text(name: &str, value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| wrong(name, value))
}

fn id(item: &Value, name: &str, other: &str) -> Result<Vec<u8>> {
    let text = text(item, name, other)?;
    hex::decode(&text).map_err(|_| format!("'{name}' must be hexadecimal digits"))
}

fn number<T: Default>(item: &Value, name: &str, other: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T> {
    field(item, name, other).map_or(Ok(T::default()), |value| read(value).ok_or_else(|| wrong(name, value)))
}

fn count(item: &Value, name: &str, other: &str) -> Result<u32> {
    number(item, name, other, |value| unsigned(value)?.try_into().ok())
}

fn unsigned(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn signed(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A named constant by its name or its number.
fn constant(value: &Value, names: &[&str]) -> Option<i32> {
    let index = match value {
        Value::String(name) => names.iter().position(|known| known == name)?,
        number => usize::try_from(number.as_u64()?).ok().filter(|index| *index < names.len())?,
    };
    i32::try_from(index).ok()
}

fn wrong(name: &str, value: &Value) -> String {
    format!("'{name}' cannot be {}", kind_of(value))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "this number",
        Value::String(_) => "this text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
