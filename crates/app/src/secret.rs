//! The key that secrets are sealed with before they go to the database.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stele_domain::{Error, Result};

const LENGTH: usize = 32;

/// Seals and opens secrets (AES-256-GCM). A sealed secret begins with its nonce, and is bound to what it belongs to.
#[derive(Clone)]
pub struct SecretKey(Arc<RandomizedNonceKey>);

impl SecretKey {
    /// From 32 bytes as base64, or from any other text of at least 16 characters, which is hashed.
    pub fn from_text(text: &str) -> Result<SecretKey> {
        let text = text.trim();
        if let Some(bytes) = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == LENGTH) {
            return SecretKey::from_bytes(&bytes);
        }
        if text.chars().count() < 16 {
            return Err(Error::invalid("the secret key is shorter than 16 characters"));
        }
        SecretKey::from_bytes(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }

    /// From a file that only its owner may read; a fresh key is written there when there is none. Blocks.
    pub fn from_file(path: &Path) -> Result<SecretKey> {
        let failed = |error: std::io::Error| {
            Error::internal(format!("cannot read or make the secret key {}: {error}", path.display()))
        };
        let mut made = [0; LENGTH];
        rand::fill(&mut made).map_err(|_| Error::internal("the system gives no random numbers"))?;
        // Whole or not at all: a key that is there is never written over.
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                file.write_all(STANDARD.encode(made).as_bytes()).map_err(failed)?;
                file.sync_all().map_err(failed)?;
                SecretKey::from_bytes(&made)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let mut text = String::new();
                std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(failed)?;
                SecretKey::from_text(&text)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<SecretKey> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes)
            .map(|key| SecretKey(Arc::new(key)))
            .map_err(|_| Error::internal("a secret key of this length cannot be used"))
    }

    /// Seals a secret of the thing called `owner`.
    pub fn seal(&self, owner: &str, secret: &str) -> Result<Vec<u8>> {
        let mut text = secret.as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut text)
            .map_err(|_| Error::internal("a secret cannot be sealed"))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend(text);
        Ok(sealed)
    }

    /// Opens what [`SecretKey::seal`] made with the same key for the same `owner`.
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Result<String> {
        let failed = || {
            let message = "a secret was sealed with another key; give every server of one database the same \
                           STELE_SECRET_KEY";
            Error::internal(message)
        };
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut text).map_err(|_| failed())?;
        String::from_utf8(opened.to_vec()).map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_for_its_owner_only() {
        let key = SecretKey::from_text("a passphrase of some length").unwrap();
        let sealed = key.seal("one", "s3cret é").unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"s3cret"));
        assert_ne!(sealed, key.seal("one", "s3cret é").unwrap());
        assert_eq!(key.open("one", &sealed).unwrap(), "s3cret é");
        assert!(key.open("two", &sealed).is_err());
        assert!(SecretKey::from_text("another passphrase here").unwrap().open("one", &sealed).is_err());
        assert!(key.open("one", &sealed[..5]).is_err());
    }

    #[test]
    fn a_key_file_is_made_once_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealed = SecretKey::from_file(&path).unwrap().seal("x", "text").unwrap();
        assert_eq!(SecretKey::from_file(&path).unwrap().open("x", &sealed).unwrap(), "text");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SecretKey::from_text("short").is_err());
    }
}
