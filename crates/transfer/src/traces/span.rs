//! Spans in the JSON of MLflow's databases and files: attributes by key, each as the text of a JSON document.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use stele_domain::otlp::{Any, AnyValue, ArrayValue, Event, KeyValue, Link, MapValue, Span, Status};
use stele_domain::trace::DEEPEST_VALUE;

/// Why a text is no span that the record can keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotASpan(pub(crate) String);

/// Reads the text of a span.
pub(crate) fn read_span(text: &str) -> Result<Span, NotASpan> {
    let ordered = parse(text).ok_or_else(|| NotASpan("it is no JSON".to_owned()))?;
    span_of_value(&ordered)
}

/// The spans of a file, and how many more could not be read.
pub(crate) fn read_spans(text: &str) -> (Vec<Span>, u64) {
    let file = parse(text).unwrap_or_default();
    let listed = items(&file, "spans");
    let spans: Vec<Span> = listed.iter().filter_map(|span| span_of_value(span).ok()).collect();
    let unread = (listed.len() - spans.len()) as u64;
    (spans, unread)
}

/// Reads a span whose fields are those of a map.
fn span_of_value(value: &AnyValue) -> Result<Span, NotASpan> {
    let wrong = |field: &str| NotASpan(format!("it has no {field} that can be read"));
    let id = |field: &str| text(value, field).and_then(|id| STANDARD.decode(id).ok()).ok_or_else(|| wrong(field));
    let parent = match text(value, "parent_span_id").filter(|parent| !parent.is_empty()) {
        None => Vec::new(),
        Some(_) => id("parent_span_id")?,
    };
    let status = field(value, "status");
    let code = match status.and_then(|status| text(status, "code")) {
        Some("STATUS_CODE_OK") => Status::OK,
        Some("STATUS_CODE_ERROR") => Status::ERROR,
        _ => 0,
    };
    let message = status.and_then(|status| text(status, "message")).unwrap_or_default().to_owned();
    let links = items(value, "links").iter().map(|item| link(item).ok_or_else(|| wrong("link")));
    Ok(Span {
        trace_id: id("trace_id")?,
        span_id: id("span_id")?,
        parent_span_id: parent,
        name: text(value, "name").unwrap_or_default().to_owned(),
        start_time_unix_nano: nanoseconds(value, "start_time_unix_nano")
            .ok_or_else(|| wrong("start_time_unix_nano"))?,
        end_time_unix_nano: nanoseconds(value, "end_time_unix_nano").unwrap_or(0),
        attributes: entries(value, "attributes").iter().map(attribute).collect(),
        events: items(value, "events")
            .iter()
            .map(|event| Event {
                time_unix_nano: nanoseconds(event, "time_unix_nano").unwrap_or(0),
                name: text(event, "name").unwrap_or_default().to_owned(),
                attributes: entries(event, "attributes").to_vec(),
                dropped_attributes_count: 0,
            })
            .collect(),
        links: links.collect::<Result<_, _>>()?,
        status: (code != 0 || !message.is_empty()).then_some(Status { message, code }),
        ..Span::default()
    })
}

/// The value of an attribute is the text of a document. What is none stays a text.
fn attribute(KeyValue { key, value }: &KeyValue) -> KeyValue {
    let read = match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::Text(text)) => parse(text).filter(|value| value.depth() <= DEEPEST_VALUE),
        _ => None,
    };
    KeyValue { key: key.clone(), value: read.or_else(|| value.clone()) }
}

fn link(value: &AnyValue) -> Option<Link> {
    let trace = text(value, "trace_id")?;
    Some(Link {
        trace_id: hex::decode(trace.strip_prefix("tr-").unwrap_or(trace)).ok()?,
        span_id: hex::decode(text(value, "span_id")?).ok()?,
        attributes: entries(value, "attributes").to_vec(),
        ..Link::default()
    })
}

fn field<'v>(value: &'v AnyValue, name: &str) -> Option<&'v AnyValue> {
    match value.value.as_ref()? {
        Any::Map(map) => map.values.iter().rev().find(|entry| entry.key == name)?.value.as_ref(),
        _ => None,
    }
}

fn text<'v>(value: &'v AnyValue, name: &str) -> Option<&'v str> {
    match field(value, name)?.value.as_ref()? {
        Any::Text(text) => Some(text),
        _ => None,
    }
}

