//! Whether requests must prove who they are.

use std::sync::atomic::Ordering;

use serde_json::json;
use stele_domain::authz::{ManageCredential, ManageIdentity};
use stele_domain::change::Change;
use stele_domain::directory::{Holder, check_name};
use stele_domain::identity::{AccountKind, Role, Scope};
use stele_domain::{Error, Kind, Result};

use super::account::NewAccount;
use crate::transact::Changed;
use crate::{App, Ctx};

const SETTING: &str = "authentication";
const ON: &str = "required";

/// How long a server may believe that there is no authentication, once another server of its database has turned it on.
const BELIEVED_MS: i64 = 2_000;

impl App {
    /// Whether requests must prove who they are, as this server last read it.
    pub fn authentication_required(&self) -> bool {
        self.identity().required.load(Ordering::Acquire)
    }

    /// The same, read again if it may have changed. It is never turned off, so that is only while it is not on.
    pub async fn authentication_refreshed(&self) -> Result<bool> {
        if self.authentication_required() && self.identity().read_at.load(Ordering::Acquire) != i64::MIN {
            return Ok(true);
        }
        let now = self.parts.clock.now().0;
        let age = now.saturating_sub(self.identity().read_at.load(Ordering::Acquire));
        if (0..BELIEVED_MS).contains(&age) {
            return Ok(self.authentication_required());
        }
        let required = self.read(|tx| Ok(tx.setting_get(SETTING)?.as_deref() == Some(ON))).await?;
        self.identity().required.store(required, Ordering::Release);
        self.identity().read_at.store(now, Ordering::Release);
        Ok(required)
    }

    /// Makes the first administrator, or makes an account of that name one and gives it the password, and from then on
    /// wants to know of each request who asks.
    pub async fn authentication_require(&self, ctx: &Ctx, name: String, password: String) -> Result<()> {
        check_name("an account", &name)?;
        let hash = self.password_hash(password).await?;
        let (now, granted_by) = (ctx.now(), ctx.principal.name().to_owned());
        self.change_identity::<ManageIdentity, _>(ctx, &name.clone(), move |tx, permit| {
            let account = match tx.account_open(&name) {
                Ok(found) if found.disabled => return Err(disabled(&name)),
                Ok(found) if found.kind == AccountKind::Service => {
                    return Err(Error::conflict(format!("'{name}' is a service account, which has no password")));
                }
                Ok(found) => found.row,
                Err(Error::NotFound { .. }) => {
                    let new = NewAccount::user(&name).kept(None);
                    tx.account_create(permit, &new, now)?
                }
                Err(error) => return Err(error),
            };
            tx.account_set_password(&permit.other::<ManageCredential>(), account, &hash, now)?;
            let holder = Holder::Account(name.clone());
            tx.grant_create(permit, &holder, Role::Administrator, &Scope::Organisation, &granted_by, now)?;
            tx.setting_set(permit, SETTING, ON)?;
            let change = Change::quiet("authentication.require", Kind::Account, &name);
            Ok(Changed::one((), change.after(json!({ "administrator": name }))))
        })
        .await?;
        self.identity().read_at.store(ctx.now().0, Ordering::Release);
        self.identity().required.store(true, Ordering::Release);
        Ok(())
    }
}

fn disabled(name: &str) -> Error {
    Error::WrongState { kind: Kind::Account, id: name.to_owned(), state: "disabled", needed: "enabled" }
}
