//! The published shapes of the requests, and the check of a request against them, worded as AWS words it.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::Value;
use stele_domain::resource::Document;

use crate::error::{Failure, Result};

/// What `tools/describe.py` extracts.
#[derive(Deserialize)]
pub(crate) struct Service {
    operations: HashMap<String, Operation>,
    views: HashMap<String, Vec<String>>,
    shapes: HashMap<String, Shape>,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    input: String,
    #[serde(default)]
    pub(crate) output: Vec<String>,
    #[serde(rename = "SortBy")]
    pub(crate) sort_by: Option<String>,
    #[serde(rename = "SortOrder")]
    pub(crate) sort_order: Option<String>,
}

#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: Type,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(rename = "enum", default)]
    values: Vec<String>,
    pattern: Option<String>,
    /// What the pattern accepts, where it is written in a way that this server's matcher does not know.
    #[serde(rename = "match")]
    equivalent: Option<String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: BTreeMap<String, String>,
    member: Option<String>,
    key: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Type {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
}

/// Longer values are cut in messages.
const LONGEST_SHOWN: usize = 500;
/// More complaints about one request are not told.
const MOST_COMPLAINTS: usize = 20;

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    serde_json::from_str(include_str!("service.json")).expect("the description is made by a script of ours and tested")
});

static PATTERNS: LazyLock<Mutex<HashMap<&'static str, Regex>>> = LazyLock::new(Mutex::default);

pub(crate) fn operation(name: &str) -> Option<&'static Operation> {
    SERVICE.operations.get(name)
}

/// The members that a structure of answers has.
pub(crate) fn view(name: &str) -> &'static [String] {
    SERVICE.views.get(name).map_or(&[], Vec::as_slice)
}

/// Checks the input of an operation. Members that the shape does not know are left out, as AWS ignores them, and so are
/// nulls.
pub(crate) fn check(operation: &Operation, mut input: Document) -> Result<Document> {
    let mut check = Check::default();
    if let Some(shape) = SERVICE.shapes.get(&operation.input) {
        check.structure(shape, &mut input, "")?;
    }
    if check.complaints.is_empty() {
        return Ok(input);
    }
    let count = check.complaints.len();
    let noun = if count == 1 { "error" } else { "errors" };
    Err(Failure::validation(format!("{count} validation {noun} detected: {}", check.complaints.join("; "))))
}

#[derive(Default)]
struct Check {
    complaints: Vec<String>,
}

impl Check {
    fn structure(&mut self, shape: &'static Shape, given: &mut Document, path: &str) -> Result<()> {
        given.retain(|name, value| shape.members.contains_key(name) && !value.is_null());
        // Clients write members in any order; what is complained of first, and what is kept, does not depend on it.
        given.sort_keys();
        for required in &shape.required {
            if !given.contains_key(required) {
                self.complain("null".to_owned(), &join(path, required), "Member must not be null");
            }
        }
        for (name, value) in given.iter_mut() {
            let Some(shape) = shape.members.get(name).and_then(|shape| SERVICE.shapes.get(shape)) else { continue };
            self.value(shape, value, &join(path, name))?;
        }
        Ok(())
    }

