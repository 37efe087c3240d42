//! Bodies in chunks, as AWS publishes the encoding `aws-chunked`: each chunk is its size in hex, perhaps with a signature
//! that follows from the one before, and its bytes; after an empty chunk come trailing headers.

use std::collections::BTreeMap;

use aws_lc_rs::{constant_time, digest, hmac};
use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use stele_app::{SignedBody, SignedPayload};

/// The longest line between chunks, and the most trailing headers.
const MOST_LINE: usize = 8 * 1024;
const MOST_TRAILERS: usize = 32;

pub(super) type Chunk = Result<Bytes, String>;

/// What comes next of a body.
pub(super) enum Next {
    Bytes(Bytes),
    /// The end, with the trailing headers by their lowercase name.
    End(BTreeMap<String, String>),
}

pub(super) struct Chunks {
    body: BodyDataStream,
    buffer: BytesMut,
    /// Bytes of the chunk at hand that are still to come.
    left: u64,
    open: bool,
    signatures: Option<Signatures>,
}

struct Signatures {
    signed: SignedBody,
    before: String,
    /// Of the chunk at hand: what it says, and its hash so far.
    said: String,
    hash: digest::Context,
}

impl Chunks {
    pub(super) fn new(body: Body, signed: Option<SignedBody>) -> Chunks {
        let signed =
            signed.filter(|signed| matches!(signed.payload, SignedPayload::Chunks | SignedPayload::ChunksAndTrailer));
        let signatures = signed.map(|signed| Signatures {
            before: signed.seed.clone(),
            signed,
            said: String::new(),
            hash: digest::Context::new(&digest::SHA256),
        });
        Chunks { body: body.into_data_stream(), buffer: BytesMut::new(), left: 0, open: false, signatures }
    }

    pub(super) async fn next(&mut self) -> Result<Next, String> {
        loop {
            if self.left > 0 {
                let part = self.some(self.left).await?;
                self.left -= part.len() as u64;
                if let Some(signatures) = &mut self.signatures {
                    signatures.hash.update(&part);
                }
                return Ok(Next::Bytes(part));
            }
            if self.open {
                if !self.line().await?.is_empty() {
                    return Err("a chunk is longer than it says".to_owned());
                }
                self.open = false;
                self.check_chunk()?;
            }
            let line = self.line().await?;
            let (size, extension) = line.split_once(';').unwrap_or((&line, ""));
            self.left =
                u64::from_str_radix(size.trim(), 16).map_err(|_| format!("'{size}' is not the size of a chunk"))?;
            if let Some(signatures) = &mut self.signatures {
                let said = extension.trim().strip_prefix("chunk-signature=").unwrap_or("");
                said.clone_into(&mut signatures.said);
            }
            if self.left == 0 {
                self.check_chunk()?;
                return self.trailers().await.map(Next::End);
            }
            self.open = true;
        }
    }

    fn check_chunk(&mut self) -> Result<(), String> {
        let Some(signatures) = &mut self.signatures else { return Ok(()) };
        let hash = std::mem::replace(&mut signatures.hash, digest::Context::new(&digest::SHA256)).finish();
        let nothing = hex::encode(digest::digest(&digest::SHA256, b""));
        let text = format!("{nothing}\n{}", hex::encode(hash));
        let said = std::mem::take(&mut signatures.said);
        signatures.check("AWS4-HMAC-SHA256-PAYLOAD", &text, &said)
    }

    async fn trailers(&mut self) -> Result<BTreeMap<String, String>, String> {
        let mut trailers = BTreeMap::new();
        let mut signed = String::new();
        loop {
            let line = match self.line().await {
                Ok(line) => line,
                Err(_) if self.buffer.is_empty() => break,
                Err(error) => return Err(error),
            };
            if line.is_empty() {
                break;
            }
            if trailers.len() == MOST_TRAILERS {
                return Err(format!("more than {MOST_TRAILERS} headers trail the body"));
            }
            let (name, value) = line.split_once(':').ok_or("a trailing header has no value")?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            if name != "x-amz-trailer-signature" {
                signed.push_str(&format!("{name}:{value}\n"));
            }
            trailers.insert(name, value);
        }
        if let Some(signatures) = &mut self.signatures
            && signatures.signed.payload == SignedPayload::ChunksAndTrailer
        {
            let hash = hex::encode(digest::digest(&digest::SHA256, signed.as_bytes()));
            let said = trailers.remove("x-amz-trailer-signature").unwrap_or_default();
            signatures.check("AWS4-HMAC-SHA256-TRAILER", &hash, &said)?;
        }
        Ok(trailers)
    }

