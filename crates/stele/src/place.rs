//! Where the record and the artifacts are kept, and opening them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use stele_app::blobs::BlobOptions;
use stele_app::{App, ArtifactStorage};
use stele_store::{DatabaseUrl, Store};

use crate::cli::Failure;
use crate::system::{OrderedIds, SystemClock};

#[derive(Args, Clone)]
#[command(next_help_heading = "Where the record lies")]
pub(crate) struct Place {
    /// Folder for everything that is not told to lie elsewhere
    #[arg(long, env = "STELE_DATA", default_value = "./stele-data", value_name = "DIR")]
    pub(crate) data: PathBuf,

    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite:DATA/stele.db]
    #[arg(long, env = "STELE_DATABASE", hide_env_values = true, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// Folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX [default: DATA/artifacts]
    #[arg(long, env = "STELE_ARTIFACTS", value_name = "PLACE")]
    pub(crate) artifacts: Option<String>,
}

impl Place {
    pub(crate) fn database_url(&self) -> Result<DatabaseUrl> {
        match &self.database {
            Some(url) => {
                DatabaseUrl::parse(url).map_err(|error| Failure::usage(error.to_string()).hint(DATABASE_HINT).into())
            }
            None => Ok(DatabaseUrl::Sqlite(self.data.join("stele.db"))),
        }
    }

    /// The folder or bucket of artifacts.
    pub(crate) fn artifact_destination(&self) -> String {
        match &self.artifacts {
            Some(place) => place.clone(),
            None => self.data.join("artifacts").display().to_string(),
        }
    }

    /// Opens the record, making what is not there. On SQLite only one process at a time can have it open.
    pub(crate) async fn open(&self) -> Result<App> {
        std::fs::create_dir_all(&self.data)
            .with_context(|| format!("cannot make the data folder {}", self.data.display()))?;
        let store = open_store(self.database_url()?).await?;
        let artifacts = open_artifacts(&self.artifact_destination()).await?;
        Ok(App::start(store, artifacts, Arc::new(SystemClock), Arc::new(OrderedIds)).await?)
    }
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

async fn open_artifacts(destination: &str) -> Result<ArtifactStorage> {
    let working_directory = std::env::current_dir().context("cannot tell the working directory")?;
    let working_directory = working_directory.to_str().context("the path of the working directory is not UTF-8")?;
    let opened = ArtifactStorage::open(destination, BlobOptions::from_environment(), working_directory).await;
    opened.map_err(|error| {
        Failure::unreachable(format!("cannot keep artifacts at {destination}: {error}"))
            .hint(
                "name a folder that the server can write, or a bucket as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or \
                 az://CONTAINER/PREFIX, with --artifacts or STELE_ARTIFACTS",
            )
            .into()
    })
}
