//! Model package groups, which are the record's models.

use serde_json::{Value, json};
use stele_app::{Faceted, NewModel};
use stele_domain::printable::{self, LONGEST_GROUP};
use stele_domain::registry::{Model, PROMPT_TAG, is_prompt};
use stele_domain::resource::{Document, Facets};
use stele_domain::search::{Comparison, Field, Filter, Predicate};
use stele_domain::{Error, Kind};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::paging::nothing;
use crate::render::{self, cut, put};
use crate::shapes;

pub(crate) const GROUP: &str = "model-package-group";
const POLICY: &str = "ResourcePolicy";

pub(crate) async fn create(call: Call) -> Result<Value> {
    let name = call.required("ModelPackageGroupName").to_owned();
    if !printable::is_printable(&name, LONGEST_GROUP) {
        return Err(Failure::validation(format!(
            "ModelPackageGroupName '{name}' ends like the names that stand for those of other clients."
        )));
    }
    let description = call.text("ModelPackageGroupDescription").map(str::to_owned);
    let kept = call.kept(&["ModelPackageGroupName", "ModelPackageGroupDescription", "Tags"]);
    let new = NewModel { name: name.clone(), description, tags: call.tags()? };
    let arn = call.arn(GROUP, &name);
    call.app.model_create(&call.ctx, new).await.map_err(|error| match error {
        Error::AlreadyExists { .. } => Failure::validation(format!("Model Package Group already exists: {arn}")),
        other => other.into(),
    })?;
    if !kept.is_empty() {
        call.app
            .model_facets_rewrite(&call.ctx, name, move |facets| {
                facets.extend(kept.clone());
                Ok(())
            })
            .await?;
    }
    Ok(json!({ "ModelPackageGroupArn": arn }))
}

pub(crate) async fn describe(call: Call) -> Result<Value> {
    let (model, facets) = open(&call, "ModelPackageGroupName").await?;
    Ok(cut(whole(&call, &model, &facets), &call.operation.output))
}

/// A group with packages stays.
pub(crate) async fn delete(call: Call) -> Result<Value> {
    let (model, facets) = open(&call, "ModelPackageGroupName").await?;
    let arn = call.arn(GROUP, &shown(&model.name, &facets));
    call.app.model_delete_empty(&call.ctx, model.name).await.map_err(|error| match error {
        Error::WrongState { .. } => {
            Failure::conflict(format!("Model Package Group cannot be deleted: {arn} still has model packages."))
        }
        other => other.into(),
    })?;
    Ok(nothing())
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let query = call.list_query(vec![no_prompt()])?;
    let window = query.window;
    let page = call.app.model_search(&call.ctx, query).await?;
    let members = shapes::view("ModelPackageGroupSummary");
    let items = whole_page(&call, &page.items).await?.into_iter().map(|group| cut(group, members)).collect();
    Ok(call.page_reply("ModelPackageGroupSummaryList", items, page.more, window))
}

pub(crate) async fn put_policy(call: Call) -> Result<Value> {
    let policy = call.required(POLICY).to_owned();
    if !matches!(serde_json::from_str(&policy), Ok(Value::Object(_))) {
        return Err(Failure::validation("ResourcePolicy is not a JSON document."));
    }
    let (model, facets) = open(&call, "ModelPackageGroupName").await?;
    let arn = call.arn(GROUP, &shown(&model.name, &facets));
    call.app
        .model_facets_rewrite(&call.ctx, model.name, move |facets| {
            facets.insert(POLICY.to_owned(), policy.clone().into());
            Ok(())
        })
        .await?;
    Ok(json!({ "ModelPackageGroupArn": arn }))
}

pub(crate) async fn get_policy(call: Call) -> Result<Value> {
    let (model, facets) = open(&call, "ModelPackageGroupName").await?;
    let policy = facets.document.get(POLICY).ok_or_else(|| no_policy(&call, &model, &facets))?;
    Ok(json!({ POLICY: policy }))
}

pub(crate) async fn delete_policy(call: Call) -> Result<Value> {
    let (model, facets) = open(&call, "ModelPackageGroupName").await?;
    if !facets.document.contains_key(POLICY) {
        return Err(no_policy(&call, &model, &facets));
    }
    call.app
        .model_facets_rewrite(&call.ctx, model.name, |facets| {
            facets.remove(POLICY);
            Ok(())
        })
        .await?;
    Ok(nothing())
}

