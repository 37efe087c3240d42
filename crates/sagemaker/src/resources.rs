//! Resources that the record keeps for this script alone: models, model cards, artifacts, actions and contexts, all with
//! handlers of one form.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stele_app::NewResource;
use stele_domain::Error;
use stele_domain::canonical::canonical;
use stele_domain::id::LoggedModelId;
use stele_domain::lineage::is_logged_model;
use stele_domain::record::LoggedModel;
use stele_domain::resource::{Document, Resource};
use stele_domain::search::{Attribute, Filter, ResourceSearch};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::{ARTIFACT, Kind, MODEL_CARD};
use crate::paging::{equals, kept_equals, nothing};
use crate::render::{self, cut, merge_map, put};
use crate::{lineage_group, shapes};

impl Call {
    /// The failure of a call that is about one resource, in that resource's words.
    pub(crate) fn about(&self, kind: &Kind, name: &str) -> impl Fn(Error) -> Failure + use<> {
        let (arn, name) = (self.arn(kind.path, name), name.to_owned());
        let (missing, taken) = (kind.missing, kind.taken);
        move |error| match error {
            Error::NotFound { kind: stele_domain::Kind::Resource, .. } => missing(&arn, &name),
            Error::AlreadyExists { kind: stele_domain::Kind::Resource, .. } => taken(&arn, &name),
            other => other.into(),
        }
    }

    /// The name under which a resource is kept that a request names. An artifact goes by its ARN.
    fn resource_name(&self, kind: &Kind) -> String {
        let member = if kind.path == ARTIFACT.path { kind.arn } else { kind.name };
        self.name_in(member, kind.path)
    }
}

pub(crate) async fn create(call: Call, kind: &'static Kind) -> Result<Value> {
    // What an artifact is is where it lies: one place is one artifact.
    let name = if kind.path == ARTIFACT.path { artifact_id(&call) } else { call.required(kind.name).to_owned() };
    let document = call.kept(&["Tags", "ClientToken"]);
    let new = NewResource { kind: kind.path, name: Some(name.clone()), experiment: None, document, tags: call.tags()? };
    let made = call.app.resource_create(&call.ctx, new).await.map_err(call.about(kind, &name))?;
    Ok(json!({ kind.arn: call.arn(kind.path, &made.name) }))
}

pub(crate) async fn describe(call: Call, kind: &'static Kind) -> Result<Value> {
    let name = call.resource_name(kind);
    if kind.path == ARTIFACT.path && is_logged_model(&name) {
        return describe_logged_model(&call, &name).await;
    }
    let found = call.app.resource_get(&call.ctx, kind.path, name.clone()).await.map_err(call.about(kind, &name))?;
    Ok(cut(whole(&call, kind, &found), &call.operation.output))
}

pub(crate) async fn delete(call: Call, kind: &'static Kind) -> Result<Value> {
    let name = match kind.path == ARTIFACT.path && !call.has(kind.arn) {
        true => artifact_by_source(&call).await?,
        false => call.resource_name(kind),
    };
    call.app.resource_delete(&call.ctx, kind.path, name.clone()).await.map_err(call.about(kind, &name))?;
    Ok(if kind.answers_delete { json!({ kind.arn: call.arn(kind.path, &name) }) } else { nothing() })
}

/// Members that are given replace those that were kept; properties are replaced one by one.
pub(crate) async fn update(call: Call, kind: &'static Kind) -> Result<Value> {
    let name = call.resource_name(kind);
    let remove = call.texts("PropertiesToRemove");
    let id_member = if kind.path == ARTIFACT.path { kind.arn } else { kind.name };
    let changes = call.kept(&["Properties", "PropertiesToRemove", "ClientToken", id_member]);
    let properties = call.map("Properties").cloned();
    let about = call.about(kind, &name);
    let is_card = kind.path == MODEL_CARD.path;
    call.app
        .resource_rewrite(&call.ctx, kind.path, name.clone(), move |resource| {
            // A card keeps every content that it has had.
            if is_card && changes.contains_key("Content") {
                resource.version += 1;
            }
            resource.document.extend(changes.clone());
            merge_map(&mut resource.document, "Properties", properties.as_ref(), &remove);
            Ok(())
        })
        .await
        .map_err(about)?;
    Ok(json!({ kind.arn: call.arn(kind.path, &name) }))
}

