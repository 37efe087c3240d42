//! Model packages: the record's model versions, and packages without a group, which are resources.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stele_app::{
    CheckedSource, Faceted, Idempotency, NewModelVersion, NewPackage, NewResource, SourceError, SourceRequest,
    VersionChange,
};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::registry::ModelVersion;
use stele_domain::resource::{Document, Resource};
use stele_domain::search::{Attribute, Direction, Field, Filter, Order, Query};
use stele_domain::{Error, Kind};

use crate::arn;
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::PACKAGE;
use crate::paging::{equals, kept_equals, nothing};
use crate::registry::{self, no_prompt};
use crate::render::{self, cut, merge_map, put};
use crate::resources::resource_page;
use crate::shapes;

/// Shows the aliases of a version, which SageMaker has no member for.
const ALIASES: &str = "stele.aliases";

/// What a request names: a version of a group, or a package without one.
pub(crate) enum Named {
    Version { model: String, number: i64 },
    Unversioned(String),
}

pub(crate) async fn create(call: Call) -> Result<Value> {
    refuse_aliases(&call)?;
    match (call.text("ModelPackageGroupName"), call.text("ModelPackageName")) {
        (Some(_), Some(_)) => Err(Failure::validation(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to use.",
        )),
        (None, None) => Err(Failure::validation(
            "Both ModelPackageName and ModelPackageGroupName are not provided in the input. Missing ARN.",
        )),
        (Some(_), None) => create_version(call).await,
        (None, Some(_)) => create_unversioned(call).await,
    }
}

async fn create_version(call: Call) -> Result<Value> {
    let (model, _) = registry::open(&call, "ModelPackageGroupName").await?;
    let kept =
        call.kept(&["ModelPackageGroupName", "ModelPackageDescription", "ModelApprovalStatus", "Tags", "ClientToken"]);
    let idempotency = idempotency(&call);
    let new = NewPackage {
        version: NewModelVersion {
            model: model.name.clone(),
            source: source(&call).await?,
            run_link: None,
            description: call.text("ModelPackageDescription").map(str::to_owned),
            tags: call.tags()?,
        },
        approval: call.text("ModelApprovalStatus").map_or(ApprovalStatus::Pending, approval),
        stage: stage_in(call.map("ModelLifeCycle")).unwrap_or(Stage::None),
        facets: kept,
        idempotency,
    };
    let version = call.app.model_version_register(&call.ctx, new).await?;
    let names = registry::shown_names(&call, &[&version.model]).await?;
    Ok(json!({ "ModelPackageArn": call.arn(PACKAGE.path, &format!("{}/{}", names[0], version.number)) }))
}

async fn create_unversioned(call: Call) -> Result<Value> {
    let name = call.required("ModelPackageName").to_owned();
    let mut document = call.kept(&["Tags", "ClientToken"]);
    document.entry("CertifyForMarketplace").or_insert(false.into());
    let new =
        NewResource { kind: PACKAGE.path, name: Some(name.clone()), experiment: None, document, tags: call.tags()? };
    let idempotency = idempotency(&call);
    let made = call.app.resource_create_once(&call.ctx, new, idempotency).await;
    made.map_err(call.about(&PACKAGE, &name))?;
    Ok(json!({ "ModelPackageArn": call.arn(PACKAGE.path, &name) }))
}

/// The token of a request that may be sent again, and the digest of what it asks.
fn idempotency(call: &Call) -> Option<Idempotency> {
    let request = hex::encode(Sha256::digest(call.asks(&["ClientToken"])));
    call.text("ClientToken").map(|token| Idempotency { token: token.to_owned(), request })
}

