//! Filters and orders of `experiments/search`.

use stele_domain::Result;
use stele_domain::search::{Attribute, Field, Filter, Order, Predicate};

use super::comparison;
use super::key::{split, unquote};
use super::lexer::excerpt;
use super::messages::{self, KeyKind, Search, Subject};
use super::order_by::{self, OrderByError};
use super::parser::{self, Clause, Grammar, Wording};

const KEYS: &[&str] = &["creation_time", "experiment_id", "last_update_time", "name"];

/// Parses a filter over tags and the attributes `name`, `experiment_id`, `creation_time` and `last_update_time`.
///
/// The values compared with [`Attribute::ExperimentId`] are decimal integers without leading zeros, as text.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

/// Parses `order_by`; an empty list stands for `creation_time DESC, experiment_id ASC`, which the store applies.
///
/// The store breaks ties by `experiment_id DESC`, unless it is in the list. MLflow lets fields repeat here.
///
/// # Errors
/// [`OrderByError::Invalid`].
pub(crate) fn parse_order_by(clauses: &[String]) -> Result<Vec<Order>, OrderByError> {
    order_by::parse_allowing_duplicates(clauses, |clause| {
        let (kind, key) = resolve_key(clause.identifier, KEYS).map_err(|message| clause.error(&message))?;
        match kind {
            KeyKind::Tag => Err(clause.error("Invalid order_by entity: tag")),
            _ => Ok(field(kind, key)),
        }
    })
}

/// What experiments, models and versions have in common: a tag, or one of the search's attributes.
pub(super) fn resolve_key<'a>(identifier: &'a str, valid_attributes: &[&str]) -> Result<(KeyKind, &'a str), String> {
    let (entity, key) = split(identifier);
    let key = unquote(key);
    match entity {
        Some("tag" | "tags") => Ok((KeyKind::Tag, key)),
        None | Some("attribute") if valid_attributes.contains(&key) => Ok((KeyKind::Attribute, key)),
        None | Some("attribute") => Err(messages::invalid_attribute(key, valid_attributes)),
        Some(other) => Err(messages::invalid_tag_or_attribute(other)),
    }
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (kind, key) = resolve_key(clause.key.text, KEYS).map_err(|message| clause.key_error(&message))?;
    let subject = Subject { search: Search::Experiments, kind, key };
    let field = field(kind, key);
    match field {
        Field::Attribute(Attribute::CreatedAt | Attribute::UpdatedAt) => comparison::integer(clause, subject, field),
        Field::Attribute(Attribute::ExperimentId) => match comparison::text(clause, subject, field)? {
            Filter::Test(field, predicate) => Ok(Filter::Test(field, normalized(clause, predicate)?)),
            other => Ok(other),
        },
        _ => comparison::text(clause, subject, field),
    }
}

fn normalized(clause: &Clause<'_>, predicate: Predicate) -> Result<Predicate> {
    let id = |value: String| match value.trim().parse::<i64>() {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(clause.value_error(&format!(
            "Invalid experiment ID '{}'. Experiment ID must be a valid integer.",
            excerpt(&value)
        ))),
    };
    Ok(match predicate {
        Predicate::Text(comparison, value) => Predicate::Text(comparison, id(value)?),
        Predicate::In(values) => Predicate::In(values.into_iter().map(id).collect::<Result<_>>()?),
        Predicate::NotIn(values) => Predicate::NotIn(values.into_iter().map(id).collect::<Result<_>>()?),
        other => other,
    })
}

fn field(kind: KeyKind, key: &str) -> Field {
    match (kind, key) {
        (KeyKind::Tag, _) => Field::Tag(key.to_owned()),
        (_, "experiment_id") => Field::Attribute(Attribute::ExperimentId),
        (_, "creation_time") => Field::Attribute(Attribute::CreatedAt),
        (_, "last_update_time") => Field::Attribute(Attribute::UpdatedAt),
        (_, _) => Field::Attribute(Attribute::Name),
    }
}
