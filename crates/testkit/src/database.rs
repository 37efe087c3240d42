use stele_store::{DatabaseUrl, Store};
use tempfile::TempDir;
use uuid::Uuid;

/// A fresh, migrated database.
pub struct Database {
    pub store: Store,
    /// For tests that do to the database what the store would not.
    pub url: DatabaseUrl,
    /// `sqlite` or `postgres`, for messages.
    pub engine: &'static str,
    // Removed with the database. PostgreSQL ones go with their throw-away cluster.
    _folder: Option<TempDir>,
}

/// A fresh database on SQLite, and one on PostgreSQL where STELE_TEST_POSTGRES is the URL of a superuser.
pub async fn databases() -> Vec<Database> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("stele.db"));
    let mut databases = vec![Database { store: open(url.clone()).await, url, engine: "sqlite", _folder: Some(folder) }];
    if let Ok(cluster) = std::env::var("STELE_TEST_POSTGRES") {
        let url = DatabaseUrl::Postgres(create(cluster).await);
        databases.push(Database { store: open(url.clone()).await, url, engine: "postgres", _folder: None });
    }
    databases
}

async fn open(url: DatabaseUrl) -> Store {
    let opened = tokio::task::spawn_blocking(move || Store::open(&url)).await;
    opened.expect("opening does not panic").expect("a fresh database opens")
}

/// Makes a database in a cluster and gives back its URL.
#[expect(clippy::disallowed_methods, reason = "several test processes share the cluster")]
async fn create(cluster: String) -> String {
    let name = format!("stele_{}", Uuid::new_v4().simple());
    let statement = format!("CREATE DATABASE {name}");
    let mut url = url::Url::parse(&cluster).expect("STELE_TEST_POSTGRES is a URL");
    let made = tokio::task::spawn_blocking(move || {
        let mut client = postgres::Client::connect(&cluster, postgres::NoTls)?;
        client.batch_execute(&statement)
    });
    made.await.expect("connecting does not panic").expect("STELE_TEST_POSTGRES is a superuser's URL");
    url.set_path(&name);
    url.to_string()
}
