//! Fixtures and fakes for tests: databases of both engines, a clock that tests move, ids that count.

mod database;
mod fakes;

use std::sync::Arc;

pub use database::{Database, databases};
pub use fakes::{CountingIds, TestClock};
use stele_app::blobs::BlobOptions;
use stele_app::{App, ArtifactStorage, Ctx, NewAccount, Script};
use stele_domain::authz::Principal;
use stele_domain::directory::Holder;
use stele_domain::identity::{Account, AccountKind, Role, Scope};
use tempfile::TempDir;

/// An application over a database of its own.
pub struct TestApp {
    pub app: App,
    pub ctx: Ctx,
    pub clock: Arc<TestClock>,
    pub engine: &'static str,
    /// The folder that the artifacts go to.
    pub artifacts: TempDir,
    storage: ArtifactStorage,
    ids: Arc<CountingIds>,
    database: Database,
}

impl TestApp {
    /// An account with roles in the whole organisation, in groups that are made if they are not there, and its requests.
    pub async fn person(&self, name: &str, roles: &[Role], groups: &[&str], script: Script) -> Ctx {
        const UNIQUE: &str = "a test makes a person once";
        let (app, ctx) = (&self.app, &self.ctx);
        app.account_create(ctx, NewAccount::user(name)).await.expect(UNIQUE);
        for role in roles {
            let holder = Holder::Account(name.to_owned());
            app.grant_create(ctx, holder, *role, Scope::Organisation).await.expect(UNIQUE);
        }
        for group in groups {
            // It may be there from somebody else.
            let _ = app.group_create(ctx, (*group).to_owned(), String::new()).await;
            app.group_member_add(ctx, (*group).to_owned(), name.to_owned()).await.expect("the group was just made");
        }
        self.requests_of(name, script).await
    }

    /// The requests of an account with what it holds now.
    pub async fn requests_of(&self, name: &str, script: Script) -> Ctx {
        let held =
            self.app.account_held(&self.ctx, name.to_owned()).await.expect("a test asks for accounts that it made");
        let account = Account::new(name, AccountKind::User, held.groups, held.grants);
        self.app.context_of(Principal::Account(Arc::new(account)), script, "test")
    }

    /// Another server over the same database, whose memory is its own.
    pub async fn another_server(&self) -> App {
        let (store, storage) = (self.database.store.clone(), self.storage.clone());
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        App::start(store, storage, clock, ids).await.expect("a database that is in use can be used")
    }
}

/// An application on each engine that this machine offers: SQLite always, PostgreSQL where STELE_TEST_POSTGRES names
/// a cluster to make databases in.
pub async fn apps() -> Vec<TestApp> {
    let mut apps = Vec::new();
    for database in databases().await {
        let clock = Arc::new(TestClock::default());
        let artifacts = TempDir::new().expect("a folder can be made");
        let folder = artifacts.path().to_str().expect("paths of scratch folders are UTF-8");
        let storage =
            ArtifactStorage::open(folder, BlobOptions::default(), folder).await.expect("a folder can be opened");
        let ids = Arc::new(CountingIds::default());
        let (moves, counts) = (Arc::clone(&clock), Arc::clone(&ids));
        let app = App::start(database.store.clone(), storage.clone(), moves, counts)
            .await
            .expect("a fresh database can be prepared");
        let ctx = app.local_owner(Script::Mlflow, "test");
        apps.push(TestApp { app, ctx, clock, engine: database.engine, artifacts, storage, ids, database });
    }
    apps
}
