use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use stele_store::{DatabaseUrl, Verified};

use super::{Failure, Output, human, progress};
use crate::place::Place;

#[derive(Args)]
pub(crate) struct Backup {
    /// Folder to make; a server started with it as --data serves the copy
    target: PathBuf,

    /// Copy the artifact folder as well
    #[arg(long)]
    with_artifacts: bool,

    /// Look whether the copy is sound: its pages, its references and every chunk of metric points
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    place: Place,
}

/// The key that seals secrets, without which the copy of a server with webhooks is of less use.
const KEY_FILE: &str = "secret.key";

pub(crate) async fn run(output: &Output, options: Backup) -> anyhow::Result<()> {
    let source = match options.place.database_url()? {
        DatabaseUrl::Sqlite(path) => path,
        url @ DatabaseUrl::Postgres(_) => return Err(use_pg_dump(&url, &options.target).into()),
    };
    if !source.is_file() {
        return Err(Failure::not_found(format!("there is no database {}", source.display()))
            .hint("name the folder of the server with --data")
            .into());
    }
    if options.target.exists() {
        return Err(Failure::usage(format!("{} is there already", options.target.display()))
            .hint("name a folder that is not there yet")
            .into());
    }
    // Only whoever may read the record may read its copy.
    make_private(&options.target)?;
    let database = options.target.join("stele.db");
    let spinner = progress::spinner("copying the database");
    let copied = blocking({
        let (source, database) = (source.clone(), database.clone());
        move || Ok(stele_store::backup(&source, &database)?)
    });
    let copied = copied.await?;
    let key = options.place.data.join(KEY_FILE);
    if key.is_file() {
        let target = options.target.join(KEY_FILE);
        std::fs::copy(&key, &target).with_context(|| format!("cannot copy {}", key.display()))?;
        std::fs::File::open(&target)?.sync_all()?;
    }
    let mut artifacts = None;
    if options.with_artifacts {
        // After the database, so that everything it refers to is there.
        spinner.set_message("copying artifacts");
        let folder = PathBuf::from(options.place.artifact_destination());
        if !folder.is_dir() {
            return Err(Failure::usage(format!("the artifacts at {} are in no folder", folder.display()))
                .hint("copy a bucket with the tools of its provider")
                .into());
        }
        let target = options.target.join("artifacts");
        artifacts = Some(blocking(move || copy_folder(&folder, &target)).await?);
    }
    let mut verified = None;
    if options.verify {
        spinner.set_message("verifying");
        let database = database.clone();
        verified = Some(blocking(move || Ok(stele_store::verify(&database)?)).await?);
    }
    std::fs::File::open(&options.target)?.sync_all()?;
    spinner.finish_and_clear();
    tell(output, &options, copied.bytes, artifacts, verified)
}

fn tell(
    output: &Output,
    options: &Backup,
    bytes: u64,
    artifacts: Option<Copied>,
    verified: Option<Verified>,
) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&json!({
            "target": options.target,
            "database_bytes": bytes,
            "artifacts": artifacts.map(|copied| json!({ "files": copied.files, "bytes": copied.bytes })),
            "verified": verified.map(|verified| json!({
                "tables": verified.tables,
                "rows": verified.rows,
                "chunks": verified.chunks,
                "points": verified.points,
            })),
        }));
    }
    if let Some(Verified { tables, rows, chunks, points }) = verified {
        output.say(format_args!("sound: {rows} rows in {tables} tables, {points} metric points in {chunks} chunks"));
    }
    let artifacts = match artifacts {
        Some(copied) => format!(" and {} of artifacts", human::size(copied.bytes)),
        None => String::new(),
    };
    output.done(format_args!("copied {} of database{artifacts} to {}", human::size(bytes), options.target.display()));
    output.say(format_args!("to serve the copy: stele serve --data {}", options.target.display()));
    Ok(())
}

/// PostgreSQL has a tool of its own, which takes a consistent copy while servers serve.
fn use_pg_dump(url: &DatabaseUrl, target: &Path) -> Failure {
    let (dump, url) = (target.with_extension("dump"), url.to_string());
    let dump = dump.display();
    Failure::usage("a PostgreSQL database is copied by PostgreSQL's own tools").hint(format!(
        "pg_dump --format=custom --file={dump} '{url}' copies it while servers serve, and pg_restore --clean --if-exists \
         --dbname='{url}' {dump} brings it back"
    ))
}

#[derive(Clone, Copy, Default)]
struct Copied {
    files: u64,
    bytes: u64,
}

/// Copies a folder; files that go away meanwhile were deleted, and are left out.
fn copy_folder(source: &Path, target: &Path) -> anyhow::Result<Copied> {
    let mut copied = Copied::default();
    make_private(target)?;
    let entries = std::fs::read_dir(source).with_context(|| format!("cannot read {}", source.display()))?;
    for entry in entries {
        let entry = entry?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let below = copy_folder(&from, &to)?;
            copied.files += below.files;
            copied.bytes += below.bytes;
        } else if kind.is_file() {
            match std::fs::copy(&from, &to) {
                Ok(bytes) => {
                    std::fs::File::open(&to)?.sync_all()?;
                    copied.files += 1;
                    copied.bytes += bytes;
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot copy {}", from.display())),
            }
        }
    }
    std::fs::File::open(target)?.sync_all()?;
    Ok(copied)
}

fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make the folder {}", folder.display()))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
