//! Searches by what the histories of metrics come to. The record searches by the newest values, so that the histories of
//! what it finds are read.

use std::cmp::Ordering;

use serde_json::Value;
use stele_app::Component;
use stele_domain::search::{Comparison, Direction, Field, Order, Page, Query, Window};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::metrics;
use crate::search::{components, direction};
use crate::search_fields::{Statistic, comparison};

/// How many components a search reads the histories of, and how many points in all.
const MOST_READ: i64 = 2_000;
const MOST_POINTS: u64 = 20_000_000;

/// What a search is sorted by.
pub(crate) enum OrderBy {
    Field(Field),
    Statistic(Statistic),
}

/// What must hold of a statistic.
pub(crate) struct Condition {
    statistic: Statistic,
    comparison: Comparison,
    value: f64,
}

impl Condition {
    pub(crate) fn read(statistic: Statistic, name: &str, operator: &str, value: &str) -> Result<Condition> {
        let refused = || Failure::validation(format!("The operator {operator} is not supported for '{name}'."));
        let comparison = match operator {
            "NotEquals" => Comparison::NotEqual,
            _ => comparison(operator).ok_or_else(refused)?,
        };
        let value = value.trim().parse().map_err(|_| {
            Failure::validation(format!("The value '{value}' of the filter on '{name}' is not a number."))
        })?;
        Ok(Condition { statistic, comparison, value })
    }

    fn holds(&self, found: f64) -> bool {
        match self.comparison {
            Comparison::Equal => found == self.value,
            Comparison::NotEqual => found != self.value,
            Comparison::Greater => found > self.value,
            Comparison::GreaterOrEqual => found >= self.value,
            Comparison::Less => found < self.value,
            Comparison::LessOrEqual => found <= self.value,
        }
    }
}

/// A page of the components that a query finds and of which the conditions hold, in order.
pub(crate) async fn page(
    call: &Call,
    query: Query,
    conditions: &[Condition],
    order: &OrderBy,
) -> Result<Page<Component>> {
    let wanted = query.window;
    let direction = direction(call);
    let order_by = match order {
        OrderBy::Field(field) => vec![Order { field: field.clone(), direction }],
        OrderBy::Statistic(_) => Vec::new(),
    };
    let window = Window { offset: 0, limit: MOST_READ };
    let found = components(call, Query { order_by, window, ..query }).await?;
    if found.more {
        return Err(Failure::validation(format!(
            "A search by statistics of metrics reads the histories of at most {MOST_READ} trial components: narrow it by \
             other filters."
        )));
    }
    let mut read = Read { call, points: 0 };
    let mut kept: Vec<(Option<Value>, Component)> = Vec::new();
    for component in found.items {
        if !read.all_hold(&component, conditions).await? {
            continue;
        }
        let key = match order {
            OrderBy::Field(_) => None,
            OrderBy::Statistic(statistic) => read.statistic(&component, statistic).await?.map(Value::from),
        };
        kept.push((key, component));
    }
    if let OrderBy::Statistic(_) = order {
        sort(&mut kept, direction, |(key, _)| key.clone());
    }
    let rest = kept.into_iter().skip(usize::try_from(wanted.offset).unwrap_or(usize::MAX));
    Ok(Page::of(rest.map(|(_, component)| component).collect(), wanted))
}

/// What of a search has been read.
struct Read<'c> {
    call: &'c Call,
    points: u64,
}

impl Read<'_> {
    async fn all_hold(&mut self, component: &Component, conditions: &[Condition]) -> Result<bool> {
        for condition in conditions {
            match self.statistic(component, &condition.statistic).await? {
                Some(found) if condition.holds(found) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Nothing if the component has no such metric, or no value of it that is finite.
    async fn statistic(&mut self, component: &Component, statistic: &Statistic) -> Result<Option<f64>> {
        if !component.run.metrics.iter().any(|latest| latest.key == statistic.metric) {
            return Ok(None);
        }
        let found = metrics::statistics(self.call, &component.run.info.id, &statistic.metric).await?;
        self.points += found.count();
        if self.points > MOST_POINTS {
            return Err(Failure::validation(format!(
                "A search by statistics of metrics reads at most {MOST_POINTS} values: narrow it by other filters."
            )));
        }
        Ok(found.get(statistic.name))
    }
}

/// Sorts by numbers or texts; things without one come last, and equals stay in their order.
pub(crate) fn sort<T>(items: &mut [T], direction: Direction, key: impl Fn(&T) -> Option<Value>) {
    items.sort_by_cached_key(|item| Key { value: key(item), direction });
}

struct Key {
    value: Option<Value>,
    direction: Direction,
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        let (Some(left), Some(right)) = (&self.value, &other.value) else {
            return self.value.is_none().cmp(&other.value.is_none());
        };
        let ordering = match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => left.as_str().cmp(&right.as_str()),
        };
        if self.direction == Direction::Descending { ordering.reverse() } else { ordering }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_lacks_the_key_comes_last_either_way() {
        let sorted = |direction| {
            let mut items = vec![json!(2), json!(null), json!(-1.5), json!(10), json!(2)];
            sort(&mut items, direction, |item| Some(item.clone()).filter(|item| !item.is_null()));
            Value::from(items)
        };
        assert_eq!(sorted(Direction::Ascending), json!([-1.5, 2, 2, 10, null]));
        assert_eq!(sorted(Direction::Descending), json!([10, 2, 2, -1.5, null]));
    }

    #[test]
    fn conditions_compare_as_their_operators_say() {
        let holds = |operator: &str, found: f64| {
            let statistic = Statistic { metric: "loss".to_owned(), name: "Min" };
            Condition::read(statistic, "Metrics.loss.Min", operator, "0.5").map(|condition| condition.holds(found))
        };
        let table = [
            ("Equals", [false, true, false]),
            ("NotEquals", [true, false, true]),
            ("GreaterThan", [false, false, true]),
            ("GreaterThanOrEqualTo", [false, true, true]),
            ("LessThan", [true, false, false]),
            ("LessThanOrEqualTo", [true, true, false]),
        ];
        for (operator, expected) in table {
            for (found, expected) in [0.0, 0.5, 1.0].into_iter().zip(expected) {
                assert_eq!(holds(operator, found), Ok(expected), "{found} {operator} 0.5");
            }
        }
        assert!(holds("Contains", 0.5).is_err());
    }
}
