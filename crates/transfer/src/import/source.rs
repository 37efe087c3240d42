use std::fmt;
use std::path::{Path, PathBuf};

use stele_domain::{Error, Result};
use stele_postgres::without_password;
use url::Url;

use super::{ImportOptions, Sink};
use crate::{database, files, server};

/// Where an import reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An `mlruns` folder.
    Folder(PathBuf),
    /// An MLflow database in a file.
    Sqlite(PathBuf),
    /// An MLflow database on PostgreSQL.
    Postgres(String),
    /// A running server.
    Server(Url),
}

impl Source {
    /// Reads an `http(s)` URL, `sqlite:///FILE`, `postgresql://..` with any driver, `file:` URI, or the path of a folder
    /// or a database file.
    pub fn parse(text: &str) -> Result<Source> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme.split('+').next().unwrap_or_default() {
            "http" | "https" => {
                let url = Url::parse(text).map_err(|error| Error::invalid(format!("'{text}' is no URL: {error}")))?;
                Ok(Source::Server(url))
            }
            "postgresql" | "postgres" => {
                let (_, rest) = text.split_once("://").unwrap_or_default();
                Ok(Source::Postgres(format!("postgresql://{rest}")))
            }
            // As SQLAlchemy has it: three slashes before a relative path, four before an absolute one.
            "sqlite" => match text.split_once(":///") {
                Some((_, path)) if !path.is_empty() => Source::at(Path::new(path)),
                _ => Err(Error::invalid(format!("'{text}' names no file: expected sqlite:///FILE"))),
            },
            "mysql" | "mssql" => Err(Error::unsupported(format!(
                "MLflow databases on {scheme} are not read; start `mlflow server` on it and import from its URL"
            ))),
            _ => match stele_domain::artifact_uri::local_path(text)? {
                Some(path) => Source::at(Path::new(&path)),
                None => Err(Error::invalid(format!("'{text}' is no place that MLflow keeps a record in"))),
            },
        }
    }

    fn at(path: &Path) -> Result<Source> {
        if path.is_dir() {
            Ok(Source::Folder(path.to_owned()))
        } else if path.is_file() {
            Ok(Source::Sqlite(path.to_owned()))
        } else {
            Err(Error::invalid(format!("there is no {}", path.display())))
        }
    }
}

impl fmt::Display for Source {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Folder(path) => path.display().fmt(f),
            Source::Sqlite(path) => write!(f, "sqlite:///{}", path.display()),
            Source::Postgres(url) => without_password(url).fmt(f),
            Source::Server(url) => without_password(url.as_str()).fmt(f),
        }
    }
}

/// Reads all of a source, and tells of it part by part.
pub(super) async fn read(source: Source, options: ImportOptions, sink: Sink) -> Result<()> {
    let runtime = tokio::runtime::Handle::current();
    let blocking = match source {
        Source::Server(url) => return server::read(url, &sink).await,
        Source::Folder(folder) => tokio::task::spawn_blocking(move || files::read(&folder, &sink, &runtime)),
        Source::Sqlite(path) => tokio::task::spawn_blocking(move || {
            database::read(&database::Database::open_sqlite(&path)?, &options, &sink, &runtime)
        }),
        Source::Postgres(url) => tokio::task::spawn_blocking(move || {
            database::read(&database::Database::open_postgres(&url)?, &options, &sink, &runtime)
        }),
    };
    blocking.await.map_err(|error| Error::internal(format!("reading the source did not finish: {error}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mlflow.db");
        std::fs::write(&file, "").unwrap();
        let of = |text: &str| Source::parse(text).unwrap();
        assert_eq!(of(folder.path().to_str().unwrap()), Source::Folder(folder.path().to_owned()));
        assert_eq!(of(&format!("file://{}", folder.path().display())), Source::Folder(folder.path().to_owned()));
        assert_eq!(of(file.to_str().unwrap()), Source::Sqlite(file.clone()));
        assert_eq!(of(&format!("sqlite:///{}", file.display())), Source::Sqlite(file));
        assert_eq!(of("postgresql+psycopg2://u:p@h/d"), Source::Postgres("postgresql://u:p@h/d".to_owned()));
        assert_eq!(of("http://127.0.0.1:5000").to_string(), "http://127.0.0.1:5000/");
    }

    #[test]
    fn passwords_are_not_shown() {
        for url in ["postgresql://u:secret@h/d", "https://u:secret@h/"] {
            assert!(!Source::parse(url).unwrap().to_string().contains("secret"), "{url}");
        }
    }

    #[test]
    fn other_places_are_refused() {
        for text in ["/does/not/exist", "mysql://h/d", "s3://bucket/x", "sqlite://", "ftp://h/x"] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }
}
