//! Where a new version may come from. A server reads the files of versions for its clients, so a source on this
//! machine or behind this server must lie within the run or logged model that the client names with it.

use stele_domain::Error;
use stele_domain::artifact_uri::{
    UriParts, do_uris_overlap, is_plainly_absolute, is_proxied, is_uri_within, local_path,
};
use stele_domain::authz::{Extent, Place, Visibility};
use stele_domain::id::{LoggedModelId, RunId};
use stele_domain::lifecycle::Stage;
use stele_domain::model_uri::{ModelUri, is_model_uri};
use stele_domain::record::Tag;
use stele_domain::registry::{ModelVersion, PROMPT_TAG, version_id};
use stele_store::Tx;

use super::resolve::{by_uri, in_stages, newest};
use crate::{App, Ctx};

/// What a client says about the origin of a version. An id that it leaves out may be inherited from another version;
/// the empty text says that there is none.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    pub source: String,
    pub run: Option<String>,
    pub logged_model: Option<String>,
}

/// The origin of a version, known to be one that the server may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSource {
    pub(super) source: String,
    pub(super) storage_uri: String,
    pub(super) run: Option<RunId>,
    pub(super) logged_model: Option<LoggedModelId>,
}

impl CheckedSource {
    /// The origin of a version that names no files.
    pub fn none() -> CheckedSource {
        CheckedSource { source: String::new(), storage_uri: String::new(), run: None, logged_model: None }
    }

    pub(super) fn into_new_version(
        self,
        public_id: String,
        run_link: Option<String>,
        description: Option<String>,
        tags: Vec<Tag>,
    ) -> stele_store::NewModelVersion {
        let CheckedSource { source, storage_uri, run, logged_model } = self;
        stele_store::NewModelVersion { public_id, description, source, storage_uri, run, run_link, logged_model, tags }
    }
}

/// What a source may have to lie within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Run,
    LoggedModel,
}