fn no_policy(call: &Call, model: &Model, facets: &Facets) -> Failure {
    let arn = call.arn(GROUP, &shown(&model.name, facets));
    Failure::validation(format!("Cannot find resource policy for {arn}."))
}

/// Reads the group that a member names.
pub(crate) async fn open(call: &Call, member: &str) -> Result<(Model, Facets)> {
    let given = call.name_in(member, GROUP);
    open_named(call, &given).await
}

pub(crate) async fn open_named(call: &Call, given: &str) -> Result<(Model, Facets)> {
    let missing = || Failure::validation(format!("Model Package Group {} does not exist.", call.arn(GROUP, given)));
    let name = real_name(call, given).await?.ok_or_else(missing)?;
    let model = match call.app.model_get(&call.ctx, name).await {
        Ok(model) => model,
        Err(Error::NotFound { kind: Kind::Model, .. }) => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    if is_prompt(&model.tags) {
        return Err(missing());
    }
    let mut facets = call.app.facets(&call.ctx, Faceted::Model, vec![model.row.0]).await?;
    let facets = facets.remove(&model.row.0).ok_or_else(missing)?;
    Ok((model, facets))
}

/// The record's name of a group, unless it is a substitute that stands for nothing.
pub(crate) async fn real_name(call: &Call, given: &str) -> Result<Option<String>> {
    match printable::substituted(given) {
        Some(id) => Ok(call.app.model_name(&call.ctx, id.to_owned()).await?),
        None => Ok(Some(given.to_owned())),
    }
}

/// How a model is called here.
fn shown(name: &str, facets: &Facets) -> String {
    printable::shown(name, LONGEST_GROUP, &facets.public_id)
}

/// How the models of these names are called here, in their order.
pub(crate) async fn shown_names(call: &Call, names: &[&str]) -> Result<Vec<String>> {
    let mut shown_names: Vec<String> = Vec::with_capacity(names.len());
    let mut known: std::collections::HashMap<&str, String> = std::collections::HashMap::new();
    for name in names {
        let shown = match known.get(name) {
            Some(shown) => shown.clone(),
            None if printable::is_printable(name, LONGEST_GROUP) => (*name).to_owned(),
            None => {
                let model = call.app.model_get(&call.ctx, (*name).to_owned()).await?;
                let facets = call.app.facets(&call.ctx, Faceted::Model, vec![model.row.0]).await?;
                facets.get(&model.row.0).map_or_else(|| (*name).to_owned(), |facets| shown(name, facets))
            }
        };
        known.insert(name, shown.clone());
        shown_names.push(shown);
    }
    Ok(shown_names)
}

/// Groups with every member that any answer about them has.
pub(crate) async fn whole_page(call: &Call, models: &[Model]) -> Result<Vec<Document>> {
    let rows = models.iter().map(|model| model.row.0).collect();
    let facets = call.app.facets(&call.ctx, Faceted::Model, rows).await?;
    Ok(models.iter().filter_map(|model| Some(whole(call, model, facets.get(&model.row.0)?))).collect())
}

fn whole(call: &Call, model: &Model, facets: &Facets) -> Document {
    let Model { row: _, name, description, created_at, updated_at, tags, aliases: _, latest_versions: _ } = model;
    let mut whole = facets.document.clone();
    let shown = shown(name, facets);
    put(&mut whole, "ModelPackageGroupArn", Some(call.arn(GROUP, &shown)));
    put(&mut whole, "ModelPackageGroupName", Some(shown));
    let description = description.as_deref().filter(|description| !description.is_empty());
    put(&mut whole, "ModelPackageGroupDescription", description);
    put(&mut whole, "ModelPackageGroupStatus", Some("Completed"));
    put(&mut whole, "CreationTime", Some(render::time(*created_at)));
    put(&mut whole, "LastModifiedTime", Some(render::time(*updated_at)));
    put(&mut whole, "CreatedBy", Some(json!({})));
    put(&mut whole, "Tags", Some(render::tags(tags)));
    whole
}

/// Leaves out MLflow's prompts, which are models with a tag and no model packages.
pub(crate) fn no_prompt() -> Filter {
    let tag = Field::Tag(PROMPT_TAG.to_owned());
    let values = ["true", "True", "TRUE"].map(str::to_owned).to_vec();
    Filter::Not(Box::new(Filter::Or(vec![
        Filter::Test(tag.clone(), Predicate::In(values)),
        Filter::Test(tag, Predicate::Text(Comparison::Equal, "TRUE".to_owned())),
    ])))
}
