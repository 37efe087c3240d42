//! The documents that a version names as reports on it, in what SageMaker's clients say of the package. Gates rest on
//! what was read of the bytes that are there now.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use stele_domain::gate::{Evaluation, Measured, Report, ReportKind};
use stele_domain::id::WorkspaceId;
use stele_domain::resource::Document;
use stele_domain::{Error, Result};
use stele_store::{ObjectRow, Reading, Tx};

use super::artifacts::bucket_and_key;
use super::fingerprint::kept_with;
use crate::{App, Ctx};

/// The largest document that is read, in bytes.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// The sections of what a package says that name documents, and what these are about.
const SECTIONS: [(&str, &str, ReportKind); 8] = [
    ("ModelMetrics", "ModelQuality", ReportKind::ModelQuality),
    ("ModelMetrics", "ModelDataQuality", ReportKind::DataQuality),
    ("ModelMetrics", "Bias", ReportKind::Bias),
    ("ModelMetrics", "Explainability", ReportKind::Explainability),
    ("DriftCheckBaselines", "ModelQuality", ReportKind::Baseline),
    ("DriftCheckBaselines", "ModelDataQuality", ReportKind::Baseline),
    ("DriftCheckBaselines", "Bias", ReportKind::Baseline),
    ("DriftCheckBaselines", "Explainability", ReportKind::Baseline),
];

/// A document as a version names it.
#[derive(Debug, Clone)]
struct Named {
    kind: ReportKind,
    name: String,
    uri: String,
    content_type: String,
    /// What the client said of the bytes.
    sha256: Option<String>,
}

/// An object that holds a document and that was not read yet.
struct Unread {
    uri: String,
    bytes: String,
    object: ObjectRow,
}

/// What the reports of a version say.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) reports: Vec<Report>,
    pub(super) evaluations: Vec<Evaluation>,
    unread: Vec<Unread>,
}

/// Where a document is found.
enum Found {
    There { bytes: String, object: ObjectRow },
    Missing(&'static str),
}

fn named_in(kept: &Document) -> Vec<Named> {
    let mut named = Vec::new();
    for (section, part, kind) in SECTIONS {
        let Some(Value::Object(sources)) = kept.get(section).and_then(|section| section.get(part)) else { continue };
        // In whichever order a client wrote them, they are the same documents.
        let sources: BTreeMap<&String, &Value> = sources.iter().collect();
        for (member, source) in sources {
            let text = |key: &str| source.get(key).and_then(Value::as_str);
            let Some(uri) = text("S3Uri") else { continue };
            named.push(Named {
                kind,
                name: format!("{section}.{part}.{member}"),
                uri: uri.to_owned(),
                content_type: text("ContentType").unwrap_or_default().to_owned(),
                sha256: text("ContentDigest")
                    .and_then(|digest| digest.split_once(':'))
                    .map(|(_, digest)| digest.to_ascii_lowercase()),
            });
        }
    }
    named
}

fn find(tx: &mut Tx, workspace: WorkspaceId, uri: &str) -> Result<Found> {
    let Some((bucket, key)) = bucket_and_key(uri) else { return Ok(Found::Missing("it lies outside of this server")) };
    Ok(match tx.object_of_workspace(workspace, bucket, key)? {
        // The names of the files tell the bytes: no file is written twice.
        Some(object) => {
            let files: Vec<&str> = object.pieces.iter().map(|piece| piece.file.as_str()).collect();
            Found::There { bytes: files.join(" "), object }
        }
        None => Found::Missing("there is no such object in the buckets of this server"),
    })
}

/// Which bytes the documents of a version have now.
pub(super) fn states(tx: &mut Tx, workspace: WorkspaceId, kept: &Document) -> Result<Vec<(String, Option<String>)>> {
    let mut states = Vec::new();
    for Named { uri, .. } in named_in(kept) {
        let bytes = match find(tx, workspace, &uri)? {
            Found::There { bytes, .. } => Some(bytes),
            Found::Missing(_) => None,
        };
        states.push((uri, bytes));
    }
    Ok(states)
}

/// What the documents of a version say, as far as they were read. Those on one data set are one evaluation.
pub(super) fn reported(tx: &mut Tx, workspace: WorkspaceId, kept: &Document, by: &str) -> Result<Reported> {
    let mut whole = Reported::default();
    let mut evaluations: BTreeMap<(String, String), Evaluation> = BTreeMap::new();
    for named in named_in(kept) {
        let (sha256, outcome) = match find(tx, workspace, &named.uri)? {
            Found::Missing(why) => (None, Err(why.to_owned())),
            Found::There { bytes, object } => match tx.document_reading(workspace, &named.uri, &bytes)? {
                None => {
                    whole.unread.push(Unread { uri: named.uri.clone(), bytes, object });
                    (None, Err("its bytes are new and were not read yet".to_owned()))
                }
                Some(Reading { sha256, outcome }) => {
                    let outcome = checked(&named, sha256.as_deref(), outcome).map(|measured| (measured, object));
                    (sha256, outcome)
                }
            },
        };
        let Named { kind, name, uri, .. } = named;
        let problem = outcome.as_ref().err().cloned();
        let source = format!("{name} at {uri}");
        whole.reports.push(Report { kind, name, uri: uri.clone(), sha256, problem });
        let Ok((measured, object)) = outcome else { continue };
        if measured.is_empty() || kind == ReportKind::Baseline {
            continue;
        }
        let Measured { mut dataset, mut digest, metrics, slices } = measured;
        // Whoever cannot say it in the document says it with the object.
        let said = &object.object.head.metadata;
        for (field, key) in [(&mut dataset, "dataset-name"), (&mut digest, "dataset-digest")] {
            if field.is_empty() {
                *field = said.get(key).cloned().unwrap_or_default();
            }
        }
        let at = object.object.modified_at.0;
        let evaluation = evaluations.entry((digest.clone(), dataset.clone())).or_insert_with(|| Evaluation {
            source: String::new(),
            dataset,
            digest,
            at,
            by: by.to_owned(),
            metrics: BTreeMap::new(),
            slices: BTreeMap::new(),
            report: Some(uri),
            reports: Vec::new(),
            artifacts_changed: false,
        });
        let and = if evaluation.source.is_empty() { "" } else { " and " };
        evaluation.source.push_str(and);
        evaluation.source.push_str(&source);
        evaluation.at = evaluation.at.min(at);
        evaluation.metrics.extend(metrics);
        for (slice, metrics) in slices {
            evaluation.slices.entry(slice).or_default().extend(metrics);
        }
        evaluation.reports.push(kind);
    }
    whole.evaluations = evaluations.into_values().collect();
    Ok(whole)
}

fn checked(named: &Named, sha256: Option<&str>, outcome: Result<Measured, String>) -> Result<Measured, String> {
    let Named { content_type, sha256: said, .. } = named;
    if !content_type.is_empty() && !content_type.to_ascii_lowercase().contains("json") {
        return Err(format!("its content type is {content_type}, and only JSON is read"));
    }
    if let (Some(said), Some(found)) = (said, sha256)
        && said != found
    {
        return Err(format!("its bytes have the SHA-256 {found} and not that of its ContentDigest"));
    }
    outcome
}

impl App {
    /// Reads the documents of a version whose bytes are new, so that its gates can judge by them. A version that is not
    /// there has none.
    pub(crate) async fn reports_read(&self, ctx: &Ctx, model: &str, number: i64) -> Result<()> {
        let kept = self.model_version_kept(ctx, model, number).await?;
        self.reports_read_of(ctx, kept).await
    }

