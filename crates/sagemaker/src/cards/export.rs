//! Export jobs of model cards, which are done before they are answered.

use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Value, json};
use stele_app::{Checksums, Condition, Content, NewObject, NewResource};
use stele_domain::Error;
use stele_domain::bucket::ObjectHead;
use stele_domain::id::Timestamp;
use stele_domain::resource::{Document, Resource};
use stele_domain::search::{Attribute, Comparison, DocumentPath, Field, Filter, Predicate, Query, ResourceSearch};

use super::pdf::{Card, Times, render};
use crate::arn;
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::MODEL_CARD;
use crate::paging::{kept_equals, test};
use crate::render::{self as answers, cut, put};
use crate::resources::card_version;
use crate::shapes;

const KIND: &str = "model-card-export-job";
const IN_PROGRESS: &str = "InProgress";

const FAILED: &str = "Failed";

/// How long a job may take, in milliseconds. The server that made one which is older was stopped while it worked, and has
/// told nobody that it is done.
const LONGEST: i64 = 600_000;

/// Between the name of a card and that of its job, in ARNs.
const JOB: &str = "/export-job/";

pub(crate) async fn create(call: Call) -> Result<Value> {
    let found = card_version(&call).await?;
    let (card, version) = (found.name.clone(), found.version);
    let job = call.required("ModelCardExportJobName").to_owned();
    let name = format!("{card}{JOB}{job}");
    let config = call.input.get("OutputConfig").cloned().unwrap_or_default();
    let output = config.get("S3OutputPath").and_then(Value::as_str).unwrap_or_default().to_owned();
    let document = json!({
        "ModelCardExportJobName": job,
        "ModelCardName": card,
        "ModelCardVersion": version,
        "OutputConfig": config,
        "Status": IN_PROGRESS,
    });
    let Value::Object(document) = document else { return Err(Error::internal("a job is no document").into()) };
    let new = NewResource { kind: KIND, name: Some(name.clone()), experiment: None, document, tags: Vec::new() };
    let made = call.app.resource_create(&call.ctx, new).await.map_err(|error| match error {
        Error::AlreadyExists { .. } => Failure::conflict(format!("Modelcard export job {job} already exists")),
        other => other.into(),
    })?;
    let exported = write(&call, found, &job, &output).await;
    call.app
        .resource_rewrite(&call.ctx, KIND, made.name, move |resource| {
            let (status, member, told) = match &exported {
                Ok(uri) => ("Completed", "ExportArtifacts", json!({ "S3ExportArtifacts": uri })),
                Err(reason) => (FAILED, "FailureReason", json!(reason.chars().take(1024).collect::<String>())),
            };
            put(&mut resource.document, "Status", Some(status));
            put(&mut resource.document, member, Some(told));
            Ok(())
        })
        .await?;
    Ok(json!({ "ModelCardExportJobArn": call.arn(MODEL_CARD.path, &name) }))
}

/// Writes the document; says where it is or why it could not be written.
async fn write(call: &Call, card: Resource, job: &str, output: &str) -> Result<String, String> {
    let Resource { name: card, version, document, created_at, updated_at, .. } = card;
    let text = |member: &str| document.get(member).and_then(Value::as_str).unwrap_or_default();
    let content = serde_json::from_str(text("Content"))
        .map_err(|error| format!("The content of the model card is not a JSON object: {error}"))?;
    let place = output.strip_prefix("s3://").ok_or_else(|| format!("The path {output} is not in S3."))?;
    let (bucket, folder) = place.split_once('/').unwrap_or((place, ""));
    let times = Times { created: spelled(created_at), changed: spelled(updated_at), exported: spelled(call.ctx.now()) };
    let status = spoken_status(text("ModelCardStatus")).to_owned();
    let card_to_set = Card { name: card.clone(), version, status, times, content };
    let bytes = tokio::task::spawn_blocking(move || render(&card_to_set))
        .await
        .map_err(|error| format!("The model card could not be set on pages: {error}"))?
        .map_err(|reason| format!("The model card could not be set on pages: {reason}"))?;
    let folder = folder.trim_matches('/');
    let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let key = format!("{folder}{job}/{card}-{version}.pdf");
    let uri = format!("s3://{bucket}/{key}");
    let headers = [("content-type".to_owned(), "application/pdf".to_owned())].into();
    let head = ObjectHead { headers, ..ObjectHead::default() };
    let new = NewObject { bucket: bucket.to_owned(), key, head, condition: Condition::None };
    let length = u64::try_from(bytes.len()).ok();
    let bytes = futures::stream::iter([Ok::<_, Error>(Bytes::from(bytes))]);
    let content = Content { length, bytes, checksums: Checksums::default() };
    match call.app.object_put(&call.ctx, new, content).await {
        Ok(_) => Ok(uri),
        Err(Error::NotFound { .. }) => Err(format!("The bucket {bucket} does not exist on this server.")),
        Err(Error::Forbidden { .. }) => Err(format!("Access to the bucket {bucket} is denied.")),
        Err(error) => {
            tracing::warn!(%error, uri, "a model card could not be exported");
            Err(format!("The document could not be written to {uri}."))
        }
    }
}

