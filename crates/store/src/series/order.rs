use std::cmp::Ordering;

use stele_domain::Point;

use super::merge::CHUNK_POINTS;

/// An order to read the points of a series in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Step, then timestamp, then value: the order of points.
    Step,
    /// Timestamp, then step, then value.
    Time,
}

impl Order {
    pub fn cmp(self, a: &Point, b: &Point) -> Ordering {
        match self {
            Order::Step => a.cmp(b),
            Order::Time => a.cmp_by_time(b),
        }
    }
}

/// Puts the points of chunks in order while they come, holding back no more than about twice what overlaps.
///
/// The chunks come by their least point.
pub struct Sequencer {
    order: Order,
    pending: Vec<Point>,
    /// How many points to gather before the next sort, so that chunks which all overlap are not sorted each time.
    enough: usize,
}

impl Sequencer {
    pub fn new(order: Order) -> Sequencer {
        Sequencer { order, pending: Vec::new(), enough: CHUNK_POINTS.get() }
    }

    /// Where to put the points of the next chunk.
    pub fn pending(&mut self) -> &mut Vec<Point> {
        &mut self.pending
    }

    /// Takes out points that are in order and before all that still comes, which begins with `next`; without a next
    /// one, that is all points.
    pub fn settled(&mut self, next: Option<&Point>) -> Vec<Point> {
        if next.is_some() && self.pending.len() < self.enough {
            return Vec::new();
        }
        let order = self.order;
        if !self.pending.is_sorted_by(|a, b| order.cmp(a, b).is_le()) {
            // Stable, since that finds the runs that are sorted already and merges them.
            self.pending.sort_by(|a, b| order.cmp(a, b));
        }
        let Some(next) = next else { return std::mem::take(&mut self.pending) };
        let count = self.pending.partition_point(|point| order.cmp(point, next).is_lt());
        let rest = self.pending.split_off(count);
        self.enough = CHUNK_POINTS.get().max(rest.len() * 2);
        std::mem::replace(&mut self.pending, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::{any_point, crowded_point};

    proptest! {
        #[test]
        fn points_come_out_in_order(
            mut chunks in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any_point(), 1..20),
                    prop::collection::vec(crowded_point(), 1..20),
                ],
                0..12,
            ),
            order in prop::sample::select(&[Order::Step, Order::Time][..]),
            enough in 1usize..60,
        ) {
            let least = |chunk: &[Point]| chunk.iter().copied().min_by(|a, b| order.cmp(a, b));
            chunks.sort_by(|a, b| order.cmp(&least(a).unwrap(), &least(b).unwrap()));
            let mut sequencer = Sequencer { enough, ..Sequencer::new(order) };
            let mut out = Vec::new();
            for (index, chunk) in chunks.iter().enumerate() {
                sequencer.pending().extend(chunk);
                out.extend(sequencer.settled(chunks.get(index + 1).and_then(|next| least(next)).as_ref()));
            }
            let mut expected = chunks.concat();
            expected.sort_by(|a, b| order.cmp(a, b));
            prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn what_cannot_change_any_more_is_not_held_back() {
        let chunk = |from: i64| (from..from + 4096).map(|step| Point::new(step, 0, 0.0)).collect::<Vec<_>>();
        let mut sequencer = Sequencer::new(Order::Time);
        for start in [0, 4000, 8000] {
            sequencer.pending().extend(chunk(start));
            assert!(sequencer.settled(Some(&Point::new(start + 4000, 0, 0.0))).len() >= 4000);
        }
    }
}