    /// What SageMaker's clients say of a version; nothing of one that is not there.
    pub(crate) async fn model_version_kept(&self, ctx: &Ctx, model: &str, number: i64) -> Result<Document> {
        let (visible, model) = (ctx.visible(), model.to_owned());
        self.read(move |tx| match tx.model_version_get(&visible, &model, number) {
            Ok(version) => kept_with(tx, &visible, version.row),
            Err(Error::NotFound { .. }) => Ok(Document::new()),
            Err(error) => Err(error),
        })
        .await
    }

    /// Reads the documents that `kept` names and whose bytes are new.
    pub(crate) async fn reports_read_of(&self, ctx: &Ctx, kept: Document) -> Result<()> {
        if named_in(&kept).is_empty() {
            return Ok(());
        }
        let workspace = ctx.visible().workspace();
        let Reported { unread, .. } = self.read(move |tx| reported(tx, workspace, &kept, "")).await?;
        for Unread { uri, bytes, object } in unread {
            let reading = match self.document_read(object).await {
                Ok(reading) => reading,
                // Others took the place of these bytes meanwhile, or the storage does not answer: they are read when
                // a gate is asked again.
                Err(error) => {
                    tracing::warn!(%error, uri, "a report on a model version could not be read");
                    continue;
                }
            };
            self.store().write(move |tx| tx.document_reading_keep(workspace, &uri, &bytes, &reading)).await?;
        }
        Ok(())
    }

    async fn document_read(&self, ObjectRow { object, pieces }: ObjectRow) -> Result<Reading> {
        if object.size > MOST_BYTES {
            let problem = format!("it has {} bytes, and at most {MOST_BYTES} are read", object.size);
            return Ok(Reading { sha256: None, outcome: Err(problem) });
        }
        let bytes = self
            .bucket_content(pieces, 0..object.size)
            .try_fold(Vec::new(), |mut whole, part| async move {
                whole.extend_from_slice(&part);
                Ok(whole)
            })
            .await?;
        Ok(Reading { sha256: Some(hex::encode(Sha256::digest(&bytes))), outcome: Measured::read(&bytes) })
    }
}