fn spelled(time: Timestamp) -> String {
    DateTime::from_timestamp_millis(time.0).unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string()
}

fn spoken_status(status: &str) -> &str {
    if status == "PendingReview" { "Pending review" } else { status }
}

pub(crate) async fn describe(call: Call) -> Result<Value> {
    let given = call.required("ModelCardExportJobArn").to_owned();
    let missing = || Failure::not_found(format!("Modelcard export job {given} does not exist."));
    let path = arn::parse(&given, &call.account).filter(|path| path.kind == MODEL_CARD.path).ok_or_else(missing)?;
    let found = call.app.resource_get(&call.ctx, KIND, path.rest.to_owned()).await.map_err(|error| match error {
        Error::NotFound { .. } => missing(),
        other => other.into(),
    })?;
    Ok(cut(whole(&call, &found), &call.operation.output))
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let card = call.name_in("ModelCardName", MODEL_CARD.path);
    let about = call.about(&MODEL_CARD, &card);
    call.app.resource_get(&call.ctx, MODEL_CARD.path, card.clone()).await.map_err(about)?;
    let member = |name: &str| Field::Document(DocumentPath(vec![name.to_owned()]));
    let mut filters = call.common_filters();
    filters.push(kept_equals(&["ModelCardName"], card));
    if let Some(status) = call.text("StatusEquals") {
        filters.push(has_status(status, call.ctx.now()));
    }
    if let Some(part) = call.text("ModelCardExportJobNameContains") {
        filters.push(Filter::Test(member("ModelCardExportJobName"), Predicate::Contains(part.to_owned())));
    }
    if let Some(version) = call.int("ModelCardVersion") {
        filters.push(kept_equals(&["ModelCardVersion"], version.to_string()));
    }
    let window = call.window()?;
    let query = Query { filter: Filter::And(filters), order_by: call.order(&[("Status", member("Status"))]), window };
    let search = ResourceSearch { kind: KIND.to_owned(), query };
    let page = call.app.resource_search(&call.ctx, search).await?;
    let members = shapes::view("ModelCardExportJobSummary");
    let items = page.items.iter().map(|found| cut(whole(&call, found), members)).collect();
    Ok(call.page_reply("ModelCardExportJobSummaries", items, page.more, window))
}

/// The status as it is told.
fn has_status(status: &str, now: Timestamp) -> Filter {
    let kept = |status: &str| kept_equals(&["Status"], status);
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
    let since = (now.0 - LONGEST) as f64;
    let made = |comparison| test(Attribute::CreatedAt, Predicate::Number(comparison, since));
    match status {
        IN_PROGRESS => Filter::And(vec![kept(status), made(Comparison::GreaterOrEqual)]),
        FAILED => Filter::Or(vec![kept(status), Filter::And(vec![kept(IN_PROGRESS), made(Comparison::Less)])]),
        other => kept(other),
    }
}

fn whole(call: &Call, Resource { name, document, created_at, updated_at, .. }: &Resource) -> Document {
    let mut whole = document.clone();
    let is_in_progress = whole.get("Status").and_then(Value::as_str) == Some(IN_PROGRESS);
    if is_in_progress && created_at.0 < call.ctx.now().0 - LONGEST {
        put(&mut whole, "Status", Some(FAILED));
        put(&mut whole, "FailureReason", Some("The server stopped before the document was written; export it again."));
    }
    put(&mut whole, "ModelCardExportJobArn", Some(call.arn(MODEL_CARD.path, name)));
    put(&mut whole, "CreatedAt", Some(answers::time(*created_at)));
    put(&mut whole, "LastModifiedAt", Some(answers::time(*updated_at)));
    whole
}
