//! One `order_by` clause is `key [ASC | DESC]`, with nothing around it; ascending is the default.

use stele_domain::search::{Direction, Field, Order};
use stele_domain::{Error, Result};

use super::lexer::{self, Token, TokenKind, excerpt};
use super::{MAX_LENGTH, MAX_ORDER_BY_CLAUSES};

/// Why an `order_by` is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OrderByError {
    /// A clause is malformed or names an unknown field.
    Invalid(Error),
    /// Two clauses name one field. It is apart because MLflow answers it with INTERNAL_ERROR (500), not as a bad
    /// request. Carries MLflow's message.
    DuplicateFields(String),
}

/// One clause, apart from its direction.
pub(super) struct OrderClause<'a> {
    pub(super) identifier: &'a str,
    source: &'a str,
}

impl OrderClause<'_> {
    pub(super) fn error(&self, message: &str) -> Error {
        Error::invalid(format!("{message} in order_by clause '{}'", excerpt(self.source)))
    }
}

type ResolveField = fn(&OrderClause<'_>) -> Result<Field>;

pub(super) fn parse(clauses: &[String], resolve: ResolveField) -> Result<Vec<Order>, OrderByError> {
    let orders = parse_allowing_duplicates(clauses, resolve)?;
    let repeats = |index: usize| orders[..index].iter().any(|earlier| earlier.field == orders[index].field);
    if (0..orders.len()).any(repeats) {
        let written: Vec<String> = clauses.iter().map(|clause| format!("'{}'", excerpt(clause))).collect();
        return Err(OrderByError::DuplicateFields(format!(
            "`order_by` contains duplicate fields: [{}]",
            written.join(", ")
        )));
    }
    Ok(orders)
}

pub(super) fn parse_allowing_duplicates(clauses: &[String], resolve: ResolveField) -> Result<Vec<Order>, OrderByError> {
    if clauses.len() > MAX_ORDER_BY_CLAUSES {
        let message = format!("Invalid order_by: more than {MAX_ORDER_BY_CLAUSES} clauses");
        return Err(OrderByError::Invalid(Error::invalid(message)));
    }
    clauses.iter().map(|clause| order(clause, resolve).map_err(OrderByError::Invalid)).collect()
}

fn order(source: &str, resolve: ResolveField) -> Result<Order> {
    if source.len() > MAX_LENGTH {
        return Err(malformed(source));
    }
    let tokens = lexer::tokens(source).map_err(|_| malformed(source))?;
    let (identifier, direction) = match tokens.as_slice() {
        [identifier] => (identifier, None),
        [identifier, direction] => (identifier, Some(direction)),
        _ => return Err(malformed(source)),
    };
    let covered = identifier.start == 0 && tokens.last().is_some_and(|last| last.end() == source.len());
    if !covered || identifier.kind != TokenKind::Identifier {
        return Err(malformed(source));
    }
    let direction = match direction {
        None if is_direction(identifier) => return Err(malformed(source)),
        None => Direction::Ascending,
        Some(word) if word.is_keyword("ASC") => Direction::Ascending,
        Some(word) if word.is_keyword("DESC") => Direction::Descending,
        // `timestamp` is a keyword to MLflow's SQL lexer, so that it fails earlier there.
        Some(word) if word.kind != TokenKind::Identifier || identifier.is_keyword("timestamp") => {
            return Err(malformed(source));
        }
        Some(_) => {
            return Err(Error::invalid(format!("Invalid ordering key in order_by clause '{}'.", excerpt(source))));
        }
    };
    let field = resolve(&OrderClause { identifier: identifier.text, source })?;
    Ok(Order { field, direction })
}

fn is_direction(token: &Token<'_>) -> bool {
    token.is_keyword("ASC") || token.is_keyword("DESC")
}

fn malformed(source: &str) -> Error {
    Error::invalid(format!("Invalid order_by clause '{}'. Could not be parsed.", excerpt(source)))
}
