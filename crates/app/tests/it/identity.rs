//! Accounts, their credentials, and who is let in.

use std::net::{IpAddr, Ipv4Addr};

use stele_app::{
    AccountChange, Admission, App, AuditFilter, Ctx, NewAccount, NewCredential, Refusal, Script, SecretKey, SignedBy,
    looks_like_token,
};
use stele_domain::Error;
use stele_domain::authz::Principal;
use stele_domain::directory::{CredentialKind, Holder};
use stele_domain::id::{GrantRow, Timestamp};
use stele_domain::identity::{AccountKind, Grant, Role, Scope};
use stele_testkit::{TestApp, apps};

const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
const PASSWORD: &str = "correct horse battery";

async fn account(app: &App, ctx: &Ctx, name: &str) {
    let new = NewAccount { password: Some(PASSWORD.to_owned()), ..NewAccount::user(name) };
    app.account_create(ctx, new).await.unwrap();
}

fn credential(account: &str) -> NewCredential {
    NewCredential { account: account.to_owned(), name: "ci".to_owned(), roles: None, expires_at: None }
}

fn grants(principal: &Principal) -> Vec<Grant> {
    match principal {
        Principal::LocalOwner => panic!("the local owner came instead of an account"),
        Principal::Account(account) => account.grants.clone(),
    }
}

fn administrator() -> Grant {
    Grant { role: Role::Administrator, scope: Scope::Organisation }
}

#[tokio::test]
async fn authentication_is_off_until_there_is_an_administrator() {
    for TestApp { app, ctx, clock, .. } in apps().await {
        assert!(!app.authentication_refreshed().await.unwrap());
        assert!(app.admit(None, Script::Native, "r").is_ok());
        let short = app.authentication_require(&ctx, "ann".to_owned(), "short".to_owned()).await;
        assert!(matches!(short, Err(Error::Invalid { .. })), "{short:?}");
        assert!(!app.authentication_required());
        app.authentication_require(&ctx, "ann".to_owned(), PASSWORD.to_owned()).await.unwrap();
        assert!(app.authentication_required());
        assert_eq!(app.admit(None, Script::Native, "r").err(), Some(Refusal::Missing));
        clock.advance(60_000);
        assert!(app.authentication_refreshed().await.unwrap());

        let ann = app.login_password("ann", PASSWORD, HERE).await.unwrap();
        assert_eq!(grants(&ann), [administrator()]);
        let admitted = app.admit(Some(Admission::Admitted(ann)), Script::Native, "r").unwrap();
        // Who administers may do what the local owner may, and cannot lock everybody out.
        let alone = app.account_delete(&admitted, "ann".to_owned()).await;
        assert!(matches!(alone, Err(Error::Conflict { .. })), "{alone:?}");
        account(&app, &admitted, "bob").await;
        app.grant_create(&admitted, Holder::Account("bob".to_owned()), Role::Administrator, Scope::Organisation)
            .await
            .unwrap();
        app.account_delete(&admitted, "ann".to_owned()).await.unwrap();
        assert_eq!(app.login_password("ann", PASSWORD, HERE).await.err(), Some(Refusal::Unknown));
        let again = app.account_create(&ctx, NewAccount::user("ann")).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    }
}

