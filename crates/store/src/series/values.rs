//! Float values as blocks of integers: scaled decimals where that is exact, their bits otherwise.
//!
//! People log rounded numbers, counts and schedules (0.9312, 128, 1e-4): such values are small integers over a power
//! of ten, and a correctly rounded division gives back exactly the float that their decimal text denotes (the idea
//! of Afroozeh et al., "ALP: Adaptive Lossless Floating-Point Compression", 2023). Everything else, NaN and
//! infinities included, is packed as the bits of the float.

use super::block::{BLOCK, read_block, skip_block, write_block};
use super::reader::{CorruptChunk, Reader};

/// The first byte of a block of values that holds bits; a smaller one is the power of ten that divides.
const BITS: u8 = 0xff;

const POWERS_OF_TEN: [f64; 9] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// Adding and subtracting this rounds a float of less than 2^51 to an integer, without a library call on any CPU.
const ROUNDER: f64 = 1.5 * (1u64 << 52) as f64;

/// Scaled decimals stay below this, where scaling and rounding are sure to find the nearest one.
const MAX_SCALED: f64 = (1u64 << 48) as f64;

/// The one NaN that is stored.
const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

/// The bits by which a value is stored: its own, but the same for every NaN.
pub(super) fn stored_bits(value: f64) -> u64 {
    if value.is_nan() { NAN_BITS } else { value.to_bits() }
}

/// Appends a block of 1 to [`BLOCK`] values.
pub(super) fn write_values(values: &[f64], out: &mut Vec<u8>) {
    let mut integers = [0; BLOCK];
    let integers = &mut integers[..values.len()];
    if let Some(exponent) = scale_all(values, integers) {
        out.push(exponent);
    } else {
        out.push(BITS);
        for (integer, &value) in integers.iter_mut().zip(values) {
            *integer = stored_bits(value) as i64;
        }
    }
    write_block(integers, out);
}

/// Reads a block of as many values as there is room for: 1 to [`BLOCK`].
pub(super) fn read_values(input: &mut Reader, values: &mut [f64]) -> Result<(), CorruptChunk> {
    let mut integers = [0; BLOCK];
    let integers = &mut integers[..values.len()];
    let exponent = input.byte()?;
    read_block(input, integers)?;
    if exponent == BITS {
        for (value, &integer) in values.iter_mut().zip(integers.iter()) {
            *value = f64::from_bits(integer as u64);
        }
    } else {
        let power =
            POWERS_OF_TEN.get(usize::from(exponent)).ok_or(CorruptChunk::Malformed("values are scaled by too much"))?;
        for (value, &integer) in values.iter_mut().zip(integers.iter()) {
            *value = integer as f64 / power;
        }
    }
    Ok(())
}

/// Passes over a block of `count` values.
pub(super) fn skip_values(input: &mut Reader, count: usize) -> Result<(), CorruptChunk> {
    input.byte()?;
    skip_block(input, count)
}

/// Scales every value to an integer by the smallest power of ten that loses nothing, if there is one.
fn scale_all(values: &[f64], scaled: &mut [i64]) -> Option<u8> {
    let mut exponent = 0;
    let mut start = 0;
    while let Some(&value) = values.get(start) {
        exponent += POWERS_OF_TEN[exponent..].iter().position(|&power| scale(value, power).is_some())?;
        let power = POWERS_OF_TEN[exponent];
        // A later value may need more digits; the earlier ones then fit too, and are scaled again from the start.
        start = match values.iter().zip(scaled.iter_mut()).position(|(&value, slot)| match scale(value, power) {
            Some(integer) => {
                *slot = integer;
                false
            }
            None => true,
        }) {
            Some(misfit) => misfit,
            None => return Some(exponent as u8),
        };
    }
    None
}

fn scale(value: f64, power: f64) -> Option<i64> {
    let rounded = value * power + ROUNDER - ROUNDER;
    // Comparing bits keeps -0.0, which has no integer, out.
    let exact = (rounded / power).to_bits() == value.to_bits() && rounded.abs() < MAX_SCALED;
    exact.then_some(rounded as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::any_value;

    fn written(values: &[f64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_values(values, &mut bytes);
        bytes
    }

    fn assert_round_trips(values: &[f64]) {
        let mut read = vec![0.0; values.len()];
        read_values(&mut Reader::new(&written(values)), &mut read).expect("what was written is readable");
        let bits = |values: &[f64]| values.iter().map(|&value| stored_bits(value)).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(values));
    }

    proptest! {
        #[test]
        fn values_round_trip(values in prop::collection::vec(any_value(), 1..=BLOCK)) {
            assert_round_trips(&values);
        }

        #[test]
        fn decimals_round_trip_in_few_bytes(
            scaled in prop::collection::vec(-9999i64..=9999, 1..=BLOCK),
            power in prop::sample::select(&POWERS_OF_TEN[..]),
        ) {
            let values: Vec<f64> = scaled.iter().map(|&integer| integer as f64 / power).collect();
            assert_round_trips(&values);
            prop_assert!(written(&values).len() <= 8 + 2 * values.len());
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..3000), count in 1..=BLOCK) {
            let _ = read_values(&mut Reader::new(&bytes), &mut vec![0.0; count]);
        }
    }

    #[test]
    fn a_later_value_may_need_more_digits() {
        let values = [1.0, 2.5, 3.0, 4.125, 5.0];
        assert_eq!(written(&values)[0], 3);
        assert_round_trips(&values);
    }

    #[test]
    fn special_values_round_trip() {
        let huge = 2f64.powi(60);
        assert_round_trips(&[0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, huge, -1.5]);
        assert_round_trips(&[huge]);
        assert_round_trips(&[-0.0]);
    }

    #[test]
    fn floats_of_32_bits_take_their_mantissa_only() {
        let values: Vec<f64> = (0..BLOCK).map(|index| f64::from(0.25 + (index as f32).sin().abs() / 4.0)).collect();
        assert!(written(&values).len() < 24 + 3 * BLOCK);
        assert_round_trips(&values);
    }
}
