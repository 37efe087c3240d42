//! Files of gates: JSON, TOML or YAML, one gate or a list of them under `gates`.

use std::path::Path;

use anyhow::Result;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use crate::cli::{Failure, given};

/// The largest file, in bytes.
const MOST: u64 = 1024 * 1024;

/// Reads the gates of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Value>> {
    let shown = path.display();
    let text = given::text(path, MOST)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let document = match extension.to_ascii_lowercase().as_str() {
        "json" => serde_json::from_str(&text).map_err(|error| error.to_string()),
        "toml" => toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned()),
        "yaml" | "yml" => yaml(&text),
        _ => {
            return Err(Failure::usage(format!("{shown} is no file of gates"))
                .hint("its name ends with .yaml, .yml, .toml or .json")
                .into());
        }
    };
    let document: Value = document.map_err(|error| {
        Failure::usage(format!("{shown} cannot be read: {error}")).hint("docs/GOVERNANCE.md shows files of gates")
    })?;
    match document {
        Value::Object(mut fields) if fields.len() == 1 && fields.contains_key("gates") => {
            match fields.remove("gates") {
                Some(Value::Array(gates)) => Ok(gates),
                _ => Err(Failure::usage(format!("gates in {shown} is no list"))
                    .hint("docs/GOVERNANCE.md shows files of gates")
                    .into()),
            }
        }
        Value::Array(gates) => Ok(gates),
        gate => Ok(vec![gate]),
    }
}

/// The core schema of YAML 1.2, without anchors, tags and several documents.
fn yaml(text: &str) -> Result<Value, String> {
    // Open collections, with the key that waits for a value in the innermost ones.
    let mut open: Vec<(Value, Option<String>)> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let done = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some((done, _)) => done,
                None => continue,
            },
            Event::Alias(_) => return Err("aliases are not taken".to_owned()),
            _ => continue,
        };
        match open.last_mut() {
            None if root.is_some() => return Err("it has several documents".to_owned()),
            None => root = Some(done),
            Some((Value::Array(items), _)) => items.push(done),
            Some((Value::Object(fields), key)) => match (key.take(), done) {
                (Some(key), done) => {
                    if fields.insert(key.clone(), done).is_some() {
                        return Err(format!("'{key}' is there twice"));
                    }
                }
                (None, Value::String(name)) => *key = Some(name),
                (None, other) => return Err(format!("the key {other} is no text")),
            },
            Some(_) => return Err("a scalar holds something".to_owned()),
        }
    }
    root.ok_or_else(|| "it is empty".to_owned())
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => {
            let looks_like_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
            let integer = text.parse::<i64>().ok().map(Value::from);
            let real = || text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::from);
            let number = if looks_like_number { integer.or_else(real) } else { None };
            number.unwrap_or_else(|| Value::String(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_read_with_its_types() {
        let text = "name: prod # so\nmodels: \"*\"\ntarget: {stage: production}\nrules:\n  - approvals: {quorum: 2}\n  \
                    - evaluation:\n      digest: '12e4'\n      thresholds: [{metric: auc, at_least: 0.8}]\n  - model_card: {}\n";
        assert_eq!(
            yaml(text),
            Ok(json!({ "name": "prod", "models": "*", "target": { "stage": "production" }, "rules": [
                { "approvals": { "quorum": 2 } },
                { "evaluation": { "digest": "12e4", "thresholds": [{ "metric": "auc", "at_least": 0.8 }] } },
                { "model_card": {} },
            ] }))
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for text in ["", "a: 1\na: 2", "a: &x 1\nb: *x", "a: [", "---\na: 1\n---\nb: 1\n", "1: a"] {
            assert!(yaml(text).is_err(), "{text}");
        }
    }
}
