//! Filters of `issues/search`, over two attributes that can only be equal to a text or not.

use stele_domain::Result;
use stele_domain::search::Comparison::{Equal, NotEqual};
use stele_domain::search::{Attribute, Field, Filter, Predicate};

use super::key::unquote;
use super::lexer::excerpt;
use super::parser::{self, Clause, Comparator, Grammar, Value, Wording};

/// Parses a filter; the empty one selects everything.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let field = match unquote(clause.key.text) {
        "status" => Attribute::Status,
        "source_run_id" => Attribute::RunId,
        other => {
            let message =
                format!("Invalid filter field '{}'. Supported fields: {{'source_run_id', 'status'}}", excerpt(other));
            return Err(clause.key_error(&message));
        }
    };
    match (clause.comparator, &clause.value) {
        (Comparator::Order(comparison @ (Equal | NotEqual)), Value::Literal(token)) => {
            let text = token.string().unwrap_or(token.text).trim().to_owned();
            Ok(Filter::Test(Field::Attribute(field), Predicate::Text(comparison, text)))
        }
        _ => Err(clause.key_error("Invalid comparator. Supported comparators: {'=', '!='}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_attributes_are_compared_and_only_for_equality() {
        let parsed = parse_filter("status = 'pending' AND source_run_id != \"r1\"").unwrap();
        let test = |field, comparison, text: &str| {
            Filter::Test(Field::Attribute(field), Predicate::Text(comparison, text.to_owned()))
        };
        let both = vec![test(Attribute::Status, Equal, "pending"), test(Attribute::RunId, NotEqual, "r1")];
        assert_eq!(parsed, Filter::And(both));
        for bad in ["name = 'x'", "status LIKE 'p%'", "status > 'a'", "status IN ('a')", "severity = 'high'", "status"]
        {
            assert!(parse_filter(bad).is_err(), "{bad}");
        }
    }
}
