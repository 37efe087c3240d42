//! Spans in JSON: as OpenTelemetry's messages, which clients read, and in the form of the files that MLflow keeps, which
//! its pages read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stele_domain::otlp::{Any, AnyValue, Event, KeyValue, Link, Span, Status};
use stele_domain::trace::TraceId;

/// As protocol buffers write it in JSON, with the names of the fields as they are and numbers as numbers.
pub(super) fn message(span: &Span) -> Value {
    let mut dto = json!({
        "trace_id": STANDARD.encode(&span.trace_id),
        "span_id": STANDARD.encode(&span.span_id),
        "name": span.name,
        "start_time_unix_nano": span.start_time_unix_nano,
    });
    if !span.is_root() {
        dto["parent_span_id"] = STANDARD.encode(&span.parent_span_id).into();
    }
    if let Some(ended_at) = span.ended_at() {
        dto["end_time_unix_nano"] = ended_at.into();
    }
    set_unless_empty(&mut dto, "attributes", attributes(&span.attributes));
    set_unless_empty(&mut dto, "events", span.events.iter().map(event).collect());
    set_unless_empty(&mut dto, "links", span.links.iter().map(link).collect());
    let mut status = json!({ "code": status_name(span) });
    if let Some(Status { message, .. }) = &span.status
        && !message.is_empty()
    {
        status["message"] = message.as_str().into();
    }
    dto["status"] = status;
    dto
}

fn status_name(span: &Span) -> &'static str {
    match span.status.as_ref().map_or(0, |status| status.code) {
        Status::OK => "STATUS_CODE_OK",
        Status::ERROR => "STATUS_CODE_ERROR",
        _ => "STATUS_CODE_UNSET",
    }
}

fn set_unless_empty(dto: &mut Value, field: &str, items: Vec<Value>) {
    if !items.is_empty() {
        dto[field] = items.into();
    }
}

fn event(event: &Event) -> Value {
    let mut dto = json!({ "time_unix_nano": event.time_unix_nano, "name": event.name });
    set_unless_empty(&mut dto, "attributes", attributes(&event.attributes));
    dto
}

fn link(link: &Link) -> Value {
    let mut dto = json!({ "trace_id": STANDARD.encode(&link.trace_id), "span_id": STANDARD.encode(&link.span_id) });
    set_unless_empty(&mut dto, "attributes", attributes(&link.attributes));
    dto
}

fn attributes(attributes: &[KeyValue]) -> Vec<Value> {
    attributes
        .iter()
        .map(|KeyValue { key, value }| json!({ "key": key, "value": value.as_ref().map_or(json!({}), any_value) }))
        .collect()
}

fn any_value(value: &AnyValue) -> Value {
    match &value.value {
        None => json!({}),
        Some(Any::Text(text)) => json!({ "string_value": text }),
        Some(Any::Bool(value)) => json!({ "bool_value": value }),
        Some(Any::Int(value)) => json!({ "int_value": value }),
        Some(Any::Double(value)) => json!({ "double_value": double(*value) }),
        Some(Any::Bytes(bytes)) => json!({ "bytes_value": STANDARD.encode(bytes) }),
        Some(Any::Array(array)) => {
            let values: Vec<Value> = array.values.iter().map(any_value).collect();
            if values.is_empty() {
                json!({ "array_value": {} })
            } else {
                json!({ "array_value": { "values": values } })
            }
        }
        Some(Any::Map(map)) => {
            let values = attributes(&map.values);
            if values.is_empty() {
                json!({ "kvlist_value": {} })
            } else {
                json!({ "kvlist_value": { "values": values } })
            }
        }
    }
}

fn double(value: f64) -> Value {
    match value {
        value if value.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        value => value.into(),
    }
}

/// As in a file of spans: attributes by key, each as the text of a JSON document.
pub(super) fn file_entry(span: &Span) -> Value {
    let by_key = |attributes: &[KeyValue], write: fn(&AnyValue) -> Value| -> Map<String, Value> {
        attributes
            .iter()
            .map(|KeyValue { key, value }| (key.clone(), value.as_ref().map_or(Value::Null, write)))
            .collect()
    };
    let events: Vec<Value> = span
        .events
        .iter()
        .map(|event| {
            json!({
                "name": event.name,
                "time_unix_nano": event.time_unix_nano,
                "attributes": by_key(&event.attributes, AnyValue::to_json),
            })
        })
        .collect();
    let links: Vec<Value> = span
        .links
        .iter()
        .map(|link| {
            json!({
                "trace_id": TraceId::of_otel(&link.trace_id).as_str(),
                "span_id": hex::encode(&link.span_id),
                "attributes": by_key(&link.attributes, AnyValue::to_json),
            })
        })
        .collect();
    json!({
        "trace_id": STANDARD.encode(&span.trace_id),
        "span_id": STANDARD.encode(&span.span_id),
        "parent_span_id": (!span.is_root()).then(|| STANDARD.encode(&span.parent_span_id)),
        "name": span.name,
        "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.ended_at(),
        "events": events,
        "status": {
            "code": status_name(span),
            "message": span.status.as_ref().map_or("", |status| status.message.as_str()),
        },
        "attributes": by_key(&span.attributes, |value| value.json_text().into()),
        "links": links,
    })
}
