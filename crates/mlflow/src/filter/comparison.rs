//! From a comparison whose key is resolved to a predicate: what each type of field can be compared with, and how.

use stele_domain::Result;
use stele_domain::search::{Field, Filter, Predicate};

use super::lexer::{Token, TokenKind};
use super::messages::{self, KeyKind, Search, Subject};
use super::parser::{Clause, Comparator, Value};

/// A metric or a time: any number will do.
pub(super) fn number(clause: &Clause<'_>, subject: Subject<'_>, field: Field) -> Result<Filter> {
    refuse_null_test(clause, subject)?;
    let Some(token) = number_token(&clause.value) else {
        return Err(clause.value_error(&subject.expected_number(clause.value.text())));
    };
    compare_number(clause, subject, field, token.text)
}

/// A number that MLflow keeps as an integer and does not compare with a fraction.
pub(super) fn integer(clause: &Clause<'_>, subject: Subject<'_>, field: Field) -> Result<Filter> {
    refuse_null_test(clause, subject)?;
    let Some(token) = number_token(&clause.value) else {
        return Err(clause.value_error(&subject.expected_number(clause.value.text())));
    };
    if !is_integer(token.text) {
        return Err(clause.value_error(&subject.expected_integer(token.text)));
    }
    compare_number(clause, subject, field, token.text)
}

/// An integer that may also be written as a text: `version_number = '3'`.
pub(super) fn integer_or_text(clause: &Clause<'_>, subject: Subject<'_>, field: Field) -> Result<Filter> {
    refuse_null_test(clause, subject)?;
    let Value::Literal(token) = &clause.value else {
        return Err(clause.value_error(&subject.expected_integer(clause.value.text())));
    };
    let digits = match (token.kind, token.string()) {
        (TokenKind::Number, _) => token.text,
        (_, Some(text)) => text.trim(),
        (_, None) => return Err(clause.value_error(&messages::not_quoted(token.text))),
    };
    if !is_integer(digits) {
        return Err(clause.value_error(&subject.expected_integer(digits)));
    }
    compare_number(clause, subject, field, digits)
}

/// A text in quotes, or with `IN` and `NOT IN` a list of them.
pub(super) fn text(clause: &Clause<'_>, subject: Subject<'_>, field: Field) -> Result<Filter> {
    let nullable = matches!(subject.kind, KeyKind::Param | KeyKind::Tag);
    let literal = match &clause.value {
        Value::Literal(token) => match token.string() {
            Some(text) => text,
            None if token.kind == TokenKind::Number => {
                return Err(clause.value_error(&subject.expected_text(token.text)));
            }
            None => return Err(clause.value_error(&messages::not_quoted(token.text))),
        },
        Value::List { values, .. } => return Ok(Filter::Test(field, list(clause, values))),
        Value::Absent if nullable => return Ok(Filter::Test(field, null_test(clause))),
        Value::Absent => return Err(clause.key_error(&subject.null_test_refused())),
    };
    compare_text(clause, subject, field, literal)
}

/// The same for logged models, whose parser also takes a bare word or number for a text.
pub(super) fn loose_text(clause: &Clause<'_>, subject: Subject<'_>, field: Field) -> Result<Filter> {
    match &clause.value {
        Value::Literal(token) => compare_text(clause, subject, field, token.string().unwrap_or(token.text)),
        Value::List { .. } | Value::Absent => text(clause, subject, field),
    }
}

/// A numeric field of a logged model: a bare `inf` or `nan` is a number there.
pub(super) fn loose_number(clause: &Clause<'_>, subject: Subject<'_>, field: Field) -> Result<Filter> {
    refuse_null_test(clause, subject)?;
    if let Value::Literal(token) = &clause.value
        && token.kind != TokenKind::Text
    {
        return compare_number(clause, subject, field, token.text);
    }
    match clause.comparator {
        Comparator::Order(_) => Err(clause.value_error(&subject.expected_number(clause.value.text()))),
        other => Err(clause.key_error(&subject.invalid_comparator(other, true))),
    }
}

fn compare_number(clause: &Clause<'_>, subject: Subject<'_>, field: Field, number: &str) -> Result<Filter> {
    let Comparator::Order(comparison) = clause.comparator else {
        return Err(clause.key_error(&subject.invalid_comparator(clause.comparator, true)));
    };
    match number.parse() {
        Ok(value) => Ok(Filter::Test(field, Predicate::Number(comparison, value))),
        Err(_) => Err(clause.value_error(&subject.expected_number(number))),
    }
}

fn compare_text(clause: &Clause<'_>, subject: Subject<'_>, field: Field, value: &str) -> Result<Filter> {
    use stele_domain::search::Comparison::{Equal, NotEqual};
    let is_nominal = subject.search == Search::Experiments && subject.key == "experiment_id";
    let predicate = match clause.comparator {
        Comparator::Order(comparison @ (Equal | NotEqual)) => Predicate::Text(comparison, value.to_owned()),
        Comparator::Like if !is_nominal => Predicate::Like { pattern: value.to_owned(), ignore_case: false },
        Comparator::ILike if !is_nominal => Predicate::Like { pattern: value.to_owned(), ignore_case: true },
        other => return Err(clause.key_error(&subject.invalid_comparator(other, false))),
    };
    Ok(Filter::Test(field, predicate))
}

fn list(clause: &Clause<'_>, values: &[String]) -> Predicate {
    match clause.comparator {
        Comparator::NotIn => Predicate::NotIn(values.to_vec()),
        _ => Predicate::In(values.to_vec()),
    }
}

fn null_test(clause: &Clause<'_>) -> Predicate {
    match clause.comparator {
        Comparator::IsNotNull => Predicate::IsNotNull,
        _ => Predicate::IsNull,
    }
}

fn refuse_null_test(clause: &Clause<'_>, subject: Subject<'_>) -> Result<()> {
    match clause.value {
        Value::Absent => Err(clause.key_error(&subject.null_test_refused())),
        Value::Literal(_) | Value::List { .. } => Ok(()),
    }
}

fn number_token<'a>(value: &Value<'a>) -> Option<Token<'a>> {
    match value {
        Value::Literal(token) if token.kind == TokenKind::Number => Some(*token),
        _ => None,
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
