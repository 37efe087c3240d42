//! The one search: from the record's search language to SQL, a file an entity.

mod builder;
mod evaluation_datasets;
mod experiments;
mod issues;
mod logged_models;
mod model_versions;
mod models;
mod predicate;
mod resources;
mod run_candidate;
mod run_plan;
mod run_set;
mod run_statement;
mod runs;
mod sort;
#[cfg(test)]
mod tests;
mod trace_candidate;
mod trace_statistics;
mod traces;

use stele_domain::search::{Attribute, Field, Filter, Predicate, Presences, Query, Window};
use stele_domain::{Error, Result};

use self::builder::Sql;
use self::predicate::Attributed;
pub(crate) use self::run_candidate::first_after_prefix;

/// The most predicates in one filter.
pub(crate) const MOST_PREDICATES: usize = 500;
/// The deepest nesting of a filter.
pub(crate) const MOST_LEVELS: usize = 100;
/// The most order clauses; each may join a table, and SQLite joins at most 64.
pub(crate) const MOST_ORDERS: usize = 32;
/// The most values in the lists of one filter.
pub(crate) const MOST_LISTED: usize = 100_000;
/// The longest pattern of a `LIKE`, in bytes; SQLite refuses longer ones than 50,000.
pub(crate) const LONGEST_PATTERN: usize = 10_000;
/// The most things on one page.
pub(crate) const LARGEST_PAGE: i64 = 200_000;

/// Refuses a search that would cost the database too much.
fn check_bounds(query: &Query) -> Result<()> {
    let Query { filter, order_by, window: Window { offset, limit } } = query;
    if *offset < 0 {
        return Err(Error::invalid(format!("the offset of a search must not be negative, got {offset}")));
    }
    if !(1..=LARGEST_PAGE).contains(limit) {
        return Err(Error::invalid(format!("a search gives from 1 to {LARGEST_PAGE} results a page, not {limit}")));
    }
    if order_by.len() > MOST_ORDERS {
        return Err(too_much("order clauses", MOST_ORDERS));
    }
    let mut size = Size::default();
    size.add(filter, 0)
}

fn no_attribute(things: &str, attribute: Attribute) -> Error {
    Error::unsupported(format!("{things} have no attribute {attribute:?}"))
}

fn no_field(things: &str, field: &Field) -> Error {
    let what = match field {
        Field::Attribute(_) => "attributes",
        Field::Metric(_) => "metrics",
        Field::MetricOnDataset { .. } => "metrics on a dataset",
        Field::Param(_) => "params",
        Field::Tag(_) => "tags",
        Field::Dataset(_) => "datasets",
        Field::Document(_) => "documents",
        Field::Trace(_) => "what only traces have",
    };
    Error::unsupported(format!("{things} cannot be searched or ordered by {what}"))
}

fn presence_condition(presences: Presences) -> &'static str {
    match presences {
        Presences::Active => "presence = 'active'",
        Presences::Deleted => "presence = 'deleted'",
        Presences::All => "TRUE",
    }
}

/// Writes the order clauses of things that are ordered by attributes alone, each with the comma to go on from.
fn order_by(
    sql: &mut Sql,
    query: &Query,
    things: &str,
    column: impl Fn(Attribute) -> Result<Attributed>,
) -> Result<()> {
    for order in &query.order_by {
        let Field::Attribute(attribute) = &order.field else { return Err(no_field(things, &order.field)) };
        column(*attribute)?.order(sql, order.direction);
        sql.push(", ");
    }
    Ok(())
}

/// Whether an order clause is by this attribute, so that it is no tie-breaker any more.
fn is_by(query: &Query, attribute: Attribute) -> bool {
    query.order_by.iter().any(|order| order.field == Field::Attribute(attribute))
}

#[derive(Default)]
struct Size {
    predicates: usize,
    listed: usize,
}

impl Size {
    fn add(&mut self, filter: &Filter, level: usize) -> Result<()> {
        if level > MOST_LEVELS {
            return Err(too_much("levels of nesting", MOST_LEVELS));
        }
        match filter {
            Filter::All => Ok(()),
            Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| self.add(part, level + 1)),
            Filter::Not(part) => self.add(part, level + 1),
            Filter::Test(_, predicate) => self.add_predicate(predicate),
        }
    }

    fn add_predicate(&mut self, predicate: &Predicate) -> Result<()> {
        self.predicates += 1;
        if self.predicates > MOST_PREDICATES {
            return Err(too_much("comparisons", MOST_PREDICATES));
        }
        match predicate {
            Predicate::Like { pattern, .. } if pattern.len() > LONGEST_PATTERN => {
                Err(Error::invalid(format!("a pattern in a filter is longer than {LONGEST_PATTERN} bytes")))
            }
            Predicate::Contains(text) | Predicate::Matches(text) if text.len() > LONGEST_PATTERN => {
                Err(Error::invalid(format!("a text in a filter is longer than {LONGEST_PATTERN} bytes")))
            }
            Predicate::In(values) | Predicate::NotIn(values) => {
                self.listed += values.len();
                if self.listed > MOST_LISTED { Err(too_much("listed values", MOST_LISTED)) } else { Ok(()) }
            }
            Predicate::Like { .. }
            | Predicate::Contains(_)
            | Predicate::Matches(_)
            | Predicate::Number(..)
            | Predicate::Text(..)
            | Predicate::IsNull
            | Predicate::IsNotNull => Ok(()),
        }
    }
}

fn too_much(what: &str, most: usize) -> Error {
    Error::LimitExceeded { message: format!("a search has more than {most} {what}") }
}
