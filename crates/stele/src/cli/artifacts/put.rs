use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use axum::http::Method;
use serde_json::Value;

use super::source::Source;
use crate::cli::client::{Client, Outgoing, Payload};
use crate::cli::{Failure, Output, human, progress};

/// Uploads a file as the place, or into it if it is a folder; a folder with everything in it becomes the place.
pub(super) async fn run(output: &Output, client: &Client, local: &Path, place: &Source) -> Result<()> {
    if local == Path::new("-") {
        return Err(Failure::usage("standard input is not uploaded, since its size is not known")
            .hint("write it to a file first, and name that")
            .into());
    }
    let meta = std::fs::metadata(local).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", local.display())).hint("name a file or folder that is there")
    })?;
    let root = place.root(client).await?;
    let root = root.parts();
    let files = if meta.is_dir() { files_below(local)? } else { vec![(local.to_owned(), String::new(), meta.len())] };
    let total = files.iter().map(|(_, _, size)| size).sum();
    let bar = progress::bytes(total, "uploading");
    let mut stored = Vec::with_capacity(files.len());
    for (file, name, _) in &files {
        let path = if meta.is_dir() { join(&place.path, name) } else { file_path(client, &root, local, place).await? };
        let route = [root.as_slice(), &["artifacts", "file"]].concat();
        let payload = Payload::File(Outgoing::open(file, bar.clone()).await?);
        let answer: Result<Value> = client.ask(Method::PUT, &route, &[("path", &path)], payload).await;
        stored.push(answer.with_context(|| format!("{} is not uploaded", file.display()))?);
    }
    bar.finish_and_clear();
    if output.is_json() {
        return output.json(&serde_json::json!({ "files": stored, "size": total }));
    }
    output.done(format_args!("uploaded {}, {}", human::count(files.len(), "file"), human::size(total)));
    Ok(())
}

/// A place that is empty or a folder takes the file under its own name.
async fn file_path(client: &Client, root: &[&str], local: &Path, place: &Source) -> Result<String> {
    let name = || {
        let name = local.file_name().and_then(|name| name.to_str());
        name.ok_or_else(|| Failure::usage(format!("{} has no name that is UTF-8", local.display())))
    };
    if place.path.is_empty() {
        return Ok(name()?.to_owned());
    }
    match super::look(client, root, &place.path).await {
        Ok(found) if found["kind"] == "folder" => Ok(join(&place.path, name()?)),
        Ok(_) => Ok(place.path.clone()),
        Err(error) if Failure::is_not_found(&error) => Ok(place.path.clone()),
        Err(error) => Err(error),
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Every file below a folder with its path from there and its size, sorted. Symbolic links are followed to files only,
/// so that no circle is walked for ever.
fn files_below(folder: &Path) -> Result<Vec<(PathBuf, String, u64)>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, path)) = folders.pop() {
        let cannot_read = || format!("cannot read {}", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(cannot_read)? {
            let entry = entry.with_context(cannot_read)?;
            let name = entry.file_name();
            let name = name
                .to_str()
                .ok_or_else(|| Failure::new(format!("{} has a name that is not UTF-8", entry.path().display())))?;
            let path = join(&path, name);
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), path));
                continue;
            }
            let meta =
                std::fs::metadata(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
            if meta.is_file() {
                files.push((entry.path(), path, meta.len()));
            }
        }
    }
    files.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(files)
}
