//! Who uses the server: the accounts with their groups, grants and credentials, and letting requests in.
//!
//! Whether requests must prove who they are is a setting in the database, so that every server of a record agrees.

mod account;
mod admission;
mod attempts;
mod authentication;
mod cache;
mod credential;
mod grant;
mod group;
mod login;
mod password;
mod provider;
mod temporary;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use stele_domain::authz::{ManageIdentity, Verb};
use stele_domain::{Error, Result};
use stele_store::Tx;

pub(crate) use self::account::own_account;
pub use self::account::{AccountChange, Held, NewAccount};
pub use self::admission::{Admission, Refusal, SignedBody, SignedPayload};
use self::attempts::Attempts;
use self::cache::Cache;
pub use self::credential::{KeyMade, NewCredential, TokenMade};
pub use self::login::{SESSION_LIFE, Signer, looks_like_token};
pub use self::provider::Vouched;
pub use self::temporary::{SignedBy, TemporaryKey};
use crate::transact::Changed;
use crate::{App, Ctx, SecretKey};

/// What this server remembers about those who use it.
pub(crate) struct Identity {
    /// Whether requests must prove who they are, as last read.
    required: AtomicBool,
    /// When that was read, in milliseconds since 1970.
    read_at: AtomicI64,
    /// Seals the secret halves of access keys.
    key: OnceLock<SecretKey>,
    cache: Mutex<Cache>,
    /// Counts changes of identity, so that what was read before one is not remembered after it.
    changes: AtomicU64,
    attempts: Mutex<Attempts>,
    /// Bounds the memory and time that passwords take.
    passwords: Arc<tokio::sync::Semaphore>,
    /// Of this process alone.
    cache_key: aws_lc_rs::hmac::Key,
}

impl Identity {
    pub(crate) fn new() -> Result<Identity> {
        Ok(Identity {
            required: AtomicBool::new(true),
            read_at: AtomicI64::new(i64::MIN),
            key: OnceLock::new(),
            cache: Mutex::default(),
            changes: AtomicU64::new(0),
            attempts: Mutex::default(),
            passwords: Arc::new(tokio::sync::Semaphore::new(2)),
            cache_key: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &random::<32>()?),
        })
    }
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system gives no random numbers"))?;
    Ok(bytes)
}

/// What the id of an access key has after the letters that say its kind.
fn key_letters() -> Result<String> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    Ok(random::<16>()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// The secret half of an access key, as clients of AWS expect it.
fn key_secret() -> Result<String> {
    Ok(STANDARD.encode(random::<30>()?))
}

impl App {
    /// Gives this server the key that secrets of access keys are sealed with; the first one counts.
    pub fn enable_access_keys(&self, key: SecretKey) {
        let _ = self.identity().key.set(key);
    }

    fn sealing_key(&self) -> Result<&SecretKey> {
        let key = self.identity().key.get();
        key.ok_or_else(|| Error::unsupported("this server has no secret key, so it can have no access keys"))
    }

    /// As [`App::change`], for what logins depend on: this server forgets what it remembered of them.
    pub(crate) async fn change_identity<V: Verb, T: Send + 'static>(
        &self,
        ctx: &Ctx,
        object: &str,
        work: impl FnMut(&mut Tx, &stele_domain::authz::Permit<V>) -> Result<Changed<T>> + Send + 'static,
    ) -> Result<T> {
        let changed = self.change::<V, T>(ctx, object, work).await;
        self.forget_logins();
        changed
    }

    /// Lets only those read about others who may also change them.
    async fn may_read_identity(&self, ctx: &Ctx) -> Result<()> {
        self.permit::<ManageIdentity>(ctx, "accounts").await.map(drop)
    }
}