    fn value(&mut self, shape: &'static Shape, value: &mut Value, path: &str) -> Result<()> {
        let wrong = |wanted| Failure::serialization(format!("The value at '{path}' can not be converted to {wanted}"));
        match (shape.kind, value) {
            (Type::Structure, Value::Object(members)) => self.structure(shape, members, path),
            (Type::Structure, _) => Err(wrong("a structure")),
            (Type::List, Value::Array(items)) => {
                self.bounds(shape, items.len() as f64, "length", &shown_list(items), path);
                let Some(member) = inner(shape.member.as_ref()) else { return Ok(()) };
                items
                    .iter_mut()
                    .enumerate()
                    .try_for_each(|(index, item)| self.value(member, item, &format!("{path}.{}.member", index + 1)))
            }
            (Type::List, _) => Err(wrong("a list")),
            (Type::Map, Value::Object(entries)) => {
                entries.sort_keys();
                let shown = Value::Object(entries.clone()).to_string();
                self.bounds(shape, entries.len() as f64, "length", &shown, path);
                for (key, entry) in entries.iter_mut() {
                    if let Some(keys) = inner(shape.key.as_ref()) {
                        self.text(keys, key, path)?;
                    }
                    if let Some(values) = inner(shape.value.as_ref()) {
                        self.value(values, entry, &format!("{path}.{key}.member"))?;
                    }
                }
                Ok(())
            }
            (Type::Map, _) => Err(wrong("a map")),
            (Type::String, Value::String(text)) => self.text(shape, text, path),
            (Type::String, _) => Err(wrong("a String")),
            (Type::Integer | Type::Long, Value::Number(number)) => {
                let Some(whole) =
                    number.as_i64().filter(|whole| shape.kind == Type::Long || i32::try_from(*whole).is_ok())
                else {
                    return Err(wrong("an Integer"));
                };
                self.bounds(shape, whole as f64, "value", &number.to_string(), path);
                Ok(())
            }
            (Type::Integer | Type::Long, _) => Err(wrong("an Integer")),
            (Type::Float | Type::Double, Value::Number(number)) => {
                self.bounds(shape, number.as_f64().unwrap_or_default(), "value", &number.to_string(), path);
                Ok(())
            }
            // boto3 writes these as texts.
            (Type::Float | Type::Double, Value::String(text)) if is_no_number(text) => Ok(()),
            (Type::Float | Type::Double, _) => Err(wrong("a Double")),
            (Type::Boolean, Value::Bool(_)) => Ok(()),
            (Type::Boolean, _) => Err(wrong("a Boolean")),
            (Type::Timestamp, Value::Number(_)) => Ok(()),
            (Type::Timestamp, value) => match value.as_str().and_then(parse_time) {
                Some(seconds) => {
                    *value = seconds.into();
                    Ok(())
                }
                None => Err(wrong("a Timestamp")),
            },
        }
    }

    fn text(&mut self, shape: &'static Shape, text: &str, path: &str) -> Result<()> {
        if text.contains('\0') {
            return Err(Failure::validation(format!("The value at '{path}' contains a NUL character")));
        }
        self.bounds(shape, text.chars().count() as f64, "length", text, path);
        if !shape.values.is_empty() && !shape.values.iter().any(|value| value == text) {
            let set = shape.values.join(", ");
            self.complain(quoted(text), path, &format!("Member must satisfy enum value set: [{set}]"));
        }
        if let Some(pattern) = &shape.pattern
            && !matches(shape.equivalent.as_ref().unwrap_or(pattern), text)
        {
            self.complain(quoted(text), path, &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        Ok(())
    }

    fn bounds(&mut self, shape: &Shape, size: f64, what: &str, shown: &str, path: &str) {
        if let Some(max) = shape.max.filter(|max| size > *max) {
            self.complain(quoted(shown), path, &format!("Member must have {what} less than or equal to {max}"));
        }
        if let Some(min) = shape.min.filter(|min| size < *min) {
            self.complain(quoted(shown), path, &format!("Member must have {what} greater than or equal to {min}"));
        }
    }

    fn complain(&mut self, value: String, path: &str, constraint: &str) {
        if self.complaints.len() < MOST_COMPLAINTS {
            let complaint = format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}");
            self.complaints.push(complaint);
        }
    }
}

fn inner(name: Option<&'static String>) -> Option<&'static Shape> {
    name.and_then(|name| SERVICE.shapes.get(name))
}

/// Members are told in lower camel case.
fn join(path: &str, member: &str) -> String {
    let mut rest = member.chars();
    let first = rest.next().map(|first| first.to_ascii_lowercase()).into_iter();
    let member: String = first.chain(rest).collect();
    if path.is_empty() { member } else { format!("{path}.{member}") }
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(LONGEST_SHOWN).collect();
    format!("'{shown}'")
}

fn shown_list(items: &[Value]) -> String {
    let shown = items.iter().take(10).map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
    format!("[{}]", shown.collect::<Vec<_>>().join(", "))
}

fn is_no_number(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// Seconds since the epoch.
fn parse_time(text: &str) -> Option<f64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_millis() as f64 / 1000.0)
}

/// Whether the whole text matches.
fn matches(pattern: &'static str, text: &str) -> bool {
    let mut patterns = PATTERNS.lock();
    let regex = patterns.entry(pattern).or_insert_with(|| {
        compile(pattern).unwrap_or_else(|| {
            tracing::error!(pattern, "a pattern of the description does not compile");
            Regex::new("").expect("the empty pattern compiles")
        })
    });
    regex.is_match(text)
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(64 << 20).build().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaint(name: &str, input: Value) -> String {
        let Value::Object(input) = input else { panic!("inputs are objects") };
        match check(operation(name).unwrap(), input) {
            Ok(_) => "fine".to_owned(),
            Err(failure) => format!("{}: {}", failure.code(), failure.message()),
        }
    }

    #[test]
    fn every_pattern_compiles_and_every_reference_leads_somewhere() {
        for (name, shape) in &SERVICE.shapes {
            if let Some(pattern) = shape.equivalent.as_ref().or(shape.pattern.as_ref()) {
                assert!(compile(pattern).is_some(), "{name}: {pattern}");
            }
            let others = shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value);
            for other in others {
                assert!(SERVICE.shapes.contains_key(other), "{name} leads to {other}");
            }
        }
        for name in crate::operation_names() {
            let operation = operation(name).unwrap_or_else(|| panic!("{name} is not described"));
            assert!(SERVICE.shapes.contains_key(&operation.input), "{name}");
        }
    }

