//! The digest of content that streams by, computed on another thread, so that receiving does not wait for it.

use std::mem;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use stele_domain::{Error, Result};
use tokio::task::JoinHandle;

/// Goes to the other thread in pieces of this size.
const PIECE_BYTES: usize = 512 * 1024;

#[derive(Default)]
pub(super) struct StreamDigest {
    hashing: Option<JoinHandle<Sha256>>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

impl StreamDigest {
    /// Takes what comes next. Waits when it comes faster than it can be hashed.
    pub(super) async fn take(&mut self, part: Bytes) -> Result<()> {
        self.gathered_bytes += part.len();
        self.gathered.push(part);
        if self.gathered_bytes >= PIECE_BYTES {
            let hasher = self.hashed().await?;
            let parts = mem::take(&mut self.gathered);
            self.gathered_bytes = 0;
            self.hashing = Some(tokio::task::spawn_blocking(move || updated(hasher, &parts)));
        }
        Ok(())
    }

    /// The SHA-256 of all that was taken, in hexadecimal digits.
    pub(super) async fn finish(&mut self) -> Result<String> {
        let hasher = self.hashed().await?;
        Ok(hex::encode(updated(hasher, &mem::take(&mut self.gathered)).finalize()))
    }

    async fn hashed(&mut self) -> Result<Sha256> {
        match self.hashing.take() {
            Some(hashing) => hashing.await.map_err(|e| Error::internal(format!("hashing did not finish: {e}"))),
            None => Ok(Sha256::new()),
        }
    }
}

fn updated(mut hasher: Sha256, parts: &[Bytes]) -> Sha256 {
    for part in parts {
        hasher.update(part);
    }
    hasher
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_of_any_size_have_the_digest_of_the_whole() {
        let whole: Vec<u8> = (0..2_000_003_u32).map(|number| (number % 251) as u8).collect();
        let expected = hex::encode(Sha256::digest(&whole));
        for size in [1_000, PIECE_BYTES, 700_001, whole.len()] {
            let mut digest = StreamDigest::default();
            for part in whole.chunks(size) {
                digest.take(Bytes::copy_from_slice(part)).await.unwrap();
            }
            assert_eq!(digest.finish().await.unwrap(), expected, "in parts of {size} bytes");
        }
        let nothing = StreamDigest::default().finish().await.unwrap();
        assert_eq!(nothing, hex::encode(Sha256::digest(b"")));
    }
}
