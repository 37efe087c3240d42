//! Metric values on their way into the record, sorted into columns once, where they enter.

use std::collections::HashMap;

use crate::Point;
use crate::record::{MetricSubject, MetricValue};

/// Metric values to log to one run: the points of each key, and apart from them those that are about a logged model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricValues {
    columns: Vec<MetricColumn>,
    about: Vec<MetricValue>,
    given: usize,
}

/// The points of one key, in the order of points and without repeats; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricColumn {
    pub key: String,
    pub points: Vec<Point>,
}

impl MetricValues {
    /// One column for each key.
    pub fn columns(&self) -> &[MetricColumn] {
        &self.columns
    }

    /// The values that are about a logged model, in the order in which they were given; `columns` has them as well.
    pub fn about(&self) -> &[MetricValue] {
        &self.about
    }

    /// How many values were given, repeats included.
    pub fn given(&self) -> usize {
        self.given
    }

    pub fn is_empty(&self) -> bool {
        self.given == 0
    }
}

/// Collects values one by one.
#[derive(Debug, Default)]
pub struct MetricValuesBuilder {
    values: MetricValues,
    positions: HashMap<String, usize>,
    /// The column of the newest value.
    latest: usize,
}

impl MetricValuesBuilder {
    /// Whether a value with this key was added already.
    pub fn has(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    pub fn add(&mut self, key: &str, point: Point, subject: Option<MetricSubject>) {
        let position = self.position(key).unwrap_or_else(|| {
            let position = self.values.columns.len();
            self.positions.insert(key.to_owned(), position);
            self.values.columns.push(MetricColumn { key: key.to_owned(), points: Vec::new() });
            position
        });
        self.values.columns[position].points.push(point);
        self.latest = position;
        self.values.given += 1;
        if subject.is_some() {
            self.values.about.push(MetricValue { key: key.to_owned(), point, subject });
        }
    }

    pub fn finish(self) -> MetricValues {
        let mut values = self.values;
        for column in &mut values.columns {
            if !column.points.is_sorted_by(|left, right| left < right) {
                column.points.sort_unstable();
                column.points.dedup();
            }
        }
        values
    }

    fn position(&self, key: &str) -> Option<usize> {
        // Clients log step by step or metric by metric: the key is that of the next column or of the same one.
        let columns = &self.values.columns;
        let next = if self.latest + 1 < columns.len() { self.latest + 1 } else { 0 };
        [next, self.latest]
            .into_iter()
            .find(|position| columns.get(*position).is_some_and(|column| column.key == key))
            .or_else(|| self.positions.get(key).copied())
    }
}

impl FromIterator<MetricValue> for MetricValues {
    fn from_iter<I: IntoIterator<Item = MetricValue>>(values: I) -> MetricValues {
        let mut builder = MetricValuesBuilder::default();
        for MetricValue { key, point, subject } in values {
            builder.add(&key, point, subject);
        }
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_column_is_the_sorted_set_of_the_points_of_its_key(
            given in prop::collection::vec(("[abc]", 0i64..4, 0i64..3, prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN)]), 0..60),
        ) {
            let values: Vec<MetricValue> = given
                .into_iter()
                .map(|(key, step, time, value)| MetricValue { key, point: Point::new(step, time, value), subject: None })
                .collect();
            let mut expected: BTreeMap<String, BTreeSet<Point>> = BTreeMap::new();
            for value in &values {
                expected.entry(value.key.clone()).or_default().insert(value.point);
            }
            let given = values.len();
            let values: MetricValues = values.into_iter().collect();
            let columns: BTreeMap<String, Vec<Point>> =
                values.columns().iter().map(|column| (column.key.clone(), column.points.clone())).collect();
            prop_assert_eq!(columns.len(), values.columns().len(), "one column a key");
            let expected: BTreeMap<String, Vec<Point>> =
                expected.into_iter().map(|(key, points)| (key, points.into_iter().collect())).collect();
            prop_assert_eq!(columns, expected);
            prop_assert_eq!(values.given(), given);
        }
    }
}
