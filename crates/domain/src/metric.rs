use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// One logged value of a metric.
///
/// Points are ordered by step, then timestamp, then value, where values follow `f64::total_cmp` with two exceptions:
/// -0.0 is 0.0, and every NaN is the same NaN, just above zero, which is where MLflow's servers have it. Equality agrees
/// with that order, so that a batch which a client sends again is recognised whatever bits its NaNs carry.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub step: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// May be NaN or infinite.
    pub value: f64,
}

impl Point {
    pub fn new(step: i64, timestamp: i64, value: f64) -> Point {
        Point { step, timestamp, value }
    }

    /// The order of histories: timestamp, then step, then value.
    pub fn cmp_by_time(&self, other: &Point) -> Ordering {
        self.timestamp.cmp(&other.timestamp).then_with(|| self.cmp(other))
    }

    /// What orders and identifies the value as the type's documentation says.
    fn value_key(&self) -> (i64, bool) {
        if self.value.is_nan() || self.value == 0.0 {
            return (0, self.value.is_nan());
        }
        // Negative floats grow downwards in their bits: flipping all but the sign puts them in integer order.
        let bits = self.value.to_bits() as i64;
        (bits ^ (((bits >> 63) as u64) >> 1) as i64, false)
    }
}

impl PartialEq for Point {
    fn eq(&self, other: &Point) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Point {}

impl PartialOrd for Point {
    fn partial_cmp(&self, other: &Point) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Point {
    fn cmp(&self, other: &Point) -> Ordering {
        self.step
            .cmp(&other.step)
            .then(self.timestamp.cmp(&other.timestamp))
            .then_with(|| self.value_key().cmp(&other.value_key()))
    }
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.step.hash(state);
        self.timestamp.hash(state);
        self.value_key().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_origin(value: f64) -> Point {
        Point::new(0, 0, value)
    }

    #[test]
    fn every_nan_is_the_same_point() {
        let odd_nan = f64::from_bits(0xfff0_0000_0000_0001);
        assert!(odd_nan.is_nan());
        assert_eq!(at_origin(odd_nan), at_origin(f64::NAN));
        assert!(at_origin(odd_nan) > at_origin(0.0));
        assert!(at_origin(odd_nan) < at_origin(f64::MIN_POSITIVE));
    }

    #[test]
    fn zeros_of_either_sign_are_the_same_point() {
        assert_eq!(at_origin(-0.0), at_origin(0.0));
        assert!(at_origin(-f64::MIN_POSITIVE) < at_origin(-0.0));
    }

    #[test]
    fn step_outranks_timestamp_and_timestamp_outranks_value() {
        assert!(Point::new(1, 9, 9.0) < Point::new(2, 0, 0.0));
        assert!(Point::new(1, 1, 9.0) < Point::new(1, 2, 0.0));
        assert!(Point::new(1, 1, -9.0) < Point::new(1, 1, -8.0));
    }

    proptest! {
        #[test]
        fn values_follow_total_cmp(left in any::<u64>(), right in any::<u64>()) {
            let (left, right) = (f64::from_bits(left), f64::from_bits(right));
            prop_assume!(!left.is_nan() && !right.is_nan());
            prop_assume!(left != 0.0 || right != 0.0);
            prop_assert_eq!(at_origin(left).cmp(&at_origin(right)), left.total_cmp(&right));
        }
    }
}