/// Where the files of a version are: what the request says of the source, or else of the first container.
async fn source(call: &Call) -> Result<CheckedSource> {
    let containers = call.map("InferenceSpecification").and_then(|specification| specification.get("Containers"));
    let data = containers.and_then(|containers| containers.get(0)?.get("ModelDataUrl")?.as_str());
    let Some(source) = call.text("SourceUri").or(data) else { return Ok(CheckedSource::none()) };
    // Group names, ARNs and other words of the client's own are kept, but they name no files.
    if !source.contains(":/") {
        return Ok(CheckedSource::none());
    }
    let run = source.strip_prefix("runs:/").and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let request = SourceRequest { source: source.to_owned(), run, logged_model: None };
    call.app.model_source_check(&call.ctx, request).await.map_err(|error| match error {
        SourceError::Failed(error) => error.into(),
        SourceError::Refused(_) => Failure::validation(format!(
            "The source '{source}' lies behind this server or on this machine and outside of the run that it names."
        )),
    })
}

pub(crate) async fn describe(call: Call) -> Result<Value> {
    match named(&call, "ModelPackageName").await? {
        Named::Version { model, number } => {
            let version = open_version(&call, "ModelPackageName", model, number).await?;
            let whole = whole_page(&call, &[version]).await?.pop().unwrap_or_default();
            Ok(cut(without_content(&call, whole), &call.operation.output))
        }
        Named::Unversioned(name) => {
            let found = call.app.resource_get(&call.ctx, PACKAGE.path, name.clone()).await;
            let found = found.map_err(call.about(&PACKAGE, &name))?;
            Ok(cut(without_content(&call, whole_unversioned(&call, &found)), &call.operation.output))
        }
    }
}

/// IncludedData MetadataOnly leaves the content of the card out.
fn without_content(call: &Call, mut whole: Document) -> Document {
    if call.text("IncludedData") == Some("MetadataOnly")
        && let Some(Value::Object(card)) = whole.get_mut("ModelCard")
    {
        card.insert("ModelCardContent".to_owned(), "".into());
    }
    whole
}

pub(crate) async fn update(call: Call) -> Result<Value> {
    refuse_aliases(&call)?;
    let arn = call.required("ModelPackageArn").to_owned();
    let replaced = call.kept(&[
        "ModelPackageArn",
        "ModelApprovalStatus",
        "CustomerMetadataProperties",
        "CustomerMetadataPropertiesToRemove",
        "AdditionalInferenceSpecificationsToAdd",
        "ClientToken",
    ]);
    let properties = call.map("CustomerMetadataProperties").cloned();
    let remove = call.texts("CustomerMetadataPropertiesToRemove");
    let add = call.input.get("AdditionalInferenceSpecificationsToAdd").and_then(Value::as_array).cloned();
    let rewrite = move |kept: &mut Document| {
        kept.extend(replaced.clone());
        merge_map(kept, "CustomerMetadataProperties", properties.as_ref(), &remove);
        if let Some(add) = &add {
            let specifications = kept.entry("AdditionalInferenceSpecifications").or_insert_with(|| json!([]));
            if let Value::Array(specifications) = specifications {
                specifications.extend(add.clone());
            }
        }
        Ok(())
    };
    match named(&call, "ModelPackageArn").await? {
        Named::Version { model, number } => {
            open_version(&call, "ModelPackageArn", model.clone(), number).await?;
            let change = VersionChange {
                approval: call.text("ModelApprovalStatus").map(approval),
                stage: call.map("ModelLifeCycle").map(|life| stage_in(Some(life)).unwrap_or(Stage::None)),
                of_approval: &["ApprovalDescription"],
                of_stage: &["ModelLifeCycle"],
            };
            call.app.model_version_change(&call.ctx, model, number, change, rewrite).await?;
        }
        Named::Unversioned(name) => {
            let status = call.input.get("ModelApprovalStatus").cloned();
            call.app
                .resource_rewrite(&call.ctx, PACKAGE.path, name.clone(), move |resource| {
                    put(&mut resource.document, "ModelApprovalStatus", status.clone());
                    rewrite(&mut resource.document)
                })
                .await
                .map_err(call.about(&PACKAGE, &name))?;
        }
    }
    Ok(json!({ "ModelPackageArn": arn }))
}

