//! Where the record and the artifacts are kept, and opening them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use stele_app::blobs::BlobOptions;
use stele_app::{App, ArtifactStorage, SecretKey};
use stele_store::{DatabaseUrl, Store};

use crate::cli::Failure;
use crate::system::{OrderedIds, SystemClock};

#[derive(Args, Clone)]
#[command(next_help_heading = "Where the record lies")]
pub(crate) struct Place {
    /// Folder for everything that is not told to lie elsewhere
    #[arg(long, env = "STELE_DATA", default_value = USUAL_DATA, value_name = "DIR")]
    pub(crate) data: PathBuf,

    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite:DATA/stele.db]
    #[arg(long, env = "STELE_DATABASE", hide_env_values = true, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// Folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX [default: DATA/artifacts]
    #[arg(long, env = "STELE_ARTIFACTS", value_name = "PLACE")]
    pub(crate) artifacts: Option<String>,

    /// Key that seals secrets in the database; rather a variable than a flag, which other users of the machine can
    /// see [default: a key that is made in DATA/secret.key]
    #[arg(long, env = "STELE_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
    secret_key: Option<String>,
}

/// Where the data folder is unless somebody says so.
const USUAL_DATA: &str = "./stele-data";

/// The file in the data folder that holds the key of secrets, unless a setting has it.
const KEY_FILE: &str = "secret.key";

impl Place {
    pub(crate) fn database_url(&self) -> Result<DatabaseUrl> {
        match &self.database {
            Some(url) => {
                DatabaseUrl::parse(url).map_err(|error| Failure::usage(error.to_string()).hint(DATABASE_HINT).into())
            }
            None => Ok(DatabaseUrl::Sqlite(self.data.join("stele.db"))),
        }
    }

    /// Whether somebody said where the record lies.
    pub(crate) fn is_named(&self) -> bool {
        self.database.is_some() || self.data != std::path::Path::new(USUAL_DATA)
    }

    /// The folder or bucket of artifacts.
    pub(crate) fn artifact_destination(&self) -> String {
        match &self.artifacts {
            Some(place) => place.clone(),
            None => self.data.join("artifacts").display().to_string(),
        }
    }

    /// The key that the secrets in the database are sealed with; one is made if there is none.
    pub(crate) fn secret_key(&self) -> Result<SecretKey> {
        match self.given_secret_key()? {
            Some(key) => Ok(key),
            None => Ok(SecretKey::from_file(&self.data.join(KEY_FILE))?),
        }
    }

    /// The key that a setting has; nothing is made.
    pub(crate) fn given_secret_key(&self) -> Result<Option<SecretKey>> {
        let key = self.secret_key.as_deref().map(SecretKey::from_text).transpose();
        key.context("STELE_SECRET_KEY cannot be used")
    }

    /// Opens the record, making what is not there. On SQLite only one process at a time can have it open.
    pub(crate) async fn open(&self) -> Result<App> {
        self.open_with(BlobOptions::from_environment()).await
    }

    /// The same, with artifacts reached as `options` say.
    pub(crate) async fn open_with(&self, options: BlobOptions) -> Result<App> {
        std::fs::create_dir_all(&self.data).map_err(|error| {
            Failure::new(format!("cannot make the data folder {}: {error}", self.data.display()))
                .hint("name a folder that may be written, with --data or STELE_DATA")
        })?;
        let store = open_store(self.database_url()?).await?;
        let artifacts = open_artifacts(&self.artifact_destination(), options).await?;
        Ok(App::start(store, artifacts, Arc::new(SystemClock), Arc::new(OrderedIds)).await?)
    }
}

impl Place {
    /// Opens the record for work that reads or writes much of it beside no server; on PostgreSQL servers may go on.
    pub(crate) async fn open_alone(&self, command: &str) -> Result<App> {
        self.open().await.map_err(|error| {
            if !format!("{error:#}").contains("another server is using it") {
                return error;
            }
            let data = self.data.display();
            let hint = match command {
                "export" => format!(
                    "stop the server, or export a copy of it: stele backup COPY --data {data}, then stele export .. \
                     --data COPY"
                ),
                "gc" => {
                    "stop the server for this, or let it free what is old itself: stele serve --trash-retention 30d"
                        .to_owned()
                }
                _ => "stop the server for as long as this takes".to_owned(),
            };
            Failure::new(format!("a server is using the record in {data}")).hint(hint).into()
        })
    }
}

/// A length of time as `30d`, `12h`, `90m`, `15s` or several of these, largest first: `1d12h`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let wrong = || format!("expected an age such as 30d, 12h or 1d12h, not '{text}'");
    let (mut rest, mut seconds, mut last) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].chars().next();
        let (name, unit) = UNITS.into_iter().find(|(name, _)| Some(*name) == unit).ok_or_else(wrong)?;
        if unit >= last {
            return Err(wrong());
        }
        last = unit;
        seconds = count.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        rest = &rest[digits + name.len_utf8()..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

const DATABASE_HINT: &str = "name one with --database sqlite:PATH or --database postgres://USER:PASSWORD@HOST/NAME";

async fn open_store(url: DatabaseUrl) -> Result<Store> {
    if let DatabaseUrl::Sqlite(path) = &url
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let shown = url.to_string();
    let opened = tokio::task::spawn_blocking(move || Store::open(&url)).await?;
    opened.map_err(|error| {
        Failure::unreachable(format!("cannot open the database {shown}: {error}"))
            .hint("`stele doctor` looks for the reason")
            .into()
    })
}

async fn open_artifacts(destination: &str, options: BlobOptions) -> Result<ArtifactStorage> {
    let working_directory = std::env::current_dir().context("cannot tell the working directory")?;
    let working_directory = working_directory.to_str().context("the path of the working directory is not UTF-8")?;
    let opened = ArtifactStorage::open(destination, options, working_directory).await;
    opened.map_err(|error| {
        Failure::unreachable(format!("cannot keep artifacts at {destination}: {error}"))
            .hint(
                "name a folder that the server can write, or a bucket as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or \
                 az://CONTAINER/PREFIX, with --artifacts or STELE_ARTIFACTS",
            )
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("1d12h"), Ok(Duration::from_secs(36 * 3_600)));
        assert_eq!(age("0s"), Ok(Duration::ZERO));
        for wrong in ["", "30", "d", "-1d", "1h1d", "1d1d", "99999999999999999999d", "300000000000000d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
