//! The bytes of a chunk.
//!
//! | part | bytes |
//! |---|---|
//! | header | 1: format version in the high 4 bits, layout in the low 4 |
//! | body | as the layout says |
//! | checksum | 4: CRC-32C of all before it, little-endian |
//!
//! Layout 0 to 8 is a single point: step and timestamp as signed varints, then that many leading bytes of the value's
//! big-endian bits; the missing ones are zero. Layout 15 is any number of points: their count as a varint, then for
//! every [`BLOCK`] of them a block of steps, one of timestamps and one of values.

use stele_domain::Point;

use super::block::{BLOCK, read_block, skip_block, write_block};
use super::reader::{CorruptChunk, Reader, with_checksum, without_checksum, write_signed, write_unsigned};
use super::values::{read_values, skip_values, stored_bits, write_values};

const VERSION: u8 = 0x10;
const COLUMNS: u8 = 0x0f;

/// The least that three blocks take: head and minimum each, and the values' exponent.
const MIN_BLOCKS_BYTES: usize = 7;

/// Encodes points in the order given. Every bit survives, except that all NaN become one NaN.
pub fn encode(points: &[Point]) -> Vec<u8> {
    with_checksum(match points {
        [point] => encode_single(point),
        _ => {
            let mut out = Vec::with_capacity(32 + points.len() * 8);
            out.push(VERSION | COLUMNS);
            write_columns(points, &mut out);
            out
        }
    })
}

/// Decodes the points of a chunk in the order in which they were encoded.
pub fn decode(bytes: &[u8]) -> Result<Vec<Point>, CorruptChunk> {
    let mut points = Vec::new();
    decode_blocks(bytes, |_| true, &mut points)?;
    Ok(points)
}

/// Appends the points of the blocks of a chunk that are `wanted`, by their index: block `i` has the [`BLOCK`] points
/// from `i * BLOCK` on. A corrupt chunk appends nothing.
///
/// Memory is bounded by a constant multiple of the length of `bytes`, whatever they claim.
pub fn decode_blocks(
    bytes: &[u8],
    mut wanted: impl FnMut(usize) -> bool,
    points: &mut Vec<Point>,
) -> Result<(), CorruptChunk> {
    let mut input = Reader::new(without_checksum(bytes)?);
    let header = input.byte()?;
    let already_there = points.len();
    let result = match header ^ VERSION {
        COLUMNS => read_columns(&mut input, wanted, points),
        value_bytes @ 0..=8 => decode_single(&mut input, value_bytes).map(|point| {
            if wanted(0) {
                points.push(point);
            }
        }),
        _ => Err(CorruptChunk::UnknownHeader(header)),
    };
    let result = match result {
        Ok(()) if input.remaining() > 0 => Err(CorruptChunk::Malformed("bytes follow the last point")),
        result => result,
    };
    if result.is_err() {
        points.truncate(already_there);
    }
    result
}

fn encode_single(point: &Point) -> Vec<u8> {
    let bits = stored_bits(point.value);
    let value_bytes = 8 - bits.trailing_zeros() as usize / 8;
    let mut out = Vec::with_capacity(24);
    out.push(VERSION | value_bytes as u8);
    write_signed(point.step, &mut out);
    write_signed(point.timestamp, &mut out);
    out.extend(&bits.to_be_bytes()[..value_bytes]);
    out
}

fn decode_single(input: &mut Reader, value_bytes: u8) -> Result<Point, CorruptChunk> {
    let step = input.signed()?;
    let timestamp = input.signed()?;
    let leading = input.take(usize::from(value_bytes))?;
    let mut bits = [0; 8];
    bits[..leading.len()].copy_from_slice(leading);
    Ok(Point { step, timestamp, value: f64::from_be_bytes(bits) })
}

/// Appends the count of the points and their blocks.
pub(super) fn write_columns(points: &[Point], out: &mut Vec<u8>) {
    write_unsigned(points.len() as u64, out);
    let (mut steps, mut timestamps, mut values) = ([0; BLOCK], [0; BLOCK], [0.0; BLOCK]);
    for block in points.chunks(BLOCK) {
        for (index, point) in block.iter().enumerate() {
            steps[index] = point.step;
            timestamps[index] = point.timestamp;
            values[index] = point.value;
        }
        write_block(&steps[..block.len()], out);
        write_block(&timestamps[..block.len()], out);
        write_values(&values[..block.len()], out);
    }
}

