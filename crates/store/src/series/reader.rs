/// Why stored bytes are not a chunk. No points are returned with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CorruptChunk {
    #[error("the chunk ends before its last point")]
    Truncated,
    #[error("chunk header {0:#04x} is not one this version can read")]
    UnknownHeader(u8),
    #[error("the chunk does not match its checksum")]
    Checksum,
    #[error("the chunk is malformed: {0}")]
    Malformed(&'static str),
}

const CHECKSUM_BYTES: usize = 4;

/// Appends the CRC-32C of the bytes, little-endian.
pub(super) fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc_fast::crc32_iscsi(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// The bytes before the checksum, if they match it.
pub(super) fn without_checksum(bytes: &[u8]) -> Result<&[u8], CorruptChunk> {
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(CorruptChunk::Truncated)?;
    if crc_fast::crc32_iscsi(body) == u32::from_le_bytes(*checksum) { Ok(body) } else { Err(CorruptChunk::Checksum) }
}

/// Takes a chunk's bytes from front to back.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CorruptChunk> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CorruptChunk::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CorruptChunk> {
        let (&byte, rest) = self.rest.split_first().ok_or(CorruptChunk::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    /// An unsigned integer of 7 bits a byte, lowest first (LEB128).
    pub(super) fn unsigned(&mut self) -> Result<u64, CorruptChunk> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CorruptChunk::Malformed("an integer exceeds 64 bits"))
    }

    /// A signed integer whose sign is the lowest bit (zigzag), so that small numbers of either sign stay short.
    pub(super) fn signed(&mut self) -> Result<i64, CorruptChunk> {
        let zigzag = self.unsigned()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }
}

pub(super) fn write_unsigned(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn write_signed(value: i64, out: &mut Vec<u8>) {
    write_unsigned(((value << 1) ^ (value >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_round_trip(unsigned in any::<u64>(), signed in any::<i64>(), narrowing in 0u32..64) {
            let (unsigned, signed) = (unsigned >> narrowing, signed >> narrowing);
            let mut bytes = Vec::new();
            write_unsigned(unsigned, &mut bytes);
            write_signed(signed, &mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.unsigned(), Ok(unsigned));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn extremes_round_trip() {
        for value in [i64::MIN, -1, 0, 1, i64::MAX] {
            let mut bytes = Vec::new();
            write_signed(value, &mut bytes);
            assert_eq!(Reader::new(&bytes).signed(), Ok(value));
        }
    }

    #[test]
    fn an_integer_of_more_than_64_bits_is_refused() {
        let eleven_bytes = [0xff; 11];
        assert!(matches!(Reader::new(&eleven_bytes).unsigned(), Err(CorruptChunk::Malformed(_))));
        let mut bit_64 = [0x80; 10];
        bit_64[9] = 0x02;
        assert!(matches!(Reader::new(&bit_64).unsigned(), Err(CorruptChunk::Malformed(_))));
    }

    #[test]
    fn an_integer_cut_short_is_refused() {
        assert_eq!(Reader::new(&[0x80]).unsigned(), Err(CorruptChunk::Truncated));
    }
}
