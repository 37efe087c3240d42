//! What logins found out, remembered for a few seconds, so that a client that proves itself with each request costs no
//! query with each. Every change of identity on this server empties it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stele_domain::id::{AccountRow, Timestamp};
use stele_store::{FoundCredential, LoginAccount};

use crate::App;

/// How long a server may believe what another one has changed meanwhile.
const ACCOUNTS_MS: i64 = 3_000;
/// How long a password need not be hashed again. The account it belongs to is looked at all the same.
const PASSWORDS_MS: i64 = 5 * 60 * 1000;
const MOST_KEPT: usize = 10_000;

#[derive(Default)]
pub(super) struct Cache {
    pub(super) by_name: Kept<String, Arc<LoginAccount>>,
    pub(super) by_row: Kept<AccountRow, Arc<LoginAccount>>,
    pub(super) credentials: Kept<String, Arc<FoundCredential>>,
    /// The hash that a password has been found to match, by a keyed hash of account and password. The account's hash
    /// must still be that one.
    pub(super) passwords: Kept<[u8; 32], String>,
}

/// Some values, each for a while.
pub(super) struct Kept<K, V>(HashMap<K, (Timestamp, V)>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Kept(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    fn get(&self, key: &K, now: Timestamp, life: i64) -> Option<V> {
        let (at, value) = self.0.get(key)?;
        (0..life).contains(&(now.0 - at.0)).then(|| value.clone())
    }

    fn keep(&mut self, key: K, value: V, now: Timestamp, life: i64) {
        if self.0.len() >= MOST_KEPT {
            self.0.retain(|_, (at, _)| now.0 - at.0 < life);
            if self.0.len() >= MOST_KEPT {
                self.0.clear();
            }
        }
        self.0.insert(key, (now, value));
    }

    /// Puts another value in the place of one that is kept, for the rest of its time.
    pub(super) fn replace(&mut self, key: &K, value: V) {
        if let Some((_, kept)) = self.0.get_mut(key) {
            *kept = value;
        }
    }
}

/// Which of the maps is meant.
type Part<K, V> = fn(&mut Cache) -> &mut Kept<K, V>;

impl App {
    pub(super) fn forget_logins(&self) {
        let identity = self.identity();
        identity.changes.fetch_add(1, Ordering::AcqRel);
        let mut cache = identity.cache.lock();
        cache.by_name = Kept::default();
        cache.by_row = Kept::default();
        cache.credentials = Kept::default();
    }

    /// What is remembered, or else what `read` finds, which is remembered unless identity has changed meanwhile.
    pub(super) async fn remembered<K: Eq + Hash, V: Clone>(
        &self,
        part: Part<K, V>,
        key: K,
        read: impl Future<Output = stele_domain::Result<Option<V>>>,
    ) -> stele_domain::Result<Option<V>> {
        let now = self.parts.clock.now();
        let known = part(&mut self.identity().cache.lock()).get(&key, now, ACCOUNTS_MS);
        if known.is_some() {
            return Ok(known);
        }
        let changes = self.identity().changes.load(Ordering::Acquire);
        let found = read.await?;
        if let Some(found) = &found {
            let mut cache = self.identity().cache.lock();
            if self.identity().changes.load(Ordering::Acquire) == changes {
                part(&mut cache).keep(key, found.clone(), now, ACCOUNTS_MS);
            }
        }
        Ok(found)
    }

    /// Whether this password was found to match this hash a short while ago.
    pub(super) fn password_known(&self, account: &str, password: &str, hash: &str) -> bool {
        let now = self.parts.clock.now();
        let key = self.password_key(account, password);
        self.identity().cache.lock().passwords.get(&key, now, PASSWORDS_MS).is_some_and(|known| known == hash)
    }

    pub(super) fn password_remember(&self, account: &str, password: &str, hash: String) {
        let now = self.parts.clock.now();
        let key = self.password_key(account, password);
        self.identity().cache.lock().passwords.keep(key, hash, now, PASSWORDS_MS);
    }

    /// Nothing can be learned from it about the password without the key, which never leaves the process.
    fn password_key(&self, account: &str, password: &str) -> [u8; 32] {
        let text = format!("{account}\0{password}");
        let tag = aws_lc_rs::hmac::sign(&self.identity().cache_key, text.as_bytes());
        tag.as_ref().try_into().unwrap_or_default()
    }
}
