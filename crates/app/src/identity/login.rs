//! Letting requests in: a name and password, a token, a session of a browser, or an access key.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use stele_domain::authz::Principal;
use stele_domain::directory::CredentialKind;
use stele_domain::id::{AccountRow, Timestamp};
use stele_domain::{Error, Result};
use stele_store::{FoundCredential, LoginAccount, NewCredential as StoredCredential};

use super::admission::Refusal;
use super::attempts::Asker;
use super::random;
use crate::App;

/// What tokens begin with, so that leaked ones are recognised.
pub(super) const TOKEN: &str = "stele_";
const SESSION: &str = "stele-session_";

/// How long a browser stays logged in.
pub const SESSION_LIFE: i64 = 12 * 60 * 60 * 1000;

/// How often it is noted that a credential was used.
const USED_MS: i64 = 60 * 1000;

/// Whether a text given as a password is a token.
pub fn looks_like_token(text: &str) -> bool {
    text.starts_with(TOKEN)
}

/// What the signature of a request is checked with, and whose it is.
pub struct Signer {
    pub principal: Principal,
    pub secret: String,
}

impl App {
    /// Lets in who knows the password of an account.
    pub async fn login_password(
        &self,
        name: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Principal, Refusal> {
        let account = self.account_by_name(name).await?.filter(|account| !account.disabled);
        let hash = account.as_ref().and_then(|account| account.password.clone());
        if let (Some(account), Some(hash)) = (&account, &hash)
            && self.password_known(name, password, hash)
        {
            return Ok(principal(account, None));
        }
        let asker = Asker::new(Some(name), address);
        self.may_try(&asker)?;
        let turn = self.password_turn().await?;
        // While this one waited, another with the same password may have been let in, or others have failed. As few are
        // looked at together, no more than these get past the limit.
        if let (Some(account), Some(hash)) = (&account, &hash)
            && self.password_known(name, password, hash)
        {
            return Ok(principal(account, None));
        }
        self.may_try(&asker)?;
        let (matches, _turn) = self.password_matches(turn, password.to_owned(), hash.clone()).await?;
        match (account, hash) {
            (Some(account), Some(hash)) if matches => {
                self.identity().attempts.lock().succeeded(&asker, self.parts.clock.now());
                self.password_remember(name, password, hash);
                Ok(principal(&account, None))
            }
            _ => {
                self.identity().attempts.lock().failed(&asker, self.parts.clock.now());
                Err(Refusal::Unknown)
            }
        }
    }

    /// Lets in who has a token. `name` is the account that it is said to be of, if it is.
    pub async fn login_token(
        &self,
        token: &str,
        name: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Principal, Refusal> {
        let found = match token.starts_with(TOKEN) {
            true => self.credential(CredentialKind::Token, fingerprint(token)).await?,
            false => None,
        };
        match found {
            Some((account, credential)) if name.is_none_or(|name| name == account.account.name) => {
                Ok(principal(&account, Some(&credential)))
            }
            _ => Err(self.wrong(address, Refusal::Unknown)),
        }
    }

    /// Lets in the browser that a session was begun for.
    pub async fn login_session(&self, session: &str) -> Result<Principal, Refusal> {
        let found = match session.starts_with(SESSION) {
            true => self.credential(CredentialKind::Session, fingerprint(session)).await?,
            false => None,
        };
        found.map(|(account, credential)| principal(&account, Some(&credential))).ok_or(Refusal::Unknown)
    }

    /// Begins a session of somebody who has just proved who they are; gives what the browser keeps.
    pub async fn session_begin(&self, account: AccountRow) -> Result<String> {
        let (session, now) = (format!("{SESSION}{}", hex::encode(random::<32>()?)), self.parts.clock.now());
        let new = StoredCredential {
            id: self.parts.ids.next(now).simple().to_string(),
            account,
            kind: CredentialKind::Session,
            name: String::new(),
            lookup: fingerprint(&session),
            secret: None,
            roles: None,
            expires_at: Some(Timestamp(now.0 + SESSION_LIFE)),
        };
        self.store().write(move |tx| tx.session_create(&new, now)).await?;
        Ok(session)
    }

    pub async fn session_end(&self, session: &str) -> Result<()> {
        let (lookup, now) = (fingerprint(session), self.parts.clock.now());
        self.store().write(move |tx| tx.session_end(&lookup, now)).await?;
        self.forget_logins();
        Ok(())
    }

    /// The secret of an access key, which the signature of a request is to be checked with before its principal counts.
    pub async fn login_key(&self, id: &str, address: Option<IpAddr>) -> Result<Signer, Refusal> {
        let Some((account, credential)) = self.credential(CredentialKind::Key, id.to_owned()).await? else {
            return Err(self.wrong(address, Refusal::UnknownKey));
        };
        let sealed = credential.secret.as_deref().ok_or_else(|| Error::internal("an access key has no secret"))?;
        let secret = self.sealing_key()?.open(&credential.id, sealed)?;
        Ok(Signer { principal: principal(&account, Some(&credential)), secret })
    }

    /// Counts a failed attempt of an address; says what to answer.
    pub fn wrong(&self, address: Option<IpAddr>, refusal: Refusal) -> Refusal {
        let asker = Asker::new(None, address);
        if let Err(too_many) = self.may_try(&asker) {
            return too_many;
        }
        self.identity().attempts.lock().failed(&asker, self.parts.clock.now());
        refusal
    }

    fn may_try(&self, asker: &Asker) -> Result<(), Refusal> {
        match self.identity().attempts.lock().wait(asker, self.parts.clock.now()) {
            Some(seconds) => Err(Refusal::TooMany { seconds }),
            None => Ok(()),
        }
    }

    async fn account_by_name(&self, name: &str) -> Result<Option<Arc<LoginAccount>>> {
        let wanted = name.to_owned();
        if wanted.contains('\0') {
            return Ok(None);
        }
        let read = self.read(move |tx| tx.login_by_name(&wanted));
        self.remembered(|cache| &mut cache.by_name, name.to_owned(), async { Ok(read.await?.map(Arc::new)) }).await
    }

    /// A credential that is good now, and the account that it is of.
    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: String,
    ) -> Result<Option<(Arc<LoginAccount>, Arc<FoundCredential>)>> {
        if lookup.contains('\0') {
            return Ok(None);
        }
        let now = self.parts.clock.now();
        let wanted = lookup.clone();
        let read = self.read(move |tx| tx.credential_find(&wanted));
        let read = async { Ok(read.await?.map(Arc::new)) };
        let found = self.remembered(|cache| &mut cache.credentials, lookup.clone(), read).await?;
        let good = |found: &Arc<FoundCredential>| found.kind == kind && found.expires_at.is_none_or(|end| now < end);
        let Some(found) = found.filter(good) else { return Ok(None) };
        let row = found.account;
        let read = self.read(move |tx| tx.login_by_row(row));
        let read = async { Ok(read.await?.map(Arc::new)) };
        let account = self.remembered(|cache| &mut cache.by_row, row, read).await?;
        let Some(account) = account.filter(|account| !account.disabled) else { return Ok(None) };
        if found.last_used_at.is_none_or(|used| now.0 - used.0 >= USED_MS) {
            self.note_use(lookup, &found, now);
        }
        Ok(Some((account, found)))
    }

    /// Notes that a credential was used, beside the request. What is remembered is changed at once, so that the next
    /// request does not note it again.
    fn note_use(&self, lookup: String, found: &FoundCredential, now: Timestamp) {
        let used = FoundCredential { last_used_at: Some(now), ..found.clone() };
        let id = used.id.clone();
        self.identity().cache.lock().credentials.replace(&lookup, Arc::new(used));
        let app = self.clone();
        tokio::spawn(async move {
            if let Err(error) = app.store().write(move |tx| tx.credential_used(&id, now)).await {
                tracing::warn!(%error, "cannot note that a credential was used");
            }
        });
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::Unavailable { message } => Refusal::Unavailable(message),
            other => Refusal::Internal(other.to_string()),
        }
    }
}

fn principal(account: &LoginAccount, credential: Option<&FoundCredential>) -> Principal {
    let narrowed = credential.and_then(|credential| credential.roles.as_deref());
    Principal::Account(Arc::new(match narrowed {
        Some(roles) => account.account.narrowed(roles),
        None => account.account.clone(),
    }))
}

/// What a token is found by. It has so many random bits that a plain hash cannot be turned around.
pub(super) fn fingerprint(token: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, token.as_bytes()))
}
