use serde_json::{Value, json};
use stele_domain::authz::{ManageCredential, Permit, authorize_own};
use stele_domain::change::Change;
use stele_domain::directory::{CredentialKind, CredentialRecord};
use stele_domain::id::Timestamp;
use stele_domain::identity::Role;
use stele_domain::search::Page;
use stele_domain::{Error, Kind, Result};
use stele_store::NewCredential as StoredCredential;

use super::account::own_account;
use super::login::{TOKEN, fingerprint};
use super::{key_letters, key_secret, random};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// How many tokens, and how many access keys, an account may have.
const MOST_CREDENTIALS: i64 = 100;
const MOST_NAME: usize = 128;

/// A token or access key to be made.
#[derive(Debug, Clone)]
pub struct NewCredential {
    pub account: String,
    /// What it is for.
    pub name: String,
    /// What it is narrowed to; none is all that the account may do.
    pub roles: Option<Vec<Role>>,
    pub expires_at: Option<Timestamp>,
}

/// A token that was made, with its text, which is told this once.
#[derive(Debug, Clone)]
pub struct TokenMade {
    pub record: CredentialRecord,
    pub token: String,
}

/// An access key that was made, with its secret half, which is told this once.
#[derive(Debug, Clone)]
pub struct KeyMade {
    pub record: CredentialRecord,
    pub secret: String,
}

impl App {
    pub async fn token_create(&self, ctx: &Ctx, new: NewCredential) -> Result<TokenMade> {
        let token = format!("{TOKEN}{}", hex::encode(random::<32>()?));
        let id = hex::encode(random::<8>()?);
        let record = self.credential_create(ctx, new, CredentialKind::Token, id, fingerprint(&token), None).await?;
        Ok(TokenMade { record, token })
    }

    /// Makes an access key whose id and secret half look as clients of AWS expect.
    pub async fn key_create(&self, ctx: &Ctx, new: NewCredential) -> Result<KeyMade> {
        let (id, secret) = (format!("AKIA{}", key_letters()?), key_secret()?);
        let sealed = self.sealing_key()?.seal(&id, &secret)?;
        let record = self.credential_create(ctx, new, CredentialKind::Key, id.clone(), id, Some(sealed)).await?;
        Ok(KeyMade { record, secret })
    }

    async fn credential_create(
        &self,
        ctx: &Ctx,
        new: NewCredential,
        kind: CredentialKind,
        id: String,
        lookup: String,
        secret: Option<Vec<u8>>,
    ) -> Result<CredentialRecord> {
        let NewCredential { account, name, roles, expires_at } = new;
        check_text("name", &name)?;
        let length = name.chars().count();
        if length > MOST_NAME {
            return Err(Error::invalid(format!("the name of a {} has at most {MOST_NAME} characters", word(kind))));
        }
        if roles.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("a credential that is narrowed to no role could do nothing"));
        }
        let now = ctx.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid(format!("the {} would be expired from the start", word(kind))));
        }
        let permit = self.credential_permit(ctx, &account).await?;
        self.change_permitted(ctx, &account.clone(), permit, move |tx, permit| {
            let owner = tx.account_open(&account)?;
            if tx.credentials_count(owner.row, kind)? >= MOST_CREDENTIALS {
                let message = format!("'{account}' has {MOST_CREDENTIALS} of these already; revoke one first");
                return Err(Error::LimitExceeded { message });
            }
            let new = StoredCredential {
                id: id.clone(),
                account: owner.row,
                kind,
                name: name.clone(),
                lookup: lookup.clone(),
                secret: secret.clone(),
                roles: roles.clone(),
                expires_at,
            };
            tx.credential_create(permit, &new, now)?;
            let made = tx.credential_get(kind, &id)?;
            let change = Change::quiet(action(kind, true), Kind::Credential, &id).after(told(&made));
            Ok(Changed::one(made, change))
        })
        .await
    }

    /// The tokens or access keys of an account, or of everybody if it is none, after an id.
    pub async fn credentials_list(
        &self,
        ctx: &Ctx,
        account: Option<String>,
        kind: CredentialKind,
        after: String,
        limit: i64,
    ) -> Result<Page<CredentialRecord>> {
        if account.as_deref().is_none_or(|account| authorize_own(ctx, account).is_none()) {
            self.may_read_identity(ctx).await?;
        }
        self.read(move |tx| {
            let account = account.unwrap_or_default();
            if !account.is_empty() {
                tx.account_get(&account)?;
            }
            tx.credentials_list(&account, kind, &after, limit)
        })
        .await
    }

    /// Revokes a token or access key of an account: no further request is let in with it.
    pub async fn credential_revoke(&self, ctx: &Ctx, account: String, kind: CredentialKind, id: String) -> Result<()> {
        let permit = self.credential_permit(ctx, &account).await?;
        let now = ctx.now();
        let revoked = self
            .change_permitted(ctx, &id.clone(), permit, move |tx, permit| {
                let before = tx.credential_get(kind, &id)?;
                if before.account != account {
                    return Err(Error::not_found(Kind::Credential, &id));
                }
                tx.credential_revoke(permit, &id, now)?;
                Ok(Changed::one((), Change::quiet(action(kind, false), Kind::Credential, &id).before(told(&before))))
            })
            .await;
        self.forget_logins();
        revoked
    }

    /// Who may look after the credentials of an account: itself, and those who look after all. An account that came with a
    /// narrowed credential does not look after its own, since it must not make itself a wider one, whatever it holds now.
    async fn credential_permit(&self, ctx: &Ctx, account: &str) -> Result<Permit<ManageCredential>> {
        match authorize_own(ctx, account) {
            Some(_) if own_account(ctx).is_some_and(|own| own.ceiling.is_some()) => {
                let permit = self.permit::<ManageCredential>(ctx, account).await;
                permit.map_err(|error| match error {
                    Error::Forbidden { .. } => {
                        let message = "a credential that is narrowed to some roles cannot make or revoke credentials";
                        Error::Forbidden { message: message.to_owned() }
                    }
                    other => other,
                })
            }
            Some(permit) => Ok(permit),
            None => self.permit::<ManageCredential>(ctx, account).await,
        }
    }
}

fn word(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Token => "token",
        CredentialKind::Key => "access key",
        CredentialKind::Session => "session",
    }
}

fn action(kind: CredentialKind, made: bool) -> &'static str {
    match (kind, made) {
        (CredentialKind::Token, true) => "token.create",
        (CredentialKind::Token, false) => "token.revoke",
        (CredentialKind::Key, true) => "access-key.create",
        (CredentialKind::Key, false) => "access-key.revoke",
        (CredentialKind::Session, true) => "session.begin",
        (CredentialKind::Session, false) => "session.end",
    }
}

/// A credential in the audit log.
fn told(credential: &CredentialRecord) -> Value {
    let roles: Option<Vec<&str>> =
        credential.roles.as_ref().map(|roles| roles.iter().map(|role| role.as_str()).collect());
    json!({
        "account": credential.account,
        "name": credential.name,
        "roles": roles,
        "expires_at": credential.expires_at.map(|end| end.0),
    })
}
