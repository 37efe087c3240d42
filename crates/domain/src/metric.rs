/// One logged value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub step: i64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub timestamp: i64,
    pub value: f64,
}
