use std::hash::{DefaultHasher, Hash, Hasher};

use axum::response::Response;
use serde::Serialize;
use stele_domain::id::ExperimentId;
use stele_domain::search::{Page, Query, TraceSearch};
use stele_domain::trace::TraceInfo;

use super::dto::{trace_dto, trace_v2_dto};
use super::experiment_ids;
use super::start::experiment_of;
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::filter::traces::{parse_filter, parse_order_by};
use crate::input::{Input, missing};
use crate::page_token;
use crate::search::{answer, max_results, window};

const DEFAULT: i64 = 100;
const MOST: i64 = 500;
/// The most experiments of one search.
const MOST_LOCATIONS: usize = 1_000;

pub(crate) async fn search(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    if !input.has("locations")? {
        return Err(missing("locations"));
    }
    // The page of judges asks before it knows its experiment: nothing is found nowhere.
    let locations = input.messages("locations")?;
    if locations.is_empty() {
        return empty();
    }
    let experiments = locations.iter().map(experiment_of).collect::<Result<Vec<_>>>()?;
    find(call, &input, experiments, trace_dto).await
}

pub(crate) async fn search_v2(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let ids = input.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(missing("experiment_ids"));
    }
    find(call, &input, experiment_ids(&ids)?, trace_v2_dto).await
}

async fn find<T: Serialize>(
    call: Call,
    input: &Input,
    experiments: Vec<ExperimentId>,
    render: fn(TraceInfo) -> T,
) -> Result<Response> {
    if experiments.len() > MOST_LOCATIONS {
        return Err(Failure::invalid(format!("a search has at most {MOST_LOCATIONS} experiments")));
    }
    let filter = input.text("filter")?.unwrap_or_default();
    let limit = max_results(input, DEFAULT, MOST)?;
    let order_by = input.texts("order_by")?;
    let mut hasher = DefaultHasher::new();
    (&experiments, &filter, &order_by).hash(&mut hasher);
    let fingerprint = hasher.finish();
    let (filter, order_by) = (parse_filter(&filter)?, parse_order_by(&order_by)?);
    let window = window(input, limit)?;
    let after = page_token::end(input.text("page_token")?.as_deref(), fingerprint);
    let search = TraceSearch { experiments, query: Query { filter, order_by, window }, after };
    let Page { items, more, end } = call.app.trace_search(&call.ctx, search).await?;
    let offset = usize::try_from(window.offset.saturating_add(window.limit)).unwrap_or(usize::MAX);
    let next = more.then(|| page_token::encode_with_end(offset, end.as_ref(), fingerprint));
    reply(&answer("traces", items.into_iter().map(render), next))
}
