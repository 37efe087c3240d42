//! Search over everything that this script has, through the record's one search language.

use serde_json::{Map, Value, json};
use stele_domain::resource::Document;
use stele_domain::search::{
    Attribute, Comparison, Direction, ExperimentSearch, Field, Filter, Order, Predicate, Query, ResourceSearch,
    RunSearch,
};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::{Kind, MODEL, MODEL_CARD, TRIAL};
use crate::render::cut;
use crate::search_fields::{Searched, field, test};
use crate::{experiments, metrics, packages, registry, resources, shapes, trials};

/// The deepest nesting of sub-expressions, and the most filters in all.
const DEEPEST: usize = 20;
const MOST_FILTERS: usize = 400;

pub(crate) async fn search(call: Call) -> Result<Value> {
    let searched = match call.required("Resource") {
        "ModelPackageGroup" => Searched::Group,
        "ModelPackage" => Searched::Package,
        "Experiment" => Searched::Experiment,
        "ExperimentTrial" => Searched::Resource(&TRIAL),
        "ExperimentTrialComponent" => Searched::Component,
        "Model" => Searched::Resource(&MODEL),
        "ModelCard" => Searched::Resource(&MODEL_CARD),
        // There are none of the others here.
        _ => return Ok(json!({ "Results": [] })),
    };
    let mut filter = Filter::All;
    if let Some(expression) = call.map("SearchExpression") {
        let mut budget = MOST_FILTERS;
        filter = expression_filter(&call, searched, expression, 0, &mut budget).await?;
    }
    let descending = call.text("SortOrder") != Some("Ascending");
    let direction = if descending { Direction::Descending } else { Direction::Ascending };
    let by = call.text("SortBy").unwrap_or("LastModifiedTime");
    let order_by = vec![Order { field: field(searched, by)?.sortable(by)?, direction }];
    let query = Query { filter, order_by, window: call.window()? };
    let (items, more) = records(&call, searched, query.clone()).await?;
    Ok(call.page_reply("Results", items, more, query.window))
}

async fn records(call: &Call, searched: Searched, mut query: Query) -> Result<(Vec<Value>, bool)> {
    let and = |filter: Filter, other: Filter| Filter::And(vec![filter, other]);
    Ok(match searched {
        Searched::Group => {
            query.filter = and(query.filter, registry::no_prompt());
            let page = call.app.model_search(&call.ctx, query).await?;
            let whole = registry::whole_page(call, &page.items).await?;
            (wrapped("ModelPackageGroup", whole), page.more)
        }
        Searched::Package => {
            query.filter = and(query.filter, registry::no_prompt());
            let page = call.app.model_version_search(&call.ctx, query).await?;
            let whole = packages::whole_page(call, &page.items).await?;
            (wrapped("ModelPackage", whole), page.more)
        }
        Searched::Experiment => {
            query.filter = and(query.filter, experiments::real());
            let page = call.app.experiment_search(&call.ctx, ExperimentSearch { query, ..Default::default() }).await?;
            let whole = experiments::whole_page(call, &page.items).await?;
            (wrapped("Experiment", whole), page.more)
        }
        Searched::Component => {
            let experiments = trials::every_experiment(call).await?;
            let page = call.app.run_search(&call.ctx, RunSearch { experiments, query, ..Default::default() }).await?;
            let mut all = Vec::with_capacity(page.items.len());
            for component in call.app.components(&call.ctx, page.items).await? {
                let mut whole = trials::whole(call, &component);
                whole.insert("Metrics".to_owned(), metrics::summaries(call, &component).await?);
                all.push(whole);
            }
            (wrapped("TrialComponent", all), page.more)
        }
        Searched::Resource(kind) => {
            let search = ResourceSearch { kind: kind.path.to_owned(), query };
            let page = call.app.resource_search(&call.ctx, search).await?;
            let name = record_name(kind);
            let items = wrapped(name, page.items.iter().map(|found| resources::whole(call, kind, found)).collect());
            // The record of a model is one of the dashboard, which has the model inside.
            let items =
                if name == "Model" { items.into_iter().map(|item| json!({ name: item })).collect() } else { items };
            (items, page.more)
        }
    })
}

/// Records as results have them: each under its name, with the members that its view has.
fn wrapped(name: &'static str, whole: Vec<Document>) -> Vec<Value> {
    let members = shapes::view(name);
    whole.into_iter().map(|record| json!({ name: cut(record, members) })).collect()
}

fn record_name(kind: &Kind) -> &'static str {
    match kind.path {
        "model" => "Model",
        "model-card" => "ModelCard",
        _ => "Trial",
    }
}