    #[test]
    fn complaints_read_as_those_of_aws() {
        assert_eq!(
            complaint("DescribeModelPackageGroup", json!({})),
            "ValidationException: 1 validation error detected: Value null at 'modelPackageGroupName' failed to \
             satisfy constraint: Member must not be null"
        );
        assert_eq!(
            complaint("CreateModelPackageGroup", json!({ "ModelPackageGroupName": "a_b", "Tags": [{ "Key": "" }] })),
            "ValidationException: 3 validation errors detected: Value 'a_b' at 'modelPackageGroupName' failed to \
             satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; \
             Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null; Value '' at \
             'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"
        );
        assert_eq!(
            complaint("ListModelPackages", json!({ "MaxResults": 101, "SortOrder": "Up" })),
            "ValidationException: 2 validation errors detected: Value '101' at 'maxResults' failed to satisfy \
             constraint: Member must have value less than or equal to 100; Value 'Up' at 'sortOrder' failed to \
             satisfy constraint: Member must satisfy enum value set: [Ascending, Descending]"
        );
        assert_eq!(
            complaint("ListModelPackages", json!({ "MaxResults": "ten" })),
            "SerializationException: The value at 'maxResults' can not be converted to an Integer"
        );
    }

    #[test]
    fn what_the_shapes_do_not_know_and_nulls_are_left_out() {
        let Value::Object(input) = json!({ "ModelName": "m", "Unknown": 1, "Tags": null }) else { unreachable!() };
        let checked = check(operation("CreateModel").unwrap(), input).unwrap();
        assert_eq!(Value::Object(checked), json!({ "ModelName": "m" }));
    }

    #[test]
    fn equivalents_accept_what_their_patterns_do() {
        for (text, expected) in [("a", true), ("a-b", true), ("a-", false), ("-a", false), ("", false)] {
            let input = json!({ "ModelPackageGroupName": text });
            assert_eq!(complaint("DescribeModelPackageGroup", input) == "fine", expected, "{text}");
        }
        for arn in ["arn:aws:sagemaker:eu-west-1:123456789012:model-package/g/12", "g/3"] {
            assert_eq!(complaint("DescribeModelPackage", json!({ "ModelPackageName": arn })), "fine");
        }
    }
}
