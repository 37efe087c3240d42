use serde_json::{Value, json};
use stele_domain::authz::Principal;
use stele_domain::authz::{ManageCredential, ManageIdentity, authorize_own};
use stele_domain::change::Change;
use stele_domain::directory::{AccountRecord, check_name};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::search::Page;
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

const MOST_DISPLAY_NAME: usize = 256;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub name: String,
    pub kind: AccountKind,
    pub display_name: String,
    pub password: Option<String>,
    /// The identity provider and the user's id there.
    pub subject: Option<(String, String)>,
}

impl NewAccount {
    /// A user without anything.
    pub fn user(name: &str) -> NewAccount {
        let (name, display_name) = (name.to_owned(), String::new());
        NewAccount { name, kind: AccountKind::User, display_name, password: None, subject: None }
    }

    /// As it is kept, with the hash of its password.
    pub(super) fn kept(self, hash: Option<String>) -> stele_store::NewAccount {
        let NewAccount { name, kind, display_name, password: _, subject } = self;
        stele_store::NewAccount { name, kind, display_name, password: hash, subject }
    }
}

/// What to change of an account; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    pub display_name: Option<String>,
    pub disabled: Option<bool>,
}

/// An account with all that it holds.
#[derive(Debug, Clone)]
pub struct Held {
    pub record: AccountRecord,
    pub groups: Vec<String>,
    /// Its own roles and those of its groups.
    pub grants: Vec<Grant>,
}

impl Held {
    /// Whether it administers the organisation.
    pub fn administers(&self) -> bool {
        self.grants.contains(&Grant { role: Role::Administrator, scope: Scope::Organisation })
    }

    fn read(tx: &mut Tx, record: AccountRecord) -> Result<Held> {
        let login = tx.login_by_row(record.row)?.ok_or_else(|| Error::not_found(Kind::Account, &record.name))?;
        let Account { name: _, kind: _, groups, grants, ceiling: _, is_lent: _ } = login.account;
        Ok(Held { record, groups, grants })
    }
}

/// The most accounts that are listed where there are no pages.
const MOST_LISTED: i64 = 10_000;

impl App {
    /// Reads an account with all that it holds; its own, whoever asks.
    pub async fn account_held(&self, ctx: &Ctx, name: String) -> Result<Held> {
        if authorize_own(ctx, &name).is_none() {
            self.may_read_identity(ctx).await?;
        }
        self.read(move |tx| {
            let record = tx.account_get(&name)?;
            Held::read(tx, record)
        })
        .await
    }

    /// Reads all accounts with all that they hold.
    pub async fn accounts_held(&self, ctx: &Ctx) -> Result<Vec<Held>> {
        self.may_read_identity(ctx).await?;
        self.read(|tx| {
            let records = tx.accounts_list("", MOST_LISTED)?;
            if records.more {
                let message = format!("there are more than {MOST_LISTED} accounts, which are only listed in pages");
                return Err(Error::LimitExceeded { message });
            }
            records.items.into_iter().map(|record| Held::read(tx, record)).collect()
        })
        .await
    }

    pub async fn account_create(&self, ctx: &Ctx, new: NewAccount) -> Result<AccountRecord> {
        check_name("an account", &new.name)?;
        check_display_name(&new.display_name)?;
        if new.kind == AccountKind::Service && new.password.is_some() {
            return Err(Error::invalid("a service account has tokens and access keys but no password"));
        }
        let name = new.name.clone();
        // Nobody may keep the server busy with hashing who may not make accounts.
        self.permit::<ManageIdentity>(ctx, &name).await?;
        let hash = match new.password.clone() {
            Some(password) => Some(self.password_hash(password).await?),
            None => None,
        };
        let now = ctx.now();
        let new = new.kept(hash);
        self.change_identity::<ManageIdentity, _>(ctx, &name, move |tx, permit| {
            tx.account_create(permit, &new, now)?;
            let made = tx.account_get(&new.name)?;
            let change = Change::quiet("account.create", Kind::Account, &made.name).after(told(&made));
            Ok(Changed::one(made, change))
        })
        .await
    }

