//! Filters and orders of `registered-models/search`.

use stele_domain::Result;
use stele_domain::search::{Attribute, Field, Filter, Order};

use super::comparison;
use super::experiments::resolve_key;
use super::key::unquote;
use super::lexer::excerpt;
use super::messages::{KeyKind, Search, Subject};
use super::order_by::{self, OrderByError};
use super::parser::{self, Clause, Grammar, Wording};

/// Parses a filter over `name` and tags.
///
/// The caller passes the result through [`super::select_prompts`], since prompts are registered models too.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

/// Parses `order_by` over `name`, `timestamp` and `last_updated_timestamp`; both of the latter are the time of the
/// last update. The store breaks ties by `name ASC`.
///
/// # Errors
/// See [`OrderByError`].
pub(crate) fn parse_order_by(clauses: &[String]) -> Result<Vec<Order>, OrderByError> {
    order_by::parse(clauses, |clause| match unquote(clause.identifier) {
        "name" => Ok(Field::Attribute(Attribute::Name)),
        "timestamp" | "last_updated_timestamp" => Ok(Field::Attribute(Attribute::UpdatedAt)),
        other => Err(clause.error(&format!(
            "Invalid order by key '{}' specified. Valid keys are '{{'name', 'timestamp'}}'",
            excerpt(other)
        ))),
    })
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (kind, key) = resolve_key(clause.key.text, &["name"]).map_err(|message| clause.key_error(&message))?;
    let field = match kind {
        KeyKind::Tag => Field::Tag(key.to_owned()),
        _ => Field::Attribute(Attribute::Name),
    };
    comparison::text(clause, Subject { search: Search::Models, kind, key }, field)
}