pub(crate) async fn list(call: Call, kind: &'static Kind) -> Result<Value> {
    let filters = [
        ("SourceUri", &["Source", "SourceUri"][..]),
        ("ArtifactType", &["ArtifactType"]),
        ("ActionType", &["ActionType"]),
        ("ContextType", &["ContextType"]),
        ("ModelCardStatus", &["ModelCardStatus"]),
    ];
    let given = filters.into_iter().filter_map(|(member, path)| Some(kept_equals(path, call.text(member)?)));
    let query = call.list_query(given.collect())?;
    resource_page(&call, kind, query).await
}

/// A page of the resources of a kind, each as a summary.
pub(crate) async fn resource_page(
    call: &Call,
    kind: &'static Kind,
    query: stele_domain::search::Query,
) -> Result<Value> {
    let window = query.window;
    let search = ResourceSearch { kind: kind.path.to_owned(), query };
    let page = call.app.resource_search(&call.ctx, search).await?;
    let members = shapes::view(kind.summary);
    let items = page.items.iter().map(|found| cut(whole(call, kind, found), members)).collect();
    Ok(call.page_reply(kind.list, items, page.more, window))
}

/// A resource with every member that any answer about it has.
pub(crate) fn whole(call: &Call, kind: &Kind, resource: &Resource) -> Document {
    let Resource { name, experiment, version, document, created_at, updated_at, tags, .. } = resource;
    let mut whole = document.clone();
    let arn = call.arn(kind.path, name);
    if kind.path != ARTIFACT.path {
        put(&mut whole, kind.name, Some(name.as_str()));
    }
    put(&mut whole, kind.arn, Some(arn.as_str()));
    put(&mut whole, "ExperimentName", experiment.as_ref().map(|(id, name)| crate::experiments::shown_name(*id, name)));
    if !whole.contains_key("DisplayName") {
        put(&mut whole, "DisplayName", Some(name.as_str()));
    }
    put(&mut whole, "CreationTime", Some(render::time(*created_at)));
    put(&mut whole, "LastModifiedTime", Some(render::time(*updated_at)));
    put(&mut whole, "LineageGroupArn", Some(lineage_group::arn(call)));
    put(&mut whole, "CreatedBy", Some(json!({})));
    put(&mut whole, "LastModifiedBy", Some(json!({})));
    put(&mut whole, "ModelCardVersion", Some(*version));
    if !whole.contains_key("EnableNetworkIsolation") {
        put(&mut whole, "EnableNetworkIsolation", Some(false));
    }
    put(&mut whole, "Tags", Some(render::tags(tags)));
    whole
}

// Model cards ------------------------------------------------------------------------------------------------

/// The version of a card that is asked for, or else the newest.
pub(crate) async fn card_version(call: &Call) -> Result<Resource> {
    let name = call.name_in("ModelCardName", MODEL_CARD.path);
    let about = call.about(&MODEL_CARD, &name);
    let (card, versions) = call.app.resource_history(&call.ctx, MODEL_CARD.path, name.clone()).await.map_err(about)?;
    let wanted = call.int("ModelCardVersion").unwrap_or(card.version);
    let found = versions.into_iter().find(|version| version.number == wanted).ok_or_else(|| {
        Failure::not_found(format!("Modelcard with name {name} and version: {wanted} does not exist"))
    })?;
    Ok(Resource { version: found.number, document: found.document, updated_at: found.updated_at, ..card })
}

pub(crate) async fn describe_card(call: Call) -> Result<Value> {
    let card = card_version(&call).await?;
    let mut whole = whole(&call, &MODEL_CARD, &card);
    if call.text("IncludedData") == Some("MetadataOnly") {
        whole.insert("Content".to_owned(), "".into());
    }
    Ok(cut(whole, &call.operation.output))
}