/// The reverse of [`write_columns`], of the blocks that are wanted.
pub(super) fn read_columns(
    input: &mut Reader,
    mut wanted: impl FnMut(usize) -> bool,
    points: &mut Vec<Point>,
) -> Result<(), CorruptChunk> {
    let count = input.unsigned()?;
    let most = (input.remaining() / MIN_BLOCKS_BYTES).saturating_mul(BLOCK);
    let count = usize::try_from(count).ok().filter(|&count| count <= most).ok_or(CorruptChunk::Truncated)?;
    points.reserve(count);
    let (mut steps, mut timestamps, mut values) = ([0; BLOCK], [0; BLOCK], [0.0; BLOCK]);
    for (index, start) in (0..count).step_by(BLOCK).enumerate() {
        let length = (count - start).min(BLOCK);
        if !wanted(index) {
            skip_block(input, length)?;
            skip_block(input, length)?;
            skip_values(input, length)?;
            continue;
        }
        read_block(input, &mut steps[..length])?;
        read_block(input, &mut timestamps[..length])?;
        read_values(input, &mut values[..length])?;
        let columns = steps.iter().zip(&timestamps).zip(&values).take(length);
        points.extend(columns.map(|((&step, &timestamp), &value)| Point { step, timestamp, value }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::series::testing::{any_point, regular_points};

    fn bits(points: &[Point]) -> Vec<(i64, i64, u64)> {
        points.iter().map(|point| (point.step, point.timestamp, stored_bits(point.value))).collect()
    }

    fn bytes_per_point(points: &[Point]) -> f64 {
        encode(points).len() as f64 / points.len() as f64
    }

    proptest! {
        #[test]
        fn points_round_trip(points in prop::collection::vec(any_point(), 0..700)) {
            let decoded = decode(&encode(&points)).expect("what was encoded decodes");
            prop_assert_eq!(bits(&decoded), bits(&points));
        }

        #[test]
        fn a_single_point_round_trips(point in any_point()) {
            let decoded = decode(&encode(&[point])).expect("what was encoded decodes");
            prop_assert_eq!(bits(&decoded), bits(&[point]));
        }

        #[test]
        fn only_wanted_blocks_are_decoded(
            points in prop::collection::vec(any_point(), 1..1500),
            wanted in prop::collection::vec(any::<bool>(), 6),
        ) {
            let mut decoded = Vec::new();
            prop_assert_eq!(decode_blocks(&encode(&points), |block| wanted[block], &mut decoded), Ok(()));
            let blocks = points.chunks(BLOCK).zip(&wanted).filter(|(_, wanted)| **wanted);
            let expected: Vec<Point> = blocks.flat_map(|(block, _)| block.to_vec()).collect();
            prop_assert_eq!(bits(&decoded), bits(&expected));
        }

        #[test]
        fn any_changed_byte_is_noticed(
            points in prop::collection::vec(any_point(), 1..20),
            position in any::<prop::sample::Index>(),
            change in 1u8..,
        ) {
            let mut bytes = encode(&points);
            let position = position.index(bytes.len());
            bytes[position] ^= change;
            prop_assert_eq!(decode(&bytes), Err(CorruptChunk::Checksum));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn garbage_with_a_right_checksum_never_panics(
            layout in prop_oneof![0u8..=8, Just(COLUMNS)],
            count in prop_oneof![0u64..2000, any::<u64>()],
            garbage in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut body = vec![VERSION | layout];
            write_unsigned(count, &mut body);
            body.extend(garbage);
            let length = body.len();
            let mut points = vec![Point::new(1, 2, 3.0)];
            let result = decode_blocks(&with_checksum(body), |_| true, &mut points);
            prop_assert!(result.is_ok() || points.len() == 1);
            prop_assert!(points.capacity() <= 4 + length * BLOCK);
        }

        #[test]
        fn damage_with_a_right_checksum_never_panics(
            points in prop::collection::vec(any_point(), 2..600),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut body = vec![VERSION | COLUMNS];
            write_columns(&points, &mut body);
            for (position, byte) in damage {
                let position = position.index(body.len());
                body[position] = byte;
            }
            let _ = decode(&with_checksum(body));
        }
    }

    #[test]
    fn no_points_round_trip() {
        assert_eq!(decode(&encode(&[])), Ok(vec![]));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = encode(&regular_points(300, |index| index as f64));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn a_later_version_is_refused_by_name() {
        assert_eq!(decode(&with_checksum(vec![0x2f, 0])), Err(CorruptChunk::UnknownHeader(0x2f)));
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_it_is_allocated() {
        let mut body = vec![VERSION | COLUMNS];
        write_unsigned(u64::MAX, &mut body);
        assert_eq!(decode(&with_checksum(body)), Err(CorruptChunk::Truncated));
    }

    #[test]
    fn the_format_of_version_1_does_not_change() {
        let points: Vec<Point> = (0..5).map(|index| Point::new(index, 1000 + 3 * index, 0.5 * index as f64)).collect();
        assert_eq!(hex::encode(encode(&points)), "1f058002008006d00f01800a00fa5a613c");
        assert_eq!(hex::encode(encode(&points[1..2])), "1202d60f3fe070ec09e0");
        let mut bits: Vec<Point> =
            (0..64).map(|index| Point::new(3, 7, f64::from(1.0 / (index + 64) as f32))).collect();
        bits[20].value = f64::NAN;
        let bytes = encode(&bits);
        assert_eq!((bytes.len(), hex::encode(&bytes[bytes.len() - 4..]).as_str()), (210, "3ad4d6f2"));
    }

    #[test]
    fn a_single_point_is_tiny() {
        assert!(encode(&[Point::new(8000, 1_790_000_000_000, 0.1)]).len() <= 21);
        assert!(encode(&[Point::new(8000, 1_790_000_000_000, f64::from(0.1f32))]).len() <= 18);
        assert!(encode(&[Point::new(0, 1_790_000_000_000, 1.0)]).len() <= 14);
    }

    #[test]
    fn realistic_series_are_small() {
        let loss = |index: usize| 2.0 / (1.0 + index as f64 / 500.0) + 0.05 * (index as f64 * 12.9898).sin();
        let cosine = |index: usize| 1e-3 * 0.5 * (1.0 + (std::f64::consts::PI * index as f64 / 4096.0).cos());
        assert!(bytes_per_point(&regular_points(4096, loss)) < 7.6);
        assert!(bytes_per_point(&regular_points(4096, |index| f64::from(loss(index) as f32))) < 4.0);
        assert!(bytes_per_point(&regular_points(4096, |index| (loss(index) * 1e4).round() / 1e4)) < 2.6);
        assert!(bytes_per_point(&regular_points(4096, cosine)) < 6.0);
        assert!(bytes_per_point(&regular_points(4096, |_| 1e-4)) < 0.9);
    }
}