/// Why a source is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceProblem {
    /// A path on this machine outside of its owner, or without one.
    LocalOutside(Owner),
    /// Behind this server and outside of its owner, or without one.
    Unclaimed(Owner),
    /// No absolute path, or one with steps upwards.
    NotAbsolute,
    /// A `file:` URI of another machine; the message says so.
    OtherMachine(String),
    /// A model version of another server.
    OtherRegistry,
    /// A version of a prompt, which has no files.
    Prompt,
    /// The run or logged model named is not that of the source version.
    LineageDiffers,
    UnknownStage(String),
    /// The model has no version, or none in the stage.
    NoVersion {
        model: String,
        stage: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum SourceError {
    Refused(SourceProblem),
    Failed(Error),
}

impl From<Error> for SourceError {
    fn from(error: Error) -> SourceError {
        SourceError::Failed(error)
    }
}

impl From<SourceProblem> for SourceError {
    fn from(problem: SourceProblem) -> SourceError {
        SourceError::Refused(problem)
    }
}

type Checked<T> = Result<T, SourceError>;

/// What clients send as the source of prompts, which have none.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];

impl CheckedSource {
    /// The source of a prompt version; `None` when it is not one of the placeholders.
    pub fn prompt(source: String, run: Option<String>) -> Option<CheckedSource> {
        PROMPT_SOURCES.contains(&source.as_str()).then(|| CheckedSource {
            storage_uri: source.clone(),
            source,
            run: given(run).map(RunId),
            logged_model: None,
        })
    }
}

impl App {
    /// Judges the source of a version to be made and finds where its files lie. A source that is another version
    /// becomes that version's number, and inherits its run and logged model.
    pub async fn model_source_check(&self, ctx: &Ctx, request: SourceRequest) -> Checked<CheckedSource> {
        let visible = ctx.visible();
        let outcome = self.read(move |tx| match check(tx, &visible, request) {
            Ok(source) => Ok(Ok(source)),
            Err(SourceError::Refused(problem)) => Ok(Err(problem)),
            Err(SourceError::Failed(error)) => Err(error),
        });
        Ok(outcome.await??)
    }
}

fn check(tx: &mut Tx, visible: &Visibility, request: SourceRequest) -> Checked<CheckedSource> {
    let SourceRequest { source, run, logged_model } = request;
    if is_model_uri(&source) {
        if !UriParts::split(&source).authority.is_empty() {
            return Err(SourceProblem::OtherRegistry.into());
        }
        match ModelUri::parse(&source) {
            Some(ModelUri::LoggedModel(_)) => {}
            Some(uri) => return from_version(tx, visible, uri, run, logged_model),
            None => return Err(SourceProblem::Unclaimed(Owner::LoggedModel).into()),
        }
    }
    let (run, logged_model) = (given(run), given(logged_model).map(LoggedModelId));
    match &logged_model {
        Some(id) => require_within(tx, visible, &source, &Claim::LoggedModel(id))?,
        None => require_within(tx, visible, &source, &Claim::Run(run.as_deref()))?,
    }
    let Some(id) = &logged_model else {
        return Ok(CheckedSource { storage_uri: source.clone(), source, run: run.map(RunId), logged_model });
    };
    let root = tx.logged_model_root(visible, id)?;
    let storage_uri = if is_model_uri(&source) { root.artifact_uri } else { source.clone() };
    Ok(CheckedSource { source, storage_uri, run: run.map(RunId).or(root.source_run), logged_model })
}

fn from_version(
    tx: &mut Tx,
    visible: &Visibility,
    uri: ModelUri,
    run: Option<String>,
    logged_model: Option<String>,
) -> Checked<CheckedSource> {
    let version = resolve(tx, visible, uri)?;
    let id_of_run = version.run.as_ref().map_or("", RunId::as_str);
    let id_of_model = version.logged_model.as_ref().map_or("", LoggedModelId::as_str);
    if run.is_some_and(|run| run != id_of_run) || logged_model.is_some_and(|model| model != id_of_model) {
        return Err(SourceProblem::LineageDiffers.into());
    }
    Ok(CheckedSource {
        source: format!("models:/{}", version_id(&version.model, version.number)),
        storage_uri: version.storage_uri,
        run: version.run,
        logged_model: version.logged_model,
    })
}

fn resolve(tx: &mut Tx, visible: &Visibility, uri: ModelUri) -> Checked<ModelVersion> {
    let (ModelUri::Version { model, .. }
    | ModelUri::Latest { model }
    | ModelUri::Stage { model, .. }
    | ModelUri::Alias { model, .. }) = &uri
    else {
        return Err(SourceProblem::Unclaimed(Owner::LoggedModel).into());
    };
    if tx.model_get(visible, model)?.tags.iter().any(|tag| tag.key == PROMPT_TAG && tag.value == "true") {
        return Err(SourceProblem::Prompt.into());
    }
    match uri {
        ModelUri::Version { .. } | ModelUri::Alias { .. } => Ok(by_uri(tx, visible, &uri)?),
        ModelUri::Latest { model } => {
            newest(tx, visible, &model)?.ok_or_else(|| SourceProblem::NoVersion { model, stage: None }.into())
        }
        ModelUri::Stage { model, stage } => {
            let Some(known) = Stage::parse(&stage.to_lowercase()) else {
                return Err(SourceProblem::UnknownStage(stage).into());
            };
            let found = in_stages(tx, visible, &model, &[known])?.pop();
            found.ok_or_else(|| SourceProblem::NoVersion { model, stage: Some(stage) }.into())
        }
        ModelUri::LoggedModel(_) => Err(SourceProblem::Unclaimed(Owner::LoggedModel).into()),
    }
}

/// What the client says that its source lies within.
enum Claim<'a> {
    Run(Option<&'a str>),
    LoggedModel(&'a LoggedModelId),
}

impl Claim<'_> {
    fn owner(&self) -> Owner {
        match self {
            Claim::Run(_) => Owner::Run,
            Claim::LoggedModel(_) => Owner::LoggedModel,
        }
    }

    /// The artifact root of the owner; `None` without one.
    fn root(&self, tx: &mut Tx, visible: &Visibility) -> Checked<Option<String>> {
        let root = match self {
            Claim::Run(None) => return Ok(None),
            Claim::Run(Some(run)) => tx.run_info(visible, &RunId((*run).to_owned())).map(|run| run.artifact_uri),
            Claim::LoggedModel(id) => tx.logged_model_root(visible, id).map(|root| root.artifact_uri),
        };
        match root {
            Ok(root) => Ok(Some(root)),
            Err(Error::NotFound { .. }) => Err(SourceProblem::Unclaimed(self.owner()).into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn require_within(tx: &mut Tx, visible: &Visibility, source: &str, claim: &Claim) -> Checked<()> {
    let unclaimed = || SourceError::from(SourceProblem::Unclaimed(claim.owner()));
    let local = local_path(source).map_err(|error| SourceProblem::OtherMachine(error.to_string()))?;
    if let Some(path) = local {
        let root = claim.root(tx, visible)?.and_then(|root| local_path(&root).ok().flatten());
        let is_within = root.is_some_and(|root| is_path_within(&path, &root));
        return if is_within { Ok(()) } else { Err(SourceProblem::LocalOutside(claim.owner()).into()) };
    }
    if !is_plainly_absolute(source) {
        return Err(SourceProblem::NotAbsolute.into());
    }
    let parts = UriParts::split(source);
    let is_claimed = match parts.scheme.as_str() {
        "runs" => {
            let run = parts.path.split('/').nth(1);
            parts.authority.is_empty() && matches!(claim, Claim::Run(Some(claimed)) if run == Some(*claimed))
        }
        "models" => match ModelUri::parse(source) {
            Some(ModelUri::LoggedModel(id)) if matches!(claim, Claim::LoggedModel(claimed) if **claimed == id) => true,
            _ => return Err(SourceProblem::Unclaimed(Owner::LoggedModel).into()),
        },
        _ if is_proxied(source) => claim.root(tx, visible)?.is_some_and(|root| is_uri_within(source, &root)),
        _ => !is_of_hidden(tx, visible, source)?,
    };
    if is_claimed { Ok(()) } else { Err(unclaimed()) }
}

/// Whether a place in a bucket is that of an experiment which is not seen, or holds it: the server would read it for
/// whoever sees the version.
fn is_of_hidden(tx: &mut Tx, visible: &Visibility, source: &str) -> Checked<bool> {
    if *visible.extent() == Extent::Whole {
        return Ok(false);
    }
    let roots = tx.artifact_roots(visible, None, &[])?;
    let is_hidden = |experiment| !visible.sees(Place::Experiment(experiment));
    Ok(roots.iter().any(|root| is_hidden(root.experiment) && do_uris_overlap(source, &root.uri)))
}

/// Whether an absolute path is `root` or lies below it, by its text alone.
fn is_path_within(path: &str, root: &str) -> bool {
    match (normal_segments(path), normal_segments(root)) {
        (Some(path), Some(root)) => !root.is_empty() && path.starts_with(&root),
        _ => false,
    }
}

/// The segments of an absolute path without `.` and `..`; `None` for a relative path.
fn normal_segments(path: &str) -> Option<Vec<&str>> {
    let mut segments = Vec::new();
    for segment in path.strip_prefix('/')?.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    Some(segments)
}

fn given(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_within_its_root_whatever_its_spelling() {
        for within in ["/a/b", "/a/b/", "/a/b/c", "/a/./b/c/..", "/x/../a//b/c"] {
            assert!(is_path_within(within, "/a/b"), "{within}");
        }
        for outside in ["/a", "/a/bc", "/a/b/..", "/a/b/../c", "a/b", "b", ""] {
            assert!(!is_path_within(outside, "/a/b"), "{outside}");
        }
        assert!(!is_path_within("/a", "/"));
    }
}
