//! What a search of runs means, said as plainly as possible.

use std::cmp::Ordering;

use stele_domain::search::{
    Attribute, Comparison, DatasetField, Direction, Field, Filter, Order, Predicate, Presences, RunSearch, Searched,
};

use super::record::TestRun;

/// The public ids of a page, and whether more come after it.
pub(super) fn search(runs: &[TestRun], search: &RunSearch) -> (Vec<String>, bool) {
    let query = &search.query;
    let mut found: Vec<&TestRun> = runs
        .iter()
        .filter(|run| is_searched(&search.experiments, run.experiment))
        .filter(|run| match search.presences {
            Presences::All => true,
            Presences::Active => run.presence == "active",
            Presences::Deleted => run.presence == "deleted",
        })
        .filter(|run| holds(&query.filter, run))
        .collect();
    let by_start = Order { field: Field::Attribute(Attribute::StartTime), direction: Direction::Descending };
    found.sort_by(|left, right| {
        let mut orders = query.order_by.iter().chain([&by_start]);
        orders
            .find_map(|order| Some(compare(order, left, right)).filter(|order| order.is_ne()))
            .unwrap_or_else(|| left.id.cmp(&right.id))
    });
    let (offset, limit) = (query.window.offset as usize, query.window.limit as usize);
    let page = found.iter().skip(offset).take(limit).map(|run| run.id.clone()).collect();
    (page, found.len() > offset + limit)
}

fn is_searched(searched: &Searched, experiment: i64) -> bool {
    match searched {
        Searched::Among(experiments) => experiments.iter().any(|known| known.0 == experiment),
        // There is one workspace, and both of its experiments are active.
        Searched::Workspace(_) => true,
    }
}

fn holds(filter: &Filter, run: &TestRun) -> bool {
    match filter {
        Filter::All => true,
        Filter::And(parts) => parts.iter().all(|part| holds(part, run)),
        Filter::Or(parts) => parts.iter().any(|part| holds(part, run)),
        Filter::Not(part) => !holds(part, run),
        Filter::Test(field, predicate) => test(field, predicate, run),
    }
}

fn test(field: &Field, predicate: &Predicate, run: &TestRun) -> bool {
    let text = |value: Option<&str>| match predicate {
        Predicate::IsNull => value.is_none(),
        _ => value.is_some_and(|value| text_test(predicate, value)),
    };
    let number = |value: Option<f64>| match predicate {
        Predicate::IsNull => value.is_none(),
        _ => value.is_some_and(|value| number_test(predicate, value)),
    };
    let integer = |value: Option<i64>| number(value.map(|value| value as f64));
    match field {
        Field::Metric(key) => number(run.metrics.get(key.as_str()).copied()),
        Field::Param(key) => text(run.params.get(key.as_str()).map(String::as_str)),
        Field::Tag(key) => text(run.tags.get(key.as_str()).map(String::as_str)),
        Field::Dataset(field) => {
            let values: Vec<&str> = run
                .datasets
                .iter()
                .filter_map(|(name, digest, context)| match field {
                    DatasetField::Name => Some(*name),
                    DatasetField::Digest => Some(*digest),
                    DatasetField::Context => *context,
                })
                .collect();
            match predicate {
                Predicate::IsNull => values.is_empty(),
                _ => values.iter().any(|value| text_test(predicate, value)),
            }
        }
        Field::Attribute(Attribute::Id) => text(Some(&run.id)),
        Field::Attribute(Attribute::Name) => text(Some(run.name)),
        Field::Attribute(Attribute::Status) => text(Some(run.status)),
        Field::Attribute(Attribute::User) => text(Some(run.user)),
        Field::Attribute(Attribute::StartTime) => integer(run.started),
        Field::Attribute(Attribute::EndTime) => integer(run.ended),
        other => panic!("not generated: {other:?}"),
    }
}

fn text_test(predicate: &Predicate, value: &str) -> bool {
    match predicate {
        Predicate::Text(comparison, other) => ordering_is(*comparison, Some(value.cmp(other))),
        Predicate::Contains(part) => value.to_ascii_lowercase().contains(&part.to_ascii_lowercase()),
        Predicate::Like { pattern, ignore_case: false } => like(value, pattern),
        Predicate::Like { pattern, ignore_case: true } => {
            like(&value.to_ascii_lowercase(), &pattern.to_ascii_lowercase())
        }
        Predicate::In(values) => values.iter().any(|other| other == value),
        Predicate::NotIn(values) => values.iter().all(|other| other != value),
        Predicate::IsNotNull => true,
        Predicate::Matches(expression) => regex::Regex::new(expression).unwrap().is_match(value),
        Predicate::IsNull | Predicate::Number(..) => false,
    }
}

fn number_test(predicate: &Predicate, value: f64) -> bool {
    match predicate {
        Predicate::Number(comparison, other) => ordering_is(*comparison, value.partial_cmp(other)),
        Predicate::IsNotNull => true,
        other => panic!("not generated: {other:?}"),
    }
}

fn ordering_is(comparison: Comparison, ordering: Option<Ordering>) -> bool {
    match comparison {
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::NotEqual => ordering != Some(Ordering::Equal),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
    }
}

fn like(text: &str, pattern: &str) -> bool {
    let mut letters = pattern.chars();
    let Some(letter) = letters.next() else { return text.is_empty() };
    let rest = letters.as_str();
    match letter {
        '%' => text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| like(&text[at..], rest)),
        letter => {
            let mut text = text.chars();
            text.next().is_some_and(|first| letter == '_' || first == letter) && like(text.as_str(), rest)
        }
    }
}

fn compare(order: &Order, left: &TestRun, right: &TestRun) -> Ordering {
    match &order.field {
        Field::Metric(key) => {
            let (left, right) = (left.metrics.get(key.as_str()), right.metrics.get(key.as_str()));
            let last = |value: Option<&f64>| value.map_or(2, |value| i32::from(value.is_nan()));
            last(left).cmp(&last(right)).then_with(|| match (left, right) {
                (Some(left), Some(right)) if !left.is_nan() => directed(order.direction, left.total_cmp(right)),
                _ => Ordering::Equal,
            })
        }
        Field::Param(key) => optional(order, left.params.get(key.as_str()), right.params.get(key.as_str())),
        Field::Tag(key) => optional(order, left.tags.get(key.as_str()), right.tags.get(key.as_str())),
        Field::Attribute(Attribute::StartTime) => optional(order, left.started, right.started),
        Field::Attribute(Attribute::EndTime) => optional(order, left.ended, right.ended),
        Field::Attribute(Attribute::Name) => optional(order, Some(left.name), Some(right.name)),
        Field::Attribute(Attribute::User) => optional(order, Some(left.user), Some(right.user)),
        Field::Attribute(Attribute::Id) => optional(order, Some(&left.id), Some(&right.id)),
        Field::Attribute(Attribute::Status) => {
            let rank = |status: &str| {
                ["failed", "completed", "stopped", "running", "queued"].iter().position(|s| *s == status)
            };
            optional(order, rank(left.status), rank(right.status))
        }
        other => panic!("not generated: {other:?}"),
    }
}

fn optional<T: Ord>(order: &Order, left: Option<T>, right: Option<T>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => directed(order.direction, left.cmp(&right)),
        (left, right) => left.is_none().cmp(&right.is_none()),
    }
}

fn directed(direction: Direction, ordering: Ordering) -> Ordering {
    match direction {
        Direction::Ascending => ordering,
        Direction::Descending => ordering.reverse(),
    }
}
