//! OpenTelemetry's spans, which the record keeps as they are. The field numbers are those of `trace.proto` and
//! `common.proto` of the OpenTelemetry protocol 1.x, so that the bytes of a span are the same on the wire and in the
//! store.

use prost::{Message, Oneof};
use serde_json::Value;

/// A request to an OTLP receiver.
#[derive(Clone, PartialEq, Message)]
pub struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

/// Spans that one process or service made.
#[derive(Clone, PartialEq, Message)]
pub struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<ScopeSpans>,
}

/// Who made spans: the name and version of a service, its host.
#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// Spans that one library made.
#[derive(Clone, PartialEq, Message)]
pub struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub trace_state: String,
    /// Empty for the root of a trace.
    #[prost(bytes = "vec", tag = "4")]
    pub parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(int32, tag = "6")]
    pub kind: i32,
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    /// 0 while the span has not ended.
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "10")]
    pub dropped_attributes_count: u32,
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
    #[prost(uint32, tag = "12")]
    pub dropped_events_count: u32,
    #[prost(message, repeated, tag = "13")]
    pub links: Vec<Link>,
    #[prost(uint32, tag = "14")]
    pub dropped_links_count: u32,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub flags: u32,
}

/// Something that happened during a span.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(fixed64, tag = "1")]
    pub time_unix_nano: u64,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    pub dropped_attributes_count: u32,
}

/// A span of this or another trace that a span has to do with.
#[derive(Clone, PartialEq, Message)]
pub struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    pub trace_state: String,
    #[prost(message, repeated, tag = "4")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "5")]
    pub dropped_attributes_count: u32,
    #[prost(fixed32, tag = "6")]
    pub flags: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(string, tag = "2")]
    pub message: String,
    /// See [`Status::OK`] and [`Status::ERROR`].
    #[prost(int32, tag = "3")]
    pub code: i32,
}

impl Status {
    pub const OK: i32 = 1;
    pub const ERROR: i32 = 2;
}

#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// A value of any shape; none is null.
#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(MapValue),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct MapValue {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<KeyValue>,
}

impl KeyValue {
    pub fn new(key: impl Into<String>, value: AnyValue) -> KeyValue {
        KeyValue { key: key.into(), value: Some(value) }
    }

    pub fn any(&self) -> Option<&Any> {
        self.value.as_ref()?.value.as_ref()
    }
}

impl AnyValue {
    pub fn text(text: impl Into<String>) -> AnyValue {
        AnyValue { value: Some(Any::Text(text.into())) }
    }

    pub fn of_json(value: &Value) -> AnyValue {
        let value = match value {
            Value::Null => None,
            Value::Bool(value) => Some(Any::Bool(*value)),
            Value::Number(number) => {
                Some(number.as_i64().map_or_else(|| Any::Double(number.as_f64().unwrap_or(f64::NAN)), Any::Int))
            }
            Value::String(text) => Some(Any::Text(text.clone())),
            Value::Array(items) => {
                Some(Any::Array(ArrayValue { values: items.iter().map(AnyValue::of_json).collect() }))
            }
            Value::Object(fields) => {
                let values = fields.iter().map(|(key, value)| KeyValue::new(key, AnyValue::of_json(value)));
                Some(Any::Map(MapValue { values: values.collect() }))
            }
        };
        AnyValue { value }
    }

    /// What JSON cannot say is a text: numbers that are none, and bytes, in hexadecimal digits.
    pub fn to_json(&self) -> Value {
        match &self.value {
            None => Value::Null,
            Some(Any::Text(text)) => text.clone().into(),
            Some(Any::Bool(value)) => (*value).into(),
            Some(Any::Int(value)) => (*value).into(),
            Some(Any::Double(value)) => {
                serde_json::Number::from_f64(*value).map_or_else(|| value.to_string().into(), Value::Number)
            }
            Some(Any::Array(array)) => array.values.iter().map(AnyValue::to_json).collect(),
            Some(Any::Map(map)) => Value::Object(fields(&map.values)),
            Some(Any::Bytes(bytes)) => hex::encode(bytes).into(),
        }
    }

    /// A text as it is, anything else as JSON with a space after each comma and colon, which is how MLflow's clients and
    /// pages write it. The order of keys stays.
    pub fn plain_text(&self) -> String {
        match &self.value {
            Some(Any::Text(text)) => text.clone(),
            _ => self.json_text(),
        }
    }

    /// As JSON, also a text.
    pub fn json_text(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    fn write_json(&self, text: &mut String) {
        match &self.value {
            Some(Any::Array(array)) => {
                text.push('[');
                for (index, item) in array.values.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    item.write_json(text);
                }
                text.push(']');
            }
            Some(Any::Map(map)) => {
                text.push('{');
                for (index, KeyValue { key, value }) in map.values.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    text.push_str(&Value::from(key.as_str()).to_string());
                    text.push_str(": ");
                    match value {
                        Some(value) => value.write_json(text),
                        None => text.push_str("null"),
                    }
                }
                text.push('}');
            }
            _ => text.push_str(&self.to_json().to_string()),
        }
    }

    /// How deep arrays and maps are nested in it; 0 for a plain value.
    pub fn depth(&self) -> usize {
        match &self.value {
            Some(Any::Array(array)) => 1 + array.values.iter().map(AnyValue::depth).max().unwrap_or(0),
            Some(Any::Map(map)) => 1 + depth_of(&map.values),
            _ => 0,
        }
    }
}

/// How deep the deepest of some attributes is nested.
pub fn depth_of(attributes: &[KeyValue]) -> usize {
    attributes.iter().filter_map(|attribute| attribute.value.as_ref()).map(AnyValue::depth).max().unwrap_or(0)
}

/// Attributes as a JSON object; of two with one key the last counts.
pub fn fields(attributes: &[KeyValue]) -> serde_json::Map<String, Value> {
    attributes
        .iter()
        .map(|KeyValue { key, value }| (key.clone(), value.as_ref().map_or(Value::Null, AnyValue::to_json)))
        .collect()
}

impl Span {
    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&AnyValue> {
        self.attributes.iter().rev().find(|attribute| attribute.key == key)?.value.as_ref()
    }

    /// The text of an attribute that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.attribute(key)?.value.as_ref()? {
            Any::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_root(&self) -> bool {
        self.parent_span_id.is_empty()
    }

    pub fn ended_at(&self) -> Option<u64> {
        (self.end_time_unix_nano > 0).then_some(self.end_time_unix_nano)
    }

    pub fn failed(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.code == Status::ERROR)
    }
}
