//! A block of spans: OpenTelemetry's own message of spans, deflated.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use prost::Message;
use stele_domain::otlp::{ScopeSpans, Span};
use stele_domain::trace::MOST_SPAN_BYTES;
use stele_domain::{Error, Result};

/// Compresses spans.
pub(crate) fn pack(spans: Vec<Span>) -> Result<Vec<u8>> {
    let plain = ScopeSpans { spans }.encode_to_vec();
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::fast());
    encoder
        .write_all(&plain)
        .and_then(|()| encoder.finish())
        .map_err(|error| Error::internal(format!("spans cannot be compressed: {error}")))
}

/// The spans that [`pack`] has compressed.
pub(crate) fn unpack(block: &[u8]) -> Result<Vec<Span>> {
    // More than a trace may have, with what the message adds to its spans.
    const MOST: u64 = 2 * MOST_SPAN_BYTES as u64;
    let damaged = |error: String| Error::internal(format!("a block of spans is damaged: {error}"));
    let mut plain = Vec::with_capacity(block.len() * 3);
    ZlibDecoder::new(block).take(MOST).read_to_end(&mut plain).map_err(|error| damaged(error.to_string()))?;
    ScopeSpans::decode(plain.as_slice()).map(|scope| scope.spans).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stele_domain::otlp::{AnyValue, KeyValue};

    use super::*;

    proptest! {
        #[test]
        fn blocks_give_back_what_went_in(names in prop::collection::vec(".*", 0..20), start in 0_u64..u64::MAX) {
            let spans: Vec<Span> = names.iter().map(|name| Span {
                span_id: vec![1; 8],
                name: name.clone(),
                start_time_unix_nano: start,
                attributes: vec![KeyValue::new(name.clone(), AnyValue::text(name.clone()))],
                ..Span::default()
            }).collect();
            prop_assert_eq!(unpack(&pack(spans.clone()).unwrap()).unwrap(), spans);
        }

        #[test]
        fn damage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
        }
    }
}