/// Numbers of 64 bits may come as texts.
fn nanoseconds(value: &AnyValue, name: &str) -> Option<u64> {
    match field(value, name)?.value.as_ref()? {
        Any::Int(time) => u64::try_from(*time).ok(),
        Any::Text(time) => time.parse().ok(),
        _ => None,
    }
}

fn items<'v>(value: &'v AnyValue, name: &str) -> &'v [AnyValue] {
    match field(value, name).and_then(|value| value.value.as_ref()) {
        Some(Any::Array(array)) => &array.values,
        _ => &[],
    }
}

fn entries<'v>(value: &'v AnyValue, name: &str) -> &'v [KeyValue] {
    match field(value, name).and_then(|value| value.value.as_ref()) {
        Some(Any::Map(map)) => &map.values,
        _ => &[],
    }
}

/// Writes a span as MLflow does.
pub(crate) fn write_span(span: &Span) -> String {
    let encoded = |bytes: &[u8]| AnyValue::text(STANDARD.encode(bytes));
    let code = match span.status.as_ref().map_or(0, |status| status.code) {
        Status::OK => "STATUS_CODE_OK",
        Status::ERROR => "STATUS_CODE_ERROR",
        _ => "STATUS_CODE_UNSET",
    };
    let message = span.status.as_ref().map_or("", |status| status.message.as_str());
    let links = span.links.iter().map(|link| {
        map([
            ("trace_id", AnyValue::text(format!("tr-{}", hex::encode(&link.trace_id)))),
            ("span_id", AnyValue::text(hex::encode(&link.span_id))),
            ("attributes", own(&link.attributes)),
        ])
    });
    let attributes = span.attributes.iter().map(|KeyValue { key, value }| {
        let text = value.as_ref().map_or_else(|| "null".to_owned(), AnyValue::json_text);
        KeyValue::new(key.as_str(), AnyValue::text(text))
    });
    map([
        ("trace_id", encoded(&span.trace_id)),
        ("span_id", encoded(&span.span_id)),
        ("parent_span_id", if span.is_root() { AnyValue::default() } else { encoded(&span.parent_span_id) }),
        ("name", AnyValue::text(span.name.as_str())),
        ("start_time_unix_nano", time(span.start_time_unix_nano)),
        ("end_time_unix_nano", span.ended_at().map_or_else(AnyValue::default, time)),
        ("events", array(span.events.iter().map(event))),
        ("status", map([("code", AnyValue::text(code)), ("message", AnyValue::text(message))])),
        ("attributes", AnyValue { value: Some(Any::Map(MapValue { values: attributes.collect() })) }),
        ("links", array(links)),
    ])
    .json_text()
}

/// Events as a JSON list.
pub(crate) fn write_events(events: &[Event]) -> String {
    array(events.iter().map(event)).json_text()
}

fn event(event: &Event) -> AnyValue {
    map([
        ("name", AnyValue::text(event.name.as_str())),
        ("time_unix_nano", time(event.time_unix_nano)),
        ("attributes", own(&event.attributes)),
    ])
}

fn time(nanoseconds: u64) -> AnyValue {
    AnyValue { value: i64::try_from(nanoseconds).ok().map(Any::Int) }
}

/// Attributes as a JSON object of their values.
pub(crate) fn write_attributes(attributes: &[KeyValue]) -> String {
    own(attributes).json_text()
}

fn own(attributes: &[KeyValue]) -> AnyValue {
    AnyValue { value: Some(Any::Map(MapValue { values: attributes.to_vec() })) }
}

fn map<const COUNT: usize>(fields: [(&str, AnyValue); COUNT]) -> AnyValue {
    let values = fields.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    AnyValue { value: Some(Any::Map(MapValue { values })) }
}

fn array(items: impl Iterator<Item = AnyValue>) -> AnyValue {
    AnyValue { value: Some(Any::Array(ArrayValue { values: items.collect() })) }
}

/// Reads JSON with the keys of objects in their order. Python writes numbers that JSON does not have; they become texts.
fn parse(text: &str) -> Option<AnyValue> {
    let read = |text: &str| serde_json::from_str::<Ordered>(text).ok().map(|Ordered(value)| value);
    read(text).or_else(|| read(&with_odd_numbers_quoted(text)))
}

