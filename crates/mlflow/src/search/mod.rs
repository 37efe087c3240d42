//! The searches of the script: page sizes and tokens, view types, and what a filter says in MLflow's own words.

pub(crate) mod experiments;
pub(crate) mod logged_models;
pub(crate) mod registry;
pub(crate) mod runs;
pub(crate) mod status;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use stele_domain::search::{Field, Filter, Predicate, Presences, Window};

use crate::error::{Failure, Result};
use crate::filter::OrderByError;
use crate::input::{Input, wrong_type};
use crate::page_token;

impl From<OrderByError> for Failure {
    fn from(error: OrderByError) -> Failure {
        match error {
            OrderByError::Invalid(error) => error.into(),
            // MLflow says INTERNAL_ERROR, which its client would retry for minutes.
            OrderByError::DuplicateFields(message) => Failure::invalid(message),
        }
    }
}

/// Reads `max_results`, which more than `most` is a refusal of its type.
pub(crate) fn max_results(input: &Input, default: i64, most: i64) -> Result<i64> {
    let limit = input.int("max_results")?.unwrap_or(default);
    if limit > most {
        return Err(wrong_type("max_results", &input.value("max_results")?.unwrap_or_default()));
    }
    if limit < 1 {
        return Err(not_positive(limit));
    }
    Ok(limit)
}

/// Refuses a page size, as searches do whose limit is no matter of the type.
pub(crate) fn max_results_at_most(limit: i64, most: i64) -> Result<i64> {
    match limit {
        limit if limit > most => Err(Failure::invalid(format!(
            "Invalid value {limit} for parameter 'max_results' supplied. It must be at most {most}"
        ))),
        limit if limit < 1 => Err(not_positive(limit)),
        limit => Ok(limit),
    }
}

fn not_positive(limit: i64) -> Failure {
    Failure::invalid(format!(
        "Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer"
    ))
}

/// The window that a page token and a page size ask for.
pub(crate) fn window(input: &Input, limit: i64) -> Result<Window> {
    let offset = page_token::offset(input.text("page_token")?.as_deref())?;
    i64::try_from(offset)
        .map(|offset| Window { offset, limit })
        .map_err(|_| Failure::invalid(format!("Invalid offset in page token: {offset}")))
}

/// An answer with a list, which is left out when it is empty, and the token of the next page if there is one.
pub(crate) fn answer<T: Serialize>(
    name: &'static str,
    items: impl Iterator<Item = T>,
    next: Option<String>,
) -> Answer<T> {
    Answer { name, items: items.collect(), next }
}

pub(crate) struct Answer<T> {
    name: &'static str,
    items: Vec<T>,
    next: Option<String>,
}

impl<T: Serialize> Serialize for Answer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        if !self.items.is_empty() {
            fields.serialize_entry(self.name, &self.items)?;
        }
        if let Some(token) = &self.next {
            fields.serialize_entry("next_page_token", token)?;
        }
        fields.end()
    }
}

pub(crate) fn next_token(window: Window, more: bool) -> Option<String> {
    let offset = usize::try_from(window.offset.saturating_add(window.limit)).unwrap_or(usize::MAX);
    more.then(|| page_token::encode(offset))
}

/// Reads a view type by its name in any case or by its number; active things are the default.
fn presences(input: &Input, name: &str) -> Result<Presences> {
    let Some(value) = input.value(name)? else { return Ok(Presences::Active) };
    let text = match &value {
        Value::String(text) => text.to_ascii_uppercase(),
        other => other.to_string(),
    };
    match text.as_str() {
        "" | "ACTIVE_ONLY" | "1" => Ok(Presences::Active),
        "DELETED_ONLY" | "2" => Ok(Presences::Deleted),
        "ALL" | "3" => Ok(Presences::All),
        _ => Err(wrong_type(name, &value)),
    }
}

/// The same filter with each predicate replaced.
fn rewrite(filter: Filter, replace: &impl Fn(Field, Predicate) -> Filter) -> Filter {
    let all = |parts: Vec<Filter>| parts.into_iter().map(|part| rewrite(part, replace)).collect();
    match filter {
        Filter::All => Filter::All,
        Filter::And(parts) => Filter::And(all(parts)),
        Filter::Or(parts) => Filter::Or(all(parts)),
        Filter::Not(part) => Filter::Not(Box::new(rewrite(*part, replace))),
        Filter::Test(field, predicate) => replace(field, predicate),
    }
}
