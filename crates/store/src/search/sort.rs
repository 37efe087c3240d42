//! The order of a search of runs as a list of terms, and what comes after a position in it.

use stele_domain::Result;
use stele_domain::id::RunRow;
use stele_domain::search::{Attribute, Direction, Field, RunSearch, SortPosition, SortValue};

use super::builder::Sql;
use super::predicate::{Attributed, Column};
use super::runs;
use crate::Tx;
use crate::engine::{Row, Value};

/// One value that runs are sorted by.
#[derive(Clone, Copy)]
pub(super) struct Term {
    expression: Expression,
    kind: Kind,
    direction: Direction,
    /// A run that lacks the value comes last, whatever the direction.
    optional: bool,
}

#[derive(Clone, Copy)]
enum Expression {
    Plain(&'static str),
    /// A column of the table joined for the order clause at an index.
    Joined(usize, &'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Real,
    Text,
}

/// The terms that make the order of a search total.
pub(super) fn terms(search: &RunSearch) -> Result<Vec<Term>> {
    let mut terms = Vec::new();
    for (index, order) in search.query.order_by.iter().enumerate() {
        let direction = order.direction;
        let joined = |column, kind, direction| joined(index, column, kind, direction);
        match &order.field {
            Field::Metric(_) => {
                terms.push(joined(".is_nan", Kind::Integer, Direction::Ascending));
                terms.push(joined(".value", Kind::Real, direction));
            }
            Field::Param(_) | Field::Tag(_) => terms.push(joined(".value", Kind::Text, direction)),
            Field::Attribute(Attribute::Status) => terms.push(plain(runs::STATUS_RANK, Kind::Integer, direction)),
            Field::Attribute(attribute) => {
                let (Column { name, optional }, kind) = match runs::column(*attribute)? {
                    Attributed::Text(column) => (column, Kind::Text),
                    Attributed::Integer(column) => (column, Kind::Integer),
                };
                terms.push(Term { optional, ..plain(name, kind, direction) });
            }
            Field::Dataset(_) | Field::Document(_) | Field::Trace(_) | Field::MetricOnDataset { .. } => {
                return Err(super::no_field("runs", &order.field));
            }
        }
    }
    if !super::is_by(&search.query, Attribute::StartTime) {
        terms.push(Term { optional: true, ..plain("run.started_at", Kind::Integer, Direction::Descending) });
    }
    terms.push(plain("run.public_id", Kind::Text, Direction::Ascending));
    Ok(terms)
}

pub(super) fn plain(expression: &'static str, kind: Kind, direction: Direction) -> Term {
    Term { expression: Expression::Plain(expression), kind, direction, optional: false }
}

/// A column of the table that is joined for the order clause at an index; things may lack a row there.
pub(super) fn joined(index: usize, column: &'static str, kind: Kind, direction: Direction) -> Term {
    Term { expression: Expression::Joined(index, column), kind, direction, optional: true }
}

impl Term {
    /// The same term, which things may lack.
    pub(super) fn optional(self) -> Term {
        Term { optional: true, ..self }
    }

    /// Its value in a row.
    pub(super) fn read(&self, row: &Row, column: usize) -> Result<SortValue> {
        read(row, column, self.kind)
    }
}

/// Writes a condition that nothing before `position` fulfils, by the first term alone, which an index can begin at.
pub(super) fn not_before<'v>(sql: &mut Sql<'v>, terms: &[Term], position: &'v [SortValue]) {
    let (Some(term), Some(at)) = (terms.first(), position.first()) else { return };
    if term.optional || *at == SortValue::Absent {
        return;
    }
    value(sql, term);
    sql.push(match term.direction {
        Direction::Ascending => " >= ",
        Direction::Descending => " <= ",
    });
    sql.bind(at).push(" AND ");
}

/// Writes an order clause.
pub(super) fn order(sql: &mut Sql, term: &Term) {
    value(sql, term);
    sql.direction(term.direction);
    if term.optional {
        sql.push(" NULLS LAST");
    }
}

/// Writes the condition that only runs after `position` fulfil, which has a value for each of the terms.
pub(super) fn after<'v>(sql: &mut Sql<'v>, terms: &[Term], position: &'v [SortValue]) {
    let (Some((term, later)), Some((at, rest))) = (terms.split_first(), position.split_first()) else {
        sql.push("FALSE");
        return;
    };
    sql.push("(");
    if *at == SortValue::Absent {
        // Nothing comes after those that lack the value.
        sql.push("FALSE");
    } else {
        value(sql, term);
        sql.push(match term.direction {
            Direction::Ascending => " > ",
            Direction::Descending => " < ",
        });
        sql.bind(at);
        if term.optional {
            sql.push(" OR ");
            value(sql, term);
            sql.push(" IS NULL");
        }
    }
    if !later.is_empty() {
        sql.push(" OR (");
        value(sql, term);
        if *at == SortValue::Absent {
            sql.push(" IS NULL AND ");
        } else {
            sql.push(" = ").bind(at).push(" AND ");
        }
        after(sql, later, rest);
        sql.push(")");
    }
    sql.push(")");
}

/// The position that a search is to go on from, unless it belongs to another order.
pub(super) fn position<'s>(after: Option<&'s SortPosition>, terms: &[Term]) -> Option<&'s [SortValue]> {
    let SortPosition(values) = after?;
    let fits = |(term, value): (&Term, &SortValue)| match value {
        SortValue::Absent => term.optional,
        SortValue::Integer(_) => term.kind == Kind::Integer,
        SortValue::Real(number) => term.kind == Kind::Real && !number.is_nan(),
        SortValue::Text(text) => term.kind == Kind::Text && !text.contains('\0'),
    };
    (values.len() == terms.len() && terms.iter().zip(values).all(fits)).then_some(values)
}

/// Where a run stands in the order.
pub(super) fn position_of(tx: &mut Tx, search: &RunSearch, run: RunRow) -> Result<SortPosition> {
    let terms = terms(search)?;
    let mut sql = Sql::new(tx.engine());
    for (index, term) in terms.iter().enumerate() {
        sql.push(if index == 0 { "SELECT " } else { ", " });
        value(&mut sql, term);
    }
    sql.push(" FROM run");
    for (index, order) in search.query.order_by.iter().enumerate() {
        runs::order_join(&mut sql, index, order);
    }
    sql.push(" WHERE run.id = ").bind(run);
    let (sql, values) = sql.finish();
    tx.query_one(&sql, &values, |row| {
        let value = |(column, term): (usize, &Term)| read(row, column, term.kind);
        terms.iter().enumerate().map(value).collect::<Result<Vec<_>>>().map(SortPosition)
    })
}

fn read(row: &Row, column: usize, kind: Kind) -> Result<SortValue> {
    let value = match kind {
        Kind::Integer => row.opt_int(column)?.map(SortValue::Integer),
        Kind::Real => row.opt_real(column)?.map(SortValue::Real),
        Kind::Text => row.opt_text(column)?.map(SortValue::Text),
    };
    Ok(value.unwrap_or(SortValue::Absent))
}

pub(super) fn value(sql: &mut Sql, term: &Term) {
    match term.expression {
        Expression::Plain(expression) => sql.push(expression),
        Expression::Joined(index, column) => sql.alias(index).push(column),
    };
}

impl<'a> From<&'a SortValue> for Value<'a> {
    fn from(value: &'a SortValue) -> Self {
        match value {
            SortValue::Absent => Value::Null,
            SortValue::Integer(number) => Value::Int(*number),
            SortValue::Real(number) => Value::Real(*number),
            SortValue::Text(text) => Value::Text(text.as_str().into()),
        }
    }
}