fn with_odd_numbers_quoted(text: &str) -> String {
    const ODD: &[&str] = &["NaN", "-Infinity", "Infinity"];
    let mut quoted = String::with_capacity(text.len() + 16);
    let (mut rest, mut in_string) = (text, false);
    while let Some(next) = rest.chars().next() {
        if in_string && next == '\\' {
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            quoted.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        match ODD.iter().find(|odd| !in_string && rest.starts_with(**odd)) {
            Some(odd) => {
                quoted.push_str(&Value::from(*odd).to_string());
                rest = &rest[odd.len()..];
            }
            None => {
                in_string ^= next == '"';
                quoted.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    quoted
}

/// JSON whose objects keep the order of their keys.
struct Ordered(AnyValue);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ordered, D::Error> {
        deserializer.deserialize_any(OrderedVisitor).map(|value| Ordered(AnyValue { value }))
    }
}

struct OrderedVisitor;

impl<'de> Visitor<'de> for OrderedVisitor {
    type Value = Option<Any>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Option<Any>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Option<Any>, E> {
        Ok(Some(Any::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Option<Any>, E> {
        Ok(Some(Any::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Option<Any>, E> {
        Ok(Some(i64::try_from(value).map_or(Any::Double(value as f64), Any::Int)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Option<Any>, E> {
        Ok(Some(Any::Double(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Option<Any>, E> {
        Ok(Some(Any::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Option<Any>, E> {
        Ok(Some(Any::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Any>, A::Error> {
        let mut values = Vec::new();
        while let Some(Ordered(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Some(Any::Array(ArrayValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Option<Any>, A::Error> {
        let mut values = Vec::new();
        while let Some((key, Ordered(value))) = entries.next_entry::<String, Ordered>()? {
            values.push(KeyValue::new(key, value));
        }
        Ok(Some(Any::Map(MapValue { values })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPAN: &str = r#"{"trace_id": "AAECAwQFBgcICQoLDA0ODw==", "span_id": "AAECAwQFBgc=", "parent_span_id": "CAkKCwwNDg8=", "name": "réponse", "start_time_unix_nano": 1700000000000000001, "end_time_unix_nano": null, "events": [{"name": "exception", "time_unix_nano": 5, "attributes": {"z": 1, "a": "é"}}], "status": {"code": "STATUS_CODE_ERROR", "message": "no"}, "attributes": {"mlflow.spanType": "\"LLM\"", "mlflow.spanInputs": "{\"z\": [1, 2.5, null], \"a\": true}", "raw": "no JSON"}, "links": [{"trace_id": "tr-000102030405060708090a0b0c0d0e0f", "span_id": "0001020304050607", "attributes": {}}]}"#;

    #[test]
    fn a_span_is_written_as_it_was_read() {
        let span = read_span(SPAN).unwrap();
        assert_eq!(span.text("mlflow.spanType"), Some("LLM"));
        assert_eq!((span.is_root(), span.ended_at()), (false, None));
        // What is no document is one afterwards, which clients read as the same text.
        assert_eq!(write_span(&span), SPAN.replace("\"no JSON\"", r#""\"no JSON\"""#));
    }

    #[test]
    fn numbers_that_only_python_writes_are_texts() {
        let value = parse(r#"{"a": [NaN, -Infinity, Infinity, 1], "b": "NaN \" Infinity"}"#).unwrap();
        assert_eq!(value.json_text(), r#"{"a": ["NaN", "-Infinity", "Infinity", 1], "b": "NaN \" Infinity"}"#);
        assert_eq!(parse("NaN,"), None);
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "[]", "{}", "{\"trace_id\": 1}", &SPAN.replace("AAECAwQFBgc=", "?")] {
            assert!(read_span(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_json_reads_back(text in ".*", number in any::<f64>(), whole in any::<i64>()) {
            prop_assume!(number.is_finite());
            let json = serde_json::json!({ "b": { "z": text, "a": [number, whole, null, true] }, "a": text }).to_string();
            let value = parse(&json).unwrap();
            prop_assert_eq!(parse(&value.json_text()).unwrap(), value);
        }

        #[test]
        fn garbage_is_no_panic(text in ".{0,80}") {
            let _ = read_span(&text);
        }
    }
}