pub(crate) async fn delete(call: Call) -> Result<Value> {
    match named(&call, "ModelPackageName").await? {
        Named::Version { model, number } => {
            open_version(&call, "ModelPackageName", model.clone(), number).await?;
            call.app.model_version_delete(&call.ctx, model, number).await?;
        }
        Named::Unversioned(name) => {
            let deleted = call.app.resource_delete(&call.ctx, PACKAGE.path, name.clone()).await;
            deleted.map_err(call.about(&PACKAGE, &name))?;
        }
    }
    Ok(nothing())
}

/// Versions of one group when one is named, or of all groups, or packages without a group, or both kinds.
pub(crate) async fn list(call: Call) -> Result<Value> {
    let group = call.has("ModelPackageGroupName");
    match call.text("ModelPackageType").unwrap_or(if group { "Versioned" } else { "Unversioned" }) {
        "Unversioned" if !group => {
            let status = call.text("ModelApprovalStatus").map(|status| kept_equals(&["ModelApprovalStatus"], status));
            let query = call.list_query(status.into_iter().collect())?;
            unversioned_page(&call, query).await
        }
        "Both" if !group => both(&call).await,
        _ => {
            let query = version_query(&call).await?;
            version_page(&call, query).await
        }
    }
}

async fn version_query(call: &Call) -> Result<Query> {
    let mut filters = vec![no_prompt()];
    if call.has("ModelPackageGroupName") {
        filters.push(equals(Attribute::Name, registry::open(call, "ModelPackageGroupName").await?.0.name));
    }
    if let Some(status) = call.text("ModelApprovalStatus") {
        filters.push(equals(Attribute::Approval, approval(status).as_str()));
    }
    let mut query = call.list_query(filters)?;
    // Those made in one millisecond are in the order of their numbers.
    let direction = query.order_by.first().map_or(Direction::Descending, |order| order.direction);
    query.order_by.push(Order { field: Field::Attribute(Attribute::VersionNumber), direction });
    Ok(query)
}

async fn version_page(call: &Call, query: Query) -> Result<Value> {
    let window = query.window;
    let page = call.app.model_version_search(&call.ctx, query).await?;
    let members = shapes::view(PACKAGE.summary);
    let items = whole_page(call, &page.items).await?.into_iter().map(|package| cut(package, members)).collect();
    Ok(call.page_reply(PACKAGE.list, items, page.more, window))
}

async fn unversioned_page(call: &Call, query: Query) -> Result<Value> {
    resource_page(call, &PACKAGE, query).await
}

/// The versions first, then the packages without a group.
async fn both(call: &Call) -> Result<Value> {
    let window = call.window()?;
    let everything = |mut query: Query| {
        query.window = stele_domain::search::Window { offset: 0, limit: window.offset + window.limit + 1 };
        query
    };
    let status = call.text("ModelApprovalStatus").map(|status| kept_equals(&["ModelApprovalStatus"], status));
    let versions = version_page(call, everything(version_query(call).await?)).await?;
    let others = unversioned_page(call, everything(call.list_query(status.into_iter().collect())?)).await?;
    let mut items = Vec::new();
    for mut part in [versions, others] {
        if let Some(Value::Array(part)) = part.get_mut(PACKAGE.list) {
            items.append(part);
        }
    }
    call.page_of_all(PACKAGE.list, items)
}

