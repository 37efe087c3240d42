//! Answers: what was kept of a request, with what the record knows, cut to the members that the answer has.

use serde_json::{Value, json};
use stele_domain::id::Timestamp;
use stele_domain::record::Tag;
use stele_domain::resource::Document;

/// Seconds since the epoch, to the millisecond.
pub(crate) fn time(time: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
    let seconds = time.0 as f64 / 1000.0;
    json!(seconds)
}

pub(crate) fn tags(tags: &[Tag]) -> Value {
    tags.iter().map(|Tag { key, value }| json!({ "Key": key, "Value": value })).collect()
}

/// Puts a member into a document unless it is absent.
pub(crate) fn put(document: &mut Document, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        document.insert(member.to_owned(), value.into());
    }
}

/// Only the members that the answer has.
pub(crate) fn cut(mut document: Document, members: &[String]) -> Value {
    document.retain(|name, _| members.contains(name));
    Value::Object(document)
}

/// Keeps `changes` in `kept`: members of the map `member` are replaced or added one by one, and those in `remove` go.
pub(crate) fn merge_map(kept: &mut Document, member: &str, changes: Option<&Document>, remove: &[String]) {
    if changes.is_none() && remove.is_empty() {
        return;
    }
    let mut entries = match kept.remove(member) {
        Some(Value::Object(entries)) => entries,
        _ => Document::new(),
    };
    for key in remove {
        entries.remove(key);
    }
    entries.extend(changes.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    kept.insert(member.to_owned(), Value::Object(entries));
}
