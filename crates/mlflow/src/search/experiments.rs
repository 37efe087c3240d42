use axum::response::Response;
use stele_domain::search::{ExperimentSearch, Query};

use super::{answer, max_results_at_most, next_token, presences, window};
use crate::call::{Call, reply};
use crate::dto::ExperimentDto;
use crate::error::Result;
use crate::filter::experiments::{parse_filter, parse_order_by};
use crate::input::Input;

const MOST: i64 = 50_000;

pub(crate) async fn search(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let presences = presences(&input, "view_type")?;
    let limit = limit(&input)?;
    let order_by = parse_order_by(&input.texts("order_by")?)?;
    let filter = parse_filter(&input.text("filter")?.unwrap_or_default())?;
    let window = window(&input, limit)?;
    let search = ExperimentSearch { presences, query: Query { filter, order_by, window } };
    let page = call.app.experiment_search(&call.ctx, search).await?;
    let next = next_token(window, page.more);
    let experiments = page.items.into_iter().map(|experiment| ExperimentDto::new(experiment, &call.ctx.workspace_name));
    reply(&answer("experiments", experiments, next))
}

/// Unlike in other searches there is no default.
fn limit(input: &Input) -> Result<i64> {
    max_results_at_most(input.int("max_results")?.unwrap_or(0), MOST)
}
