//! Passwords are kept as argon2id hashes in the PHC format, whose parameters are those that OWASP recommends.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use stele_domain::{Error, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::random;
use crate::App;

const LEAST: usize = 8;
const MOST: usize = 1024;

pub(super) fn check(password: &str) -> Result<()> {
    let length = password.chars().count();
    if !(LEAST..=MOST).contains(&length) {
        return Err(Error::invalid(format!("a password has {LEAST} to {MOST} characters, not {length}")));
    }
    if password.contains('\0') {
        return Err(Error::invalid("a password contains a NUL character"));
    }
    Ok(())
}

impl App {
    /// Checks and hashes a new password.
    pub(super) async fn password_hash(&self, password: String) -> Result<String> {
        check(&password)?;
        let turn = self.password_turn().await?;
        let salt = SaltString::encode_b64(&random::<16>()?).map_err(|error| failed(&error))?;
        let (hash, _turn) = with_password(turn, move || {
            let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|error| failed(&error))?;
            Ok(hash.to_string())
        })
        .await?;
        Ok(hash)
    }

    /// Whether a password is the one of `hash`. Without a hash it takes as long and is not, so that an answer does not
    /// tell whether there is such an account. Gives the turn back, for what follows from the answer.
    pub(super) async fn password_matches(
        &self,
        turn: OwnedSemaphorePermit,
        password: String,
        hash: Option<String>,
    ) -> Result<(bool, OwnedSemaphorePermit)> {
        if password.len() > MOST * 4 {
            return Ok((false, turn));
        }
        with_password(turn, move || {
            let hash = match &hash {
                Some(hash) => PasswordHash::new(hash).map_err(|error| failed(&error))?,
                None => {
                    let salt = SaltString::encode_b64(&[0; 16]).map_err(|error| failed(&error))?;
                    Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|error| failed(&error))?;
                    return Ok(false);
                }
            };
            Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
    }

    /// The right to look at a password, which few have at once: each takes time and memory.
    pub(super) async fn password_turn(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.identity().passwords).acquire_owned().await;
        turn.map_err(|_| Error::internal("passwords cannot be looked at any more"))
    }
}

async fn with_password<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<(T, OwnedSemaphorePermit)> {
    // The turn goes along, since the work goes on when nobody waits for it any more.
    let done = tokio::task::spawn_blocking(move || Ok((work()?, turn)));
    done.await.map_err(|error| Error::internal(format!("a password cannot be looked at: {error}")))?
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("a password cannot be hashed: {error}"))
}
