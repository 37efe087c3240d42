//! Search over everything that this script has, through the record's one search language.

use std::collections::HashMap;

use serde_json::{Value, json};
use stele_app::Component;
use stele_domain::resource::{Document, Resource};
use stele_domain::search::{
    self, Attribute, Direction, ExperimentSearch, Filter, Order, Page, Predicate, Query, ResourceSearch, RunSearch,
    Window,
};

use crate::call::Call;
use crate::error::Result;
use crate::expression::{Expression, read};
use crate::kinds::{Kind, MODEL, MODEL_CARD, PACKAGE, TRIAL};
use crate::paging::test;
use crate::render::{cut, put};
use crate::search_fields::{Property, Searched, field};
use crate::statistics::{self, OrderBy};
use crate::{experiments, metrics, packages, registry, resources, shapes, trials};

/// How many components are told of with the trials of a page.
const MOST_COMPONENTS: i64 = 1_000;

/// What the word for a resource is a search over; nothing for those of which there are none here.
pub(crate) fn searched(resource: &str) -> Option<Searched> {
    Some(match resource {
        "ModelPackageGroup" => Searched::Group,
        "ModelPackage" => Searched::Package,
        "Experiment" => Searched::Experiment,
        "ExperimentTrial" => Searched::Resource(&TRIAL),
        "ExperimentTrialComponent" => Searched::Component,
        "Model" => Searched::Resource(&MODEL),
        "ModelCard" => Searched::Resource(&MODEL_CARD),
        _ => return None,
    })
}

pub(crate) async fn search(call: Call) -> Result<Value> {
    let Some(searched) = searched(call.required("Resource")) else { return Ok(json!({ "Results": [] })) };
    if let Searched::Package = searched
        && let Some(both) = versions_and_others(&call).await?
    {
        return call.page_of_all("Results", both);
    }
    let Expression { filter, conditions } = read(&call, searched).await?;
    let by = call.text("SortBy").unwrap_or("LastModifiedTime");
    let order = match field(searched, by)? {
        Property::Statistic(statistic) => OrderBy::Statistic(statistic),
        property => OrderBy::Field(property.sortable(by)?),
    };
    let query = Query { filter, order_by: Vec::new(), window: call.window()? };
    let (items, more) = match order {
        OrderBy::Field(field) if conditions.is_empty() => {
            let query = Query { order_by: vec![Order { field, direction: direction(&call) }], ..query.clone() };
            records(&call, searched, query).await?
        }
        order => {
            let page = statistics::page(&call, query.clone(), &conditions, &order).await?;
            (component_records(&call, page.items).await?, page.more)
        }
    };
    Ok(call.page_reply("Results", items, more, query.window))
}

pub(crate) fn direction(call: &Call) -> Direction {
    if call.text("SortOrder") == Some("Ascending") { Direction::Ascending } else { Direction::Descending }
}

/// A page of records, and whether more come after it.
pub(crate) async fn records(call: &Call, searched: Searched, mut query: Query) -> Result<(Vec<Value>, bool)> {
    let and = |filter: Filter, other: Filter| Filter::And(vec![filter, other]);
    let record = searched.record();
    Ok(match searched {
        Searched::Group => {
            query.filter = and(query.filter, registry::no_prompt());
            let page = call.app.model_search(&call.ctx, query).await?;
            let whole = registry::whole_page(call, &page.items).await?;
            (wrapped(record, whole), page.more)
        }
        Searched::Package => {
            query.filter = and(query.filter, registry::no_prompt());
            let page = call.app.model_version_search(&call.ctx, query).await?;
            let whole = packages::whole_page(call, &page.items).await?;
            (wrapped(record, whole), page.more)
        }
        Searched::Experiment => {
            query.filter = and(query.filter, experiments::real());
            let page = call.app.experiment_search(&call.ctx, ExperimentSearch { query, ..Default::default() }).await?;
            let whole = experiments::whole_page(call, &page.items).await?;
            (wrapped(record, whole), page.more)
        }
        Searched::Component => {
            let page = components(call, query).await?;
            (component_records(call, page.items).await?, page.more)
        }
        Searched::Resource(kind) => {
            let search = ResourceSearch { kind: kind.path.to_owned(), query };
            let page = call.app.resource_search(&call.ctx, search).await?;
            let items = wrapped(record, whole_page(call, kind, &page.items).await?);
            // The record of a model is one of the dashboard, which has the model inside.
            let items = match record {
                "Model" => items.into_iter().map(|item| json!({ record: item })).collect(),
                _ => items,
            };
            (items, page.more)
        }
    })
}

