//! A block of up to [`BLOCK`] integers: frame of reference with bit packing and patches.
//!
//! The block stores either the integers or their differences, whichever is smaller, less their minimum, less the
//! zero bits that all of them end in (a float that began as 32 bits ends in 29), at one width for all. The few that
//! are wider than that keep their high bits in a list of patches, so that one pause in a run's clock or one NaN does
//! not widen its neighbours (the PFOR scheme of Zukowski et al., "Super-Scalar RAM-CPU Cache Compression", 2006).
//!
//! | part | bytes |
//! |---|---|
//! | head | 1: bits 0-5 width (63 stands for 64), bit 6 patched, bit 7 differences |
//! | minimum | signed varint |
//! | first integer | signed varint, with differences only |
//! | shift, number of patches | 2, if patched |
//! | packed integers | `count * width` bits, rounded up to bytes; one fewer integer with differences |
//! | patches | index byte and varint of the high bits, each |

use super::reader::{CorruptChunk, Reader, write_signed, write_unsigned};

/// Integers in a full block; a patch's index must fit a byte.
pub const BLOCK: usize = 256;

/// The widest packing whose integers, at any bit offset, lie within one unaligned 8-byte word.
const MAX_PACKED_WIDTH: u32 = 56;
const MAX_PATCHES: usize = BLOCK / 8;

/// Integers looked at to choose between them and their differences.
const SAMPLE: usize = 32;

const WIDTH_BITS: u8 = 0x3f;
const WIDTH_64: u8 = 63;
const PATCHED: u8 = 0x40;
const DIFFERENCES: u8 = 0x80;

/// Appends a block of 1 to [`BLOCK`] integers.
pub(super) fn write_block(integers: &[i64], out: &mut Vec<u8>) {
    debug_assert!((1..=BLOCK).contains(&integers.len()));
    let (plain_width, difference_width) = sampled_widths(integers);
    let mut differences = [0; BLOCK];
    let mut by_difference = None;
    if difference_width < plain_width {
        let differences = &mut differences[..integers.len() - 1];
        for (difference, pair) in differences.iter_mut().zip(integers.windows(2)) {
            *difference = pair[1].wrapping_sub(pair[0]);
        }
        let packed = Packed::fit(differences);
        if packed.bits <= integers.len() * (difference_width as usize + 2) {
            return packed.write(Some(integers[0]), out);
        }
        // An outlier that the sample missed: its fall, beside its rise, is the minimum that widens all differences.
        by_difference = Some(packed);
    }
    let mut plain = [0; BLOCK];
    let plain = &mut plain[..integers.len()];
    plain.copy_from_slice(integers);
    let plain = Packed::fit(plain);
    match by_difference {
        Some(packed) if packed.bits < plain.bits => packed.write(Some(integers[0]), out),
        _ => plain.write(None, out),
    }
}

/// Reads a block of as many integers as there is room for: 1 to [`BLOCK`].
pub(super) fn read_block(input: &mut Reader, integers: &mut [i64]) -> Result<(), CorruptChunk> {
    debug_assert!((1..=BLOCK).contains(&integers.len()));
    let head = input.byte()?;
    let minimum = input.signed()?;
    if head & DIFFERENCES == 0 {
        read_residuals(head, input, integers)?;
        for integer in integers {
            *integer = integer.wrapping_add(minimum);
        }
    } else {
        let mut sum = input.signed()?;
        let (first, differences) = integers.split_at_mut(1);
        first[0] = sum;
        read_residuals(head, input, differences)?;
        for integer in differences {
            sum = sum.wrapping_add(minimum).wrapping_add(*integer);
            *integer = sum;
        }
    }
    Ok(())
}

/// Passes over a block of `count` integers, 1 to [`BLOCK`].
pub(super) fn skip_block(input: &mut Reader, count: usize) -> Result<(), CorruptChunk> {
    let head = input.byte()?;
    input.signed()?;
    let mut residuals = count;
    if head & DIFFERENCES != 0 {
        input.signed()?;
        residuals -= 1;
    }
    let (width, _, patches) = read_packing(head, input)?;
    input.take((residuals * width as usize).div_ceil(8))?;
    for _ in 0..patches {
        input.byte()?;
        input.unsigned()?;
    }
    Ok(())
}

/// The mean width of a sample of the integers and of their differences, in bits, without the zeros that all end in.
///
/// The mean is not spoiled by one outlier as the width of the widest is.
fn sampled_widths(integers: &[i64]) -> (u32, u32) {
    let stride = integers.len() / SAMPLE + 1;
    let (mut plain, mut differences) = ([0; SAMPLE], [0; SAMPLE]);
    let mut count = 0;
    for pair in integers.windows(2).step_by(stride) {
        plain[count] = pair[1];
        differences[count] = pair[1].wrapping_sub(pair[0]);
        count += 1;
    }
    let mean_width = |sample: &mut [i64]| {
        let (_, union) = subtract_minimum(sample);
        let shift = union.trailing_zeros() % 64;
        let widths = sample.iter().map(|&residual| width_of(residual as u64 >> shift));
        widths.sum::<u32>().div_ceil(count.max(1) as u32)
    };
    (mean_width(&mut plain[..count]), mean_width(&mut differences[..count]))
}