    /// At least one and at most so many of the bytes that come next.
    async fn some(&mut self, most: u64) -> Chunk {
        if self.buffer.is_empty() {
            self.more().await?;
        }
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
                return String::from_utf8(line.to_vec()).map_err(|_| "a line between chunks is not text".to_owned());
            }
            if self.buffer.len() > MOST_LINE {
                return Err("a line between chunks is too long".to_owned());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), String> {
        match self.body.next().await {
            Some(Ok(part)) => {
                self.buffer.extend_from_slice(&part);
                Ok(())
            }
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the body ends within a chunk".to_owned()),
        }
    }
}

impl Signatures {
    fn check(&mut self, algorithm: &str, text: &str, said: &str) -> Result<(), String> {
        let SignedBody { key, scope, date, .. } = &self.signed;
        let signed = format!("{algorithm}\n{date}\n{scope}\n{}\n{text}", self.before);
        let expected = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes()));
        if constant_time::verify_slices_are_equal(expected.as_bytes(), said.as_bytes()).is_err() {
            return Err("the signature of a chunk does not match".to_owned());
        }
        self.before = expected;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(
        body: &'static str,
        signed: Option<SignedBody>,
    ) -> Result<(Vec<u8>, BTreeMap<String, String>), String> {
        // Byte by byte, so that every line and chunk is met in pieces.
        let bytes = body.bytes().map(|byte| Ok::<_, std::io::Error>(Bytes::copy_from_slice(&[byte])));
        let mut chunks = Chunks::new(Body::from_stream(futures::stream::iter(bytes)), signed);
        let mut whole = Vec::new();
        loop {
            match chunks.next().await? {
                Next::Bytes(bytes) => whole.extend_from_slice(&bytes),
                Next::End(trailers) => return Ok((whole, trailers)),
            }
        }
    }

    #[tokio::test]
    async fn chunks_are_joined_and_trailers_read() {
        let (whole, trailers) =
            read("5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\n\r\n", None).await.unwrap();
        assert_eq!(whole, b"hello!");
        assert_eq!(trailers.get("x-amz-checksum-crc32").map(String::as_str), Some("AAAAAA=="));
        assert_eq!(read("0\r\n\r\n", None).await.unwrap().0, b"");
    }

    #[tokio::test]
    async fn broken_chunks_are_refused() {
        for broken in ["5\r\nhell", "4\r\nhello\r\n0\r\n\r\n", "x\r\n", "", "-1\r\n", "5\r\nhello\r\n"] {
            assert!(read(broken, None).await.is_err(), "{broken:?}");
        }
    }

    /// The chunks of a body that was signed by hand after the published algorithm.
    #[tokio::test]
    async fn signatures_of_chunks_follow_from_each_other() {
        let signed = SignedBody {
            payload: SignedPayload::Chunks,
            key: b"key".to_vec(),
            scope: "20261128/us-east-1/s3/aws4_request".to_owned(),
            date: "20261128T000000Z".to_owned(),
            seed: "seed".to_owned(),
        };
        let mut signer = Signatures {
            before: signed.seed.clone(),
            signed: signed.clone(),
            said: String::new(),
            hash: digest::Context::new(&digest::SHA256),
        };
        let mut sign = |bytes: &[u8]| {
            let hash = |bytes: &[u8]| hex::encode(digest::digest(&digest::SHA256, bytes));
            let SignedBody { key, scope, date, .. } = &signer.signed;
            let text =
                format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{}\n{}\n{}", signer.before, hash(b""), hash(bytes));
            signer.before = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()));
            signer.before.clone()
        };
        let (first, last) = (sign(b"hello"), sign(b""));
        let whole = format!("5;chunk-signature={first}\r\nhello\r\n0;chunk-signature={last}\r\n\r\n");
        let tampered = whole.replace("hello", "hullo");
        let short = format!("0;chunk-signature={last}\r\n\r\n");
        let leak = |text: String| &*Box::leak(text.into_boxed_str());
        assert_eq!(read(leak(whole), Some(signed.clone())).await.unwrap().0, b"hello");
        for broken in [tampered, short] {
            assert!(read(leak(broken), Some(signed.clone())).await.is_err());
        }
    }
}
