use proptest::prelude::*;
use stele_domain::search::{Comparison, Field, Filter, Predicate};
use stele_domain::{Error, Result};

use super::{outcome, refuses};
use crate::filter::{MAX_COMPARISONS, MAX_DEPTH, MAX_LENGTH, MAX_LIST_VALUES};
use crate::filter::{experiments, logged_models, models, runs, versions};

#[test]
fn bounds_are_enforced() {
    let nested = |depth: usize| format!("{}tags.a = 'x'{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(outcome(runs::parse_filter(&nested(MAX_DEPTH))), "tag[a] = 'x'");
    let negations = format!("{}tags.a = 'x'", "NOT ".repeat(100_000));
    let list = |count: usize| format!("run_id IN ({})", vec!["'a'"; count].join(","));
    assert!(runs::parse_filter(&list(MAX_LIST_VALUES)).is_ok());
    refuses(
        runs::parse_filter,
        &[
            (&nested(MAX_DEPTH + 1), "Invalid filter: nested deeper than 64 levels at position 65"),
            (&negations, "Invalid filter: nested deeper than 64 levels"),
            (&"tags.a = 'x' ".repeat(MAX_COMPARISONS + 1), "Invalid filter: more than 1000 comparisons"),
            (&list(MAX_LIST_VALUES + 1), "Invalid filter: more than 20000 values in a list"),
            (&" ".repeat(MAX_LENGTH + 1), "Invalid filter: it is 1048577 bytes long"),
        ],
    );
    let long = format!("tags.{} > 1", "a".repeat(100_000));
    assert!(outcome(runs::parse_filter(&long)).len() < 1_000, "errors do not echo the whole input");
}

const PARSERS: [fn(&str) -> Result<Filter>; 5] = [
    runs::parse_filter,
    experiments::parse_filter,
    models::parse_filter,
    versions::parse_filter,
    logged_models::parse_filter,
];

fn parse_everything(text: &str) {
    for parse in PARSERS {
        if let Err(error) = parse(text) {
            assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        }
    }
    let clauses = [text.to_owned()];
    let _ = runs::parse_order_by(&clauses);
    let _ = experiments::parse_order_by(&clauses);
    let _ = models::parse_order_by(&clauses);
    let _ = versions::parse_order_by(&clauses);
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in any::<String>()) {
        parse_everything(&text);
    }

    #[test]
    fn any_sequence_of_pieces_parses_or_is_refused(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "metrics.a", "params.", "tags", ".", "`", "'", "\"", "\\", "ü", "''", "(", ")", ",", ";", "-", "1", "1e", "e5",
            "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "=", "!=", ">", " ", "\n", "[", "]", "run_id", "name",
        ]), 0..40)
    ) {
        parse_everything(&pieces.concat());
    }

    #[test]
    fn any_value_without_quotes_comes_back(key in "[^`]{1,20}", value in "[^'\\\\]{0,20}") {
        let filter = format!("params.`{key}` = '{value}'");
        prop_assert_eq!(
            runs::parse_filter(&filter),
            Ok(Filter::Test(Field::Param(key), Predicate::Text(Comparison::Equal, value)))
        );
    }
}
