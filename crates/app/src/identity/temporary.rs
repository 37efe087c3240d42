//! Credentials for a while, as STS gives them: an access key lends what it holds. Nothing of them is kept. The session
//! token says, sealed, which key lends, for how long, and the secret half, and the key must still be good when they are
//! used.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stele_domain::authz::{Principal, authorize_own};
use stele_domain::change::Change;
use stele_domain::id::Timestamp;
use stele_domain::{Error, Kind, Result};

use super::login::Signer;
use super::{key_letters, key_secret};
use crate::transact::Changed;
use crate::{App, Ctx, Refusal};

/// How long credentials that were lent may lend on, in seconds; AWS chains roles for an hour.
const LONGEST_CHAINED: i64 = 3_600;

/// The access key that a request was signed with, and the session token that came along. It travels with a request whose
/// signature was right.
#[derive(Debug, Clone)]
pub struct SignedBy {
    pub key: String,
    pub token: Option<String>,
}

/// Credentials for a while, which are told this once.
#[derive(Debug)]
pub struct TemporaryKey {
    pub id: String,
    pub secret: String,
    pub token: String,
    pub ends: Timestamp,
}

/// What a session token says.
#[derive(Serialize, Deserialize)]
struct Lent {
    /// The access key that lends.
    by: String,
    secret: String,
    ends: i64,
}

impl App {
    /// Lends what the access key holds that the request of `ctx` was signed with, for so many seconds. `session` is what
    /// for, in the audit log.
    pub async fn temporary_key_create(
        &self,
        ctx: &Ctx,
        signed_by: &SignedBy,
        session: &str,
        seconds: i64,
    ) -> Result<TemporaryKey> {
        let account = ctx.principal.name().to_owned();
        let permit = authorize_own(ctx, &account)
            .ok_or_else(|| Error::unsupported("a server without authentication has no access keys that could lend"))?;
        let now = ctx.now();
        let (by, seconds) = match &signed_by.token {
            None => (signed_by.key.clone(), seconds),
            Some(token) => (self.lent(&signed_by.key, token)?.by, seconds.min(LONGEST_CHAINED)),
        };
        let (id, secret) = (format!("ASIA{}", key_letters()?), key_secret()?);
        let ends = Timestamp(now.0 + seconds * 1000);
        let lent = Lent { by, secret, ends: ends.0 };
        let text = serde_json::to_string(&lent).map_err(|error| Error::internal(error.to_string()))?;
        let token = URL_SAFE_NO_PAD.encode(self.sealing_key()?.seal(&owner(&id), &text)?);
        let change = Change::quiet("access-key.lend", Kind::Credential, &id);
        let change = change.after(json!({ "access_key": lent.by, "session": session, "expires_at": ends.0 }));
        self.change_permitted(ctx, &account, permit, move |_, _| Ok(Changed::one((), change.clone()))).await?;
        Ok(TemporaryKey { id, secret: lent.secret, token, ends })
    }

    /// As [`App::login_key`], of credentials for a while.
    pub async fn login_temporary(&self, id: &str, token: &str, address: Option<IpAddr>) -> Result<Signer, Refusal> {
        let Ok(lent) = self.lent(id, token) else { return Err(self.wrong(address, Refusal::UnknownKey)) };
        if lent.ends <= self.now().0 {
            return Err(Refusal::Expired);
        }
        let Signer { principal, .. } = self.login_key(&lent.by, address).await?;
        let principal = match principal {
            Principal::Account(account) => Principal::Account(Arc::new(account.lent())),
            owner @ Principal::LocalOwner => owner,
        };
        Ok(Signer { principal, secret: lent.secret })
    }

    fn lent(&self, id: &str, token: &str) -> Result<Lent> {
        let wrong = || Error::invalid("this session token is not one of these credentials");
        let sealed = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let text = self.sealing_key()?.open(&owner(id), &sealed).map_err(|_| wrong())?;
        serde_json::from_str(&text).map_err(|_| wrong())
    }
}

/// What a session token is sealed for, so that it is good with its own key id alone.
fn owner(id: &str) -> String {
    format!("temporary:{id}")
}
