//! MLflow's own web pages, unchanged, from a folder that an MLflow package brought.
//!
//! The pages ask for everything relative to where they are. So `/mlflow/` has the first page only, and whatever else
//! is asked for below `/mlflow/` is found at the root: the calls where clients make them, and the files of the pages
//! at `/static-files/`, where notebooks look for the page that draws traces.

mod files;
mod find;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use axum::Router;
use axum::extract::{Path as Named, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::files::Folder;

/// Where the first page is.
pub(crate) const ROOT: &str = "/mlflow/";
/// Where the files of the pages are.
const FILES: &str = "/static-files/";
const FIRST_PAGE: &str = "index.html";

/// Which pages to serve: what `--mlflow-ui` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those of the MLflow package in the active Python environment, if there is one.
    Found,
    Folder(PathBuf),
    None,
}

impl Choice {
    pub(crate) fn parse(text: &str) -> Choice {
        match text {
            "auto" => Choice::Found,
            "none" => Choice::None,
            folder => Choice::Folder(folder.into()),
        }
    }

    /// The folder with the pages. It is an error only if one was named and has none.
    pub(crate) fn folder(&self) -> Result<Option<PathBuf>> {
        match self {
            Choice::None => Ok(None),
            Choice::Found => Ok(find::in_environment().into_iter().find(|folder| has_pages(folder))),
            Choice::Folder(named) => {
                let inside = [named.clone(), named.join(find::IN_PACKAGE)];
                let Some(folder) = inside.into_iter().find(|folder| has_pages(folder)) else {
                    bail!(
                        "there are no web pages of MLflow in {}: it has no {FIRST_PAGE}\n\
                         hint: name the folder mlflow/{} of an installed MLflow package, or none",
                        named.display(),
                        find::IN_PACKAGE,
                    );
                };
                Ok(Some(folder))
            }
        }
    }
}

fn has_pages(folder: &Path) -> bool {
    folder.join(FIRST_PAGE).is_file()
}

/// The pages in `folder`, for a server that browsers reach below `prefix`.
pub(crate) fn router(folder: PathBuf, prefix: &str) -> Router {
    let folder = Folder::new(folder);
    let away = HeaderValue::from_str(&format!("{prefix}{ROOT}")).unwrap_or(HeaderValue::from_static(ROOT));
    let to_first_page = get(|| async move { (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, away)]) });
    let first_page = {
        let folder = folder.clone();
        get(|request: Request| async move { folder.answer(FIRST_PAGE, request.headers()).await })
    };
    let file = get(|Named(name): Named<String>, request: Request| async move {
        let mut response = folder.answer(&name, request.headers()).await;
        if name.starts_with(files::FRAMED) {
            framed_by_anybody(&mut response);
        }
        response
    });
    Router::new()
        .route(ROOT.trim_end_matches('/'), to_first_page)
        .route(ROOT, first_page)
        .route(&format!("{FILES}{{*name}}"), file)
}

/// Marks the page that Jupyter shows traces in: its notebooks have another origin.
fn framed_by_anybody(response: &mut Response) {
    response.extensions_mut().insert(crate::guard::FramedByAnybody);
}

/// Where a request below [`ROOT`] is answered, if that is elsewhere.
pub(crate) fn at_the_root(path: &str) -> Option<&str> {
    let below = path.strip_prefix(ROOT.trim_end_matches('/'))?;
    (below.len() > 1 && below.starts_with('/')).then_some(below)
}

/// What is said where the pages would be.
pub(crate) fn without_pages() -> Router {
    const HINT: &str = "This server has no web pages of MLflow: it found no MLflow package when it started.\n\
                        Install one (pip install mlflow) and start the server again, or name its folder \
                        mlflow/server/js/build with --mlflow-ui.\n";
    let hint = get(|| async { (StatusCode::NOT_FOUND, HINT).into_response() });
    Router::new().route(ROOT.trim_end_matches('/'), hint.clone()).route(ROOT, hint)
}

#[cfg(test)]
mod tests;