/// What an expression means. Its filters, nested filters and sub-expressions are joined by its operator.
fn expression_filter<'a>(
    call: &'a Call,
    searched: Searched,
    expression: &'a Map<String, Value>,
    level: usize,
    budget: &'a mut usize,
) -> std::pin::Pin<Box<dyn Future<Output = Result<Filter>> + Send + 'a>> {
    Box::pin(async move {
        if level > DEEPEST {
            return Err(Failure::validation(format!("SubExpressions are nested more than {DEEPEST} deep.")));
        }
        let list = |name: &str| expression.get(name).and_then(Value::as_array).into_iter().flatten();
        let mut parts = Vec::new();
        for filter in list("Filters") {
            parts.push(one(call, searched, filter, budget).await?);
        }
        for nested in list("NestedFilters") {
            let property = nested.get("NestedPropertyName").and_then(Value::as_str).unwrap_or_default();
            if property != "Parents" {
                return Err(Failure::validation(format!("NestedPropertyName '{property}' is not supported here.")));
            }
            let mut all = Vec::new();
            for filter in nested.get("Filters").and_then(Value::as_array).into_iter().flatten() {
                all.push(one(call, searched, filter, budget).await?);
            }
            parts.push(Filter::And(all));
        }
        for inner in list("SubExpressions").filter_map(Value::as_object) {
            parts.push(expression_filter(call, searched, inner, level + 1, &mut *budget).await?);
        }
        Ok(match expression.get("Operator").and_then(Value::as_str) {
            _ if parts.is_empty() => Filter::All,
            Some("Or") => Filter::Or(parts),
            _ => Filter::And(parts),
        })
    })
}

async fn one(call: &Call, searched: Searched, filter: &Value, budget: &mut usize) -> Result<Filter> {
    *budget = budget
        .checked_sub(1)
        .ok_or_else(|| Failure::validation(format!("A search has at most {MOST_FILTERS} filters.")))?;
    let text = |member: &str| filter.get(member).and_then(Value::as_str);
    let name = text("Name").unwrap_or_default();
    let value = text("Value");
    let operator = text("Operator").unwrap_or(if value.is_some() { "Equals" } else { "Exists" });
    if value.is_none() && !matches!(operator, "Exists" | "NotExists") {
        return Err(Failure::validation(format!("The filter on '{name}' with operator {operator} needs a Value.")));
    }
    let value = value.unwrap_or_default();
    if matches!(operator, "Equals" | "NotEquals")
        && let Some(is) = by_identity(call, searched, name, value).await?
    {
        return Ok(if operator == "Equals" { is } else { Filter::Not(Box::new(is)) });
    }
    test(&field(searched, name)?, name, operator, value)
}

/// Names and ARNs that the record has in other words.
async fn by_identity(call: &Call, searched: Searched, name: &str, value: &str) -> Result<Option<Filter>> {
    let nobody = || Filter::Or(Vec::new());
    let is =
        |attribute, value: String| Filter::Test(Field::Attribute(attribute), Predicate::Text(Comparison::Equal, value));
    Ok(Some(match (searched, name) {
        (Searched::Group | Searched::Package, "ModelPackageGroupName") => {
            registry::real_name(call, value).await?.map_or_else(nobody, |name| is(Attribute::Name, name))
        }
        (Searched::Group, "ModelPackageGroupArn") => {
            let name = crate::arn::name_in(value, registry::GROUP, &call.account);
            registry::real_name(call, name).await?.map_or_else(nobody, |name| is(Attribute::Name, name))
        }
        (Searched::Package, "ModelPackageArn") => match packages::parse(call, value).await {
            Ok(packages::Named::Version { model, number }) => packages::is_version(model, number),
            Ok(packages::Named::Unversioned(_)) | Err(_) => nobody(),
        },
        (Searched::Experiment, "ExperimentName") => match experiments::open(call, value).await {
            Ok(found) => is(Attribute::Name, found.name),
            Err(_) => nobody(),
        },
        (Searched::Component, "Parents.ExperimentName" | "ExperimentName") => {
            match experiments::open(call, value).await {
                Ok(found) => is(Attribute::ExperimentId, found.id.0.to_string()),
                Err(_) => nobody(),
            }
        }
        (Searched::Experiment, "ExperimentArn")
        | (Searched::Component, "TrialComponentArn")
        | (Searched::Resource(_), "TrialArn" | "ModelArn" | "ModelCardArn") => {
            let rest = crate::arn::parse(value, &call.account).map_or("", |path| path.rest);
            let attribute = if searched.is_component() { Attribute::Alias } else { Attribute::Name };
            is(attribute, rest.to_owned())
        }
        _ => return Ok(None),
    }))
}
