use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use axum::http::Method;
use futures::StreamExt;
use indicatif::ProgressBar;
use tokio::fs;

use super::source::Source;
use super::{all_below, look};
use crate::cli::client::{Client, Payload, save};
use crate::cli::view::{Entry, Listing};
use crate::cli::{Failure, Output, human, progress};

pub(super) async fn run(
    output: &Output,
    client: &Client,
    place: &Source,
    target: Option<PathBuf>,
    overwrite: bool,
) -> Result<()> {
    let root = place.root(client).await?;
    let root = root.parts();
    let found: Listing = serde_json::from_value(look(client, &root, &place.path).await?)?;
    let is_file = found.kind == "file";
    if target.as_deref() == Some(Path::new("-")) {
        if !is_file {
            return Err(Failure::usage(format!(
                "'{}' is a folder, which cannot be written to standard output",
                place.path
            ))
            .hint("name a folder to write to in place of -")
            .into());
        }
        return to_standard_output(client, &root, &place.path).await;
    }
    let target = match target {
        Some(folder) if folder.is_dir() => folder.join(place.name()?),
        Some(target) => target,
        None => PathBuf::from(place.name()?),
    };
    let mut total = found.size.unwrap_or_default();
    let files = if is_file {
        vec![(found.path, target.clone())]
    } else {
        let below = all_below(client, &root, found.entries).await?;
        total = below.iter().filter_map(|entry| entry.size).sum();
        let files = below.into_iter().filter(|entry| entry.kind == "file");
        files.map(|entry| below_target(&place.path, &target, &entry)).collect::<Result<_>>()?
    };
    if let Some((_, there)) = files.iter().find(|(_, file)| !overwrite && file.exists()) {
        return Err(Failure::new(format!("{} is there already", there.display()))
            .hint("--overwrite replaces files; or name another target")
            .into());
    }
    if !is_file {
        fs::create_dir_all(&target).await.with_context(|| format!("cannot make the folder {}", target.display()))?;
    }
    let bar = progress::bytes(total, "downloading");
    for (path, file) in &files {
        to_file(client, &root, path, file, &bar).await?;
    }
    bar.finish_and_clear();
    if output.is_json() {
        let files: Vec<String> = files.iter().map(|(_, file)| file.display().to_string()).collect();
        return output.json(&serde_json::json!({ "files": files, "size": total }));
    }
    let what = if is_file { String::new() } else { format!("{}, ", human::count(files.len(), "file")) };
    output.done(format_args!("wrote {} ({what}{})", target.display(), human::size(total)));
    Ok(())
}

/// Where a file of a folder goes. Paths come from the record, so none of them may leave the target.
fn below_target(folder: &str, target: &Path, Entry { path, .. }: &Entry) -> Result<(String, PathBuf)> {
    let rest = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
    let inside =
        !rest.is_empty() && rest.split('/').all(|part| !matches!(part, "" | "." | "..")) && !rest.contains('\0');
    if !inside {
        return Err(Failure::new(format!("the server lists '{path}', which is not below '{folder}'")).into());
    }
    Ok((path.clone(), target.join(rest)))
}

async fn to_standard_output(client: &Client, root: &[&str], path: &str) -> Result<()> {
    let mut pieces = request(client, root, path).await?.into_body().into_data_stream();
    let mut out = std::io::stdout().lock();
    while let Some(piece) = pieces.next().await {
        out.write_all(&piece.context("the download broke off")?)?;
    }
    out.flush()?;
    Ok(())
}

/// Writes a file beside its place first, so that what broke off is not taken for the whole.
async fn to_file(client: &Client, root: &[&str], path: &str, file: &Path, bar: &ProgressBar) -> Result<()> {
    let cannot_write = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).await.with_context(cannot_write)?;
    }
    let answer = request(client, root, path).await?;
    let partial = file.with_added_extension("part");
    let mut out = fs::File::create(&partial).await.with_context(cannot_write)?;
    let saved = save(answer.into_body(), &mut out, bar).await;
    if let Err(error) = saved {
        let _ = fs::remove_file(&partial).await;
        return Err(error.context(cannot_write()));
    }
    fs::rename(&partial, file).await.with_context(cannot_write)
}

async fn request(client: &Client, root: &[&str], path: &str) -> Result<axum::http::Response<axum::body::Body>> {
    let route = [root, &["artifacts", "file"]].concat();
    client.send(Method::GET, &route, &[("path", path)], Payload::Nothing).await
}
