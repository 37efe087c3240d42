mod bounds;
mod filters;
mod order_by;

use stele_domain::search::{Comparison, Direction, Field, Filter, Order, Predicate};
use stele_domain::{Error, Result};

/// One line that says what a filter means.
fn show(filter: &Filter) -> String {
    let join =
        |name: &str, inner: &[Filter]| format!("{name}({})", inner.iter().map(show).collect::<Vec<_>>().join(", "));
    match filter {
        Filter::All => "all".to_owned(),
        Filter::And(inner) => join("and", inner),
        Filter::Or(inner) => join("or", inner),
        Filter::Not(inner) => format!("not({})", show(inner)),
        Filter::Test(field, predicate) => format!("{} {}", show_field(field), show_predicate(predicate)),
    }
}

fn show_field(field: &Field) -> String {
    match field {
        Field::Attribute(attribute) => format!("{attribute:?}"),
        Field::Metric(key) => format!("metric[{key}]"),
        Field::MetricOnDataset { key, dataset_name, dataset_digest } => {
            let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "*".to_owned());
            format!("metric[{key}]@{}#{}", part(dataset_name), part(dataset_digest))
        }
        Field::Param(key) => format!("param[{key}]"),
        Field::Tag(key) => format!("tag[{key}]"),
        Field::Dataset(field) => format!("dataset[{field:?}]"),
        Field::Trace(field) => format!("{field:?}"),
        Field::Document(path) => format!("document[{path:?}]"),
    }
}

fn show_predicate(predicate: &Predicate) -> String {
    let symbol = |comparison: &Comparison| match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
    };
    match predicate {
        Predicate::Number(comparison, value) => format!("{} {value:?}", symbol(comparison)),
        Predicate::Text(comparison, value) => format!("{} '{value}'", symbol(comparison)),
        Predicate::Like { pattern, ignore_case: false } => format!("like '{pattern}'"),
        Predicate::Like { pattern, ignore_case: true } => format!("ilike '{pattern}'"),
        Predicate::Matches(expression) => format!("rlike '{expression}'"),
        Predicate::Contains(part) => format!("contains '{part}'"),
        Predicate::In(values) => format!("in {values:?}"),
        Predicate::NotIn(values) => format!("not in {values:?}"),
        Predicate::IsNull => "is null".to_owned(),
        Predicate::IsNotNull => "is not null".to_owned(),
    }
}

fn show_order(orders: &[Order]) -> String {
    let one = |order: &Order| match order.direction {
        Direction::Ascending => format!("{} asc", show_field(&order.field)),
        Direction::Descending => format!("{} desc", show_field(&order.field)),
    };
    orders.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn outcome(result: Result<Filter>) -> String {
    match result {
        Ok(filter) => show(&filter),
        Err(Error::Invalid { message }) => message,
        Err(other) => panic!("only Invalid is expected, not {other:?}"),
    }
}

#[track_caller]
fn means(parse: fn(&str) -> Result<Filter>, table: &[(&str, &str)]) {
    for (filter, expected) in table {
        assert_eq!(&outcome(parse(filter)), expected, "for {filter}");
    }
}

#[track_caller]
fn refuses(parse: fn(&str) -> Result<Filter>, table: &[(&str, &str)]) {
    for (filter, beginning) in table {
        match parse(filter) {
            Ok(parsed) => panic!("{filter} was accepted as {}", show(&parsed)),
            Err(Error::Invalid { message }) => {
                assert!(message.starts_with(beginning), "for {filter}: {message}");
            }
            Err(other) => panic!("only Invalid is expected, not {other:?}"),
        }
    }
}