/// Returns the minimum, and all that remains or-ed.
fn subtract_minimum(integers: &mut [i64]) -> (i64, u64) {
    let minimum = integers.iter().copied().min().unwrap_or(0);
    let mut union = 0;
    for integer in integers {
        *integer = integer.wrapping_sub(minimum);
        union |= *integer as u64;
    }
    (minimum, union)
}

fn width_of(residual: u64) -> u32 {
    64 - residual.leading_zeros()
}

/// Integers less their minimum and less their common zeros, and the cheapest way to pack them.
struct Packed<'a> {
    minimum: i64,
    shift: u32,
    residuals: &'a [i64],
    width: u32,
    patches: usize,
    /// What the packed residuals and their patches take.
    bits: usize,
}

impl<'a> Packed<'a> {
    fn fit(integers: &'a mut [i64]) -> Packed<'a> {
        let (minimum, union) = subtract_minimum(integers);
        if union == 0 {
            return Packed { minimum, shift: 0, residuals: integers, width: 0, patches: 0, bits: 0 };
        }
        let shift = union.trailing_zeros();
        let mut counts = [0u32; 65];
        for integer in integers.iter_mut() {
            let residual = *integer as u64 >> shift;
            *integer = residual as i64;
            counts[width_of(residual) as usize] += 1;
        }

        let count = integers.len();
        let widest = width_of(union >> shift);
        let width = if widest > MAX_PACKED_WIDTH { 64 } else { widest };
        let bits = count * width as usize;
        let mut packed = Packed { minimum, shift, residuals: integers, width, patches: 0, bits };
        let mut patches = 0;
        for width in (0..widest).rev() {
            patches += counts[width as usize + 1] as usize;
            if patches > MAX_PATCHES {
                break;
            }
            let patch_bits = 8 + 8 * (widest - width).div_ceil(7) as usize;
            let bits = count * width as usize + patches * patch_bits;
            if width <= MAX_PACKED_WIDTH && bits < packed.bits {
                packed = Packed { width, patches, bits, ..packed };
            }
        }
        packed
    }

    fn write(&self, first: Option<i64>, out: &mut Vec<u8>) {
        let patched = self.shift > 0 || self.patches > 0;
        let mut head = if self.width == 64 { WIDTH_64 } else { self.width as u8 };
        head |= if patched { PATCHED } else { 0 };
        head |= if first.is_some() { DIFFERENCES } else { 0 };
        out.push(head);
        write_signed(self.minimum, out);
        if let Some(first) = first {
            write_signed(first, out);
        }
        if patched {
            out.extend([self.shift as u8, self.patches as u8]);
        }
        pack(self.residuals, self.width, out);
        if self.patches > 0 {
            for (index, &residual) in self.residuals.iter().enumerate() {
                let high_bits = residual as u64 >> self.width;
                if high_bits > 0 {
                    out.push(index as u8);
                    write_unsigned(high_bits, out);
                }
            }
        }
    }
}

/// Reads the width, the shift and the number of patches.
fn read_packing(head: u8, input: &mut Reader) -> Result<(u32, u32, u8), CorruptChunk> {
    let width = match head & WIDTH_BITS {
        WIDTH_64 => 64,
        width if u32::from(width) <= MAX_PACKED_WIDTH => u32::from(width),
        _ => return Err(CorruptChunk::Malformed("a block is packed at an impossible width")),
    };
    let (shift, patches) = if head & PATCHED == 0 { (0, 0) } else { (u32::from(input.byte()?), input.byte()?) };
    if shift >= 64 || (width == 64 && patches > 0) {
        return Err(CorruptChunk::Malformed("a block is patched beyond 64 bits"));
    }
    Ok((width, shift, patches))
}

fn read_residuals(head: u8, input: &mut Reader, residuals: &mut [i64]) -> Result<(), CorruptChunk> {
    let (width, shift, patches) = read_packing(head, input)?;
    unpack(input.take((residuals.len() * width as usize).div_ceil(8))?, width, residuals);
    for _ in 0..patches {
        let index = usize::from(input.byte()?);
        let high_bits = input.unsigned()?;
        let residual = residuals.get_mut(index).ok_or(CorruptChunk::Malformed("a patch lies outside its block"))?;
        *residual |= (high_bits << width) as i64;
    }
    if shift > 0 {
        for residual in residuals {
            *residual <<= shift;
        }
    }
    Ok(())
}

/// Appends the low `width` bits of each residual, lowest bit first.
fn pack(residuals: &[i64], width: u32, out: &mut Vec<u8>) {
    if width == 64 {
        out.extend(residuals.iter().flat_map(|residual| residual.to_le_bytes()));
        return;
    }
    let mut words = [0u8; BLOCK * 8];
    let mut word_start = 0;
    let mut word = 0u64;
    let mut filled = 0;
    let mask = (1u64 << width) - 1;
    for &residual in residuals {
        let residual = residual as u64 & mask;
        word |= residual << filled;
        filled += width;
        if filled >= 64 {
            words[word_start..word_start + 8].copy_from_slice(&word.to_le_bytes());
            word_start += 8;
            filled -= 64;
            word = residual >> (width - filled);
        }
    }
    words[word_start..word_start + 8].copy_from_slice(&word.to_le_bytes());
    out.extend(&words[..(residuals.len() * width as usize).div_ceil(8)]);
}

/// The reverse of [`pack`]; the bytes are exactly those of the residuals.
fn unpack(bytes: &[u8], width: u32, residuals: &mut [i64]) {
    if width == 0 {
        residuals.fill(0);
        return;
    }
    if width == 64 {
        for (residual, word) in residuals.iter_mut().zip(bytes.chunks_exact(8)) {
            *residual = read_word(word, 0) as i64;
        }
        return;
    }
    // The last integers are read as whole words too, which reach past the end.
    let mut padded = [0u8; BLOCK * MAX_PACKED_WIDTH as usize / 8 + 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    let mask = (1u64 << width) - 1;
    let mut bit = 0;
    for residual in residuals {
        *residual = ((read_word(&padded, bit / 8) >> (bit % 8)) & mask) as i64;
        bit += width as usize;
    }
}

fn read_word(bytes: &[u8], start: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[start..start + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(integers: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_block(integers, &mut bytes);
        bytes
    }

    fn read(bytes: &[u8], count: usize) -> Result<Vec<i64>, CorruptChunk> {
        let mut integers = vec![0; count];
        let mut reader = Reader::new(bytes);
        read_block(&mut reader, &mut integers)?;
        assert_eq!(reader.remaining(), 0);
        Ok(integers)
    }

    fn integers() -> impl Strategy<Value = Vec<i64>> {
        let mostly_narrow = (0u32..64).prop_flat_map(|narrowing| {
            prop::collection::vec(
                prop_oneof![20 => any::<i64>().prop_map(move |wide| wide >> narrowing), 1 => any::<i64>()],
                1..=BLOCK,
            )
        });
        (mostly_narrow, 0u32..64).prop_map(|(mut integers, shift)| {
            integers.iter_mut().for_each(|integer| *integer <<= shift);
            integers
        })
    }

    proptest! {
        #[test]
        fn blocks_round_trip(integers in integers()) {
            prop_assert_eq!(read(&written(&integers), integers.len()), Ok(integers));
        }

        #[test]
        fn a_block_passed_over_ends_where_a_block_read_does(integers in integers()) {
            let bytes = written(&integers);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(skip_block(&mut reader, integers.len()), Ok(()));
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..3000), count in 1..=BLOCK) {
            let mut integers = vec![0; count];
            let _ = read_block(&mut Reader::new(&bytes), &mut integers);
            let _ = skip_block(&mut Reader::new(&bytes), count);
        }
    }

    #[test]
    fn every_width_round_trips() {
        for width in 1..=64 {
            for count in [1, 2, 7, 64, BLOCK] {
                let widest = u64::MAX >> (64 - width);
                let integers: Vec<i64> = (0..count as u64).map(|index| (widest - index % 2) as i64).collect();
                assert_eq!(read(&written(&integers), count), Ok(integers));
            }
        }
    }

    #[test]
    fn a_constant_stride_takes_no_bits() {
        let strides: Vec<i64> = (0..BLOCK as i64).map(|index| index * 10).collect();
        assert_eq!(written(&strides).len(), 3);
    }

    #[test]
    fn an_outlier_does_not_widen_its_neighbours() {
        let mut integers: Vec<i64> = (0..BLOCK as i64).map(|index| index * index % 16).collect();
        let without = written(&integers).len();
        integers[100] = 1 << 60;
        assert!(written(&integers).len() <= without + 13);
    }

    #[test]
    fn an_outlier_does_not_widen_its_neighbours_differences() {
        let mut integers: Vec<i64> = (0..BLOCK as i64).map(|index| 1000 * index + index * index % 16).collect();
        let as_they_are = 18 * BLOCK / 8;
        for outlier in 0..BLOCK {
            let before = std::mem::replace(&mut integers[outlier], 1 << 60);
            assert!(written(&integers).len() <= as_they_are + 20);
            integers[outlier] = before;
        }
    }

    #[test]
    fn extremes_round_trip() {
        let integers = vec![i64::MAX, i64::MIN, 0, -1, i64::MIN, i64::MAX];
        assert_eq!(read(&written(&integers), integers.len()), Ok(integers));
    }
}
