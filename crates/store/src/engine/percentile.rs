//! An aggregate function for SQLite, as PostgreSQL's `percentile_cont` has it.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, Result};

/// Makes `percentile_of(value, fraction)` the value at that fraction of all in order, interpolated between neighbours;
/// NULLs do not count.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("percentile_of", 2, flags, Percentile)
}

struct Percentile;

#[derive(Default)]
struct Values {
    values: Vec<f64>,
    fraction: f64,
}

impl Aggregate<Values, Option<f64>> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> Result<Values> {
        Ok(Values::default())
    }

    fn step(&self, context: &mut Context<'_>, state: &mut Values) -> Result<()> {
        state.fraction = context.get(1)?;
        state.values.extend(context.get::<Option<f64>>(0)?);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Values>) -> Result<Option<f64>> {
        Ok(state.and_then(|Values { values, fraction }| percentile(values, fraction)))
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the place is between 0 and the number of values, which fit in memory"
)]
fn percentile(mut values: Vec<f64>, fraction: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let place = fraction.clamp(0.0, 1.0) * values.len().checked_sub(1)? as f64;
    let (below, above) = (values.get(place.floor() as usize)?, values.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        assert_eq!(percentile(vec![], 0.5), None);
        assert_eq!(percentile(vec![3.0], 0.9), Some(3.0));
        assert_eq!(percentile(vec![4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
        assert_eq!(percentile(vec![1.0, 2.0], 1.0), Some(2.0));
    }
}
