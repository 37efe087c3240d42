//! Filters and orders of `model-versions/search`.

use stele_domain::Result;
use stele_domain::search::{Attribute, Field, Filter, Order};

use super::comparison;
use super::experiments::resolve_key;
use super::lexer::excerpt;
use super::messages::{KeyKind, Search, Subject, quoted_list};
use super::order_by::{self, OrderByError};
use super::parser::{self, Clause, Grammar, Wording};

const FILTER_KEYS: &[&str] = &["name", "run_id", "source_path", "version_number"];
const ORDER_KEYS: &[&str] = &["creation_timestamp", "last_updated_timestamp", "name", "version_number"];

/// Parses a filter over tags and the attributes `name` (the model's), `version_number`, `run_id` and `source_path`.
///
/// The caller passes the result through [`super::select_prompts`], since versions of prompts are model versions too.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

/// Parses `order_by`; an empty list stands for `last_updated_timestamp DESC, name ASC, version_number DESC`, which the
/// store applies. It breaks ties by `name ASC`, then by `version_number DESC`.
///
/// # Errors
/// See [`OrderByError`].
pub(crate) fn parse_order_by(clauses: &[String]) -> Result<Vec<Order>, OrderByError> {
    order_by::parse(clauses, |clause| {
        let (kind, key) = resolve_key(clause.identifier, ORDER_KEYS).map_err(|message| clause.error(&message))?;
        match kind {
            KeyKind::Tag => Err(clause.error(&format!(
                "Invalid order by key '{}' specified. Valid keys are {{{}}}",
                excerpt(key),
                quoted_list(ORDER_KEYS)
            ))),
            _ => Ok(field(kind, key)),
        }
    })
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (kind, key) = resolve_key(clause.key.text, FILTER_KEYS).map_err(|message| clause.key_error(&message))?;
    let subject = Subject { search: Search::Versions, kind, key };
    let field = field(kind, key);
    match field {
        Field::Attribute(Attribute::VersionNumber) => comparison::integer_or_text(clause, subject, field),
        _ => comparison::text(clause, subject, field),
    }
}

fn field(kind: KeyKind, key: &str) -> Field {
    match (kind, key) {
        (KeyKind::Tag, _) => Field::Tag(key.to_owned()),
        (_, "version_number") => Field::Attribute(Attribute::VersionNumber),
        (_, "run_id") => Field::Attribute(Attribute::RunId),
        (_, "source_path") => Field::Attribute(Attribute::Source),
        (_, "creation_timestamp") => Field::Attribute(Attribute::CreatedAt),
        (_, "last_updated_timestamp") => Field::Attribute(Attribute::UpdatedAt),
        (_, _) => Field::Attribute(Attribute::Name),
    }
}
