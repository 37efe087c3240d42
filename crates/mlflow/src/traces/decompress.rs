use std::io::Read;

use axum::body::Bytes;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::error::{Failure, Result};

/// A body as it was before the client compressed it. It must not be larger than `most` then.
pub(super) fn decompress(body: Bytes, encoding: Option<&str>, most: usize) -> Result<Bytes> {
    match encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(body),
        Some("gzip") => read(GzDecoder::new(&body[..]), "gzip", most),
        // Some clients leave out the two bytes of the header.
        Some("deflate") => read(ZlibDecoder::new(&body[..]), "deflate", most)
            .or_else(|_| read(DeflateDecoder::new(&body[..]), "deflate", most)),
        Some(_) => Err(Failure::invalid("Unsupported Content-Encoding: it must be gzip, deflate or identity")),
    }
}

fn read(decoder: impl Read, encoding: &str, most: usize) -> Result<Bytes> {
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|_| Failure::invalid(format!("Failed to decompress {encoding} payload")))?;
    if plain.len() > most {
        return Err(Failure::invalid(format!("The request body is larger than {most} bytes when it is decompressed")));
    }
    Ok(plain.into())
}
