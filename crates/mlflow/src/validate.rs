//! MLflow's rules for names and lengths, with the texts that its clients and tests match.

use serde_json::Value;
use stele_domain::id::{ExperimentId, RunId};
use stele_domain::record::{Param, Tag};

use crate::error::{Failure, Result};
use crate::input::{below, invalid_value};

pub(crate) const MOST_KEY: usize = 250;
pub(crate) const MOST_PARAM_VALUE: usize = 6_000;
pub(crate) const MOST_TAG_VALUE: usize = 8_000;
pub(crate) const MOST_EXPERIMENT_NAME: usize = 500;
pub(crate) const MOST_EXPERIMENT_TAG_VALUE: usize = 20_000;

const BAD_CHARACTERS: &str = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), \
                              spaces ( ), colon(:) and slashes (/).";

/// A name of a metric, param or tag: it may become a file name in some stores, so it must read as one path.
pub(crate) fn name(path: &str, name: &str) -> Result<()> {
    if !name.chars().all(is_allowed) {
        return Err(Failure::invalid(invalid_value(path, &Value::from(name), BAD_CHARACTERS)));
    }
    resolves_to_itself(path, name)
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | ' ' | ':')
}

/// Refuses a name that would mean another one as a path.
pub(crate) fn resolves_to_itself(path: &str, name: &str) -> Result<()> {
    if !matches!(name, "" | ".") && !name.starts_with("..") && !name.contains('/') {
        return Ok(());
    }
    let normal = normal_path(name);
    if normal != name || normal == "." || normal.starts_with("..") || normal.starts_with('/') {
        let reason = format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as \
             such. This name would resolve to '{normal}'"
        );
        return Err(Failure::invalid(invalid_value(path, &Value::from(name), &reason)));
    }
    Ok(())
}

/// As Python's `posixpath.normpath`.
fn normal_path(path: &str) -> String {
    // POSIX gives exactly two leading slashes a meaning of their own.
    let root = match path.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            other => parts.push(other),
        }
    }
    let normal = format!("{root}{}", parts.join("/"));
    if normal.is_empty() { ".".to_owned() } else { normal }
}

/// Refuses text of more than `most` characters.
pub(crate) fn length(what: &str, text: &str, most: usize) -> Result<()> {
    if text.len() > most && text.chars().count() > most {
        return Err(Failure::invalid(format!("'{what}' exceeds the maximum length of {most} characters")));
    }
    Ok(())
}

/// Cuts text to `most` characters, as MLflow does with long values unless told otherwise.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// A param as it is stored. `path` is empty or like `params[0]`.
pub(crate) fn param(path: &str, key: String, value: Option<String>) -> Result<Param> {
    name(&below(path, "key"), &key)?;
    length("Param key", &key, MOST_KEY)?;
    Ok(Param { key, value: cut(value.unwrap_or_default(), MOST_PARAM_VALUE) })
}

/// A tag of a run as it is stored. `path` is empty or like `tags[0]`.
pub(crate) fn tag(path: &str, key: String, value: Option<String>) -> Result<Tag> {
    let key_path = below(path, "key");
    name(&key_path, &key)?;
    length(&key_path, &key, MOST_KEY)?;
    Ok(Tag { key, value: cut(value.unwrap_or_default(), MOST_TAG_VALUE) })
}

pub(crate) fn experiment_tag(key: String, value: Option<String>) -> Result<Tag> {
    let value = value.unwrap_or_default();
    name("key", &key)?;
    length("key", &key, MOST_KEY)?;
    length("value", &value, MOST_EXPERIMENT_TAG_VALUE)?;
    Ok(Tag { key, value })
}

pub(crate) fn experiment_id(text: &str) -> Result<ExperimentId> {
    text.trim().parse().map(ExperimentId).map_err(|_| {
        Failure::invalid(format!("Invalid experiment ID '{text}'. Experiment ID must be a valid integer."))
    })
}

/// A run id of the form that batch calls insist on.
pub(crate) fn strict_run_id(text: String) -> Result<RunId> {
    let mut letters = text.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && text.chars().count() <= 256 && letters.all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Ok(RunId(text));
    }
    let value = crate::input::python_json(&Value::from(text));
    Err(Failure::invalid(format!("Invalid value {value} for parameter 'run_id' supplied.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_be_normal_paths() {
        for good in ["a", "a/b", "é.x y:z", "a..b", "_"] {
            assert!(name("key", good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "//a", "a//b", "a/", "./a", "a/../b", "..", "../a", "a#", "a\\b"] {
            assert!(name("key", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_cut_at_characters_not_bytes() {
        let value = "é".repeat(MOST_TAG_VALUE + 5);
        let stored = tag("", "k".to_owned(), Some(value)).unwrap();
        assert_eq!(stored.value.chars().count(), MOST_TAG_VALUE);
    }
}