    /// Reads an account and the names of its groups; its own, whoever asks.
    pub async fn account_get(&self, ctx: &Ctx, name: String) -> Result<(AccountRecord, Vec<String>)> {
        if authorize_own(ctx, &name).is_none() {
            self.may_read_identity(ctx).await?;
        }
        self.read(move |tx| {
            let account = tx.account_get(&name)?;
            let groups = tx.groups_of(account.row)?;
            Ok((account, groups))
        })
        .await
    }

    /// Those after a name, by name.
    pub async fn accounts_list(&self, ctx: &Ctx, after: String, limit: i64) -> Result<Page<AccountRecord>> {
        self.may_read_identity(ctx).await?;
        self.read(move |tx| tx.accounts_list(&after, limit)).await
    }

    pub async fn account_update(&self, ctx: &Ctx, name: String, change: AccountChange) -> Result<AccountRecord> {
        let AccountChange { display_name, disabled } = change;
        check_display_name(display_name.as_deref().unwrap_or_default())?;
        let now = ctx.now();
        self.change_identity::<ManageIdentity, _>(ctx, &name.clone(), move |tx, permit| {
            let before = tx.account_open(&name)?;
            if let Some(display_name) = &display_name {
                tx.account_rename_display(permit, before.row, display_name, now)?;
            }
            if let Some(disabled) = disabled {
                tx.account_disable(permit, before.row, disabled, now)?;
            }
            administrator_remains(tx)?;
            let after = tx.account_get(&name)?;
            let change =
                Change::quiet("account.update", Kind::Account, &name).before(told(&before)).after(told(&after));
            Ok(Changed::one(after, change))
        })
        .await
    }

    /// Deletes an account with its credentials, grants and memberships. Its name stays taken.
    pub async fn account_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        let now = ctx.now();
        self.change_identity::<ManageIdentity, _>(ctx, &name.clone(), move |tx, permit| {
            let account = tx.account_open(&name)?;
            tx.account_delete(permit, account.row, now)?;
            administrator_remains(tx)?;
            Ok(Changed::one((), Change::quiet("account.delete", Kind::Account, &name).before(told(&account))))
        })
        .await
    }

    /// Sets the password of an account. Who sets their own proves to know the one before.
    pub async fn password_set(&self, ctx: &Ctx, name: String, password: String, current: Option<String>) -> Result<()> {
        super::password::check(&password)?;
        let own = authorize_own(ctx, &name);
        let permit = match own.clone() {
            Some(permit) => permit,
            None => self.permit::<ManageCredential>(ctx, &name).await?,
        };
        if own.is_some() {
            let current = current
                .ok_or_else(|| Error::invalid("current password is required to change a password of one's own"))?;
            let wrong = || Error::invalid("current password does not match");
            self.login_password(&name, &current, None).await.map_err(|_| wrong())?;
        }
        let hash = self.password_hash(password).await?;
        let now = ctx.now();
        let set = self
            .change_permitted(ctx, &name.clone(), permit, move |tx, permit| {
                let account = tx.account_open(&name)?;
                if account.kind == AccountKind::Service {
                    return Err(Error::invalid("a service account has tokens and access keys but no password"));
                }
                tx.account_set_password(permit, account.row, &hash, now)?;
                Ok(Changed::one((), Change::quiet("account.password", Kind::Account, &name)))
            })
            .await;
        self.forget_logins();
        set
    }
}

/// Who asks, if it is an account.
pub(crate) fn own_account(ctx: &Ctx) -> Option<&Account> {
    match &ctx.principal {
        Principal::LocalOwner => None,
        Principal::Account(account) => Some(account),
    }
}

/// Refuses a change that would leave nobody to change it back.
pub(super) fn administrator_remains(tx: &mut Tx) -> Result<()> {
    if tx.setting_get("authentication")?.is_some() && tx.administrators_count()? == 0 {
        return Err(Error::conflict("nobody would be left who administers the organisation"));
    }
    Ok(())
}

fn check_display_name(text: &str) -> Result<()> {
    check_text("display name", text)?;
    let length = text.chars().count();
    if length > MOST_DISPLAY_NAME {
        return Err(Error::invalid(format!("a display name has at most {MOST_DISPLAY_NAME} characters, not {length}")));
    }
    Ok(())
}

/// An account in the audit log.
fn told(account: &AccountRecord) -> Value {
    json!({
        "kind": account.kind.as_str(),
        "display_name": account.display_name,
        "disabled": account.disabled,
        "issuer": account.issuer,
    })
}
