use std::cell::Cell;

use axum::response::Response;
use stele_domain::id::ExperimentId;
use stele_domain::search::{
    Attribute, DatasetSelector, Direction, Field, Filter, LoggedModelSearch, Predicate, Query, Window,
};

use super::{answer, max_results, rewrite, status};
use crate::call::{Call, reply};
use crate::error::{Failure, Result};
use crate::filter::logged_models::{OrderBy, parse_filter, parse_order_by};
use crate::input::{Input, missing};
use crate::logged_models::{LoggedModelDto, PageToken, STATUSES, TokenOrder};
use crate::validate;

const DEFAULT: i64 = 50;
const MOST: i64 = 50_000;
const MOST_DATASETS: usize = 100;

pub(crate) async fn search(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    if !input.has("experiment_ids")? {
        return Err(missing("experiment_ids"));
    }
    let experiment_ids = input.texts("experiment_ids")?;
    let filter = input.text("filter")?.filter(|filter| !filter.is_empty());
    let datasets = datasets(&input)?;
    let experiments = experiment_ids.iter().map(|id| validate::experiment_id(id)).collect::<Result<Vec<_>>>()?;
    // Zero stands for the default here.
    let limit = match input.int("max_results")? {
        None | Some(0) => DEFAULT,
        Some(_) => max_results(&input, DEFAULT, MOST)?,
    };
    let order_by = orders(&input)?;
    let token = input.text("page_token")?.filter(|token| !token.is_empty());

    let mut search = PageToken { experiment_ids, filter, order_by, offset: 0 };
    if let Some(token) = token {
        search.offset = PageToken::offset_for(&token, &search)?;
    }
    let window = Window { offset: i64::try_from(search.offset).unwrap_or(i64::MAX), limit };
    let query = Query {
        filter: parse_filter(search.filter.as_deref().unwrap_or(""))?,
        order_by: parse_order_by(&search.order_by.iter().flatten().map(order).collect::<Vec<_>>())?,
        window,
    };
    let page = call.app.logged_model_search(&call.ctx, measured(experiments, query, datasets)).await?;
    search.offset = search.offset.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = page.more.then(|| search.encode());
    reply(&answer("models", page.items.into_iter().map(LoggedModelDto::from), next))
}

/// Datasets restrict each comparison of a metric, or without one the models to those measured on one of them.
fn measured(experiments: Vec<ExperimentId>, query: Query, datasets: Vec<DatasetSelector>) -> LoggedModelSearch {
    let compares_metrics = Cell::new(false);
    let filter = rewrite(query.filter, &|field, predicate| match field {
        Field::Attribute(Attribute::Status) => {
            // MLflow's server keeps the number; its name is understood as well.
            let names = STATUSES.iter().flat_map(|(name, number, status)| {
                [((*name).to_owned(), status.as_str()), (number.to_string(), status.as_str())]
            });
            status_filter(&predicate, names.collect())
        }
        Field::Metric(key) if !datasets.is_empty() => {
            compares_metrics.set(true);
            Filter::Or(datasets.iter().map(|dataset| on_dataset(&key, dataset, predicate.clone())).collect())
        }
        field => Filter::Test(field, predicate),
    });
    let measured_on = if compares_metrics.get() { Vec::new() } else { datasets };
    LoggedModelSearch { experiments, measured_on, query: Query { filter, ..query } }
}

/// Compares with numbers where the filter has a number, else with names.
fn status_filter(predicate: &Predicate, names: Vec<(String, &'static str)>) -> Filter {
    let is_number = |text: &String| text.parse::<i64>().is_ok();
    let by_number = match predicate {
        Predicate::Text(_, value) => is_number(value),
        Predicate::In(values) | Predicate::NotIn(values) => values.iter().all(is_number),
        Predicate::Like { .. }
        | Predicate::Contains(_)
        | Predicate::Matches(_)
        | Predicate::Number(..)
        | Predicate::IsNull
        | Predicate::IsNotNull => false,
    };
    status::translated(predicate, names.into_iter().filter(|(name, _)| is_number(name) == by_number))
}

fn on_dataset(key: &str, dataset: &DatasetSelector, predicate: Predicate) -> Filter {
    let DatasetSelector { name, digest } = dataset.clone();
    let field = Field::MetricOnDataset { key: key.to_owned(), dataset_name: Some(name), dataset_digest: digest };
    Filter::Test(field, predicate)
}

fn datasets(input: &Input) -> Result<Vec<DatasetSelector>> {
    let unnamed = || Failure::invalid("`dataset_name` in the `datasets` clause must be specified.");
    let selector = |dataset: &Input| {
        let name = dataset.text("dataset_name")?.filter(|name| !name.is_empty()).ok_or_else(unnamed)?;
        let digest = dataset.text("dataset_digest")?.filter(|digest| !digest.is_empty());
        Ok(DatasetSelector { name, digest })
    };
    let given = input.messages("datasets")?;
    if given.len() > MOST_DATASETS {
        return Err(Failure::invalid(format!("The `datasets` clause names more than {MOST_DATASETS} datasets.")));
    }
    given.iter().map(selector).collect()
}

fn orders(input: &Input) -> Result<Option<Vec<TokenOrder>>> {
    let order = |element: &Input| {
        Ok(TokenOrder {
            field_name: element.text("field_name")?.unwrap_or_default(),
            ascending: element.bool("ascending")?.unwrap_or(true),
            dataset_name: element.text("dataset_name")?.filter(|name| !name.is_empty()),
            dataset_digest: element.text("dataset_digest")?.filter(|digest| !digest.is_empty()),
        })
    };
    let orders = input.messages("order_by")?.iter().map(order).collect::<Result<Vec<_>>>()?;
    Ok(Some(orders).filter(|orders| !orders.is_empty()))
}

fn order(element: &TokenOrder) -> OrderBy<'_> {
    OrderBy {
        field_name: &element.field_name,
        direction: if element.ascending { Direction::Ascending } else { Direction::Descending },
        dataset_name: element.dataset_name.as_deref(),
        dataset_digest: element.dataset_digest.as_deref(),
    }
}
