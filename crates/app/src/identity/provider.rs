//! Accounts that an identity provider vouches for.

use std::sync::Arc;

use serde_json::json;
use stele_domain::authz::{ManageIdentity, Principal};
use stele_domain::change::Change;
use stele_domain::directory::check_name;
use stele_domain::id::Timestamp;
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use super::account::NewAccount;
use super::admission::Refusal;
use super::login::SESSION_LIFE;
use super::{NewCredential, TokenMade};
use crate::transact::Changed;
use crate::{App, Ctx, Script};

/// The most groups of one user that are looked at.
const MOST_GROUPS: usize = 1_000;

/// A user, as an identity provider says.
#[derive(Debug, Clone)]
pub struct Vouched {
    pub issuer: String,
    /// The user's id there, which is what counts; names may change.
    pub subject: String,
    /// What a new account is called.
    pub name: String,
    pub display_name: String,
    /// The names of the groups there; none if the provider says nothing of groups.
    pub groups: Option<Vec<String>>,
}

impl App {
    /// Lets in a user whom an identity provider vouches for and begins a session. The first time an account is made; a
    /// name that another account has is not taken over. The user is put into the groups that have the names of those at
    /// the provider, and out of those that the provider does not say any more.
    pub async fn login_vouched(&self, vouched: Vouched) -> Result<String, Refusal> {
        let account = self.vouched_account(vouched).await?;
        let row = self.read(move |tx| tx.account_get(&account)).await?.row;
        Ok(self.session_begin(row).await?)
    }

    /// The same for a command, which gets a token that is good for as long as a session.
    pub async fn token_vouched(&self, vouched: Vouched) -> Result<TokenMade, Refusal> {
        let account = self.vouched_account(vouched).await?;
        let expires_at = Some(Timestamp(self.now().0 + SESSION_LIFE));
        let new = NewCredential { account, name: "stele login".to_owned(), roles: None, expires_at };
        Ok(self.token_create(&self.provider_ctx(), new).await?)
    }

    /// The name of the account of a user, which is as the provider says it afterwards.
    async fn vouched_account(&self, vouched: Vouched) -> Result<String, Refusal> {
        let mut vouched = vouched;
        vouched.display_name = vouched.display_name.chars().filter(|c| !c.is_control()).take(256).collect();
        if let Some(groups) = &mut vouched.groups {
            groups.truncate(MOST_GROUPS);
            groups.retain(|group| !group.contains('\0'));
        }
        if vouched.issuer.contains('\0') || vouched.subject.contains('\0') {
            return Err(Refusal::Unknown);
        }
        let (ctx, now) = (self.provider_ctx(), self.now());
        let named = vouched.name.clone();
        let done = self
            .change_identity::<ManageIdentity, _>(&ctx, &named, move |tx, permit| {
                let mut changes = Vec::new();
                let name = match tx.account_of_subject(&vouched.issuer, &vouched.subject)? {
                    Some(known) => known.name,
                    None => {
                        let new = new_account(&vouched)?;
                        let name = new.name.clone();
                        tx.account_create(permit, &new.kept(None), now)?;
                        let change = Change::quiet("account.create", Kind::Account, &name);
                        changes.push(change.after(json!({ "kind": "user", "issuer": vouched.issuer })));
                        name
                    }
                };
                let account = tx.account_open(&name)?;
                if account.disabled {
                    return Ok(Changed::nothing(None));
                }
                if let Some(groups) = &vouched.groups
                    && provided(tx, permit, &account, groups)?
                {
                    let change = Change::quiet("account.groups", Kind::Account, &name);
                    changes.push(change.after(json!({ "groups": tx.groups_of(account.row)? })));
                }
                Ok(Changed::many(Some(name), changes))
            })
            .await;
        match done {
            Ok(name) => name.ok_or(Refusal::Unknown),
            Err(Error::AlreadyExists { id, .. }) => Err(Refusal::NameTaken(id)),
            Err(Error::Invalid { message }) => {
                tracing::warn!(message, "a user of the identity provider has no name that an account could have");
                Err(Refusal::Unknown)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Who keeps the accounts as the provider says, as the audit log knows it.
    fn provider_ctx(&self) -> Ctx {
        let grants = vec![Grant { role: Role::Administrator, scope: Scope::Organisation }];
        let provider = Account::new("identity-provider", AccountKind::Service, Vec::new(), grants);
        self.context_of(Principal::Account(Arc::new(provider)), Script::Native, self.new_request_id())
    }
}

fn new_account(vouched: &Vouched) -> Result<NewAccount> {
    check_name("an account", &vouched.name)?;
    let subject = Some((vouched.issuer.clone(), vouched.subject.clone()));
    Ok(NewAccount { display_name: vouched.display_name.clone(), subject, ..NewAccount::user(&vouched.name) })
}

fn provided(
    tx: &mut Tx,
    permit: &stele_domain::authz::Permit<ManageIdentity>,
    account: &stele_domain::directory::AccountRecord,
    groups: &[String],
) -> Result<bool> {
    tx.groups_provided(permit, account.row, groups)
}
