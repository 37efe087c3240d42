use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use postgres::{Client, NoTls};
use url::Url;

/// A database of its own in the throw-away cluster, dropped at the end.
pub(crate) struct PostgresDatabase {
    superuser: String,
    name: String,
    pub(crate) url: String,
}

impl PostgresDatabase {
    pub(crate) fn create(superuser: &str) -> Result<PostgresDatabase> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut url = Url::parse(superuser).context("the URL of the PostgreSQL cluster")?;
        url.set_path(&name);
        let mut client = Client::connect(superuser, NoTls).context("cannot reach the PostgreSQL cluster")?;
        client.batch_execute(&format!("CREATE DATABASE {name}"))?;
        Ok(PostgresDatabase { superuser: superuser.to_owned(), name, url: url.into() })
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // The cluster itself is thrown away soon.
        if let Ok(mut client) = Client::connect(&self.superuser, NoTls) {
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}