#[tokio::test]
async fn roles_come_from_the_account_and_its_groups_and_go_at_once() {
    for TestApp { app, ctx, .. } in apps().await {
        account(&app, &ctx, "ann").await;
        app.group_create(&ctx, "team".to_owned(), String::new()).await.unwrap();
        let (team, default) = (Holder::Group("team".to_owned()), Scope::Workspace("default".to_owned()));
        let granted = app.grant_create(&ctx, team, Role::Viewer, default.clone()).await.unwrap();
        assert_eq!(grants(&app.login_password("ann", PASSWORD, HERE).await.unwrap()), []);
        app.group_member_add(&ctx, "team".to_owned(), "ann".to_owned()).await.unwrap();
        app.group_member_add(&ctx, "team".to_owned(), "ann".to_owned()).await.unwrap();
        let ann = app.login_password("ann", PASSWORD, HERE).await.unwrap();
        assert_eq!(
            (grants(&ann), ann.groups()),
            (vec![Grant { role: Role::Viewer, scope: default }], &["team".to_owned()][..])
        );
        app.grant_delete(&ctx, granted.row).await.unwrap();
        assert_eq!(grants(&app.login_password("ann", PASSWORD, HERE).await.unwrap()), []);

        for (scope, missing) in [
            (Scope::Workspace("other".to_owned()), "workspace 'other' does not exist"),
            (Scope::Experiment("77".to_owned()), "experiment '77' does not exist"),
            (Scope::Model("m".to_owned()), "model 'm' does not exist"),
        ] {
            let refused = app.grant_create(&ctx, Holder::Account("ann".to_owned()), Role::Viewer, scope).await;
            assert_eq!(refused.unwrap_err().to_string(), missing);
        }
        let change = AccountChange { disabled: Some(true), ..AccountChange::default() };
        app.account_update(&ctx, "ann".to_owned(), change).await.unwrap();
        assert_eq!(app.login_password("ann", PASSWORD, HERE).await.err(), Some(Refusal::Unknown));
        app.group_delete(&ctx, "team".to_owned()).await.unwrap();
        assert_eq!(app.grants_list(&ctx, None, GrantRow(0), 10).await.unwrap().items, []);
    }
}

#[tokio::test]
async fn tokens_are_narrowed_expire_and_are_revoked() {
    for TestApp { app, ctx, clock, .. } in apps().await {
        account(&app, &ctx, "ann").await;
        app.grant_create(&ctx, Holder::Account("ann".to_owned()), Role::Administrator, Scope::Organisation)
            .await
            .unwrap();
        let made = app.token_create(&ctx, credential("ann")).await.unwrap();
        assert!(looks_like_token(&made.token) && made.token.len() == 70, "{}", made.token);
        let ann = app.login_token(&made.token, None, HERE).await.unwrap();
        assert_eq!(grants(&ann), [administrator()]);
        assert!(app.login_token(&made.token, Some("ann"), HERE).await.is_ok());
        assert_eq!(app.login_token(&made.token, Some("bob"), HERE).await.err(), Some(Refusal::Unknown));
        assert_eq!(app.login_session(&made.token).await.err(), Some(Refusal::Unknown));

        let end = Timestamp(ctx.now().0 + 10_000);
        let narrow = NewCredential { roles: Some(vec![Role::Viewer]), expires_at: Some(end), ..credential("ann") };
        let narrow = app.token_create(&ctx, narrow).await.unwrap();
        let reader = app.login_token(&narrow.token, None, HERE).await.unwrap();
        assert_eq!(grants(&reader), [Grant { role: Role::Viewer, scope: Scope::Organisation }]);
        // It cannot make itself a wider one, as the account itself can.
        let reader = app.context_of(reader, Script::Native, "r");
        let wider = app.token_create(&reader, credential("ann")).await;
        assert!(matches!(wider, Err(Error::Forbidden { .. })), "{wider:?}");
        let ann = app.context_of(ann, Script::Native, "r");
        app.token_create(&ann, credential("ann")).await.unwrap();
        clock.advance(10_000);
        assert_eq!(app.login_token(&narrow.token, None, HERE).await.err(), Some(Refusal::Unknown));

        app.credential_revoke(&ann, "ann".to_owned(), CredentialKind::Token, made.record.id.clone()).await.unwrap();
        assert_eq!(app.login_token(&made.token, None, HERE).await.err(), Some(Refusal::Unknown));
        let left =
            app.credentials_list(&ctx, Some("ann".to_owned()), CredentialKind::Token, String::new(), 10).await.unwrap();
        assert_eq!(left.items.len(), 2);
        assert!(left.items.iter().all(|token| token.id != made.record.id));
    }
}