pub(crate) async fn batch_describe(call: Call) -> Result<Value> {
    let (mut found, mut failed) = (Document::new(), Document::new());
    let members = shapes::view("BatchDescribeModelPackageSummary");
    for arn in call.texts("ModelPackageArnList") {
        let described = match parse(&call, &arn).await {
            Ok(Named::Version { model, number }) => match call.app.model_version_get(&call.ctx, model, number).await {
                Ok(version) => whole_page(&call, &[version]).await?.pop(),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
            Ok(Named::Unversioned(name)) => match call.app.resource_get(&call.ctx, PACKAGE.path, name).await {
                Ok(package) => Some(whole_unversioned(&call, &package)),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
            Err(_) => None,
        };
        match described {
            Some(whole) => found.insert(arn, cut(whole, members)),
            None => failed.insert(
                arn.clone(),
                json!({ "ErrorCode": "ValidationException", "ErrorResponse": format!("ModelPackage {arn} does not exist.") }),
            ),
        };
    }
    let mut reply = json!({ "ModelPackageSummaries": found });
    if !failed.is_empty() {
        reply["BatchDescribeModelPackageErrorMap"] = Value::Object(failed);
    }
    Ok(reply)
}

async fn named(call: &Call, member: &str) -> Result<Named> {
    parse(call, call.required(member)).await
}

/// Reads the ARN or the name of a package.
pub(crate) async fn parse(call: &Call, given: &str) -> Result<Named> {
    let rest = arn::name_in(given, PACKAGE.path, &call.account);
    match rest.split_once('/') {
        None => Ok(Named::Unversioned(rest.to_owned())),
        Some((group, number)) => {
            let model = registry::real_name(call, group).await?;
            match (model, number.parse()) {
                (Some(model), Ok(number)) => Ok(Named::Version { model, number }),
                _ => Err(missing(call, rest)),
            }
        }
    }
}

pub(crate) fn missing(call: &Call, rest: &str) -> Failure {
    (PACKAGE.missing)(&call.arn(PACKAGE.path, rest), rest)
}

async fn open_version(call: &Call, member: &str, model: String, number: i64) -> Result<ModelVersion> {
    let given = call.name_in(member, PACKAGE.path);
    // Also tells a version of a prompt from one of a model.
    registry::open_named(call, given.split('/').next().unwrap_or_default()).await.map_err(|_| missing(call, &given))?;
    call.app.model_version_get(&call.ctx, model, number).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::ModelVersion | Kind::Model, .. } => missing(call, &given),
        other => other.into(),
    })
}

fn refuse_aliases(call: &Call) -> Result<()> {
    let sets = call.map("CustomerMetadataProperties").is_some_and(|properties| properties.contains_key(ALIASES));
    if sets || call.texts("CustomerMetadataPropertiesToRemove").iter().any(|key| key == ALIASES) {
        return Err(Failure::validation(format!(
            "CustomerMetadataProperties '{ALIASES}' shows aliases and is read-only."
        )));
    }
    Ok(())
}

// The record's words and SageMaker's -------------------------------------------------------------------------

pub(crate) fn approval(status: &str) -> ApprovalStatus {
    match status {
        "Approved" => ApprovalStatus::Approved,
        "Rejected" => ApprovalStatus::Rejected,
        _ => ApprovalStatus::Pending,
    }
}

fn approval_name(approval: ApprovalStatus) -> &'static str {
    match approval {
        ApprovalStatus::Pending => "PendingManualApproval",
        ApprovalStatus::Approved => "Approved",
        ApprovalStatus::Rejected => "Rejected",
    }
}

/// The record's stage that a life cycle means, if it means one; its stages are free text.
fn stage_in(life: Option<&Document>) -> Option<Stage> {
    Stage::parse(&life?.get("Stage")?.as_str()?.to_ascii_lowercase())
}

/// The life cycle as it was written, unless another script has moved the version since.
pub(crate) fn life_cycle(kept: Option<&Document>, stage: Stage) -> Option<Value> {
    let meant = stage_in(kept).unwrap_or(Stage::None);
    if meant == stage {
        return kept.cloned().map(Value::Object);
    }
    let name = match stage {
        Stage::None => return None,
        Stage::Staging => "Staging",
        Stage::Production => "Production",
        Stage::Archived => "Archived",
    };
    Some(json!({ "Stage": name, "StageStatus": "Active" }))
}

