//! Filters and orders of `datasets/search`, for evaluation datasets.

use stele_domain::Result;
use stele_domain::search::{Attribute, Field, Filter, Order};

use super::comparison;
use super::key::{split, unquote};
use super::lexer::excerpt;
use super::messages::{KeyKind, Search, Subject, quoted_list};
use super::order_by::{self, OrderByError};
use super::parser::{self, Clause, Comparator, Grammar, Value, Wording};

const FILTER_KEYS: &[&str] = &["created_by", "created_time", "last_update_time", "last_updated_by", "name"];
const ORDER_KEYS: &[&str] = &["created_time", "last_update_time", "name"];

/// Parses a filter over tags and the attributes of [`FILTER_KEYS`]. Only `name` may be `IN` a list, as in MLflow.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

/// Parses `order_by`; an empty list stands for `created_time DESC`. The store breaks ties by id. Fields may repeat.
///
/// # Errors
/// [`OrderByError::Invalid`].
pub(crate) fn parse_order_by(clauses: &[String]) -> Result<Vec<Order>, OrderByError> {
    order_by::parse_allowing_duplicates(clauses, |clause| {
        let (kind, key) = resolve(clause.identifier, ORDER_KEYS).map_err(|message| clause.error(&message))?;
        match kind {
            KeyKind::Tag => Err(clause.error("Invalid order_by entity: tag")),
            _ => Ok(field(kind, key)),
        }
    })
}

fn resolve<'a>(identifier: &'a str, valid: &[&str]) -> Result<(KeyKind, &'a str), String> {
    let (entity, key) = split(identifier);
    let key = unquote(key);
    match entity {
        Some("tags") => Ok((KeyKind::Tag, key)),
        Some(other) => Err(format!("Invalid identifier token '{}' specified", excerpt(other))),
        None if valid.contains(&key) => Ok((KeyKind::Attribute, key)),
        None => Err(format!(
            "Invalid attribute key '{}' specified. Valid keys are: {{{}}}",
            excerpt(key),
            quoted_list(valid)
        )),
    }
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (kind, key) = resolve(clause.key.text, FILTER_KEYS).map_err(|message| clause.key_error(&message))?;
    let subject = Subject { search: Search::Experiments, kind, key };
    let field = field(kind, key);
    if matches!(field, Field::Attribute(Attribute::CreatedAt | Attribute::UpdatedAt)) {
        return comparison::integer(clause, subject, field);
    }
    match (&clause.value, kind) {
        (Value::List { .. }, KeyKind::Attribute) if key != "name" => {
            Err(clause.value_error("Only ['name'] attributes support comparison with a list of quoted string values."))
        }
        (Value::List { .. }, KeyKind::Attribute) if clause.comparator == Comparator::NotIn => {
            Err(clause.value_error("List values for 'name' are only supported with the IN comparator."))
        }
        _ => comparison::text(clause, subject, field),
    }
}

fn field(kind: KeyKind, key: &str) -> Field {
    match (kind, key) {
        (KeyKind::Tag, _) => Field::Tag(key.to_owned()),
        (_, "created_time") => Field::Attribute(Attribute::CreatedAt),
        (_, "last_update_time") => Field::Attribute(Attribute::UpdatedAt),
        (_, "created_by") => Field::Attribute(Attribute::User),
        (_, "last_updated_by") => Field::Attribute(Attribute::UpdatedBy),
        (_, _) => Field::Attribute(Attribute::Name),
    }
}