pub(crate) async fn list_card_versions(call: Call) -> Result<Value> {
    let name = call.name_in("ModelCardName", MODEL_CARD.path);
    let about = call.about(&MODEL_CARD, &name);
    let (card, mut versions) = call.app.resource_history(&call.ctx, MODEL_CARD.path, name).await.map_err(about)?;
    let (after, before) = (call.time("CreationTimeAfter"), call.time("CreationTimeBefore"));
    let status = call.text("ModelCardStatus").map(str::to_owned);
    versions.retain(|version| {
        after.is_none_or(|after| card.created_at > after)
            && before.is_none_or(|before| card.created_at < before)
            && status.as_ref().is_none_or(|status| version.document.get("ModelCardStatus") == Some(&status[..].into()))
    });
    if call.text("SortOrder") == Some("Descending") {
        versions.reverse();
    }
    let members = shapes::view("ModelCardVersionSummary");
    let items = versions.into_iter().map(|version| {
        let (document, updated_at) = (version.document, version.updated_at);
        let card = Resource { version: version.number, document, updated_at, ..card.clone() };
        cut(whole(&call, &MODEL_CARD, &card), members)
    });
    call.page_of_all("ModelCardVersionSummaryList", items.collect())
}

// Artifacts --------------------------------------------------------------------------------------------------

/// 32 hex digits that follow from the source and the type.
fn artifact_id(call: &Call) -> String {
    let source = canonical(call.input.get("Source").unwrap_or(&Value::Null));
    let digest = Sha256::digest(format!("{source}{}", call.required("ArtifactType")));
    hex::encode(&digest[..16])
}

/// What a logged model is as an artifact.
pub(crate) const LOGGED_MODEL: &str = "Model";

pub(crate) async fn logged_model(call: &Call, id: &str) -> Result<LoggedModel> {
    let missing = call.about(&ARTIFACT, id);
    call.app.logged_model_get(&call.ctx, LoggedModelId(id.to_owned())).await.map_err(|error| match error {
        Error::NotFound { .. } => missing(Error::not_found(stele_domain::Kind::Resource, id)),
        other => other.into(),
    })
}

/// A logged model has no request that it was kept of.
async fn describe_logged_model(call: &Call, id: &str) -> Result<Value> {
    let model = logged_model(call, id).await?;
    Ok(json!({
        "ArtifactArn": call.arn(ARTIFACT.path, id),
        "ArtifactName": model.name,
        "ArtifactType": LOGGED_MODEL,
        "Source": { "SourceUri": format!("models:/{id}") },
        "Properties": {},
        "CreationTime": render::time(model.created_at),
        "LastModifiedTime": render::time(model.updated_at),
        "CreatedBy": {},
        "LastModifiedBy": {},
        "LineageGroupArn": lineage_group::arn(call),
    }))
}

async fn artifact_by_source(call: &Call) -> Result<String> {
    let uri = call.map("Source").and_then(|source| source.get("SourceUri")).and_then(Value::as_str);
    let Some(uri) = uri else {
        return Err(Failure::validation("Either ArtifactArn or Source must be given."));
    };
    let query = stele_domain::search::Query {
        filter: Filter::And(vec![kept_equals(&["Source", "SourceUri"], uri)]),
        ..Default::default()
    };
    let search = ResourceSearch { kind: ARTIFACT.path.to_owned(), query };
    let mut found = call.app.resource_search(&call.ctx, search).await?.items;
    match (found.pop(), found.is_empty()) {
        (Some(artifact), true) => Ok(artifact.name),
        (None, _) => Err(Failure::not_found(format!("Artifact with source '{uri}' does not exist."))),
        (Some(_), false) => Err(Failure::validation(format!("More than one artifact has the source '{uri}'."))),
    }
}

/// A filter for the resource of one name.
pub(crate) fn named(name: &str) -> Filter {
    equals(Attribute::Name, name)
}