/// Versions with every member that any answer about them has.
pub(crate) async fn whole_page(call: &Call, versions: &[ModelVersion]) -> Result<Vec<Document>> {
    let rows = versions.iter().map(|version| version.row.0).collect();
    let mut facets = call.app.facets(&call.ctx, Faceted::ModelVersion, rows).await?;
    let names: Vec<&str> = versions.iter().map(|version| version.model.as_str()).collect();
    let names = registry::shown_names(call, &names).await?;
    let whole = versions.iter().zip(names).map(|(version, group)| {
        let kept = facets.remove(&version.row.0).map(|facets| facets.document).unwrap_or_default();
        whole_version(call, version, kept, &group)
    });
    Ok(whole.collect())
}

fn whole_version(call: &Call, version: &ModelVersion, mut whole: Document, group: &str) -> Document {
    let ModelVersion {
        row: _,
        model: _,
        number,
        description,
        user: _,
        stage,
        approval,
        source,
        storage_uri: _,
        run: _,
        run_link: _,
        logged_model: _,
        created_at,
        updated_at,
        tags,
        aliases,
    } = version;
    let arn = call.arn(PACKAGE.path, &format!("{group}/{number}"));
    let life = whole.remove("ModelLifeCycle");
    put(&mut whole, "ModelLifeCycle", life_cycle(life.as_ref().and_then(Value::as_object), *stage));
    put(&mut whole, "ModelPackageGroupName", Some(group));
    put(&mut whole, "ModelPackageVersion", Some(*number));
    let description = description.as_deref().filter(|description| !description.is_empty());
    put(&mut whole, "ModelPackageDescription", description);
    put(&mut whole, "ModelApprovalStatus", Some(approval_name(*approval)));
    if !whole.contains_key("SourceUri") && !whole.contains_key("InferenceSpecification") && !source.is_empty() {
        put(&mut whole, "SourceUri", Some(source.as_str()));
    }
    if updated_at > created_at {
        put(&mut whole, "LastModifiedTime", Some(render::time(*updated_at)));
        put(&mut whole, "LastModifiedBy", Some(json!({})));
    }
    if !aliases.is_empty() {
        let properties = whole.entry("CustomerMetadataProperties").or_insert_with(|| json!({}));
        properties[ALIASES] = aliases.join(",").into();
    }
    put(&mut whole, "CreationTime", Some(render::time(*created_at)));
    put(&mut whole, "Tags", Some(render::tags(tags)));
    complete(whole, &arn)
}

pub(crate) fn whole_unversioned(call: &Call, package: &Resource) -> Document {
    let arn = call.arn(PACKAGE.path, &package.name);
    complete(crate::resources::whole(call, &PACKAGE, package), &arn)
}

/// Nothing is built or scanned here, so that every package is complete at once.
fn complete(mut whole: Document, arn: &str) -> Document {
    let done = json!([{ "Name": arn, "Status": "Completed" }]);
    put(&mut whole, "ModelPackageArn", Some(arn));
    put(&mut whole, "ModelPackageStatus", Some("Completed"));
    let details = json!({ "ValidationStatuses": done, "ImageScanStatuses": done });
    put(&mut whole, "ModelPackageStatusDetails", Some(details));
    whole.entry("CertifyForMarketplace").or_insert(false.into());
    whole.entry("ModelPackageRegistrationType").or_insert("Registered".into());
    put(&mut whole, "CreatedBy", Some(json!({})));
    whole
}

/// A test that only versions of one ARN fulfil.
pub(crate) fn is_version(model: String, number: i64) -> Filter {
    let number = stele_domain::search::Predicate::Text(stele_domain::search::Comparison::Equal, number.to_string());
    Filter::And(vec![equals(Attribute::Name, model), crate::paging::test(Attribute::VersionNumber, number)])
}
