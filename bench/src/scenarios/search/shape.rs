//! The kinds of searches, in MLflow's language and as plain code.

use crate::seed::RunData;

pub(super) struct Shape {
    pub(super) name: &'static str,
    conditions: &'static [Condition],
    order: Order,
    /// What part of the runs it finds.
    pub(super) note: &'static str,
}

enum Condition {
    MetricAbove(usize, f64),
    MetricBelow(usize, f64),
    Param(usize, &'static str),
    Tag(usize, &'static str),
}

enum Order {
    MetricUp(usize),
    MetricDown(usize),
    /// By text; equal ones follow the order that every search ends with, newest first.
    ParamUp(usize),
    StartDown,
}

pub(super) const SHAPES: [Shape; 5] = [
    Shape { name: "all-by-metric", conditions: &[], order: Order::MetricUp(11), note: "no filter" },
    Shape {
        name: "metric-by-metric",
        conditions: &[Condition::MetricAbove(3, 0.5)],
        order: Order::MetricDown(7),
        note: "finds 50%",
    },
    Shape {
        name: "param-by-start",
        conditions: &[Condition::Param(2, "value-17")],
        order: Order::StartDown,
        note: "finds 2%",
    },
    Shape {
        name: "tag-and-metric-by-metric",
        conditions: &[Condition::Tag(4, "group-07"), Condition::MetricBelow(0, 0.2)],
        order: Order::MetricUp(5),
        note: "finds 1%",
    },
    Shape {
        name: "metric-by-param",
        conditions: &[Condition::MetricAbove(1, 0.9)],
        order: Order::ParamUp(6),
        note: "finds 10%",
    },
];

impl Shape {
    pub(super) fn filter(&self) -> String {
        let conditions = self.conditions.iter().map(|condition| match condition {
            Condition::MetricAbove(key, value) => format!("metrics.metric_{key:02} > {value}"),
            Condition::MetricBelow(key, value) => format!("metrics.metric_{key:02} < {value}"),
            Condition::Param(key, value) => format!("params.param_{key:02} = '{value}'"),
            Condition::Tag(key, value) => format!("tags.tag_{key:02} = '{value}'"),
        });
        conditions.collect::<Vec<_>>().join(" AND ")
    }

    pub(super) fn order(&self) -> String {
        match self.order {
            Order::MetricUp(key) => format!("metrics.metric_{key:02} ASC"),
            Order::MetricDown(key) => format!("metrics.metric_{key:02} DESC"),
            Order::ParamUp(key) => format!("params.param_{key:02} ASC"),
            Order::StartDown => "attributes.start_time DESC".to_owned(),
        }
    }

    /// All runs of `runs` that it finds, in order.
    pub(super) fn answer(&self, runs: u64) -> Vec<RunData> {
        let all = (0..runs).rev().map(|index| RunData { index });
        let mut found: Vec<RunData> = all
            .filter(|run| {
                self.conditions.iter().all(|condition| match condition {
                    Condition::MetricAbove(key, value) => run.metric(*key) > *value,
                    Condition::MetricBelow(key, value) => run.metric(*key) < *value,
                    Condition::Param(key, value) => run.param(*key) == *value,
                    Condition::Tag(key, value) => run.tag(*key) == *value,
                })
            })
            .collect();
        // They are newest first now, and stay so among equals.
        match self.order {
            Order::MetricUp(key) => found.sort_by(|a, b| a.metric(key).total_cmp(&b.metric(key))),
            Order::MetricDown(key) => found.sort_by(|a, b| b.metric(key).total_cmp(&a.metric(key))),
            Order::ParamUp(key) => found.sort_by_cached_key(|run| run.param(key)),
            Order::StartDown => {}
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_find_what_their_notes_say() {
        let shares: Vec<f64> = SHAPES.iter().map(|shape| shape.answer(20_000).len() as f64 / 20_000.0).collect();
        for (share, expected) in shares.iter().zip([1.0, 0.5, 0.02, 0.01, 0.1]) {
            assert!((share / expected - 1.0).abs() < 0.2, "{shares:?}");
        }
    }

    #[test]
    fn answers_are_in_order() {
        let newest: Vec<u64> = SHAPES[2].answer(5_000).iter().map(|run| run.index).collect();
        assert!(newest.is_sorted_by(|a, b| a > b));
        let by_param: Vec<_> = SHAPES[4].answer(5_000).iter().map(|run| (run.param(6), u64::MAX - run.index)).collect();
        assert!(by_param.is_sorted());
    }
}