/// What the account holds may grow, and then a credential of all that it holds would be the wider one.
#[tokio::test]
async fn a_narrowed_credential_makes_no_wider_one_though_the_account_holds_no_more() {
    for TestApp { app, ctx, .. } in apps().await {
        account(&app, &ctx, "ann").await;
        for grants in 0..2 {
            let roles = Some(vec![Role::Viewer]);
            let narrow = app.token_create(&ctx, NewCredential { roles, ..credential("ann") }).await.unwrap();
            let reader = app.login_token(&narrow.token, None, HERE).await.unwrap();
            assert_eq!(self::grants(&reader).len(), grants);
            let reader = app.context_of(reader, Script::Native, "r");
            let wider = app.token_create(&reader, credential("ann")).await;
            assert!(matches!(wider, Err(Error::Forbidden { .. })), "{wider:?}");
            let id = narrow.record.id.clone();
            let revoked = app.credential_revoke(&reader, "ann".to_owned(), CredentialKind::Token, id).await;
            assert!(matches!(revoked, Err(Error::Forbidden { .. })), "{revoked:?}");
            let denied = app.audit_list(&ctx, AuditFilter::default(), None, 2).await.unwrap().entries;
            assert!(denied.iter().all(|entry| entry.outcome == "denied" && entry.action == "credential:manage"));
            let holder = Holder::Account("ann".to_owned());
            app.grant_replace(&ctx, holder, Role::Viewer, Scope::Organisation).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_secret_of_an_access_key_is_sealed() {
    for TestApp { app, ctx, .. } in apps().await {
        let new = NewAccount { kind: AccountKind::Service, ..NewAccount::user("robot") };
        app.account_create(&ctx, new).await.unwrap();
        let keyless = app.key_create(&ctx, credential("robot")).await;
        assert!(matches!(keyless, Err(Error::Unsupported { .. })), "{keyless:?}");
        app.enable_access_keys(SecretKey::from_text("a passphrase of some length").unwrap());
        let key = app.key_create(&ctx, credential("robot")).await.unwrap();
        assert!(key.record.id.starts_with("AKIA") && key.record.id.len() == 20);
        assert_eq!(key.secret.len(), 40);
        let signer = app.login_key(&key.record.id, HERE).await.unwrap();
        assert_eq!((signer.principal.name(), signer.secret), ("robot", key.secret));
        assert_eq!(app.login_key("AKIANOBODY", HERE).await.err(), Some(Refusal::UnknownKey));
        app.credential_revoke(&ctx, "robot".to_owned(), CredentialKind::Key, key.record.id.clone()).await.unwrap();
        assert_eq!(app.login_key(&key.record.id, HERE).await.err(), Some(Refusal::UnknownKey));
    }
}

#[tokio::test]
async fn an_access_key_lends_for_a_while() {
    for TestApp { app, ctx, clock, .. } in apps().await {
        app.enable_access_keys(SecretKey::from_text("a passphrase of some length").unwrap());
        account(&app, &ctx, "ann").await;
        let key = app.key_create(&ctx, credential("ann")).await.unwrap();
        let signed_by = SignedBy { key: key.record.id.clone(), token: None };
        let local = app.temporary_key_create(&ctx, &signed_by, "job", 900).await;
        assert!(matches!(local, Err(Error::Unsupported { .. })), "{local:?}");

        let principal = app.login_key(&key.record.id, HERE).await.unwrap().principal;
        let ann = app.context_of(principal, Script::Aws, "r");
        let lent = app.temporary_key_create(&ann, &signed_by, "job", 900).await.unwrap();
        let signer = app.login_temporary(&lent.id, &lent.token, HERE).await.unwrap();
        assert_eq!((signer.principal.name(), signer.secret), ("ann", lent.secret.clone()));
        let others = app.temporary_key_create(&ann, &signed_by, "job", 900).await.unwrap();
        for token in [others.token.as_str(), "", "nonsense", &lent.token[1..]] {
            let refused = app.login_temporary(&lent.id, token, HERE).await.err();
            assert_eq!(refused, Some(Refusal::UnknownKey), "{token}");
        }

        // What it makes must not outlast it: whoever lets in an administrator for a while lets nobody in for good.
        app.grant_create(&ctx, Holder::Account("ann".to_owned()), Role::Administrator, Scope::Organisation)
            .await
            .unwrap();
        let principal = app.login_temporary(&lent.id, &lent.token, HERE).await.unwrap().principal;
        let job = app.context_of(principal, Script::Mlflow, "r");
        let made = app.account_create(&job, NewAccount::user("mole")).await.map(drop);
        let granted = app.grant_create(&job, Holder::Account("ann".to_owned()), Role::Viewer, Scope::Organisation);
        let set = app.password_set(&job, "root".to_owned(), PASSWORD.to_owned(), None);
        for refused in [made, granted.await.map(drop), set.await] {
            assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
        }
        app.audit_list(&job, AuditFilter::default(), None, 1).await.unwrap();

        clock.advance(900 * 1000);
        assert_eq!(app.login_temporary(&lent.id, &lent.token, HERE).await.err(), Some(Refusal::Expired));
    }
}

#[tokio::test]
async fn passwords_cannot_be_guessed_and_their_owner_changes_them() {
    for TestApp { app, ctx, clock, .. } in apps().await {
        account(&app, &ctx, "ann").await;
        app.login_password("ann", PASSWORD, HERE).await.unwrap();
        for _ in 0..9 {
            assert_eq!(app.login_password("bob", "wrong guess", HERE).await.err(), Some(Refusal::Unknown));
        }
        for _ in 0..10 {
            assert_eq!(app.login_password("ann", "wrong guess", HERE).await.err(), Some(Refusal::Unknown));
        }
        assert!(matches!(app.login_password("ann", "wrong guess", HERE).await, Err(Refusal::TooMany { .. })));
        // What somebody guesses here is not held against who asks elsewhere.
        let elsewhere = Some(std::net::IpAddr::from([192, 0, 2, 77]));
        assert_eq!(app.login_password("ann", "wrong guess", elsewhere).await.err(), Some(Refusal::Unknown));
        // Whoever has logged in a short while ago goes on.
        app.login_password("ann", PASSWORD, HERE).await.unwrap();

        let ann = app.context_of(app.login_password("ann", PASSWORD, HERE).await.unwrap(), Script::Native, "r");
        let set = |current: Option<&str>| {
            app.password_set(&ann, "ann".to_owned(), "another password".to_owned(), current.map(str::to_owned))
        };
        assert!(matches!(set(None).await, Err(Error::Invalid { .. })));
        assert!(matches!(set(Some("wrong guess")).await, Err(Error::Invalid { .. })));
        set(Some(PASSWORD)).await.unwrap();
        assert!(app.login_password("ann", PASSWORD, HERE).await.is_err());
        clock.advance(5 * 60 * 1000);
        app.login_password("ann", "another password", HERE).await.unwrap();
        // Of others, only those may who look after accounts.
        let bobs = app.password_set(&ann, "bob".to_owned(), "another password".to_owned(), None).await;
        assert!(matches!(bobs, Err(Error::Forbidden { .. })), "{bobs:?}");
        assert!(matches!(app.accounts_list(&ann, String::new(), 10).await, Err(Error::Forbidden { .. })));
    }
}

#[tokio::test]
async fn sessions_end() {
    for TestApp { app, ctx, clock, .. } in apps().await {
        let ann = app.account_create(&ctx, NewAccount::user("ann")).await.unwrap();
        let session = app.session_begin(ann.row).await.unwrap();
        assert_eq!(app.login_session(&session).await.unwrap().name(), "ann");
        assert!(app.login_token(&session, None, None).await.is_err());
        app.session_end(&session).await.unwrap();
        assert_eq!(app.login_session(&session).await.err(), Some(Refusal::Unknown));
        let session = app.session_begin(ann.row).await.unwrap();
        clock.advance(stele_app::SESSION_LIFE);
        assert_eq!(app.login_session(&session).await.err(), Some(Refusal::Unknown));
    }
}