/// Records as results have them: each under its name, with the members that its view has.
fn wrapped(name: &'static str, whole: Vec<Document>) -> Vec<Value> {
    let members = shapes::view(name);
    whole.into_iter().map(|record| json!({ name: cut(record, members) })).collect()
}

async fn whole_page(call: &Call, kind: &'static Kind, found: &[Resource]) -> Result<Vec<Document>> {
    if kind.path == PACKAGE.path {
        return Ok(found.iter().map(|package| packages::whole_unversioned(call, package)).collect());
    }
    let mut page: Vec<Document> = found.iter().map(|found| resources::whole(call, kind, found)).collect();
    if kind.path == TRIAL.path && !found.is_empty() {
        let mut of_trials = of_trials(call, found).await?;
        for (trial, whole) in found.iter().zip(&mut page) {
            put(whole, "TrialComponentSummaries", Some(of_trials.remove(&trial.name).unwrap_or_default()));
        }
    }
    Ok(page)
}

// Trial components -------------------------------------------------------------------------------------------

pub(crate) async fn components(call: &Call, query: Query) -> Result<Page<Component>> {
    let experiments = search::Searched::Workspace(call.ctx.workspace);
    let page = call.app.run_search(&call.ctx, RunSearch { experiments, query, ..Default::default() }).await?;
    Ok(Page { items: call.app.components(&call.ctx, page.items).await?, more: page.more, end: None })
}

async fn component_records(call: &Call, components: Vec<Component>) -> Result<Vec<Value>> {
    let mut all = Vec::with_capacity(components.len());
    for component in components {
        let mut whole = trials::whole(call, &component);
        whole.insert("Metrics".to_owned(), metrics::summaries(call, &component).await?);
        all.push(whole);
    }
    Ok(wrapped(Searched::Component.record(), all))
}

/// The components of trials, by the trial's name.
async fn of_trials(call: &Call, found: &[Resource]) -> Result<HashMap<String, Vec<Value>>> {
    let names: Vec<String> = found.iter().map(|trial| trial.name.clone()).collect();
    let window = Window { offset: 0, limit: MOST_COMPONENTS };
    let query = Query { filter: test(Attribute::Trial, Predicate::In(names)), window, ..Query::default() };
    let mut of_trials: HashMap<String, Vec<Value>> = HashMap::new();
    for component in components(call, query).await?.items {
        let whole = trials::whole(call, &component);
        let mut summary = Document::new();
        for member in ["TrialComponentName", "TrialComponentArn", "CreationTime", "CreatedBy"] {
            put(&mut summary, member, whole.get(member).cloned());
        }
        for of in component.trials {
            of_trials.entry(of.trial).or_default().push(Value::Object(summary.clone()));
        }
    }
    Ok(of_trials)
}

// Model packages ---------------------------------------------------------------------------------------------

/// All packages up to the end of the page, if there are any without a group: those are no model versions, so that two
/// searches are put together.
async fn versions_and_others(call: &Call) -> Result<Option<Vec<Value>>> {
    let window = call.window()?;
    let window = Window { offset: 0, limit: window.offset + window.limit + 1 };
    let (versions, others) = (Searched::Package, Searched::Resource(&PACKAGE));
    let of = async |searched: Searched, window: Window| {
        let by = call.text("SortBy").unwrap_or("LastModifiedTime");
        let order_by = vec![Order { field: field(searched, by)?.sortable(by)?, direction: direction(call) }];
        let filter = read(call, searched).await?.filter;
        records(call, searched, Query { filter, order_by, window }).await
    };
    let (mut both, _) = of(others, window).await?;
    if both.is_empty() {
        return Ok(None);
    }
    both.extend(of(versions, window).await?.0);
    let by = call.text("SortBy").unwrap_or("LastModifiedTime");
    statistics::sort(&mut both, direction(call), |item| {
        let package = &item[versions.record()];
        let found = by.split('.').try_fold(package, |value, name| value.get(name));
        // What has never been changed was last changed when it was made.
        let found = found.or_else(|| (by == "LastModifiedTime").then(|| &package["CreationTime"]));
        found.filter(|value| !value.is_null()).cloned()
    });
    Ok(Some(both))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_has_a_view() {
        let words = ["ModelPackageGroup", "ModelPackage", "Experiment", "ExperimentTrial", "ExperimentTrialComponent"];
        for word in words.into_iter().chain(["Model", "ModelCard"]) {
            assert!(!shapes::view(searched(word).unwrap().record()).is_empty(), "{word}");
        }
        assert!(!shapes::view(Searched::Resource(&PACKAGE).record()).is_empty());
    }
}
